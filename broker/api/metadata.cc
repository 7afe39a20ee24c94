// Metadata (key 3), v0-13: the cluster's brokers, and topics by name or, from v12 on, by id (KIP-516): then
// names beside the ids are not looked at. Each is answered once, however often it is named. Asking for an
// unknown topic makes it, where request (v4+) and auto.create.topics.enable allow that. Without a configured
// address, a client is told the one that it connected to.
#include <algorithm>
#include <map>
#include <set>

#include "broker/api/authorized_operations.h"
#include "broker/api/broker_endpoints.h"
#include "broker/api/handlers.h"
#include "broker/api/told_leader.h"
#include "broker/coordinator/placement.h"
#include "protocol/broker_ids.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"
#include "replication/controller/topic_name.h"

namespace tidemark::broker {

using protocol::MetadataRequest;
using protocol::MetadataResponse;
using runtime::Task;

namespace {

void describe(const ApiServices& services, const TopicView& topic,
              MetadataResponse::MetadataResponseTopic& out) {
  out.name = topic.image->name;
  out.is_internal = coordinator::is_internal_topic(topic.image->name);
  out.topic_id = topic.image->id;
  out.partitions.reserve(topic.image->partitions.size());
  for (size_t i = 0; i < topic.image->partitions.size(); ++i) {
    const auto& image = *topic.image->partitions[i];
    auto& p = out.partitions.emplace_back();
    ToldLeader told = told_leader(services, topic, i);
    p.error_code = static_cast<int16_t>(told.error);
    p.partition_index = static_cast<int32_t>(i);
    p.leader_id = told.leader.value;
    p.offline_replicas = std::move(told.offline_replicas);
    p.leader_epoch = image.leader_epoch.value;
    p.replica_nodes = numbers_of(image.replicas);
    p.isr_nodes = numbers_of(image.isr);
  }
}

constexpr int16_t kStrictQuotaSince =
    0;  // a topic that is asked for in passing is made within the quota alone
constexpr int16_t kFirstMetadataWithTopicIds = 12;  // 10 and 11 have the field, and refuse it

using Wanted = MetadataRequest::MetadataRequestTopic;

// With ids among them, those without are not looked at (as in Kafka).
std::vector<const Wanted*> each_once(const std::vector<Wanted>& topics) {
  std::set<Uuid> ids;
  std::set<std::string_view> names;
  std::vector<const Wanted*> by_id, by_name;
  for (const Wanted& topic : topics) {
    if (!topic.topic_id.is_zero()) {
      if (ids.insert(topic.topic_id).second) by_id.push_back(&topic);
    } else if (names.insert(topic.name.value_or("")).second) {
      by_name.push_back(&topic);
    }
  }
  return by_id.empty() ? by_name : by_id;
}

const TopicView* find(const ClusterView& view, const Wanted& topic) {
  return topic.topic_id.is_zero() ? view.topic(topic.name.value_or("")) : view.topic(topic.topic_id);
}

bool can_be_read(const MetadataRequest& request, int16_t version) {
  if (!request.topics || version >= kFirstMetadataWithTopicIds) return true;
  return std::ranges::all_of(*request.topics,
                             [](const auto& topic) { return topic.name && topic.topic_id.is_zero(); });
}

// As Kafka does: every topic has the error, and nothing else is said.
MetadataResponse refuse(const MetadataRequest& request, ErrorCode error) {
  MetadataResponse response;
  for (const auto& wanted : *request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = wanted.name.value_or("");
    out.topic_id = wanted.topic_id;
    out.error_code = static_cast<int16_t>(error);
  }
  return response;
}

// Creates those of `names` that may be created; what comes of it is in the view afterwards, or in `errors`.
// A set, because the controller refuses a name that is given twice.
Task<std::map<std::string, ErrorCode>> auto_create(ApiServices& services, RequestContext& request,
                                                   std::set<std::string> names) {
  std::map<std::string, ErrorCode> errors;
  std::vector<replication::NewTopic> topics;
  for (const std::string& name : names) {
    if (name == coordinator::kOffsetsTopic) {
      topics.push_back(offsets_topic(services.home.view()->broker));
    } else {
      topics.emplace_back().name = name;
    }
  }
  const auto quota = services.quotas.mutation_quota(request, kStrictQuotaSince);
  MetadataService::Decide<std::vector<replication::CreatedTopic>> decision =
      [topics, quota](const replication::Controller& controller) {
        return controller.create_topics(topics, false, asking(quota));
      };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  auto created = co_await deciding;
  if (!created) {
    for (const std::string& name : names) errors[name] = created.error().code();
    co_return errors;
  }
  for (const replication::CreatedTopic& topic : *created) {
    // Somebody else made it in the meantime: then it is there. Over the client's quota it is not there yet,
    // and clients ask again.
    if (!topic.error.ok() && topic.error.code != ErrorCode::TOPIC_ALREADY_EXISTS &&
        topic.error.code != ErrorCode::THROTTLING_QUOTA_EXCEEDED)
      errors[topic.name] = topic.error.code;
  }
  co_return errors;
}

}  // namespace

Task<Result<Response>> handle_metadata(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<MetadataRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const int16_t version = request.header.request_api_version;
  auto view = services.home.view();
  if (!can_be_read(*decoded, version)) {
    MetadataResponse refused = refuse(*decoded, ErrorCode::INVALID_REQUEST);
    co_return respond(request, refused);
  }
  const bool all = !decoded->topics || (version == 0 && decoded->topics->empty());
  const auto wanted = all ? std::vector<const Wanted*>() : each_once(*decoded->topics);
  std::map<std::string, ErrorCode> creation_errors;
  if (!all && (version < 4 || decoded->allow_auto_topic_creation) && view->broker.auto_create_topics_enable) {
    std::set<std::string> missing;
    for (const Wanted* topic : wanted) {
      if (topic->name && topic->topic_id.is_zero() && view->topic(*topic->name) == nullptr &&
          replication::validate_topic_name(*topic->name).has_value())
        missing.emplace(*topic->name);
    }
    if (!missing.empty()) {
      auto creating = auto_create(services, request, std::move(missing));
      creation_errors = co_await creating;
      view = services.home.view();
    }
  }

  protocol::Arena arena;
  MetadataResponse response;
  for (const BrokerEndpointView& broker : broker_endpoints(*view, request.connection)) {
    auto& out = response.brokers.emplace_back();
    out.node_id = broker.id.value;
    describe_endpoint(broker, arena, out);
  }
  response.cluster_id = view->image->cluster_id;
  response.controller_id = view->node.value;
  if (decoded->include_cluster_authorized_operations)
    response.cluster_authorized_operations = kClusterOperations;
  const auto next = [&]() -> MetadataResponse::MetadataResponseTopic& {
    auto& out = response.topics.emplace_back();
    if (decoded->include_topic_authorized_operations) out.topic_authorized_operations = kTopicOperations;
    return out;
  };
  if (all) {
    for (const auto& [name, image] : view->image->topics) {
      if (const TopicView* topic = view->topic(image->id)) describe(services, *topic, next());
    }
    co_return respond(request, response);
  }
  for (const Wanted* topic : wanted) {
    if (const TopicView* known = find(*view, *topic); known != nullptr) {
      describe(services, *known, next());
    } else if (!topic->topic_id.is_zero()) {
      auto& out = response.topics.emplace_back();
      out.name = std::nullopt;
      out.topic_id = topic->topic_id;
      out.error_code = static_cast<int16_t>(ErrorCode::UNKNOWN_TOPIC_ID);
    } else {
      auto& out = next();
      out.name = topic->name.value_or("");
      ErrorCode error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      if (!replication::validate_topic_name(*out.name)) error = ErrorCode::INVALID_TOPIC_EXCEPTION;
      if (const auto failed = creation_errors.find(std::string(*out.name)); failed != creation_errors.end())
        error = failed->second;
      out.error_code = static_cast<int16_t>(error);
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
