#include <fmt/format.h>

#include <map>

#include "protocol/generator/emit.h"
#include "protocol/generator/names.h"

namespace tidemark::codegen {

std::string header_name(const Message& message) { return snake_case(message.name) + ".h"; }

std::string types_namespace(const Message& message) { return snake_case(message.name) + "_types"; }

std::string element_type(const Field& field) {
  switch (field.type) {
    case Type::int8: return "int8_t";
    case Type::int16: return "int16_t";
    case Type::int32: return "int32_t";
    case Type::int64: return "int64_t";
    case Type::uint16: return "uint16_t";
    case Type::uint32: return "uint32_t";
    case Type::float64: return "double";
    case Type::boolean: return "bool";
    case Type::string: return "std::string_view";
    case Type::bytes: return "std::span<const std::byte>";
    case Type::records: return "Records";
    case Type::uuid: return "Uuid";
    case Type::structure: return field.target->name;
  }
  return "";
}

std::string cpp_type(const Field& field) {
  const std::string base =
      field.is_array ? fmt::format("std::vector<{}>", element_type(field)) : element_type(field);
  const bool wrapped = field.is_nullable() && (field.is_array || field.type != Type::records);
  return wrapped ? fmt::format("std::optional<{}>", base) : base;
}

std::string cpp_initializer(const Field& field) {
  if (field.is_nullable() && !field.default_is_null && (field.is_array || field.type != Type::records)) {
    if (field.default_text) return fmt::format("{{\"{}\"}}", *field.default_text);
    return "{std::in_place}";
  }
  if (field.is_array) return "";
  if (field.type == Type::string && field.default_text && !field.default_text->empty()) {
    return fmt::format(" = \"{}\"", *field.default_text);
  }
  if (field.type == Type::boolean) return " = " + field.default_text.value_or("false");
  if (field.type == Type::records && !field.is_nullable()) return " = Records::empty()";
  if (field.type > Type::boolean) return "";
  return " = " + field.default_text.value_or("0");
}

std::string is_default_expression(const Field& field) {
  const std::string& x = field.member;
  if (field.is_nullable() && (field.is_array || field.type != Type::records)) {
    if (field.default_is_null) return fmt::format("!{}.has_value()", x);
    if (field.default_text && !field.default_text->empty())
      return fmt::format("{} == \"{}\"", x, *field.default_text);
    const bool structure = field.is_plain_struct();
    return fmt::format("{}.has_value() && {}->{}()", x, x, structure ? "is_default" : "empty");
  }
  if (field.is_array || field.type == Type::bytes) return x + ".empty()";
  switch (field.type) {
    case Type::string: {
      const std::string text = field.default_text.value_or("");
      return text.empty() ? x + ".empty()" : fmt::format("{} == \"{}\"", x, text);
    }
    case Type::boolean: return field.default_text.value_or("false") == "true" ? x : "!" + x;
    case Type::uuid: return x + ".is_zero()";
    case Type::records: return x + (field.is_nullable() ? ".is_null()" : ".size() == 0");
    case Type::structure: return x + ".is_default()";
    default: return fmt::format("{} == {}", x, field.default_text.value_or("0"));
  }
}

std::string condition(const Versions& wanted, const Versions& context) {
  const Versions both = wanted.intersect(context);
  if (both.empty()) return "false";
  std::string text;
  if (both.min > context.min) text = fmt::format("wire_version >= {}", both.min);
  if (both.max < context.max) {
    text += fmt::format("{}wire_version <= {}", text.empty() ? "" : " && ", both.max);
  }
  return text;
}

std::string version_range(const Versions& versions) {
  if (versions.empty()) return "kNoVersions";
  if (versions.max == kNoUpperVersion)
    return fmt::format("VersionRange{{{}, kNoUpperVersion}}", versions.min);
  return fmt::format("VersionRange{{{}, {}}}", versions.min, versions.max);
}

namespace {

const std::map<Kind, const char*> kKinds = {{Kind::request, "request"},
                                            {Kind::response, "response"},
                                            {Kind::header, "header"},
                                            {Kind::data, "data"},
                                            {Kind::metadata, "metadata"},
                                            {Kind::remote_log_metadata, "remote_log_metadata"},
                                            {Kind::coordinator_key, "coordinator_key"},
                                            {Kind::coordinator_value, "coordinator_value"}};

std::string range_words(const Versions& versions) {
  if (versions.max == kNoUpperVersion) return fmt::format("{}+", versions.min);
  if (versions.min == versions.max) return fmt::format("{}", versions.min);
  return fmt::format("{}-{}", versions.min, versions.max);
}

// What the type does not say: versions, where null is allowed, the tag.
std::string field_comment(const Field& field, const Versions& reach) {
  std::string words;
  auto add = [&](const std::string& word) { words += (words.empty() ? "" : ", ") + word; };
  if (!field.versions.covers(reach)) add("v" + range_words(field.versions));
  if (field.is_nullable() && !field.nullable.covers(field.versions.intersect(reach))) {
    add("null in v" + range_words(field.nullable));
  }
  if (field.tag >= 0) add(fmt::format("tag {}", field.tag));
  if (!field.versions.covers(reach) && field.ignorable) add("ignorable");
  return words.empty() ? "" : "  // " + words;
}

void emit_members(std::string& out, const Message& message, const Struct& structure,
                  const std::string& indent) {
  for (const Field& field : structure.fields) {
    out += fmt::format("{}{} {}{};{}\n", indent, cpp_type(field), field.member, cpp_initializer(field),
                       field_comment(field, structure.reach));
  }
  if (!message.flexible.empty()) out += indent + "UnknownTags unknown_tags;\n";
  out += "\n";
  if (structure.needs_is_default) out += indent + "[[nodiscard]] bool is_default() const;\n";
  out += indent + "void read(Decoder& in, int16_t version);\n";
  out += indent + "template <class Out>\n" + indent + "void write(Out& out, int16_t version) const;\n";
  out += indent + "void dump(JsonWriter& out, int16_t version) const;\n";
}

}  // namespace

std::string emit_header(const Message& message) {
  std::string out =
      fmt::format("// Generated from protocol/schemas/{}: edit that file, not this one.\n", message.file);
  out += "#pragma once\n\n#include \"protocol/message.h\"\n\nnamespace tidemark::protocol {\n\n";
  // The inner structs stand before the outer one, which names them: a class that is nested for real has no
  // default constructor until the outer one is complete, and std::optional asks earlier.
  if (!message.structs.empty()) out += fmt::format("namespace {} {{\n\n", types_namespace(message));
  for (const auto& structure : message.structs) {
    out += fmt::format("struct {} {{\n", structure->name);
    if (structure->is_element) {
      out +=
          fmt::format("  static constexpr size_t kMinWireBytes = {};\n", min_wire_bytes(message, *structure));
    }
    emit_members(out, message, *structure, "  ");
    out += "};\n\n";
  }
  if (!message.structs.empty()) out += fmt::format("}}  // namespace {}\n\n", types_namespace(message));
  out += fmt::format("struct {} {{\n", message.name);
  out += fmt::format("  static constexpr std::string_view kName = \"{}\";\n", message.name);
  out += fmt::format("  static constexpr MessageKind kKind = MessageKind::{};\n", kKinds.at(message.kind));
  if (message.api_key >= 0) {
    out += fmt::format("  static constexpr ApiKey kApiKey{{{}}};\n", message.api_key);
  }
  if (message.type_id >= 0) out += fmt::format("  static constexpr int16_t kTypeId = {};\n", message.type_id);
  out += fmt::format("  static constexpr VersionRange kVersions = {};\n", version_range(message.versions));
  out += fmt::format("  static constexpr VersionRange kFlexible = {};\n\n", version_range(message.flexible));
  for (const auto& structure : message.structs) {
    out += fmt::format("  using {0} = {1}::{0};\n", structure->name, types_namespace(message));
  }
  if (!message.structs.empty()) out += "\n";
  emit_members(out, message, message.body, "  ");
  out += "  static Result<" + message.name + "> decode(Decoder& in, int16_t version);\n";
  out += "  // Sizes, and whether this version can carry the values: see protocol/message.h.\n";
  out += "  [[nodiscard]] Sizer measure(int16_t version) const;\n";
  out +=
      "  [[nodiscard]] size_t encoded_size(int16_t wire_version) const { return "
      "measure(wire_version).wire_bytes(); "
      "}\n";
  out += "  [[nodiscard]] Result<void> check_encodable(int16_t version) const;\n";
  out += "  void encode(Encoder& out, int16_t version) const;\n";
  out += "};\n\n}  // namespace tidemark::protocol\n";
  return out;
}

}  // namespace tidemark::codegen
