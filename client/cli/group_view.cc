#include "client/cli/group_view.h"

namespace tidemark::cli {
namespace {

Value text_or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }
Value text_or_null(const std::optional<std::string>& text) { return text ? Value(*text) : Value(); }

const client::CommittedOffset* committed_of(const GroupReport& report, const TopicPartition& tp) {
  const auto found = report.committed.find(tp);
  return found == report.committed.end() || !found->second ? nullptr : &*found->second;
}

std::optional<int64_t> lag_of(const GroupReport& report, const TopicPartition& tp) {
  const client::CommittedOffset* committed = committed_of(report, tp);
  const auto end = report.ends.find(tp);
  if (committed == nullptr || end == report.ends.end()) return std::nullopt;
  return end->second - committed->offset;
}

// Of all partitions whose lag is known; none where no partition's is.
std::optional<int64_t> total_lag(const GroupReport& report) {
  std::optional<int64_t> total;
  for (const TopicPartition& tp : report.partitions()) {
    if (const auto lag = lag_of(report, tp)) total = total.value_or(0) + *lag;
  }
  return total;
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
          {"lag", number_or_null(lag_of(report, tp))},
          {"member_id", member == nullptr ? Value() : Value(member->id)},
          {"client_id", member == nullptr ? Value() : Value(member->client_id)},
          {"host", member == nullptr ? Value() : Value(member->host)}};
}

Value::Object member_fields(const client::GroupMember& member) {
  return {{"member_id", member.id},
          {"instance_id", text_or_null(member.instance_id)},
          {"client_id", member.client_id},
          {"host", member.host}};
}

}  // namespace

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
                        {"members", Value(members)},
                        {"partitions", Value(partitions)}});
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
                        {"total_lag", number_or_null(total_lag(report))}});
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
  }
  rows.emplace_back(std::move(sum));
}

}  // namespace tidemark::cli
