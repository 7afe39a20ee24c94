// What the API handlers of one shard may use. One per shard, made by the node; handlers take of it what they
// need.
#pragma once

#include "broker/api/fetch_session.h"
#include "broker/api/paid_answer.h"
#include "broker/client_quotas.h"
#include "broker/folder_info.h"
#include "broker/group_coordinators.h"
#include "broker/metadata_service.h"
#include "broker/node_metrics.h"
#include "broker/producer_ids.h"
#include "broker/server/request_handler.h"
#include "broker/shard.h"
#include "protocol/api_versions.h"
#include "protocol/arena.h"
#include "protocol/frame.h"

namespace tidemark::broker {

class ClientTelemetry;

struct ApiServices {
  Shard& home;
  Shards& shards;
  MetadataService& metadata;
  FetchSessions& sessions;
  ProducerIds& producer_ids;
  const std::vector<std::unique_ptr<GroupCoordinators>>& groups;  // by shard
  ClientQuotas& quotas;
  const FolderInfos& folders;
  ClientTelemetry& telemetry;
  runtime::Lane& compression;  // large compressed batches are opened here
  runtime::Random& random;
  // For answers that a small request makes large, until they are sent: all shards' together. Never null.
  std::shared_ptr<runtime::ByteBudget> answer_memory;
  // For what requests with many elements become while they are served: all shards' together. Never null.
  std::shared_ptr<runtime::ByteBudget> element_memory;
  NodeMetrics* metrics = nullptr;  // nullptr: nobody counts

  // Where this node's replica of a partition lives; nullptr: nowhere.
  [[nodiscard]] Shard* shard_of(const TopicView& topic, PartitionId partition) const {
    const auto index = static_cast<size_t>(partition.value);
    if (partition.value < 0 || index >= topic.shards.size() || topic.shards[index] == kNoShard)
      return nullptr;
    return shards[topic.shards[index]].get();
  }
};

// Settles what the request cost its client, and tells for how long that is throttled.
template <class Body>
void tell_throttle(RequestContext& request, Body& body) {
  if constexpr (requires { body.throttle_time_ms; }) {
    if (request.quotas == nullptr) return;
    if (!request.settled) request.quotas->settle(request);
    body.throttle_time_ms = static_cast<int32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(request.throttle.pause).count());
  }
}

// Encodes a body as the response to `request`; `sources` fill the deferred records fields, in order.
template <class Body>
Result<Response> respond(RequestContext& request, Body& body,
                         std::vector<std::unique_ptr<ByteSource>> sources = {}) {
  tell_throttle(request, body);
  if (request.metrics != nullptr) {
    const auto api = static_cast<protocol::ApiKey>(request.header.request_api_key);
    for_each_error(body,
                   [&](int16_t code) { request.metrics->count_error(request.connection.shard, api, code); });
  }
  TRY_ASSIGN(auto frame, protocol::encode_response_frame(request.header.correlation_id, body,
                                                         request.header.request_api_version));
  return Response{std::move(frame), std::move(sources), {}};
}

// Decodes a request's body; no request may have more than a quarter of the memory for elements. `cost`: what
// its elements take while it is served, 0 where they are few and soon forgotten.
template <class Message>
Result<Message> decode_unpaid(const RequestContext& request, uint64_t& cost) {
  constexpr uint64_t kFree = 64 << 10;
  // What a handler keeps of an element, and answers, for each byte of its decoded form.
  constexpr uint64_t kHandling = 8;
  uint64_t most = protocol::kMaxDecodedBytes;
  if (request.memory != nullptr) most = std::min(most, (*request.memory)->limit() / (4 * kHandling));
  protocol::Decoder in(request.body, most);
  auto decoded = Message::decode(in, request.header.request_api_version);
  cost = in.memory_charged() > kFree ? kHandling * in.memory_charged() : 0;
  return decoded;
}

// Decodes a request's body. A frame of a megabyte may name 200,000 partitions: what becomes of so many
// elements is paid for until the request has been answered.
template <class Message>
Result<Message> decode_body(RequestContext& request) {
  uint64_t cost = 0;
  auto decoded = decode_unpaid<Message>(request, cost);
  if (!decoded || request.memory == nullptr || cost == 0) return decoded;
  request.paid = std::make_shared<PaidAnswer>(*request.memory);
  if (!request.paid->pay(cost))
    return fail(ErrorCode::INVALID_REQUEST, "memory.limit leaves no room for so many elements just now");
  return decoded;
}

}  // namespace tidemark::broker
