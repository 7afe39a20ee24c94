// CreatePartitions (key 37), v0-3 (KIP-195): more partitions for existing topics; over its client's quota
// refused from v3 on (KIP-599).
#include "broker/api/handlers.h"
#include "broker/coordinator/placement.h"
#include "protocol/messages/create_partitions_request.h"
#include "protocol/messages/create_partitions_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr int16_t kStrictGrowthSince = 3;

}  // namespace

Task<Result<Response>> handle_create_partitions(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::CreatePartitionsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  std::vector<replication::MorePartitions> topics;
  for (const auto& wanted : decoded->topics) {
    auto& topic = topics.emplace_back();
    topic.topic = wanted.name;
    topic.count = wanted.count;
    if (!wanted.assignments) continue;
    topic.assignments.emplace();
    for (const auto& assignment : *wanted.assignments) {
      auto& replicas = topic.assignments->emplace_back();
      for (const int32_t id : assignment.broker_ids) replicas.emplace_back(id);
    }
  }
  // The number of its partitions says which of them coordinates a group.
  const bool grows_offsets = std::erase_if(topics, [](const replication::MorePartitions& topic) {
                               return topic.topic == coordinator::kOffsetsTopic;
                             }) > 0;
  const auto quota = services.quotas.mutation_quota(request, kStrictGrowthSince);
  MetadataService::Decide<std::vector<replication::GrownTopic>> decision =
      [topics, validate = decoded->validate_only, quota](const replication::Controller& controller) {
        return controller.create_partitions(topics, validate, asking(quota));
      };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  auto grown = co_await deciding;
  if (quota) request.throttle.at_least(QuotaKind::controller_mutation, quota->pause());

  protocol::Arena arena;
  protocol::CreatePartitionsResponse response;
  if (grows_offsets) {
    auto& out = response.results.emplace_back();
    out.name = coordinator::kOffsetsTopic;
    out.error_code = static_cast<int16_t>(ErrorCode::INVALID_PARTITIONS);
    out.error_message =
        "Groups would lose their coordinators: this topic keeps the partitions that it was made with.";
  }
  for (size_t i = 0; i < (grown ? grown->size() : topics.size()); ++i) {
    auto& out = response.results.emplace_back();
    const replication::ApiError error = grown ? (*grown)[i].error : replication::ApiError(grown.error());
    out.name = arena.copy(grown ? (*grown)[i].topic : topics[i].topic);
    out.error_code = static_cast<int16_t>(error.code);
    if (error.message) out.error_message = arena.copy(*error.message);
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
