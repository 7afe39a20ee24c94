// Which quota a client has: the most specific that the image knows for its user and client id (KIP-55,
// KIP-546). A value, made anew when quotas change; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "broker/quota/quota_kind.h"
#include "replication/controller/image.h"

namespace tidemark::broker {

class QuotaTable {
 public:
  using Quotas = decltype(replication::MetadataImage::quotas);
  explicit QuotaTable(const Quotas& quotas);

  // Whether anybody has a quota of this kind: while nobody has, a request pays for this question alone.
  [[nodiscard]] bool any(QuotaKind kind) const { return any_[index_of(kind)]; }

  // Who counts together against what: users' quotas are shared by all of their client ids, client ids' by all
  // users; the other of the two is empty then.
  struct Limit {
    double bound = 0;  // > 0
    std::string_view user;
    std::string_view client_id;
    bool operator==(const Limit&) const = default;
  };
  // nullopt: no limit. Views into the arguments.
  [[nodiscard]] std::optional<Limit> find(QuotaKind kind, std::string_view user,
                                          std::string_view client_id) const;
  // Connections a second from an address, as a socket names it; nullopt: no limit.
  [[nodiscard]] std::optional<double> connection_rate(std::string_view address) const;

 private:
  Quotas quotas_;
  std::map<std::string, double, std::less<>> connection_rates_;  // by address in its one form
  std::optional<double> default_connection_rate_;
  std::array<bool, kQuotaKinds> any_{};
};

}  // namespace tidemark::broker
