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
  // When the first record that is not yet read was written, ms since 1970; of the partitions that lag.
  std::map<TopicPartition, int64_t> first_unread_ms;
  int64_t now_ms = 0;

  // Below 0: more is committed than there is. None: nothing is committed, or the end is not known.
  [[nodiscard]] std::optional<int64_t> lag(const TopicPartition& tp) const;
  // Those with an offset or a member.
  [[nodiscard]] std::set<TopicPartition> partitions() const;
};

// Everything, for JSON and YAML. Lag is null where nothing is committed or the end is not known.
[[nodiscard]] Value group_document(const GroupReport& report);
// Rows of the four tables: one of the group, one for each member, each partition, each rebalance.
[[nodiscard]] Value group_row(const GroupReport& report);
void add_member_rows(const GroupReport& report, Value::List& rows);
// `total`: a last row for the group's lag.
void add_lag_rows(const GroupReport& report, bool total, Value::List& rows);
void add_rebalance_rows(const GroupReport& report, Value::List& rows);
// "readers goes on rebalancing: ..."; none where it does not.
[[nodiscard]] std::optional<std::string> loop_note(const GroupReport& report);

}  // namespace tidemark::cli
