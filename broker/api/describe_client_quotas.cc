// DescribeClientQuotas (key 48), v0-1 (KIP-546). A few bytes ask for all that was ever set: the answer is
// charged to memory for answers, and refused whole where that has no room.
#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"
#include "protocol/messages/describe_client_quotas_request.h"
#include "protocol/messages/describe_client_quotas_response.h"
#include "replication/controller/quotas.h"

namespace tidemark::broker {

using protocol::DescribeClientQuotasResponse;
using runtime::Task;

namespace {

constexpr size_t kEntriesAtATime = 1000;

replication::QuotaFilter filter_of(const protocol::DescribeClientQuotasRequest& request) {
  replication::QuotaFilter filter;
  filter.strict = request.strict;
  for (const auto& component : request.components) {
    auto& part = filter.parts.emplace_back();
    part.entity_type = component.entity_type;
    part.match_type = component.match_type;
    if (component.match) part.match.emplace(*component.match);
  }
  return filter;
}

using Entry = DescribeClientQuotasResponse::EntryData;

// Of the row and of its encoded form.
uint64_t bytes_of(const Entry& entry) {
  uint64_t bytes = sizeof(entry);
  for (const auto& part : entry.entity)
    bytes += 2 * sizeof(part) + part.entity_type.size() + part.entity_name.value_or("").size();
  for (const auto& value : entry.values) bytes += 2 * sizeof(value) + value.key.size();
  return bytes;
}

// Views into the image.
void write(const replication::QuotaEntity& entity, const replication::QuotaMap& quotas, Entry& entry) {
  for (const auto& [type, name] : entity) {
    auto& part = entry.entity.emplace_back();
    part.entity_type = type;
    part.entity_name = std::nullopt;
    if (name) part.entity_name = *name;
  }
  // Backwards: request_percentage before producer_byte_rate, as Kafka's hash has them and its tools print
  // them.
  for (auto quota = quotas.rbegin(); quota != quotas.rend(); ++quota) {
    auto& out = entry.values.emplace_back();
    out.key = quota->first;
    out.value = quota->second;
  }
}

Result<Response> refuse(RequestContext& request, ErrorCode code, std::string_view message) {
  DescribeClientQuotasResponse response;
  response.error_code = static_cast<int16_t>(code);
  response.error_message = message;
  response.entries = std::nullopt;
  return respond(request, response);
}

}  // namespace

Task<Result<Response>> handle_describe_client_quotas(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DescribeClientQuotasRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  const auto described = replication::describe_client_quotas(*view->image, filter_of(*decoded));
  if (!described) {
    const Error& error = described.error();
    co_return refuse(request, error.code(), error.message());
  }
  DescribeClientQuotasResponse response;
  response.error_message = "";
  response.entries.emplace();
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  for (const auto& [entity, quotas] : *described) {
    Entry& entry = response.entries->emplace_back();
    write(entity, *quotas, entry);
    if (!paid->pay(bytes_of(entry))) {
      co_return refuse(request, ErrorCode::POLICY_VIOLATION,
                       "There is no memory for so much of an answer: ask with a narrower filter");
    }
    if (response.entries->size() % kEntriesAtATime == 0) {
      auto breathing = runtime::let_others_run(services.home.loop());
      co_await breathing;
    }
  }
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
