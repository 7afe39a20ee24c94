// What the schemas know of each API: its name, versions, and which of them are flexible (that decides the
// header versions, before any body is decoded). Facts of the protocol; what this release serves is
// protocol/api_versions.h.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "protocol/messages/api_key.h"
#include "protocol/version_range.h"

namespace tidemark::protocol {

struct ApiInfo {
  ApiKey key;
  std::string_view name;  // "Fetch"
  VersionRange versions;
  VersionRange flexible_requests;
  VersionRange flexible_responses;
  bool latest_version_unstable;  // versions.max must not be advertised
  bool broker;                   // clients may send it to a broker, ...
  bool controller;               // ... to a controller

  [[nodiscard]] VersionRange stable_versions() const {
    return {versions.min, static_cast<int16_t>(versions.max - (latest_version_unstable ? 1 : 0))};
  }
};

// By key.
[[nodiscard]] std::span<const ApiInfo> all_apis();
// nullptr: no such key.
[[nodiscard]] const ApiInfo* find_api(int16_t key);
[[nodiscard]] const ApiInfo* find_api(std::string_view name);
[[nodiscard]] inline const ApiInfo* find_api(ApiKey key) { return find_api(static_cast<int16_t>(key)); }
// "Fetch"; "Unknown" for a key without a schema.
[[nodiscard]] std::string_view api_name(ApiKey key);

}  // namespace tidemark::protocol
