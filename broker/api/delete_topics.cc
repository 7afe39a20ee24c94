// DeleteTopics (key 20), v1-6: by name, or from v6 on by id; over its client's quota refused from v5 on
// (KIP-599). Answered when the topic is gone from every shard.
#include "broker/api/handlers.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr int16_t kStrictDeletionSince = 5;

}  // namespace

Task<Result<Response>> handle_delete_topics(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DeleteTopicsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  std::vector<replication::TopicToDelete> topics;
  for (const std::string_view name : decoded->topic_names) topics.push_back({std::string(name), {}});
  for (const auto& topic : decoded->topics) {
    auto& wanted = topics.emplace_back();
    if (topic.name) wanted.name.emplace(*topic.name);
    wanted.id = topic.topic_id;
  }
  const auto quota = services.quotas.mutation_quota(request, kStrictDeletionSince);
  MetadataService::Decide<std::vector<replication::DeletedTopic>> decision =
      [topics, quota](const replication::Controller& controller) {
        return controller.delete_topics(topics, asking(quota));
      };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  auto deleted = co_await deciding;
  if (quota) request.throttle.at_least(QuotaKind::controller_mutation, quota->pause());

  protocol::Arena arena;
  protocol::DeleteTopicsResponse response;
  for (size_t i = 0; i < (deleted ? deleted->size() : topics.size()); ++i) {
    auto& out = response.responses.emplace_back();
    const auto& name = deleted ? (*deleted)[i].name : topics[i].name;
    const replication::ApiError error =
        deleted ? (*deleted)[i].error : replication::ApiError(deleted.error());
    if (name) {
      out.name = arena.copy(*name);
    } else {
      out.name = std::nullopt;
    }
    out.topic_id = deleted ? (*deleted)[i].id : topics[i].id;
    out.error_code = static_cast<int16_t>(error.code);
    if (error.message) out.error_message = arena.copy(*error.message);
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
