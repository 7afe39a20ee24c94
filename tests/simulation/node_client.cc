#include "tests/simulation/node_client.h"

#include "tests/simulation/sim_broker.h"

namespace tidemark::simulation {

using runtime::Task;

NodeClient::NodeClient(NodeRun& run, const std::string& host)
    : run_(run), loop_(run.time), connector_(run.network.connector(host, loop_)) {}

NodeClient::~NodeClient() {
  scope_.destroy_all();
  connection_.reset();
}

void NodeClient::begin() {
  finishing_ = false;
  if (running_) return;
  running_ = true;
  loop_.post([this] { scope_.spawn(work()); });
}

Task<void> NodeClient::work() {
  while (!over()) {
    auto thinking = pause(run_.workload.think);
    co_await thinking;
    if (over()) break;
    auto operating = operate();
    co_await operating;
    // Clients come and go.
    if (run_.random.chance(0.02)) disconnect();
  }
  running_ = false;
}

Task<void> NodeClient::pause(runtime::Duration mean) {
  const auto most = static_cast<uint64_t>(2 * mean.count());
  return runtime::sleep_for(loop_, runtime::Duration(run_.random.below(most)));
}

Task<bool> NodeClient::connect() {
  if (connection_ && !connection_->failed()) co_return true;
  disconnect();
  client::ConnectionOptions options;
  options.connect_timeout_ms = 2'000;
  options.request_timeout_ms = run_.workload.request_timeout_ms;
  const uint64_t before = run_.life;
  auto opening = client::Connection::open(loop_, *connector_, SimBroker::address(), options);
  auto opened = co_await opening;
  if (!opened) {
    auto backing_off = pause(std::chrono::milliseconds(200));
    co_await backing_off;
    co_return false;
  }
  // The process died meanwhile: nobody can say to which one this leads.
  if (run_.life != before) co_return false;
  connection_ = std::move(*opened);
  life_ = before;
  run_.counters.count("node: connected");
  co_return true;
}

TopicPtr NodeClient::some_topic(bool may_be_gone) {
  if (may_be_gone && run_.random.chance(0.05) && !run_.cluster.topics().empty())
    return run_.cluster.topics()[run_.random.below(run_.cluster.topics().size())];
  const auto& names = run_.cluster.names();
  const size_t first = run_.random.below(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    if (const TopicPtr topic = run_.cluster.name(names[(first + i) % names.size()]).topic) return topic;
  }
  return nullptr;
}

bool NodeClient::excuses(const TopicModel& topic, PartitionId partition, uint64_t version, ErrorCode code) {
  const bool is_away = code == ErrorCode::KAFKA_STORAGE_ERROR || code == ErrorCode::NOT_LEADER_OR_FOLLOWER;
  if (is_away && topic.partitions[static_cast<size_t>(partition.value)].may_be_lost(life_)) {
    run_.counters.count("node: partition of a lost folder refused");
    return true;
  }
  const NameModel& name = run_.cluster.name(topic.name);
  const bool unsettled = topic.gone || name.busy || name.version != version || name.topic.get() != &topic;
  switch (code) {
    case ErrorCode::UNKNOWN_TOPIC_ID:
    case ErrorCode::UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode::NOT_LEADER_OR_FOLLOWER: return unsettled;
    case ErrorCode::KAFKA_STORAGE_ERROR: return unsettled || storage_may_fail();
    case ErrorCode::REQUEST_TIMED_OUT: return true;
    default: return false;
  }
}

}  // namespace tidemark::simulation
