// Where `tidemark group reset` puts a group's offsets, as kafka-consumer-groups does it: what was asked for,
// held against what the log has. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "protocol/ids.h"

namespace tidemark::cli {

struct ResetTarget {
  enum class Kind : uint8_t { earliest, latest, offset, shift, time, duration, current, file };
  Kind kind = Kind::current;
  // An offset, a shift, ms since the epoch, or ms before now.
  int64_t value = 0;
};

// Error (config): not exactly one of the options that say where to, or one that cannot be read.
Result<ResetTarget> parse_reset_target(const GroupReset& command);

// Lines "topic,partition,offset", or with the group before them, as kafka-consumer-groups exports them. Error
// (config): a line that is neither, another group's, or a partition that comes twice.
Result<std::map<TopicPartition, Offset>> parse_offsets_csv(std::string_view text, std::string_view group);

// What the cluster knows of the partitions; every map has each of them, but for `committed`.
struct ResetFacts {
  std::map<TopicPartition, Offset> committed;
  std::map<TopicPartition, Offset> start;
  std::map<TopicPartition, Offset> end;
  // The first at or after the time, kNoOffset where no record is as young; for Kind::time and duration.
  std::map<TopicPartition, Offset> at_time;
  std::map<TopicPartition, Offset> file;
};

struct PlannedOffset {
  std::optional<Offset> committed;  // as it is now
  Offset offset;                    // as it shall be
  std::optional<std::string> warning;
};
using ResetPlan = std::map<TopicPartition, PlannedOffset>;

// Offsets outside of the log are moved to its nearest end, with a warning; what is current stays as it is.
// Error (config): a partition to be shifted that has no offset.
Result<ResetPlan> plan_reset(const ResetTarget& target, const std::vector<TopicPartition>& partitions,
                             const ResetFacts& facts);

}  // namespace tidemark::cli
