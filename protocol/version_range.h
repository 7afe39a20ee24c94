// An inclusive range of message versions, as schemas and the api-version table use them. A value; any thread.
#pragma once

#include <cstdint>

namespace tidemark::protocol {

struct VersionRange {
  int16_t min = 0;
  int16_t max = -1;  // max < min: no version at all
  [[nodiscard]] constexpr bool contains(int version) const { return version >= min && version <= max; }
  [[nodiscard]] constexpr bool empty() const { return max < min; }
  constexpr bool operator==(const VersionRange&) const = default;
};

inline constexpr int16_t kNoUpperVersion = INT16_MAX;
inline constexpr VersionRange kNoVersions{};

}  // namespace tidemark::protocol
