#include "client/cli/health.h"

#include <fmt/ranges.h>

#include "client/core/admin_wire.h"

namespace tidemark::cli {
namespace {

using client::BrokerLook;
using client::ClusterSurvey;
using client::kOffsetsTopic;
using client::LogDir;
using client::PartitionMetadata;
using client::TopicMetadata;

constexpr size_t kShown = 10;  // partitions of one fault

std::string error_text(const Error& error) {
  const bool named = error.kind() == ErrorKind::protocol;
  return named ? fmt::format("{}: {}", error_name(error.code()), error.message()) : error.message();
}

// So that a shell takes it for one word, and for no more.
std::string shell_word(std::string_view text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-+:@/").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::string broker_text(const client::BrokerNode& node) {
  return fmt::format("broker {} ({}:{})", node.id, node.endpoint.host, node.endpoint.port);
}

bool is_known(const ClusterSurvey& survey, BrokerId id) {
  return std::any_of(survey.brokers.begin(), survey.brokers.end(),
                     [&](const BrokerLook& broker) { return broker.node.id == id; });
}

// "partition 3", "partitions 0,1,2 and 40 more".
std::string partitions_text(const std::vector<PartitionId>& ids) {
  std::vector<int32_t> shown;
  for (size_t i = 0; i < std::min(ids.size(), kShown); ++i) shown.push_back(ids[i].value);
  std::string text = fmt::format("partition{} {}", ids.size() == 1 ? "" : "s", fmt::join(shown, ","));
  if (ids.size() > kShown) text += fmt::format(" and {} more", ids.size() - kShown);
  return text;
}

std::optional<int64_t> used_percent(const LogDir& dir) {
  if (dir.total_bytes <= 0 || dir.usable_bytes < 0) return std::nullopt;
  return (dir.total_bytes - dir.usable_bytes) * 100 / dir.total_bytes;
}

void add_broker_faults(const BrokerLook& broker, std::vector<Fault>& faults) {
  const std::string who = broker_text(broker.node);
  if (broker.unreachable) {
    faults.push_back({Severity::critical, "broker_unreachable", who, error_text(*broker.unreachable),
                      "see whether it runs, and whether its advertised address can be reached from here"});
  }
  if (broker.log_dirs_error) {
    faults.push_back({Severity::warning, "log_dirs_unknown", who, error_text(*broker.log_dirs_error),
                      "see the broker's own log"});
  }
  for (const LogDir& dir : broker.log_dirs) {
    const std::string where = fmt::format("{} {}", who, dir.path);
    const auto used = used_percent(dir);
    if (dir.error) {
      faults.push_back({Severity::critical, "log_dir_failed", where, error_text(*dir.error),
                        "see the broker's and the kernel's log: the disk, or its rights, failed"});
    } else if (used && *used >= kNearlyFull) {
      faults.push_back({*used >= kFull ? Severity::critical : Severity::warning, "log_dir_full", where,
                        fmt::format("{} % used", *used),
                        "make room: shorten retention, topic trim, topic delete, or a larger disk"});
    }
  }
}

// Brokers that have replicas and are not there.
void add_missing_brokers(const ClusterSurvey& survey, std::vector<Fault>& faults) {
  std::map<BrokerId, size_t> missing;
  for (const TopicMetadata& topic : survey.topics) {
    for (const auto& [id, partition] : topic.partitions) {
      for (const BrokerId replica : partition.replicas) {
        if (!is_known(survey, replica)) ++missing[replica];
      }
    }
  }
  for (const auto& [id, replicas] : missing) {
    faults.push_back({Severity::critical, "broker_missing", fmt::format("broker {}", id),
                      fmt::format("not in the cluster, and has {} replicas", replicas),
                      "start it again; if it is gone for good, move its replicas"});
  }
}

// Of one topic, and alike.
void add_unserved_fault(const std::string& who, const client::Unserved& how,
                        const std::vector<PartitionId>& ids, bool of_groups, std::vector<Fault>& faults) {
  const bool has_log =
      how.error == ErrorCode::NOT_COORDINATOR || how.error == ErrorCode::COORDINATOR_NOT_AVAILABLE;
  const std::string what =
      fmt::format("{} on broker {}: {}", partitions_text(ids), how.leader, error_name(how.error));
  const std::string groups = of_groups ? "the groups that it coordinates stand still; " : "";
  if (has_log) {
    faults.push_back({Severity::critical, "coordinator_unavailable", who, what,
                      groups + "that broker's log says why they cannot be loaded"});
  } else {
    faults.push_back({Severity::critical, "partition_offline", who, what,
                      groups + "that broker's log names the file and the reason: copy the folder away first, "
                               "then mend the disk, and restore or delete the topic"});
  }
}

void add_topic_faults(const ClusterSurvey& survey, const TopicMetadata& topic, std::vector<Fault>& faults) {
  const auto configured = survey.min_in_sync.find(topic.name);
  const int32_t asked = configured == survey.min_in_sync.end() ? 1 : configured->second;
  std::vector<PartitionId> leaderless;
  std::vector<PartitionId> below_least;
  std::vector<PartitionId> under_replicated;
  std::vector<PartitionId> offline;
  std::map<std::pair<BrokerId, ErrorCode>, std::vector<PartitionId>> unserved;
  for (const auto& [id, partition] : topic.partitions) {
    const auto refused = survey.partitions.unserved.find({topic.name, id});
    // No more than there are replicas can be wanted: brokers see it so.
    const int64_t least = std::min<int64_t>(asked, std::ssize(partition.replicas));
    if (partition.leader == kNoBroker) {
      leaderless.push_back(id);
    } else if (refused != survey.partitions.unserved.end()) {
      unserved[{refused->second.leader, refused->second.error}].push_back(id);
    } else if (std::ssize(partition.in_sync) < least) {
      below_least.push_back(id);
    } else if (partition.in_sync.size() < partition.replicas.size()) {
      under_replicated.push_back(id);
    }
    if (std::any_of(partition.offline.begin(), partition.offline.end(),
                    [&](BrokerId replica) { return is_known(survey, replica); }))
      offline.push_back(id);
  }
  const std::string who = "topic " + topic.name;
  const bool of_groups = topic.name == kOffsetsTopic;
  if (topic.error != ErrorCode::NONE && topic.partitions.empty()) {
    faults.push_back({Severity::critical, "topic_unavailable", who, std::string(error_name(topic.error)),
                      "see the controller's log"});
  }
  if (!leaderless.empty()) {
    faults.push_back({Severity::critical, "no_leader", who, partitions_text(leaderless),
                      of_groups
                          ? "groups whose coordinator this is stand still: bring a replica's broker back"
                          : "bring a broker back that has a replica in sync"});
  }
  for (const auto& [how, ids] : unserved)
    add_unserved_fault(who, {how.first, how.second}, ids, of_groups, faults);
  if (!below_least.empty()) {
    faults.push_back({Severity::critical, "under_min_isr", who,
                      fmt::format("{}, min.insync.replicas {}", partitions_text(below_least), asked),
                      "acks=all is refused: bring replicas back, or lower min.insync.replicas"});
  }
  if (!under_replicated.empty()) {
    faults.push_back({Severity::warning, "under_replicated", who, partitions_text(under_replicated),
                      "see whether the brokers that lack are down, or behind"});
  }
  if (!offline.empty()) {
    faults.push_back({Severity::warning, "offline_replicas", who, partitions_text(offline),
                      "a broker that runs has them offline: see its log folders"});
  }
}

void add_group_faults(const client::GroupLook& look, std::vector<Fault>& faults) {
  const std::string who = "group " + look.group.id;
  if (look.error && client::is_unreachable(*look.error)) {
    faults.push_back({Severity::critical, "coordinator_unavailable", who, error_text(*look.error),
                      "see the broker that leads its partition of __consumer_offsets"});
  } else if (look.error) {
    faults.push_back(
        {Severity::warning, "group_unknown", who, error_text(*look.error), "how it does was not looked at"});
  } else if (look.rebalances.loop_rebalances > 0) {
    faults.push_back({Severity::critical, "rebalance_loop", who,
                      fmt::format("rebalanced {} times in a row{}", look.rebalances.loop_rebalances,
                                  look.rebalances.recent.empty()
                                      ? std::string()
                                      : "; the last time: " + look.rebalances.recent.back().reason),
                      "tidemark group describe --rebalances -- " + shell_word(look.group.id)});
  } else if (look.is_moving) {
    faults.push_back({Severity::warning, "rebalancing", who, look.group.state + ", and was a moment ago",
                      "if it stays so, a member does not answer: tidemark group describe -- " +
                          shell_word(look.group.id)});
  }
}

const char* severity_name(Severity severity) {
  switch (severity) {
    case Severity::critical: return "critical";
    case Severity::warning: return "warning";
  }
  return "";
}

Value number_or_null(int64_t number) { return number < 0 ? Value() : Value(number); }

// The fields of the one row, which also begin the document.
Value::Object summary(const ClusterSurvey& survey, const std::vector<Fault>& faults) {
  size_t partitions = 0;
  for (const TopicMetadata& topic : survey.topics) partitions += topic.partitions.size();
  const auto reachable = std::count_if(survey.brokers.begin(), survey.brokers.end(),
                                       [](const BrokerLook& broker) { return !broker.unreachable; });
  return {{"healthy", faults.empty()},
          {"cluster_id", survey.cluster_id},
          {"controller", number_or_null(survey.controller.value)},
          {"brokers", static_cast<int64_t>(survey.brokers.size())},
          {"brokers_reachable", int64_t{reachable}},
          {"topics", static_cast<int64_t>(survey.topics.size())},
          {"partitions", static_cast<int64_t>(partitions)},
          {"groups", static_cast<int64_t>(survey.groups.size())}};
}

}  // namespace

std::vector<Fault> find_faults(const ClusterSurvey& survey) {
  std::vector<Fault> faults;
  for (const BrokerLook& broker : survey.brokers) add_broker_faults(broker, faults);
  add_missing_brokers(survey, faults);
  if (!is_known(survey, survey.controller)) {
    faults.push_back({Severity::critical, "no_controller", "cluster", "no broker knows a controller",
                      "nothing can be created or elected: see the controllers' logs"});
  }
  for (const TopicMetadata& topic : survey.topics) add_topic_faults(survey, topic, faults);
  if (survey.settings_error) {
    faults.push_back({Severity::warning, "settings_unknown", "cluster", error_text(*survey.settings_error),
                      "whether min.insync.replicas are met was not looked at"});
  }
  for (const BrokerLook& broker : survey.brokers) {
    const auto unknown = survey.partitions.unknown.find(broker.node.id);
    if (unknown == survey.partitions.unknown.end() || broker.unreachable) continue;
    faults.push_back({Severity::warning, "partitions_unknown", broker_text(broker.node),
                      error_text(unknown->second),
                      "whether it serves those that it leads was not looked at"});
  }
  for (const BrokerLook& broker : survey.brokers) {
    const auto unknown = survey.groups_unknown.find(broker.node.id);
    if (unknown == survey.groups_unknown.end() || broker.unreachable) continue;
    faults.push_back({Severity::warning, "groups_unknown", broker_text(broker.node),
                      error_text(unknown->second), "its coordinator may still be loading: look again"});
  }
  for (const client::GroupLook& look : survey.groups) add_group_faults(look, faults);
  std::stable_sort(faults.begin(), faults.end(),
                   [](const Fault& a, const Fault& b) { return a.severity < b.severity; });
  return faults;
}

Value fault_rows(const std::vector<Fault>& faults) {
  Value::List rows;
  for (const Fault& fault : faults) {
    rows.push_back(Value::object({{"severity", severity_name(fault.severity)},
                                  {"fault", fault.kind},
                                  {"subject", fault.subject},
                                  {"detail", fault.detail},
                                  {"advice", fault.advice}}));
  }
  return rows;
}

Value log_dir_rows(const ClusterSurvey& survey) {
  Value::List rows;
  for (const BrokerLook& broker : survey.brokers) {
    for (const LogDir& dir : broker.log_dirs) {
      const auto used = used_percent(dir);
      rows.push_back(Value::object({{"broker", int64_t{broker.node.id.value}},
                                    {"log_dir", dir.path},
                                    {"error", dir.error ? Value(error_name(dir.error->code())) : Value()},
                                    {"total_bytes", number_or_null(dir.total_bytes)},
                                    {"usable_bytes", number_or_null(dir.usable_bytes)},
                                    {"used_percent", used ? Value(*used) : Value()}}));
    }
  }
  return rows;
}

Value health_row(const ClusterSurvey& survey, const std::vector<Fault>& faults) {
  return summary(survey, faults);
}

Value health_document(const ClusterSurvey& survey, const std::vector<Fault>& faults) {
  Value::Object fields = summary(survey, faults);
  fields.emplace_back("faults", fault_rows(faults));
  fields.emplace_back("log_dirs", log_dir_rows(survey));
  return fields;
}

}  // namespace tidemark::cli
