// Spellings of one schema name: ReplicaId -> replica_id (members, header files), replicaId (JSON).
#pragma once

#include <string>

namespace tidemark::codegen {

// An underscore before each capital that follows a lower-case letter or a digit; a C++ keyword gets one
// behind it.
std::string snake_case(const std::string& name);
std::string camel_case(const std::string& name);

}  // namespace tidemark::codegen
