// Text inside JSON: escapes, and UTF-8 that is none replaced. One for messages, log lines and the command's
// output. Pure.
#pragma once

#include <string>
#include <string_view>

namespace tidemark::protocol {

// The length of the valid UTF-8 sequence at the start of `text` (RFC 3629), 0 if there is none.
// REQUIRES: !text.empty().
[[nodiscard]] size_t utf8_length(std::string_view text);

// Without quotes. Control characters and DEL are escaped, so that the text stays on one line; a byte that
// begins no UTF-8 sequence becomes U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace tidemark::protocol
