// The shell of client metrics (KIP-714): the clients that push are known on shard 0, where subscriptions
// change with the metadata; what they push goes into the node's metrics. Owned by the node.
#pragma once

#include "broker/shard.h"
#include "broker/telemetry/client_instances.h"
#include "broker/telemetry/client_series.h"

namespace tidemark::broker {

class ClientTelemetry {
 public:
  // `series`: nullptr, nobody reads them. Outlives this.
  ClientTelemetry(Shards& shards, ClientSeries* series, int32_t max_push_bytes);
  ClientTelemetry(const ClientTelemetry&) = delete;
  ClientTelemetry& operator=(const ClientTelemetry&) = delete;

  // On shard 0's loop, once its view is there.
  void start();

  // Of any shard; `home` is its loop.
  runtime::Task<ClientInstances::Subscribed> subscribe(runtime::Scheduler& home, TelemetryClient client);
  // Whether the client may push this.
  runtime::Task<ErrorCode> push(runtime::Scheduler& home, TelemetryClient client, ClientInstances::Push push);
  // What it pushed, opened. Any thread.
  Result<void> record(const TelemetryClient& client, std::span<const std::byte> otlp) const {
    return series_ != nullptr ? series_->record(client, otlp) : Result<void>();
  }
  [[nodiscard]] int32_t max_push_bytes() const { return max_push_bytes_; }

 private:
  static constexpr runtime::Duration kLookEvery = std::chrono::seconds(1);
  void look_at(const ClusterView& view);
  void remember();
  runtime::Task<void> forget_loop();

  Shards& shards_;
  ClientSeries* const series_;
  const int32_t max_push_bytes_;
  ClientInstances clients_;  // shard 0's, like what follows
  // What the subscriptions were made of.
  std::vector<std::shared_ptr<const replication::ConfigMap>> settings_;
  bool forgetting_ = false;
};

}  // namespace tidemark::broker
