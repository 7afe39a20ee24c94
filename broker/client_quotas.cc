#include "broker/client_quotas.h"

#include <algorithm>

#include "protocol/invariant.h"

namespace tidemark::broker {

using runtime::Duration;

namespace {

std::string_view name_of(const RequestContext& request) { return request.header.client_id.value_or(""); }

// Of a core; 100 is all of one.
double percent_seconds(Duration work) { return std::chrono::duration<double>(work).count() * 100; }

}  // namespace

const ClientLimits::One* ClientQuotas::limit_of(RequestContext& request, QuotaKind kind) {
  if (!table()->any(kind)) return nullptr;
  auto& known = request.connection.limits;
  const std::string_view client_id = name_of(request);
  const bool fits = known && known->table == table() &&
                    (known->client_id == client_id || known->client_id == bounded_name(client_id));
  if (!fits) {
    auto limits = std::make_shared<ClientLimits>();
    limits->table = table();
    limits->client_id = bounded_name(client_id);
    for (size_t i = 0; i < kClientQuotaKinds; ++i) {
      const auto each = static_cast<QuotaKind>(i);
      if (const auto limit = table()->find(each, kAnonymous, client_id))
        limits->by_kind[i] = {limit->bound, usages_.find(each, limit->user, limit->client_id, now())};
    }
    known = std::move(limits);
  }
  const ClientLimits::One& limit = known->by_kind[index_of(kind)];
  return limit.usage ? &limit : nullptr;
}

ClientQuotas::Charged ClientQuotas::charge(RequestContext& request, QuotaKind kind, double amount) {
  const ClientLimits::One* limit = limit_of(request, kind);
  if (limit == nullptr) return {};
  const runtime::MonoTime at = now();
  SharedRate& rate = limit->usage->rate;
  const double used = rate.sum(at);
  rate.add(home_.index(), amount, at);
  Duration pause = pause_for(used + amount, limit->bound, usages_.windows().elapsed_at(at));
  // As in Kafka: processing time is not made up for beyond a window.
  if (kind == QuotaKind::request) pause = std::min(pause, usages_.windows().size);
  request.throttle.at_least(kind, pause);
  // Answers that say nothing are no use of it: what one window allows counts as nothing.
  const double little = limit->bound * std::chrono::duration<double>(usages_.windows().size).count();
  return {pause > Duration{}, used < little};
}

void ClientQuotas::refund(RequestContext& request, QuotaKind kind, double amount) {
  if (const ClientLimits::One* limit = limit_of(request, kind))
    limit->usage->rate.add(home_.index(), -amount, now());
}

bool ClientQuotas::counts_work(const RequestContext&) const { return table()->any(QuotaKind::request); }

void ClientQuotas::settle(RequestContext& request) {
  REQUIRES(!request.settled);
  request.settled = true;
  if (!table()->any(QuotaKind::request)) return;
  const runtime::MonoTime at = now();
  if (request.working_since != runtime::kNever) request.worked += at - request.working_since;
  request.working_since = at;  // what follows is the making of the answer
  charge(request, QuotaKind::request, percent_seconds(request.worked));
}

void ClientQuotas::worked_on(RequestContext& request, Duration stretch) {
  if (const ClientLimits::One* limit = limit_of(request, QuotaKind::request))
    limit->usage->rate.add(home_.index(), percent_seconds(stretch), now());
}

std::optional<double> ClientQuotas::most_at_once(RequestContext& request, QuotaKind kind) {
  const ClientLimits::One* limit = limit_of(request, kind);
  if (limit == nullptr) return std::nullopt;
  const QuotaWindows& windows = usages_.windows();
  const Duration whole = std::max<int64_t>(windows.samples - 1, 1) * windows.size;
  return limit->bound * std::chrono::duration<double>(whole).count();
}

std::shared_ptr<MutationQuota> ClientQuotas::mutation_quota(RequestContext& request, int16_t strict_since) {
  const ClientLimits::One* limit = limit_of(request, QuotaKind::controller_mutation);
  if (limit == nullptr) return nullptr;
  return std::make_shared<MutationQuota>(*limit, usages_.controller_windows(), home_.loop().clock(),
                                         request.header.request_api_version >= strict_since);
}

Duration ClientQuotas::connection_pause(const std::string& address) {
  const auto limit = table()->connection_rate(address);
  if (!limit) return {};
  const runtime::MonoTime at = now();
  const auto usage = usages_.find(QuotaKind::connection, "", address, at);
  usage->rate.add(home_.index(), 1, at);
  const Duration pause = std::min(usage->rate.excess(*limit, at), usages_.windows().size);
  if (pause > Duration{}) usage->rate.add(home_.index(), -1, at);  // it does not become one
  return pause;
}

bool MutationQuota::take(size_t partitions) {
  TokenBucket& bucket = limit_.usage->bucket;
  const auto tokens = static_cast<double>(partitions);
  asked_ = clock_.mono();
  bool taken = true;
  if (strict_) {
    taken = bucket.take_strictly(tokens, limit_.bound, windows_, asked_);
    if (!taken) pause_ = bucket.debt(limit_.bound);
  } else {
    bucket.take(tokens, limit_.bound, windows_, asked_);
    pause_ = bucket.debt(limit_.bound);
  }
  limit_.usage->bucket_full_ns.store(bucket.full_at(limit_.bound, windows_).time_since_epoch().count(),
                                     std::memory_order_relaxed);
  return taken;
}

Duration MutationQuota::pause() const {
  if (pause_ == Duration{}) return {};
  const Duration left = pause_ - (clock_.mono() - asked_);
  return std::max(std::chrono::duration_cast<Duration>(std::chrono::ceil<std::chrono::milliseconds>(left)),
                  Duration{});
}

replication::PartitionQuota asking(std::shared_ptr<MutationQuota> quota) {
  if (!quota) return {};
  return [quota = std::move(quota)](size_t partitions) { return quota->take(partitions); };
}

}  // namespace tidemark::broker
