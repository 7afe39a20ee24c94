// A client's settings by Kafka's names, from whatever file or map they come. A setting that we do not have is
// refused by name, and so is every security setting but "none": a connection that somebody believes to be
// encrypted must not be plain. Pure.
#pragma once

#include <string_view>

#include "client/core/options.h"
#include "protocol/error.h"

namespace tidemark::client {

// Error (config), naming the setting, and the nearest one where there is none of that name.
Result<void> apply_property(std::string_view name, std::string_view value, ClientOptions& out);
// The names that it takes.
[[nodiscard]] std::vector<std::string_view> client_property_names();
// "HOST:PORT,...", IPv6 addresses in brackets. Error (config).
Result<std::vector<runtime::Endpoint>> parse_bootstrap(std::string_view text);
// partition.assignment.strategy: several, the dearest first. Error (config): one that there is not; none.
Result<std::vector<Assignor>> parse_assignors(std::string_view text);
// Error (config): not a whole number in the range.
Result<int64_t> parse_number(std::string_view text, std::string_view what, int64_t least, int64_t most);

}  // namespace tidemark::client
