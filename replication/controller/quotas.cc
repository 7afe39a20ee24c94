#include "replication/controller/quotas.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "replication/controller/address.h"

namespace tidemark::replication {

namespace {

Unexpected invalid_request(std::string why) { return fail(ErrorCode::INVALID_REQUEST, std::move(why)); }

// Which whole numbers a quota may be; none: any number.
enum class Whole : uint8_t { no, int32, int64 };
struct QuotaKey {
  std::string_view name;
  bool of_addresses;
  Whole whole;
};
constexpr std::array kQuotaKeys{
    QuotaKey{kProducerByteRate, false, Whole::int64},
    QuotaKey{kConsumerByteRate, false, Whole::int64},
    QuotaKey{kRequestPercentage, false, Whole::no},
    QuotaKey{kControllerMutationRate, false, Whole::no},
    QuotaKey{kConnectionCreationRate, true, Whole::int32},
};

bool is_type(std::string_view type) {
  return type == kQuotaUser || type == kQuotaClientId || type == kQuotaIp;
}

// As Kafka's clients show it.
std::string to_string(const QuotaEntity& entity) {
  std::string parts;
  for (const auto& [type, name] : entity)
    parts += fmt::format("{}{}={}", parts.empty() ? "" : ", ", type, name.value_or("null"));
  return fmt::format("ClientQuotaEntity(entries={{{}}})", parts);
}

Result<void> check_entity(const QuotaEntity& entity) {
  if (entity.empty()) return invalid_request("Invalid empty client quota entity");
  for (const auto& [type, name] : entity) {
    if (!is_type(type)) return invalid_request("Unhandled client quota entity type: " + type);
    if (name && name->empty()) return invalid_request(fmt::format("Empty {} not supported", type));
  }
  const auto ip = entity.find(kQuotaIp);
  if (ip == entity.end()) return {};
  if (entity.size() > 1) {
    return invalid_request(
        "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId");
  }
  if (ip->second && !canonical_address(*ip->second))
    return invalid_request(*ip->second + " is not a valid IP or resolvable host.");
  return {};
}

Result<void> check_value(bool of_addresses, const std::string& key, double value) {
  const auto* known = std::find_if(kQuotaKeys.begin(), kQuotaKeys.end(), [&](const QuotaKey& k) {
    return k.name == key && k.of_addresses == of_addresses;
  });
  if (known == kQuotaKeys.end()) return invalid_request("Invalid configuration key " + key);
  if (!(value > 0)) return invalid_request(fmt::format("Quota {} must be greater than 0", key));
  if (known->whole == Whole::no) return {};
  const bool is_long = known->whole == Whole::int64;
  const double most = is_long ? static_cast<double>(std::numeric_limits<int64_t>::max())
                              : static_cast<double>(std::numeric_limits<int32_t>::max());
  if (value > most) {
    return invalid_request(
        fmt::format("Proposed value for {} is too large for {}.", key, is_long ? "a LONG" : "an INT"));
  }
  if (std::fmod(value, 1.0) > 1e-6) return invalid_request(key + " cannot be a fractional value.");
  return {};
}

protocol::ClientQuotaRecord record_of(const QuotaEntity& entity, std::string_view key) {
  protocol::ClientQuotaRecord record;
  for (const auto& [type, name] : entity) {
    auto& part = record.entity.emplace_back();
    part.entity_type = type;
    part.entity_name = std::nullopt;
    if (name) part.entity_name = *name;
  }
  record.key = key;
  return record;
}

Result<void> alter(const MetadataImage& image, const QuotaAlteration& alteration, RecordList& records) {
  TRY(check_entity(alteration.entity));
  const bool of_addresses = alteration.entity.contains(kQuotaIp);
  const QuotaMap& current = image.quotas_of(alteration.entity);
  for (const QuotaOp& op : alteration.ops) {
    if (op.value) TRY(check_value(of_addresses, op.key, *op.value));
  }
  for (const QuotaOp& op : alteration.ops) {
    const auto before = current.find(op.key);
    if (!op.value) {
      if (before == current.end()) continue;
      protocol::ClientQuotaRecord record = record_of(alteration.entity, op.key);
      record.remove = true;
      records.add(record, 0);
    } else if (before == current.end() || before->second != *op.value) {
      records.add(quota_record(alteration.entity, op.key, *op.value), 0);
    }
  }
  return {};
}

bool names_a_key_twice(const QuotaAlteration& alteration) {
  std::set<std::string_view> seen;
  return std::any_of(alteration.ops.begin(), alteration.ops.end(),
                     [&](const QuotaOp& op) { return !seen.insert(op.key).second; });
}

enum class Match : int8_t { exact = 0, is_default = 1, any = 2 };

Result<void> check_part(const QuotaFilterPart& part, std::set<std::string_view>& seen) {
  if (part.entity_type.empty()) return invalid_request("Invalid empty entity type.");
  if (!seen.insert(part.entity_type).second) {
    return invalid_request(
        fmt::format("Entity type {} cannot appear more than once in the filter.", part.entity_type));
  }
  if (!is_type(part.entity_type))
    return fail(ErrorCode::UNSUPPORTED_VERSION, "Unsupported entity type " + part.entity_type);
  switch (static_cast<Match>(part.match_type)) {
    case Match::exact:
      if (!part.match)
        return invalid_request("Request specified MATCH_TYPE_EXACT, but set match string to null.");
      return {};
    case Match::is_default:
      if (part.match)
        return invalid_request("Request specified MATCH_TYPE_DEFAULT, but also specified a match string.");
      return {};
    case Match::any:
      if (part.match)
        return invalid_request("Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.");
      return {};
  }
  return invalid_request(fmt::format("Unknown match type {}", part.match_type));
}

bool matches(const QuotaEntity& entity, const QuotaFilterPart& part) {
  const auto found = entity.find(part.entity_type);
  if (found == entity.end()) return false;
  // Of the default too: a filter's match string is its name, and it has none.
  return static_cast<Match>(part.match_type) == Match::any || found->second == part.match;
}

}  // namespace

protocol::ClientQuotaRecord quota_record(const QuotaEntity& entity, std::string_view key, double value) {
  protocol::ClientQuotaRecord record = record_of(entity, key);
  record.value = value;
  return record;
}

Decision<std::vector<AlteredQuota>> alter_client_quotas(const MetadataImage& image,
                                                        std::span<const QuotaAlteration> alterations,
                                                        bool validate_only) {
  Decision<std::vector<AlteredQuota>> decision;
  std::map<QuotaEntity, size_t> answered;  // where
  for (const QuotaAlteration& alteration : alterations) {
    const auto [place, is_new] = answered.emplace(alteration.entity, decision.response.size());
    if (is_new) decision.response.push_back({alteration.entity, {}});
    if (decision.records.size() > kMaxQuotaRecords) continue;  // refused below, and each is told so
    ApiError& error = decision.response[place->second].error;
    if (!is_new || names_a_key_twice(alteration)) {
      error = {ErrorCode::INVALID_REQUEST, "Ignoring duplicate entity " + to_string(alteration.entity)};
    } else if (auto altered = alter(image, alteration, decision.records); !altered) {
      error = altered.error();
    }
  }
  if (decision.records.size() > kMaxQuotaRecords) {
    decision.records = {};
    for (AlteredQuota& answer : decision.response)
      answer.error = {ErrorCode::POLICY_VIOLATION,
                      "Request parameters do not satisfy the configured policy."};
  }
  if (validate_only) decision.records = {};
  return decision;
}

Result<DescribedQuotas> describe_client_quotas(const MetadataImage& image, const QuotaFilter& filter) {
  std::set<std::string_view> types;
  for (const QuotaFilterPart& part : filter.parts) TRY(check_part(part, types));
  if (types.contains(kQuotaIp) && types.size() > 1) {
    return invalid_request(
        "Invalid entity filter component combination. IP filter component should not be used with user or "
        "clientId filter component.");
  }
  DescribedQuotas described;
  for (const auto& [entity, quotas] : image.quotas) {
    if (filter.strict && (filter.parts.empty() || entity.size() != filter.parts.size())) continue;
    const bool wanted = std::all_of(filter.parts.begin(), filter.parts.end(),
                                    [&](const QuotaFilterPart& part) { return matches(entity, part); });
    if (wanted) described.emplace_back(entity, quotas);
  }
  return described;
}

}  // namespace tidemark::replication
