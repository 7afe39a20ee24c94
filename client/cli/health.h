// What `tidemark cluster health` makes of a look over the cluster: what is wrong, with whom, and what to do
// about it. Pure.
#pragma once

#include "client/cli/value.h"
#include "client/core/cluster_survey.h"

namespace tidemark::cli {

// Critical: something does not work now. Warning: it works, and the next failure may end that.
enum class Severity : uint8_t { critical, warning };

struct Fault {
  Severity severity = Severity::critical;
  std::string kind;     // "broker_unreachable": stable, for scripts
  std::string subject;  // "broker 3 (host:9092)", "topic orders", "group billing"
  std::string detail;
  std::string advice;
};

// Of a log folder's file system, in percent.
inline constexpr int64_t kNearlyFull = 85;
inline constexpr int64_t kFull = 95;

// The critical ones first. A replica on a broker that is gone is that broker's fault, told once.
[[nodiscard]] std::vector<Fault> find_faults(const client::ClusterSurvey& survey);

// Everything, for JSON and YAML.
[[nodiscard]] Value health_document(const client::ClusterSurvey& survey, const std::vector<Fault>& faults);
// Rows of the three tables: the cluster's one, one for each fault, one for each log folder.
[[nodiscard]] Value health_row(const client::ClusterSurvey& survey, const std::vector<Fault>& faults);
[[nodiscard]] Value fault_rows(const std::vector<Fault>& faults);
[[nodiscard]] Value log_dir_rows(const client::ClusterSurvey& survey);

}  // namespace tidemark::cli
