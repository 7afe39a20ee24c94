// The rules that a loaded message must keep, and what follows from its fields: which struct occurs in which
// versions.
#pragma once

#include "protocol/generator/schema.h"

namespace tidemark::codegen {

[[noreturn]] void schema_fail(const std::string& file, int line, const std::string& where,
                              const std::string& what);

// Resolves struct types, orders the structs, computes their reach, checks every field. Throws SchemaError.
void resolve_and_check(Message& message);

}  // namespace tidemark::codegen
