// The text of network addresses, so that two forms of one are the same. Pure: no name server is asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemark::replication {

// An IPv4 or IPv6 address in its one usual form, IPv4 also where it stands in IPv6 (::ffff:10.0.0.1);
// "localhost" is 127.0.0.1. nullopt: it is neither.
[[nodiscard]] std::optional<std::string> canonical_address(std::string_view text);

}  // namespace tidemark::replication
