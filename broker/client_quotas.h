// Client quotas on one shard: what a request costs its client, and for how long that has to pause. Used on
// the shard's loop only; what clients have used is the node's (usages.h), whose limit it is says the view's
// table.
//
// A request pays one comparison while nobody has a quota; with quotas, its connection remembers what applies
// to its client id until the quotas change.
//
// request_percentage is of one core's time, and it counts what can be told apart by request: its work on its
// connection's shard until it first waits (reading the header, decoding, checking, deciding what is decided
// there), the checking of compressed batches in their lane, and the making of the answer. Not counted: what
// other shards and the disk do for it, and the sending.
#pragma once

#include <memory>
#include <string>

#include "broker/quota/usages.h"
#include "broker/server/request.h"
#include "broker/shard.h"
#include "replication/controller/decision.h"

namespace tidemark::broker {

// What applies to a client: made once for a connection's client id and quotas.
struct ClientLimits {
  struct One {
    double bound = 0;              // a second
    std::shared_ptr<Usage> usage;  // null: there is no limit
  };
  std::shared_ptr<const QuotaTable> table;
  std::string client_id;  // bounded_name()
  std::array<One, kClientQuotaKinds> by_kind;
};

// One request's share of its client's quota of topic changes: asked on shard 0, where those are decided, and
// read where the request is answered.
class MutationQuota {
 public:
  MutationQuota(ClientLimits::One limit, const QuotaWindows& windows, const runtime::Clock& clock,
                bool strict)
      : limit_(std::move(limit)), windows_(windows), clock_(clock), strict_(strict) {}
  // Shard 0. False: over the quota, and the API's version can be told so.
  bool take(size_t partitions);
  // How long is left of the pause that the last refusal, or excess, asked for.
  [[nodiscard]] runtime::Duration pause() const;

 private:
  const ClientLimits::One limit_;
  const QuotaWindows windows_;
  const runtime::Clock& clock_;
  const bool strict_;
  runtime::Duration pause_{};
  runtime::MonoTime asked_{};
};

class ClientQuotas {
 public:
  ClientQuotas(Shard& home, Usages& usages) : home_(home), usages_(usages) {}

  struct Charged {
    bool exceeded = false;  // the request is throttled
    bool first = false;     // nothing was used before
  };
  // Counts `amount` against the client's quota, and throttles the request if that is exceeded.
  Charged charge(RequestContext& request, QuotaKind kind, double amount);
  // It did not get what it was charged for.
  void refund(RequestContext& request, QuotaKind kind, double amount);
  // Its work until now; once a request, when its answer is made. REQUIRES: not settled
  void settle(RequestContext& request);
  // Work behind settle(): it counts, and throttles the next request.
  void worked_on(RequestContext& request, runtime::Duration stretch);
  [[nodiscard]] bool counts_work(const RequestContext& request) const;
  // The most that the windows can hold without a throttle; nullopt: no limit.
  [[nodiscard]] std::optional<double> most_at_once(RequestContext& request, QuotaKind kind);

  // nullptr: no limit. Versions from `strict_since` on are refused what is over it, older ones throttled.
  [[nodiscard]] std::shared_ptr<MutationQuota> mutation_quota(RequestContext& request, int16_t strict_since);
  // KIP-612: counts a connection of that address, unless it comes too early: then how long to turn it away
  // for.
  [[nodiscard]] runtime::Duration connection_pause(const std::string& address);

 private:
  // nullptr: no limit.
  const ClientLimits::One* limit_of(RequestContext& request, QuotaKind kind);
  [[nodiscard]] const std::shared_ptr<const QuotaTable>& table() const { return home_.view()->quotas; }
  [[nodiscard]] runtime::MonoTime now() const { return home_.loop().mono(); }

  Shard& home_;
  Usages& usages_;
};

// What a decision asks; empty for no quota.
[[nodiscard]] replication::PartitionQuota asking(std::shared_ptr<MutationQuota> quota);

}  // namespace tidemark::broker
