// `tidemark cluster`: info.
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

}  // namespace

int cluster_info(const GlobalOptions& global) { return run_session(global, ClusterInfo{}, info); }

}  // namespace tidemark::cli
