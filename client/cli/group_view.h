// How `tidemark group describe` shows a group. Pure.
#pragma once

#include "client/cli/value.h"
#include "client/core/admin.h"
#include "client/core/group.h"

namespace tidemark::cli {

struct GroupReport {
  client::GroupDescription group;
  client::PerPartition<client::CommittedOffset> committed;
  // Log end offsets, of the partitions that have a leader to tell them.
  std::map<TopicPartition, Offset> ends;

  // Those with an offset or a member.
  [[nodiscard]] std::set<TopicPartition> partitions() const;
};

// Everything, for JSON and YAML. Lag is null where nothing is committed or the end is not known.
[[nodiscard]] Value group_document(const GroupReport& report);
// Rows of the three tables: one of the group, one for each member, one for each partition.
[[nodiscard]] Value group_row(const GroupReport& report);
void add_member_rows(const GroupReport& report, Value::List& rows);
// `total`: a last row for the group's lag.
void add_lag_rows(const GroupReport& report, bool total, Value::List& rows);

}  // namespace tidemark::cli
