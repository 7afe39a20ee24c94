// Test vectors: messages and record batches as genuine Kafka serializes them, one JSON object a line. A check
// takes one line's object and returns what is wrong with our codecs by it. The vectors tool owns the loop.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"

namespace tidemark::vectors {

// {"message": name, "version": n, "json": values, "hex": body}: the bytes decode to the values and encode to
// themselves.
Result<void> check_message_vector(const nlohmann::json& line);

// A line of the record batches' form (it has a "records" array and no "message").
Result<void> check_batch_vector(const nlohmann::json& line);

// ErrorKind::protocol where the text is not an even number of hex digits.
Result<std::vector<std::byte>> parse_hex(std::string_view text);
std::string to_hex(std::span<const std::byte> bytes);

}  // namespace tidemark::vectors
