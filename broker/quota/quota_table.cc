#include "broker/quota/quota_table.h"

#include "replication/controller/address.h"
#include "replication/controller/quotas.h"

namespace tidemark::broker {

using replication::QuotaEntity;

namespace {

constexpr std::array<std::string_view, kQuotaKinds> kKeys{
    replication::kProducerByteRate, replication::kConsumerByteRate, replication::kRequestPercentage,
    replication::kControllerMutationRate, replication::kConnectionCreationRate};

// A part of a candidate: not there, the default of its type, or the client's own name.
enum class Part : uint8_t { none, by_default, own };
struct Candidate {
  Part user;
  Part client_id;
};
// The most specific first.
constexpr std::array kCandidates{
    Candidate{Part::own, Part::own},                //
    Candidate{Part::own, Part::by_default},         //
    Candidate{Part::own, Part::none},               //
    Candidate{Part::by_default, Part::own},         //
    Candidate{Part::by_default, Part::by_default},  //
    Candidate{Part::by_default, Part::none},        //
    Candidate{Part::none, Part::own},               //
    Candidate{Part::none, Part::by_default},        //
};

void add(QuotaEntity& entity, std::string_view type, Part part, std::string_view name) {
  if (part == Part::none) return;
  auto& of_type = entity[std::string(type)];
  if (part == Part::own) of_type = std::string(name);
}

}  // namespace

QuotaTable::QuotaTable(const Quotas& quotas) : quotas_(quotas) {
  for (const auto& [entity, values] : quotas_) {
    for (size_t kind = 0; kind < kQuotaKinds; ++kind) {
      if (values->contains(kKeys[kind])) any_[kind] = true;
    }
    const auto ip = entity.find(replication::kQuotaIp);
    const auto rate = values->find(replication::kConnectionCreationRate);
    if (ip == entity.end() || rate == values->end() || !(rate->second > 0)) continue;
    if (!ip->second) {
      default_connection_rate_ = rate->second;
    } else if (const auto address = replication::canonical_address(*ip->second)) {
      connection_rates_[*address] = rate->second;
    }
  }
}

std::optional<QuotaTable::Limit> QuotaTable::find(QuotaKind kind, std::string_view user,
                                                  std::string_view client_id) const {
  if (!any(kind)) return std::nullopt;
  for (const Candidate& candidate : kCandidates) {
    QuotaEntity entity;
    add(entity, replication::kQuotaUser, candidate.user, user);
    add(entity, replication::kQuotaClientId, candidate.client_id, client_id);
    const auto* values = quotas_.find(entity);
    if (values == nullptr) continue;
    const auto found = (*values)->find(kKeys[index_of(kind)]);
    if (found == (*values)->end() || !(found->second > 0)) continue;  // the controller writes no other
    return Limit{found->second, candidate.user == Part::none ? std::string_view() : user,
                 candidate.client_id == Part::none ? std::string_view() : client_id};
  }
  return std::nullopt;
}

std::optional<double> QuotaTable::connection_rate(std::string_view address) const {
  if (!any(QuotaKind::connection)) return std::nullopt;
  const auto canonical = replication::canonical_address(address);
  const auto found = connection_rates_.find(canonical ? *canonical : std::string(address));
  return found != connection_rates_.end() ? std::optional(found->second) : default_connection_rate_;
}

}  // namespace tidemark::broker
