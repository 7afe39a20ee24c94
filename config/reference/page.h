// The reference page of all settings, made from the table. Pure functions.
#pragma once

#include <string>

namespace tidemark::config {

// config/reference.md.
std::string reference_page();
// "scope<TAB>name<TAB>test" for every honoured row; the test is empty where none is named yet.
std::string honoured_tests();
// Kafka's facts as the table holds them, one row a line: scope, name, type, default, valid, importance,
// dynamic mode, broker synonym, separated by tabs. A test pins their digest.
std::string kafka_facts();

}  // namespace tidemark::config
