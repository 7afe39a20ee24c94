// Finds rows of the table of settings. The table is constant; any thread may read it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/setting.h"

namespace tidemark::config {

// Every row of one scope, ordered by name.
std::span<const Setting* const> settings_of(Scope scope);
// nullptr: no such name in this scope.
const Setting* find_setting(Scope scope, std::string_view name);

// The known name nearest to `name` by edits, or empty where none is near: for "did you mean".
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known);
std::string_view nearest_setting(Scope scope, std::string_view name);
// " (did you mean retention.ms?)", or empty.
std::string did_you_mean(std::string_view nearest);

// The broker settings that give one value, the strongest first: log.retention.ms, .minutes, .hours. A name
// without such relatives stands alone. REQUIRES: `name` has static storage (it is a row's).
std::vector<std::string_view> broker_synonyms(std::string_view name);

}  // namespace tidemark::config
