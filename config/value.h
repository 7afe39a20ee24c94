// A setting's text and what it means: parsing as Kafka parses (spaces around a value do not count), ranges,
// and Kafka's words where a value is wrong. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/setting.h"
#include "protocol/error.h"

namespace tidemark::config {

inline constexpr size_t kMaxValueBytes = 64 << 10;

std::string_view trimmed(std::string_view text);
// Elements between commas, trimmed; none for an empty text.
std::vector<std::string_view> list_elements(std::string_view text);

// INVALID_CONFIG in Kafka's words unless `text` has the setting's type and lies in its range. What this
// release does with the setting does not matter here.
Result<void> check_value(const Setting& setting, std::string_view text);

// The same, and refuses what this release refuses: a refused setting beside its defaults, a refused word.
Result<void> check_accepted(const Setting& setting, std::string_view text);

// How Kafka would print the value: "+5 " is 5, " True" is true, "a , b" is a,b; sizes in bytes.
// REQUIRES: check_value(setting, text).
std::string canonical_value(const Setting& setting, std::string_view text);

// For typed access. REQUIRES: the setting has such a type, and check_value() holds.
int64_t integer_value(const Setting& setting, std::string_view text);
double double_value(std::string_view text);
bool boolean_value(std::string_view text);

}  // namespace tidemark::config
