#include "broker/telemetry/client_instances.h"

#include <algorithm>

#include "protocol/batch/crc32c.h"
#include "protocol/batch/header.h"

namespace tidemark::broker {

using runtime::MonoTime;

namespace {

// Kafka keeps the first two for itself.
bool is_reserved(const Uuid& id) { return id == Uuid{} || id == Uuid::from_halves(0, 1); }

// Another one whenever what is wanted of the client is another.
int32_t subscription_id(const Uuid& instance, const Subscriptions::Wanted& wanted) {
  std::string text = std::to_string(wanted.interval_ms) + instance.to_string();
  for (const std::string& metric : wanted.metrics) text += metric + ",";
  return static_cast<int32_t>(protocol::crc32c(std::as_bytes(std::span(text))));
}

}  // namespace

void ClientInstances::set_subscriptions(Subscriptions subscriptions) {
  subscriptions_ = std::move(subscriptions);
  ++version_;
}

ClientInstances::Client& ClientInstances::client_of(const TelemetryClient& client, MonoTime now) {
  const auto [at, is_new] = clients_.try_emplace(client.instance);
  Client& known = at->second;
  if (!is_new) by_end_.erase({known.forgotten_at, client.instance});
  if (is_new || known.version != version_) {
    const Subscriptions::Wanted wanted = subscriptions_.wanted_by(client);
    known = Client();
    known.version = version_;
    known.interval = std::chrono::milliseconds(wanted.interval_ms);
    known.subscription_id = subscription_id(client.instance, wanted);
  }
  known.forgotten_at = now + std::max<runtime::Duration>(3 * known.interval, kLeastMemory);
  by_end_.emplace(known.forgotten_at, client.instance);
  if (clients_.size() > kMaxClients) {
    auto first = by_end_.begin();
    if (first->second == client.instance) ++first;
    gone_.push_back(first->second);
    clients_.erase(first->second);
    by_end_.erase(first);
  }
  return known;
}

ClientInstances::Subscribed ClientInstances::subscribe(const TelemetryClient& client, MonoTime now) {
  Client& known = client_of(client, now);
  const std::optional<MonoTime> last = std::max(known.asked, known.pushed);
  const bool must_ask = std::exchange(known.must_ask, false);
  if (last && now - *last < known.interval && !must_ask)
    return {ErrorCode::THROTTLING_QUOTA_EXCEEDED, {}, 0, {}};
  known.asked = now;
  return {ErrorCode::NONE, client.instance, known.subscription_id, subscriptions_.wanted_by(client)};
}

ErrorCode ClientInstances::push(const TelemetryClient& client, const Push& push, MonoTime now) {
  if (is_reserved(client.instance)) return ErrorCode::INVALID_REQUEST;
  Client& known = client_of(client, now);
  const bool was_terminating = std::exchange(known.terminating, push.terminating);
  if (was_terminating) return ErrorCode::INVALID_REQUEST;
  // Behind a question a push may come at any time: clients spread their first ones.
  const bool in_time = known.asked > known.pushed || !known.pushed || now - *known.pushed >= known.interval;
  if (in_time) known.pushed = now;
  if (!in_time && !push.terminating) return ErrorCode::THROTTLING_QUOTA_EXCEEDED;
  known.must_ask = true;
  if (push.subscription_id != known.subscription_id) return ErrorCode::UNKNOWN_SUBSCRIPTION_ID;
  if (push.compression < 0 || push.compression > static_cast<int8_t>(protocol::CompressionType::zstd))
    return ErrorCode::UNSUPPORTED_COMPRESSION_TYPE;
  known.must_ask = false;
  if (push.bytes > static_cast<size_t>(max_push_bytes_)) return ErrorCode::TELEMETRY_TOO_LARGE;
  return ErrorCode::NONE;
}

std::vector<Uuid> ClientInstances::expire(MonoTime now) {
  while (!by_end_.empty() && by_end_.begin()->first <= now) {
    gone_.push_back(by_end_.begin()->second);
    clients_.erase(by_end_.begin()->second);
    by_end_.erase(by_end_.begin());
  }
  return std::exchange(gone_, {});
}

}  // namespace tidemark::broker
