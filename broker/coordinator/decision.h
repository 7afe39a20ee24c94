// What the coordinator decides: records for its log, and replies. Nothing in a decision has happened for the
// log's readers yet: the shell appends the records, applies them, and holds every reply (also those of
// decisions without records) until all records appended so far are committed. A decision that is too large
// for one batch may be written as several, in its order: the log may end behind any of its records.
// Values; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/coordinator/event.h"
#include "broker/coordinator/now.h"
#include "broker/coordinator/records.h"
#include "broker/coordinator/reply.h"
#include "protocol/ids.h"

namespace tidemark::coordinator {

// The shell's name for a request that waits for its reply: never used twice in a coordinator's life.
struct RequestToken : StrongId<struct RequestTokenTag, uint64_t> {
  using StrongId::StrongId;
};

struct Reply {
  RequestToken token;
  ReplyBody body;
};

struct Decision {
  RecordList records;
  std::vector<Reply> replies;
  std::vector<Event> events;
  size_t commits = 0;  // offsets among the records that were committed
};

}  // namespace tidemark::coordinator
