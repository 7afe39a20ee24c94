#include "client/cli/quota_entity.h"

#include <charconv>

#include "client/cli/session.h"

namespace tidemark::cli {
namespace {

constexpr const char* kDefault = "<default>";

// One type's flags: --NAME and --NAME-defaults.
Result<void> add(client::QuotaEntity& entity, const char* type, const char* flag,
                 const std::optional<std::string>& name, bool defaults) {
  if (name && defaults)
    return fail(Error::config(fmt::format("--{} and --{}-defaults exclude each other", flag, flag)));
  if (name || defaults) entity.emplace(type, name);
  return {};
}

Value entity_value(const client::QuotaEntity& entity) {
  Value::Object parts;
  for (const auto& [type, name] : entity) parts.emplace_back(type, name ? Value(*name) : Value());
  return Value(std::move(parts));
}

}  // namespace

Result<client::QuotaEntity> quota_entity(const QuotaWho& who) {
  client::QuotaEntity entity;
  TRY(add(entity, "user", "user", who.user, who.user_defaults));
  TRY(add(entity, "client-id", "client", who.client, who.client_defaults));
  TRY(add(entity, "ip", "ip", who.ip, who.ip_defaults));
  if (entity.empty()) {
    return fail(
        Error::config("whose quota? --user, --client (or both), or --ip; with -defaults behind it that of "
                      "all who have none"));
  }
  if (entity.contains("ip") && entity.size() > 1)
    return fail(Error::config("--ip goes with no user and no client"));
  return entity;
}

Result<client::QuotaChange> parse_quota(const std::string& text) {
  TRY_ASSIGN(auto pair, parse_pair(text, "quota"));
  const std::string& digits = pair.second;
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size())
    return fail(Error::config(fmt::format("{}: {} is not a number", pair.first, digits)));
  return client::QuotaChange{std::move(pair.first), value};
}

std::string entity_text(const client::QuotaEntity& entity) {
  std::string text;
  // The user first, as people say it.
  for (const char* type : {"user", "client-id", "ip"}) {
    const auto part = entity.find(type);
    if (part == entity.end()) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", type, part->second.value_or(kDefault));
  }
  return text;
}

Value quotas_value(const std::vector<client::EntityQuotas>& all) {
  Value::List list;
  for (const client::EntityQuotas& one : all) {
    Value::Object quotas;
    for (const auto& [key, value] : one.quotas) quotas.emplace_back(key, value);
    list.push_back(Value::object({{"entity", entity_value(one.entity)}, {"quotas", std::move(quotas)}}));
  }
  return Value(std::move(list));
}

Value quotas_rows(const std::vector<client::EntityQuotas>& all) {
  Value::List rows;
  for (const client::EntityQuotas& one : all) {
    for (const auto& [key, value] : one.quotas)
      rows.push_back(Value::object({{"entity", entity_text(one.entity)}, {"quota", key}, {"value", value}}));
  }
  return Value(std::move(rows));
}

}  // namespace tidemark::cli
