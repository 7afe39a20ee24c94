// Kafka's own topics: the logs of its coordinators. Clients are told of them as internal, and their logs keep
// some disk space ahead.
#pragma once

#include <string_view>

namespace tidemark::protocol {

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

[[nodiscard]] constexpr bool is_internal_topic(std::string_view topic) {
  return topic == kOffsetsTopic || topic == "__transaction_state" || topic == "__share_group_state";
}

}  // namespace tidemark::protocol
