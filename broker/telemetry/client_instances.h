// The clients that push metrics, or have asked whether they should (KIP-714): which subscriptions each has,
// when it may push next, and when it is forgotten. A pure core, owned by ClientTelemetry on shard 0;
// decisions and codes are those of Kafka 4.3.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "broker/telemetry/subscriptions.h"
#include "protocol/error.h"
#include "protocol/runtime/time.h"

namespace tidemark::broker {

class ClientInstances {
 public:
  // As in Kafka. One more makes the one go that would be forgotten first.
  static constexpr size_t kMaxClients = 16'384;
  static constexpr auto kLeastMemory = std::chrono::seconds(60);

  explicit ClientInstances(int32_t max_push_bytes) : max_push_bytes_(max_push_bytes) {}

  // From now on: clients learn of it with their next request.
  void set_subscriptions(Subscriptions subscriptions);

  struct Subscribed {
    ErrorCode error = ErrorCode::NONE;
    Uuid instance;
    int32_t subscription_id = 0;
    Subscriptions::Wanted wanted;
  };
  // THROTTLING_QUOTA_EXCEEDED: before its interval has passed, unless its subscriptions have changed, or its
  // last push was told UNKNOWN_SUBSCRIPTION_ID or UNSUPPORTED_COMPRESSION_TYPE.
  Subscribed subscribe(const TelemetryClient& client, runtime::MonoTime now);

  struct Push {
    int32_t subscription_id = 0;
    bool terminating = false;  // the last one
    int8_t compression = 0;
    size_t bytes = 0;  // as they came
  };
  // INVALID_REQUEST: no such instance id can be, or its last push was there already.
  // THROTTLING_QUOTA_EXCEEDED: too early. UNKNOWN_SUBSCRIPTION_ID: it must ask anew.
  // UNSUPPORTED_COMPRESSION_TYPE. TELEMETRY_TOO_LARGE.
  ErrorCode push(const TelemetryClient& client, const Push& push, runtime::MonoTime now);

  // Forgets those that were silent for three intervals, and a minute at least. Returns all that went since
  // the last call.
  std::vector<Uuid> expire(runtime::MonoTime now);
  [[nodiscard]] size_t size() const { return clients_.size(); }
  [[nodiscard]] bool knows(const Uuid& client) const { return clients_.contains(client); }

 private:
  struct Client {
    uint64_t version = 0;  // of the subscriptions, as `interval` and `subscription_id` know them
    runtime::Duration interval{};
    int32_t subscription_id = 0;
    std::optional<runtime::MonoTime> asked, pushed;
    bool terminating = false;
    bool must_ask = false;  // its last push said so: it may, at once
    runtime::MonoTime forgotten_at;
  };
  Client& client_of(const TelemetryClient& client, runtime::MonoTime now);

  const int32_t max_push_bytes_;
  Subscriptions subscriptions_;
  uint64_t version_ = 0;
  std::map<Uuid, Client> clients_;
  std::set<std::pair<runtime::MonoTime, Uuid>> by_end_;  // Invariant: forgotten_at of each client
  std::vector<Uuid> gone_;                               // made way, and expire() has not told yet
};

}  // namespace tidemark::broker
