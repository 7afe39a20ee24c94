// A consumer group with one member, who joins it before the run and commits during it, as clients do. The
// classic protocol, in versions that Tidemark and Kafka 3 and 4 all serve.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "protocol/error.h"
#include "tests/bench/load/wire.h"

namespace tidemark::bench {

struct Member {
  std::string group;
  std::string id;
  int32_t generation = 0;
};

// Blocking, also for the group's initial delay. Throws when the broker refuses.
[[nodiscard]] Member join_group(Wire& wire, const std::string& group, const std::string& topic);
[[nodiscard]] Frame commit_frame(const Member& member, const std::string& topic,
                                 std::span<const int64_t> offsets);
// The first error of an OffsetCommit answer, or NONE.
[[nodiscard]] ErrorCode commit_error(std::span<const std::byte> answer);

}  // namespace tidemark::bench
