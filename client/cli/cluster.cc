// `tidemark cluster`: info, health.
#include "client/cli/health.h"
#include "client/cli/session.h"

namespace tidemark::cli {
namespace {

struct ClusterInfo {};

runtime::Task<Result<int>> info(Session& session, const ClusterInfo&) {
  auto asking = session.admin.describe_cluster();
  const auto cluster = co_await asking;
  if (!cluster) co_return fail(Error(cluster.error()));
  const auto describe = [&](const client::BrokerNode& broker) {
    return Value::Object{{"id", int64_t{broker.id.value}},
                         {"host", broker.endpoint.host},
                         {"port", int64_t{broker.endpoint.port}},
                         {"rack", broker.rack ? Value(*broker.rack) : Value()},
                         {"controller", broker.id == cluster->controller}};
  };
  Value::List brokers;
  Value::List rows;
  for (const client::BrokerNode& broker : cluster->brokers) {
    Value::Object fields = describe(broker);
    brokers.emplace_back(fields);
    fields.insert(fields.begin(), {"cluster", cluster->cluster_id});
    rows.emplace_back(std::move(fields));
  }
  session.out.data(Value::object({{"cluster_id", cluster->cluster_id},
                                  {"controller", int64_t{cluster->controller.value}},
                                  {"brokers", Value(brokers)}}),
                   Value(rows));
  co_return kDone;
}

struct ClusterHealth {};

// Who looks for what is wrong does not wait a minute for it.
GlobalOptions hasty(GlobalOptions global) {
  constexpr int32_t kConnectMs = 3'000;
  constexpr int32_t kAnswerMs = 5'000;
  client::ClusterOptions& cluster = global.cluster;
  cluster.connection.connect_timeout_ms = std::min(cluster.connection.connect_timeout_ms, kConnectMs);
  cluster.connection.request_timeout_ms = std::min(cluster.connection.request_timeout_ms, kAnswerMs);
  cluster.api_timeout_ms = std::min(cluster.api_timeout_ms, kAnswerMs);
  return global;
}

runtime::Task<Result<int>> health(Session& session, const ClusterHealth&) {
  auto looking = client::survey_cluster(session.cluster);
  const auto survey = co_await looking;
  if (!survey) co_return fail(Error(survey.error()));
  const std::vector<Fault> faults = find_faults(*survey);
  std::vector<Value> tables;
  Value::List summary;
  summary.push_back(health_row(*survey, faults));
  tables.emplace_back(std::move(summary));
  tables.push_back(fault_rows(faults));
  tables.push_back(log_dir_rows(*survey));
  session.out.data(health_document(*survey, faults), tables);
  co_return faults.empty() ? kDone : kRefused;
}

}  // namespace

int cluster_health(const GlobalOptions& global) {
  return run_session(hasty(global), ClusterHealth{}, health);
}
int cluster_info(const GlobalOptions& global) { return run_session(global, ClusterInfo{}, info); }

}  // namespace tidemark::cli
