// Which partitions a verb reads and where it begins: what -p and --offset mean to the cluster as it is now.
#pragma once

#include <map>
#include <optional>

#include "client/cli/session.h"

namespace tidemark::cli {

// An offset, a special timestamp or a time, or so many records before the end.
struct StartOffset {
  std::optional<int64_t> offset;
  std::optional<int64_t> time;  // as ListOffsets takes it
  int64_t from_end = 0;

  // start, end, N, -N, @TIME. Error (config).
  static Result<StartOffset> parse(const std::string& text);
};

using Offsets = std::map<TopicPartition, Offset>;

// Those of `ids` of each topic, all where none is named.
runtime::Task<Result<std::vector<TopicPartition>>> find_partitions(Session& session,
                                                                   const std::vector<std::string>& topics,
                                                                   const std::vector<int32_t>& ids);
// `time`: client::kEarliest, kLatest, or ms since the epoch; kNoOffset where no record is as young.
runtime::Task<Result<Offsets>> offsets_at(Session& session, const std::vector<TopicPartition>& partitions,
                                          int64_t time, client::Isolation isolation);
runtime::Task<Result<Offsets>> first_offsets(Session& session, const std::vector<TopicPartition>& partitions,
                                             const StartOffset& start, client::Isolation isolation);

}  // namespace tidemark::cli
