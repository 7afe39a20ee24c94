// The replay of what groups have committed, record by record of `__consumer_offsets` as a consumer reads it:
// by Kafka's schemas, and by no code of the coordinator's. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>

#include "tests/simulation/partition_model.h"

namespace tidemark::simulation {

// By group, topic and partition.
using CommittedPlace = std::tuple<std::string, std::string, int32_t>;
using CommittedOffsets = std::map<CommittedPlace, int64_t>;

// One record, in the order of the log. It must be one of Kafka's.
[[nodiscard]] Verdict replay(CommittedOffsets& offsets, std::optional<std::span<const std::byte>> key,
                             std::optional<std::span<const std::byte>> value);

// One place where what was answered before the log was read, and again after it, is not what the log says.
struct Disagreement {
  CommittedPlace place;
  int64_t answered = -1;  // -1: none
  int64_t logged = -1;
  auto operator<=>(const Disagreement&) const = default;
};
[[nodiscard]] std::set<Disagreement> compare(const CommittedOffsets& before, const CommittedOffsets& log,
                                             const CommittedOffsets& after);

}  // namespace tidemark::simulation
