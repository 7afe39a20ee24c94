// A produced batch on its way into the log: checked by the topic's settings, its timestamps settled,
// recompressed where the topic asks for another codec. Runs on the connection's shard; compressed batches
// that open to much go to a lane.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/api/services.h"
#include "protocol/batch/produce_check.h"
#include "protocol/records.h"

namespace tidemark::broker {

struct CheckedBatch {
  runtime::BufferSlice batch;  // of the request's frame, or a buffer of its own
  protocol::BatchHeader header;
  ErrorCode error = ErrorCode::NONE;
  std::optional<std::string> message;
  std::vector<protocol::RecordError> record_errors;
  runtime::Duration took{};   // in the lane, if it was checked there, ...
  uint64_t opened_bytes = 0;  // ... and if it was not, how many bytes that may have been
};

// `config` must live until the task ends; `now_ms`: the wall clock. `for_groups`: every record must be one
// that their coordinator can read, because one that it cannot would hide what its key has stood for, and the
// log cleaner would remove that as superseded.
runtime::Task<CheckedBatch> check_batch(ApiServices& services, RequestContext& request,
                                        protocol::Records records, const config::TopicConfig& config,
                                        int16_t produce_version, int64_t now_ms, bool for_groups);

}  // namespace tidemark::broker
