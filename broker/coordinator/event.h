// What a decision means to those who run the groups: for the log and the metrics. It decides nothing, and
// tells of nothing that the log has refused. Values; any thread.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "broker/coordinator/rebalance_history.h"

namespace tidemark::coordinator {

struct RebalanceEnded {
  std::string group;
  Rebalance rebalance;
};

// A group goes on rebalancing (loop_of). Told once, and again while it lasts, but not more often than every
// kLoopToldEveryMs.
inline constexpr int64_t kLoopToldEveryMs = kLoopWindowMs;
struct RebalancesInLoop {
  std::string group;
  RebalanceLoop loop;
  std::string reason;  // of the newest
};

// Somebody who is no member has set offsets: of a group that has had members, or back. What a consumer
// without a group commits as it goes is none.
struct OffsetsReset {
  std::string group;
  size_t offsets = 0;  // that were set
};

enum class OffsetsEnd : uint8_t {
  expired,        // past their retention
  deleted,        // OffsetDelete
  topic_deleted,  // of a topic that is no more
  group_deleted,  // DeleteGroups
};
inline constexpr size_t kOffsetsEnds = 4;
[[nodiscard]] std::string_view end_name(OffsetsEnd end);
struct OffsetsEnded {
  std::string group;
  OffsetsEnd end = OffsetsEnd::expired;
  size_t offsets = 0;
  bool with_group = false;  // the group is no more either
};

using Event = std::variant<RebalanceEnded, RebalancesInLoop, OffsetsReset, OffsetsEnded>;

}  // namespace tidemark::coordinator
