// The APIs that are told apart where each of all would be most of a scrape: stages, errors by name.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "protocol/api_key.h"

namespace tidemark::broker {

inline constexpr std::array kNamedApis = {protocol::ApiKey::Produce, protocol::ApiKey::Fetch,
                                          protocol::ApiKey::OffsetCommit};
inline constexpr size_t kApiRows = kNamedApis.size() + 1;  // and one of all others

[[nodiscard]] constexpr size_t api_row(protocol::ApiKey key) {
  return static_cast<size_t>(std::ranges::find(kNamedApis, key) - kNamedApis.begin());
}

[[nodiscard]] inline std::string_view api_row_name(size_t row) {
  return row < kNamedApis.size() ? protocol::api_name(kNamedApis[row]) : "(others)";
}

}  // namespace tidemark::broker
