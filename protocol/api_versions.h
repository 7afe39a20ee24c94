// The one table of the APIs that this release serves, and in which versions: ApiVersions advertises it, and
// the request path refuses what is not in it. Schemas know more (protocol/api_key.h).
#pragma once

#include <span>

#include "protocol/api_key.h"

namespace tidemark::protocol {

struct ServedApi {
  ApiKey key;
  int16_t min;  // advertised
  int16_t max;
  // Versions from min up to here, exclusive, are advertised but refused: librdkafka drops all compression in
  // silence if Produce 0 is not advertised (KAFKA-18659).
  int16_t refused_below = 0;

  [[nodiscard]] constexpr bool serves(int16_t version) const {
    return version >= min && version >= refused_below && version <= max;
  }
};

// By key.
[[nodiscard]] std::span<const ServedApi> served_apis();
// nullptr: not served.
[[nodiscard]] const ServedApi* find_served(ApiKey key);

}  // namespace tidemark::protocol
