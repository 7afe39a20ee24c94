// FindCoordinator (key 10), v0-6: one key, or from v4 on several (KIP-699). A group's coordinator is the
// leader of its partition of __consumer_offsets; whoever asks first makes that topic, and here the answer
// waits for it. Advertised from 0 (librdkafka drops lz4 in silence otherwise). Transactions and share groups
// have no coordinator to find in this release.
#include "broker/api/broker_endpoints.h"
#include "broker/api/handlers.h"
#include "broker/coordinator/placement.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr int8_t kGroup = 0;
constexpr int8_t kTransaction = 1;
constexpr int8_t kShare = 2;
constexpr int16_t kFirstVersionWithShares = 6;
constexpr int16_t kFirstBatchedVersion = 4;

constexpr size_t kAtOnce = 1000;  // keys, before others' turn

struct Found {
  ErrorCode error = ErrorCode::NONE;
  std::string_view message;
  const BrokerEndpointView* broker = nullptr;
};

Task<ErrorCode> make_offsets_topic(ApiServices& services) {
  const std::vector<replication::NewTopic> topics{offsets_topic(services.home.view()->broker)};
  MetadataService::Decide<std::vector<replication::CreatedTopic>> decision =
      [topics](const replication::Controller& controller) { return controller.create_topics(topics, false); };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  const auto created = co_await deciding;
  if (!created) co_return created.error().code();
  const ErrorCode error = created->front().error.code;
  co_return error == ErrorCode::TOPIC_ALREADY_EXISTS ? ErrorCode::NONE : error;
}

Found find_group(const ClusterView& view, const std::vector<BrokerEndpointView>& brokers,
                 std::string_view group) {
  constexpr Found kNone{ErrorCode::COORDINATOR_NOT_AVAILABLE, "The coordinator is not available."};
  const TopicView* topic = view.topic(coordinator::kOffsetsTopic);
  if (topic == nullptr) return kNone;
  const auto partition =
      coordinator::partition_of_group(group, static_cast<int32_t>(topic->image->partitions.size()));
  const auto& image = *topic->image->partition(partition);
  // A partition of this node that could not be opened coordinates nobody.
  if (image.leader == view.node && topic->shards[static_cast<size_t>(partition.value)] == kNoShard)
    return kNone;
  for (const BrokerEndpointView& broker : brokers)
    if (broker.id == image.leader) return {ErrorCode::NONE, {}, &broker};
  return kNone;
}

}  // namespace

Task<Result<Response>> handle_find_coordinator(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::FindCoordinatorRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const int16_t version = request.header.request_api_version;
  const int8_t type = decoded->key_type;
  ErrorCode refusal = ErrorCode::NONE;
  std::string_view why;
  if (type != kGroup && type != kTransaction && !(type == kShare && version >= kFirstVersionWithShares)) {
    refusal = ErrorCode::INVALID_REQUEST;
    why = "There is no coordinator for keys of this type.";
  } else if (type != kGroup) {
    refusal = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    why = "Transactions and share groups are not served by this release.";
  } else if (services.home.view()->topic(coordinator::kOffsetsTopic) == nullptr) {
    auto making = make_offsets_topic(services);
    // Whatever keeps it from being made, a client tries again.
    if (co_await making != ErrorCode::NONE) refusal = ErrorCode::COORDINATOR_NOT_AVAILABLE;
  }

  const auto view = services.home.view();
  const auto brokers = broker_endpoints(*view, request.connection);
  const auto find = [&](std::string_view key) {
    return refusal == ErrorCode::NONE ? find_group(*view, brokers, key) : Found{refusal, why, nullptr};
  };
  const auto describe = [&](const Found& found, auto& out) {
    out.error_code = static_cast<int16_t>(found.error);
    // Kafka's older form spells success out.
    const bool spelled = found.error == ErrorCode::NONE && version < kFirstBatchedVersion;
    if (version >= 1) out.error_message = spelled ? "NONE" : found.message;
    out.node_id = found.broker != nullptr ? found.broker->id.value : -1;
    out.host = found.broker != nullptr ? std::string_view(found.broker->host) : "";
    out.port = found.broker != nullptr ? found.broker->port : -1;
  };
  protocol::FindCoordinatorResponse response;
  if (version < kFirstBatchedVersion) {
    describe(find(decoded->key), response);
    co_return respond(request, response);
  }
  for (const std::string_view key : decoded->coordinator_keys) {
    auto& coordinator = response.coordinators.emplace_back();
    coordinator.key = key;
    describe(find(key), coordinator);
    if (response.coordinators.size() % kAtOnce != 0) continue;
    auto breathing = runtime::let_others_run(services.home.loop());
    co_await breathing;
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
