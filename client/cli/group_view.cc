#include "client/cli/group_view.h"

#include <fmt/ranges.h>

#include <chrono>

namespace tidemark::cli {
namespace {

Value text_or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }
Value text_or_null(const std::optional<std::string>& text) { return text ? Value(*text) : Value(); }

const client::CommittedOffset* committed_of(const GroupReport& report, const TopicPartition& tp) {
  const auto found = report.committed.find(tp);
  return found == report.committed.end() || !found->second ? nullptr : &*found->second;
}

// Of all partitions whose lag is known; none where no partition's is. One that is past its end does not make
// up for another.
std::optional<int64_t> total_lag(const GroupReport& report) {
  std::optional<int64_t> total;
  for (const TopicPartition& tp : report.partitions()) {
    if (const auto lag = report.lag(tp)) total = total.value_or(0) + std::max<int64_t>(*lag, 0);
  }
  return total;
}

// How old the first record that is not yet read is, in seconds that are not over yet; 0: there is none.
std::optional<int64_t> lag_seconds(const GroupReport& report, const TopicPartition& tp) {
  const auto lag = report.lag(tp);
  if (!lag) return std::nullopt;
  if (*lag <= 0) return 0;
  const auto first = report.first_unread_ms.find(tp);
  if (first == report.first_unread_ms.end()) return std::nullopt;
  return std::max<int64_t>(report.now_ms - first->second + 999, 0) / 1000;
}

std::optional<int64_t> max_lag_seconds(const GroupReport& report) {
  std::optional<int64_t> most;
  for (const TopicPartition& tp : report.partitions()) {
    if (const auto seconds = lag_seconds(report, tp)) most = std::max(most.value_or(0), *seconds);
  }
  return most;
}

Value number_or_null(const std::optional<int64_t>& number) { return number ? Value(*number) : Value(); }

const client::GroupMember* member_of(const GroupReport& report, const TopicPartition& tp) {
  for (const client::GroupMember& member : report.group.members) {
    if (std::binary_search(member.assigned.begin(), member.assigned.end(), tp)) return &member;
  }
  return nullptr;
}

std::map<std::string, Value::List> by_topic(const std::vector<TopicPartition>& partitions) {
  std::map<std::string, Value::List> topics;
  for (const TopicPartition& tp : partitions) topics[tp.topic].emplace_back(int64_t{tp.partition.value});
  return topics;
}

Value assignment_list(const client::GroupMember& member) {
  Value::List list;
  for (auto& [topic, ids] : by_topic(member.assigned))
    list.push_back(Value::object({{"topic", topic}, {"partitions", Value(ids)}}));
  return list;
}

// "orders:0,1 payments:0", as --topic takes it.
std::string assignment_text(const client::GroupMember& member) {
  std::string text;
  for (const auto& [topic, ids] : by_topic(member.assigned))
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", topic, Value(ids).cell());
  return text;
}

Value::Object partition_fields(const GroupReport& report, const TopicPartition& tp) {
  const client::CommittedOffset* committed = committed_of(report, tp);
  const auto end = report.ends.find(tp);
  const client::GroupMember* member = member_of(report, tp);
  return {{"topic", tp.topic},
          {"partition", int64_t{tp.partition.value}},
          {"committed_offset", committed == nullptr ? Value() : Value(committed->offset.value)},
          {"end_offset", end == report.ends.end() ? Value() : Value(end->second.value)},
          {"lag", number_or_null(report.lag(tp))},
          {"lag_seconds", number_or_null(lag_seconds(report, tp))},
          {"member_id", member == nullptr ? Value() : Value(member->id)},
          {"client_id", member == nullptr ? Value() : Value(member->client_id)},
          {"host", member == nullptr ? Value() : Value(member->host)}};
}

// "2026-01-02T03:04:05.678Z".
std::string time_text(int64_t ms) {
  using std::chrono::milliseconds;
  const std::chrono::sys_time<milliseconds> time{milliseconds(ms)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

// "2: a-1, a-2", or "-".
std::string change_text(const client::GroupRebalance& rebalance, std::string_view kind) {
  std::string text;
  for (const auto& change : rebalance.changes) {
    if (change.kind != kind) continue;
    text = fmt::format("{}: {}{}", change.count, fmt::join(change.members, ", "),
                       static_cast<size_t>(change.count) > change.members.size() ? ", ..." : "");
  }
  return text;
}

Value rebalance_document(const client::GroupRebalance& rebalance) {
  Value::List changes;
  for (const auto& change : rebalance.changes) {
    const Value::List members(change.members.begin(), change.members.end());
    changes.push_back(
        Value::object({{"kind", change.kind}, {"count", int64_t{change.count}}, {"members", members}}));
  }
  return Value::object({{"started", time_text(rebalance.started_ms)},
                        {"outcome", rebalance.outcome},
                        {"cause", rebalance.cause},
                        {"reason", rebalance.reason},
                        {"generation", rebalance.generation < 0 ? Value() : Value(rebalance.generation)},
                        {"members", int64_t{rebalance.members}},
                        {"joining_ms", rebalance.joining_ms},
                        {"assigning_ms", rebalance.assigning_ms},
                        {"changes", changes}});
}

// Null: the broker keeps no history.
Value rebalances_document(const client::GroupDescription& group) {
  if (!group.rebalances) return {};
  Value::List all;
  for (const client::GroupRebalance& rebalance : group.rebalances->recent)
    all.push_back(rebalance_document(rebalance));
  return all;
}

Value loop_document(const client::GroupDescription& group) {
  if (!group.rebalances || group.rebalances->loop_rebalances == 0) return {};
  return Value::object({{"rebalances", int64_t{group.rebalances->loop_rebalances}},
                        {"since", time_text(group.rebalances->loop_since_ms)}});
}

Value::Object member_fields(const client::GroupMember& member) {
  return {{"member_id", member.id},
          {"instance_id", text_or_null(member.instance_id)},
          {"client_id", member.client_id},
          {"host", member.host}};
}

}  // namespace

std::optional<int64_t> GroupReport::lag(const TopicPartition& tp) const {
  const client::CommittedOffset* offset = committed_of(*this, tp);
  const auto end = ends.find(tp);
  if (offset == nullptr || end == ends.end()) return std::nullopt;
  return end->second - offset->offset;
}

std::set<TopicPartition> GroupReport::partitions() const {
  std::set<TopicPartition> all;
  for (const auto& [tp, offset] : committed) all.insert(tp);
  for (const client::GroupMember& member : group.members)
    all.insert(member.assigned.begin(), member.assigned.end());
  return all;
}

Value group_document(const GroupReport& report) {
  const client::GroupDescription& group = report.group;
  Value::List members;
  for (const client::GroupMember& member : group.members) {
    Value::Object fields = member_fields(member);
    fields.emplace_back("assignment", assignment_list(member));
    members.emplace_back(std::move(fields));
  }
  Value::List partitions;
  for (const TopicPartition& tp : report.partitions()) {
    Value::Object fields = partition_fields(report, tp);
    const client::CommittedOffset* committed = committed_of(report, tp);
    fields.emplace_back("metadata", committed == nullptr ? Value() : text_or_null(committed->metadata));
    partitions.emplace_back(std::move(fields));
  }
  const client::BrokerNode& coordinator = group.coordinator;
  return Value::object({{"group", group.id},
                        {"type", text_or_null(group.type)},
                        {"state", group.state},
                        {"protocol_type", text_or_null(group.protocol_type)},
                        {"protocol", text_or_null(group.protocol)},
                        {"coordinator", Value::object({{"id", int64_t{coordinator.id.value}},
                                                       {"host", coordinator.endpoint.host},
                                                       {"port", int64_t{coordinator.endpoint.port}}})},
                        {"total_lag", number_or_null(total_lag(report))},
                        {"max_lag_seconds", number_or_null(max_lag_seconds(report))},
                        {"members", Value(members)},
                        {"partitions", Value(partitions)},
                        {"rebalance_loop", loop_document(group)},
                        {"rebalances", rebalances_document(group)}});
}

Value group_row(const GroupReport& report) {
  const client::GroupDescription& group = report.group;
  const client::BrokerNode& coordinator = group.coordinator;
  return Value::object({{"group", group.id},
                        {"type", text_or_null(group.type)},
                        {"state", group.state},
                        {"protocol_type", text_or_null(group.protocol_type)},
                        {"protocol", text_or_null(group.protocol)},
                        {"coordinator", fmt::format("{} ({}:{})", coordinator.id, coordinator.endpoint.host,
                                                    coordinator.endpoint.port)},
                        {"members", static_cast<int64_t>(group.members.size())},
                        {"partitions", static_cast<int64_t>(report.partitions().size())},
                        {"total_lag", number_or_null(total_lag(report))},
                        {"max_lag_seconds", number_or_null(max_lag_seconds(report))}});
}

void add_member_rows(const GroupReport& report, Value::List& rows) {
  for (const client::GroupMember& member : report.group.members) {
    Value::Object fields = member_fields(member);
    fields.insert(fields.begin(), {"group", report.group.id});
    fields.emplace_back("partitions", static_cast<int64_t>(member.assigned.size()));
    fields.emplace_back("assignment", text_or_null(assignment_text(member)));
    rows.emplace_back(std::move(fields));
  }
}

void add_lag_rows(const GroupReport& report, bool total, Value::List& rows) {
  const std::set<TopicPartition> partitions = report.partitions();
  for (const TopicPartition& tp : partitions) {
    Value::Object fields = partition_fields(report, tp);
    fields.insert(fields.begin(), {"group", report.group.id});
    rows.emplace_back(std::move(fields));
  }
  if (!total || partitions.empty()) return;
  Value::Object sum = *rows.back().fields();
  for (auto& [name, value] : sum) value = Value();
  sum[0].second = report.group.id;
  sum[1].second = "total";
  for (auto& [name, value] : sum) {
    if (name == "lag") value = number_or_null(total_lag(report));
    if (name == "lag_seconds") value = number_or_null(max_lag_seconds(report));
  }
  rows.emplace_back(std::move(sum));
}

void add_rebalance_rows(const GroupReport& report, Value::List& rows) {
  const client::GroupDescription& group = report.group;
  if (!group.rebalances) return;
  for (const client::GroupRebalance& rebalance : group.rebalances->recent) {
    rows.push_back(
        Value::object({{"group", group.id},
                       {"started", time_text(rebalance.started_ms)},
                       {"outcome", rebalance.outcome},
                       {"cause", rebalance.cause},
                       {"generation", rebalance.generation < 0 ? Value() : Value(rebalance.generation)},
                       {"members", int64_t{rebalance.members}},
                       {"joining_ms", rebalance.joining_ms},
                       {"assigning_ms", rebalance.assigning_ms},
                       {"joined", text_or_null(change_text(rebalance, "joined"))},
                       {"left", text_or_null(change_text(rebalance, "left"))},
                       {"timed_out", text_or_null(change_text(rebalance, "timed out"))},
                       {"reason", rebalance.reason}}));
  }
}

std::optional<std::string> loop_note(const GroupReport& report) {
  const client::GroupDescription& group = report.group;
  if (!group.rebalances || group.rebalances->loop_rebalances == 0 || group.rebalances->recent.empty())
    return std::nullopt;
  return fmt::format("{} goes on rebalancing: {} times in a row since {}; the last time: {}", group.id,
                     group.rebalances->loop_rebalances, time_text(group.rebalances->loop_since_ms),
                     group.rebalances->recent.back().reason);
}

}  // namespace tidemark::cli
