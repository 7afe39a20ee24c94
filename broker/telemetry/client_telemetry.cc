#include "broker/telemetry/client_telemetry.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

Task<ClientInstances::Subscribed> subscribe_here(ClientInstances& clients, TelemetryClient client,
                                                 runtime::MonoTime now) {
  co_return clients.subscribe(client, now);
}

Task<ErrorCode> push_here(ClientInstances& clients, TelemetryClient client, ClientInstances::Push push,
                          runtime::MonoTime now) {
  co_return clients.push(client, push, now);
}

}  // namespace

ClientTelemetry::ClientTelemetry(Shards& shards, ClientSeries* series, int32_t max_push_bytes)
    : shards_(shards), series_(series), max_push_bytes_(max_push_bytes), clients_(max_push_bytes) {}

void ClientTelemetry::start() {
  shards_[0]->watch_views([this](const ClusterView& view) { look_at(view); });
  look_at(*shards_[0]->view());
}

void ClientTelemetry::look_at(const ClusterView& view) {
  constexpr auto kType = replication::ConfigResourceType::client_metrics;
  std::vector<std::shared_ptr<const replication::ConfigMap>> settings;
  for (auto at = view.image->configs.lower_bound(replication::ConfigResource{kType, ""});
       at != view.image->configs.end() && at->first.type == kType; ++at)
    settings.push_back(at->second);
  if (settings == settings_) return;
  settings_ = std::move(settings);
  clients_.set_subscriptions(Subscriptions::of(*view.image));
}

// There is something to forget from now on. A loop that only runs then costs an idle node nothing.
void ClientTelemetry::remember() {
  if (std::exchange(forgetting_, true)) return;
  shards_[0]->tasks().spawn(forget_loop());
}

Task<void> ClientTelemetry::forget_loop() {
  do {
    auto pause = runtime::sleep_for(shards_[0]->loop(), kLookEvery);
    co_await pause;
    (void)clients_.expire(shards_[0]->loop().mono());
    if (series_ != nullptr) series_->keep([this](const Uuid& client) { return clients_.knows(client); });
  } while (clients_.size() > 0 || (series_ != nullptr && series_->clients() > 0));
  forgetting_ = false;
}

Task<ClientInstances::Subscribed> ClientTelemetry::subscribe(runtime::Scheduler& home,
                                                             TelemetryClient client) {
  auto make = [this, client = std::move(client)] {
    remember();
    return subscribe_here(clients_, client, shards_[0]->loop().mono());
  };
  auto calling = shards_[0]->call(home, std::move(make));
  auto answer = co_await calling;
  co_return answer;
}

Task<ErrorCode> ClientTelemetry::push(runtime::Scheduler& home, TelemetryClient client,
                                      ClientInstances::Push push) {
  auto make = [this, client = std::move(client), push] {
    remember();
    return push_here(clients_, client, push, shards_[0]->loop().mono());
  };
  auto calling = shards_[0]->call(home, std::move(make));
  const ErrorCode answer = co_await calling;
  co_return answer;
}

}  // namespace tidemark::broker
