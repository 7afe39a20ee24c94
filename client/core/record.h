// A record on its way to a producer: views of what the caller keeps alive until the call that takes it ends.
#pragma once

#include <vector>

#include "protocol/batch/record_iterator.h"

namespace tidemark::client {

struct OutgoingRecord {
  std::string_view topic;
  std::optional<PartitionId> partition;  // none: the partitioner's choice
  protocol::NullableBytes key;
  protocol::NullableBytes value;
  std::vector<protocol::RecordHeader> headers;
  std::optional<int64_t> timestamp_ms;  // since the Unix epoch; none: now
};

// The caller's handle of one record: numbers rise in the order of append().
using RecordNumber = uint64_t;

// What became of the records of one batch.
struct Delivery {
  TopicPartition partition;
  std::vector<RecordNumber> records;
  // The offset of the first record (kNoOffset: it is in the log, but the broker did not say where: acks=0, or
  // a duplicate of an earlier attempt). The error says whether the records may have been persisted.
  Result<Offset> base_offset;
};

}  // namespace tidemark::client
