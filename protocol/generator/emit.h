// Turns the checked model into C++ text. The shared parts (types, defaults, version conditions) are here; the
// generated code leans on the decoder's and encoder's templates, so that it stays one line a field.
#pragma once

#include <span>
#include <string>

#include "protocol/generator/schema.h"

namespace tidemark::codegen {

// The header of one message: protocol/messages/<snake>.h.
std::string emit_header(const Message& message);
// One source file with the functions of several messages, and their rows of the message table.
std::string emit_source(std::span<const Message* const> messages, size_t group);
// protocol/messages/api_key.h, and api_key.cc, which also joins the groups' message tables.
std::string emit_api_header(const Schemas& schemas);
std::string emit_api_source(const Schemas& schemas, size_t groups);

std::string header_name(const Message& message);
// Where a message's inner structs are defined; the message has aliases of them.
std::string types_namespace(const Message& message);

// The member's C++ type, and its initial value with ` = ` or braces ("" for none).
std::string cpp_type(const Field& field);
std::string element_type(const Field& field);
std::string cpp_initializer(const Field& field);
// An expression that says whether the member holds its default.
std::string is_default_expression(const Field& field);
// A condition on `wire_version` that holds exactly in `wanted`, given that it lies in `context`: "" for
// always.
std::string condition(const Versions& wanted, const Versions& context);
std::string version_range(const Versions& versions);

}  // namespace tidemark::codegen
