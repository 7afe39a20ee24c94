#include "config/alter.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "config/client_metrics.h"
#include "config/settings.h"
#include "config/value.h"

namespace tidemark::config {
namespace {

constexpr size_t kMaxNameShown = 200;
constexpr size_t kMaxAlterations = 10'000;

Unexpected unknown(Scope scope, std::string_view name) {
  std::string hint = did_you_mean(nearest_setting(scope, name));
  const Setting* topic = scope == Scope::broker ? find_setting(Scope::topic, name) : nullptr;
  if (topic != nullptr && !topic->broker_synonym.empty()) {
    hint = fmt::format(" (a topic's; the broker's is {})", topic->broker_synonym);
  }
  return fail(Error::config(
      fmt::format("Unknown {} config name: {}{}", scope_name(scope), name.substr(0, kMaxNameShown), hint)));
}

Result<void> check_compaction_lags(const Properties& overrides) {
  const auto value = [&](std::string_view name) {
    const Setting& setting = *find_setting(Scope::topic, name);
    const auto found = overrides.find(name);
    const bool readable = found != overrides.end() && check_value(setting, found->second);
    return integer_value(setting, readable ? std::string_view(found->second) : *setting.default_value);
  };
  const int64_t least = value("min.compaction.lag.ms");
  const int64_t most = value("max.compaction.lag.ms");
  if (least > most) {
    return fail(Error::config(
        fmt::format("conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
                    least, most)));
  }
  return {};
}

Result<void> validate(Scope scope, std::string_view name, std::string_view value) {
  switch (scope) {
    case Scope::topic: return validate_topic_config(name, value);
    case Scope::broker: return validate_broker_config(name, value);
    case Scope::group:
    case Scope::client_metrics: return validate_resource_config(scope, name, value);
  }
  return {};
}

// What APPEND and SUBTRACT start from.
std::vector<std::string> parts_of(const Setting& setting, const Properties& current) {
  const auto found = current.find(setting.name);
  const std::string_view text = found != current.end() ? std::string_view(found->second)
                                                       : setting.default_value.value_or(std::string_view());
  std::vector<std::string> parts;
  for (const std::string_view element : list_elements(text)) {
    if (!element.empty()) parts.emplace_back(element);
  }
  return parts;
}

Result<void> check_request(std::span<const Alteration> changes) {
  if (changes.size() > kMaxAlterations) {
    return fail(ErrorCode::INVALID_REQUEST,
                fmt::format("More than {} configs in one resource", kMaxAlterations));
  }
  std::set<std::string_view> names;
  std::vector<std::string_view> nulls;
  for (const Alteration& change : changes) {
    if (!names.insert(change.name).second) {
      return fail(ErrorCode::INVALID_REQUEST, "Error due to duplicate config keys");
    }
    if (change.op < 0 || change.op > static_cast<int8_t>(AlterOp::subtract)) {
      return fail(ErrorCode::INVALID_REQUEST, fmt::format("Unknown operation type {}", change.op));
    }
    if (static_cast<AlterOp>(change.op) != AlterOp::remove && !change.value) {
      nulls.push_back(change.name.substr(0, kMaxNameShown));
    }
  }
  if (!nulls.empty()) {
    return fail(ErrorCode::INVALID_REQUEST,
                fmt::format("Null value not supported for : {}", fmt::join(nulls, ", ")));
  }
  return {};
}

Unexpected fixed(std::string_view names) {
  return fail(ErrorCode::INVALID_REQUEST,
              fmt::format("Cannot update these configs dynamically: [{}]", names));
}

// All that cannot be set while the broker runs, told at once.
Result<void> check_dynamic(std::span<const Alteration> changes) {
  std::vector<std::string_view> names;
  for (const Alteration& change : changes) {
    const Setting* setting = find_setting(Scope::broker, change.name);
    if (setting != nullptr && setting->dynamic != Dynamic::kClusterWide &&
        static_cast<AlterOp>(change.op) != AlterOp::remove)
      names.push_back(setting->name);
  }
  if (!names.empty()) return fixed(fmt::format("{}", fmt::join(names, ", ")));
  return {};
}

Result<void> change_list(Scope scope, const Alteration& change, Properties& properties) {
  const bool append = static_cast<AlterOp>(change.op) == AlterOp::append;
  const Setting* setting = find_setting(scope, change.name);
  if (setting == nullptr) return unknown(scope, change.name);
  // Kafka changes a subscription's lists only as a whole.
  if (!setting->is_list() || scope == Scope::client_metrics) {
    return fail(Error::config(fmt::format("Can't {} to key {} because its type is not LIST.",
                                          append ? "APPEND" : "SUBTRACT", change.name)));
  }
  std::vector<std::string> parts = parts_of(*setting, properties);
  for (const std::string_view element : list_elements(*change.value)) {
    const auto found = std::ranges::find(parts, element);
    if (append && found == parts.end() && !element.empty()) parts.emplace_back(element);
    if (!append && found != parts.end()) parts.erase(found);
  }
  properties.insert_or_assign(std::string(change.name), fmt::format("{}", fmt::join(parts, ",")));
  return {};
}

}  // namespace

Result<void> validate_topic_config(std::string_view name, std::string_view value) {
  const Setting* setting = find_setting(Scope::topic, name);
  if (setting == nullptr) return unknown(Scope::topic, name);
  return check_accepted(*setting, value);
}

Result<void> validate_topic_configs(const Properties& overrides) {
  // A name that does not exist is told before any wrong value, as Kafka does.
  for (const auto& [name, value] : overrides) {
    if (find_setting(Scope::topic, name) == nullptr) return unknown(Scope::topic, name);
  }
  for (const auto& [name, value] : overrides) TRY(validate_topic_config(name, value));
  return check_compaction_lags(overrides);
}

Result<void> validate_broker_config(std::string_view name, std::string_view value) {
  const Setting* setting = find_setting(Scope::broker, name);
  if (setting == nullptr) return unknown(Scope::broker, name);
  // Listeners are per-broker in Kafka; here they are fixed while the node runs, and the rest of that kind is
  // refused anyway.
  if (setting->dynamic != Dynamic::kClusterWide) return fixed(name);
  if (const auto checked = check_accepted(*setting, value); !checked) {
    return fail(ErrorCode::INVALID_REQUEST, checked.error().message());
  }
  return {};
}

Result<void> validate_resource_config(Scope scope, std::string_view name, std::string_view value) {
  if (scope == Scope::client_metrics) return validate_client_metrics_config(name, value);
  const Setting* setting = find_setting(scope, name);
  if (setting == nullptr) return unknown(scope, name);
  return check_accepted(*setting, value);
}

Result<Properties> alter_configs(Scope scope, const Properties& current,
                                 std::span<const Alteration> changes) {
  TRY(check_request(changes));
  if (scope == Scope::broker) TRY(check_dynamic(changes));
  Properties altered = current;
  for (const Alteration& change : changes) {
    switch (static_cast<AlterOp>(change.op)) {
      case AlterOp::set:
        altered.insert_or_assign(std::string(change.name), std::string(*change.value));
        break;
      case AlterOp::remove: {
        const auto found = altered.find(change.name);
        if (found != altered.end()) altered.erase(found);
        continue;
      }
      case AlterOp::append:
      case AlterOp::subtract: TRY(change_list(scope, change, altered)); break;
    }
    TRY(validate(scope, change.name, altered.find(change.name)->second));
  }
  if (scope == Scope::topic) TRY(check_compaction_lags(altered));
  return altered;
}

}  // namespace tidemark::config
