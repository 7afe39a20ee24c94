#include "config/client_metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/settings.h"
#include "config/value.h"

namespace tidemark::config {
namespace {

constexpr size_t kMaxNameShown = 200;
constexpr size_t kMaxElements = 200;  // each is looked at whenever a client asks
constexpr int64_t kLeastIntervalMs = 100;
constexpr int64_t kMostIntervalMs = 3'600'000;

constexpr std::pair<std::string_view, ClientAttribute> kAttributes[] = {
    {"client_instance_id", ClientAttribute::instance_id},
    {"client_id", ClientAttribute::client_id},
    {"client_software_name", ClientAttribute::software_name},
    {"client_software_version", ClientAttribute::software_version},
    {"client_source_address", ClientAttribute::source_address},
    {"client_source_port", ClientAttribute::source_port},
};

}  // namespace

Result<std::vector<ClientMatch>> parse_client_match(std::string_view text) {
  std::vector<ClientMatch> matches;
  for (const std::string_view element : list_elements(text)) {
    const auto wrong = [&](std::string_view why) {
      return fail(Error::config(
          fmt::format("Illegal client matching pattern: {}{}", element.substr(0, kMaxNameShown), why)));
    };
    // Java's split drops what is empty at the end.
    std::string_view rest = element;
    while (rest.ends_with('=')) rest.remove_suffix(1);
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos || rest.find('=', equals + 1) != std::string_view::npos)
      return wrong("");
    const auto* attribute = std::ranges::find(kAttributes, trimmed(rest.substr(0, equals)),
                                              [](const auto& a) { return a.first; });
    if (attribute == std::end(kAttributes)) return wrong("");
    auto pattern = Pattern::compile(trimmed(rest.substr(equals + 1)));
    if (!pattern) return wrong(fmt::format(" ({})", pattern.error().message()));
    std::erase_if(matches, [&](const ClientMatch& m) { return m.attribute == attribute->second; });
    matches.push_back({attribute->second, std::move(*pattern)});
  }
  return matches;
}

Result<void> validate_client_metrics_config(std::string_view name, std::string_view value) {
  const Setting* setting = find_setting(Scope::client_metrics, name);
  if (setting == nullptr) {
    return fail(ErrorCode::INVALID_REQUEST,
                fmt::format("Unknown client metrics configuration: {}{}", name.substr(0, kMaxNameShown),
                            did_you_mean(nearest_setting(Scope::client_metrics, name))));
  }
  TRY(check_accepted(*setting, value));
  if (name == "interval.ms") {
    const int64_t interval = integer_value(*setting, value);
    if (interval < kLeastIntervalMs || interval > kMostIntervalMs) {
      return fail(
          ErrorCode::INVALID_REQUEST,
          fmt::format("Invalid value {} for interval.ms, interval must be between 100 and 3600000 (1 hour)",
                      interval));
    }
    return {};
  }
  const auto elements = list_elements(value);
  if (std::ranges::find(elements, std::string_view()) != elements.end())
    return fail(Error::config(fmt::format("Configuration '{}' values must not be empty.", name)));
  if (elements.size() > kMaxElements)
    return fail(
        Error::config(fmt::format("Configuration '{}' has more than {} values.", name, kMaxElements)));
  if (name == "match") {
    const auto matches = parse_client_match(value);
    if (!matches) return fail(matches.error());
  }
  return {};
}

}  // namespace tidemark::config
