#include <fmt/format.h>

#include <algorithm>

#include "protocol/generator/emit.h"
#include "protocol/generator/names.h"

namespace tidemark::codegen {
namespace {

// The functions of one struct. `qualified` is its name from outside: FetchRequest::FetchTopic.
class StructEmitter {
 public:
  StructEmitter(const Message& message, const Struct& structure, std::string qualified)
      : message_(message), structure_(structure), qualified_(std::move(qualified)) {
    for (const Field& field : structure.fields) {
      if (field.tag >= 0) tagged_.push_back(&field);
    }
    std::sort(tagged_.begin(), tagged_.end(), [](auto* a, auto* b) { return a->tag < b->tag; });
  }

  std::string run() {
    if (structure_.needs_is_default) emit_is_default();
    emit_read();
    emit_write();
    emit_dump();
    return std::move(out_);
  }

 private:
  template <class... Args>
  void line(int depth, fmt::format_string<Args...> text, Args&&... args) {
    out_.append(static_cast<size_t>(depth) * 2, ' ');
    out_ += fmt::format(text, std::forward<Args>(args)...);
    out_ += '\n';
  }

  [[nodiscard]] const Versions& reach() const { return structure_.reach; }
  [[nodiscard]] bool has_tags() const { return !message_.flexible.intersect(reach()).empty(); }
  [[nodiscard]] std::string flex(const Field& field) const {
    return field.never_compact ? "false" : "flexible";
  }
  [[nodiscard]] std::string may_be_null(const Field& field) const {
    const std::string text = condition(field.nullable, field.versions.intersect(reach()));
    return text.empty() ? "true" : text;
  }
  [[nodiscard]] std::string label(const Field& field) const {
    return fmt::format("\"{}.{}\"", structure_.name, field.name);
  }

  void emit_flexible() {
    const std::string text = condition(message_.flexible, reach());
    line(1, "[[maybe_unused]] const bool flexible = {};", text.empty() ? "true" : text);
  }

  void emit_is_default() {
    line(0, "bool {}::is_default() const {{", qualified_);
    std::string all;
    for (const Field& field : structure_.fields) {
      all += (all.empty() ? "" : " && ") + fmt::format("({})", is_default_expression(field));
    }
    if (!message_.flexible.empty()) all += std::string(all.empty() ? "" : " && ") + "unknown_tags.empty()";
    line(1, "return {};", all.empty() ? "true" : all);
    line(0, "}}\n");
  }

  [[nodiscard]] std::string read_statement(const Field& field) const {
    const std::string& x = field.member;
    if (field.is_array) {
      const char* what = field.target == nullptr ? "array" : "structs";
      const char* version = field.target == nullptr ? "" : ", wire_version";
      if (!field.is_nullable()) return fmt::format("read_{}(in, {}, {}{});", what, x, flex(field), version);
      return fmt::format("read_nullable_{}(in, {}, {}{}, {});", what, x, flex(field), version,
                         may_be_null(field));
    }
    switch (field.type) {
      case Type::boolean: return x + " = in.read_bool();";
      case Type::string:
      case Type::bytes: {
        const char* what = field.type == Type::string ? "string" : "bytes";
        if (!field.is_nullable()) return fmt::format("{} = in.read_{}({});", x, what, flex(field));
        return fmt::format("{} = in.read_nullable_{}({}, {});", x, what, flex(field), may_be_null(field));
      }
      case Type::records:
        return fmt::format("{} = in.read_records({}, {});", x, flex(field), may_be_null(field));
      case Type::structure:
        if (field.is_nullable()) {
          return fmt::format("read_{}nullable_struct(in, {}, wire_version);", field.tag >= 0 ? "tagged_" : "",
                             x);
        }
        return x + ".read(in, wire_version);";
      default: return fmt::format("{} = in.read_{}();", x, field.type_name);
    }
  }

  [[nodiscard]] std::string write_statement(const Field& field, const char* to) const {
    const std::string& x = field.member;
    if (field.is_array) {
      const char* what = field.target == nullptr ? "array" : "structs";
      const char* version = field.target == nullptr ? "" : ", wire_version";
      if (!field.is_nullable()) {
        return fmt::format("write_{}({}, {}, {}{}, {});", what, to, x, flex(field), version, label(field));
      }
      return fmt::format("write_nullable_{}({}, {}, {}{}, {}, {});", what, to, x, flex(field), version,
                         may_be_null(field), label(field));
    }
    switch (field.type) {
      case Type::string:
      case Type::bytes: {
        const char* what = field.type == Type::string ? "string" : "bytes";
        if (!field.is_nullable())
          return fmt::format("{}.put_{}({}, {}, {});", to, what, x, flex(field), label(field));
        return fmt::format("{}.put_nullable_{}({}, {}, {}, {});", to, what, x, flex(field),
                           may_be_null(field), label(field));
      }
      case Type::records:
        return fmt::format("{}.put_records({}, {}, {}, {});", to, x, flex(field), may_be_null(field),
                           label(field));
      case Type::structure:
        if (field.is_nullable()) {
          return fmt::format("write_{}nullable_struct({}, {}, wire_version);",
                             field.tag >= 0 ? "tagged_" : "", to, x);
        }
        return fmt::format("{}.write({}, wire_version);", x, to);
      default: return fmt::format("{}.put({});", to, x);
    }
  }

  void emit_read() {
    line(0, "void {}::read([[maybe_unused]] Decoder& in, [[maybe_unused]] int16_t wire_version) {{",
         qualified_);
    emit_flexible();
    for (const Field& field : structure_.fields) emit_guarded(field.untagged(), read_statement(field));
    if (has_tags()) emit_read_tags();
    line(0, "}}\n");
  }

  void emit_guarded(const Versions& versions, const std::string& statement) {
    const std::string when = condition(versions, reach());
    if (when == "false") return;
    when.empty() ? line(1, "{}", statement) : line(1, "if ({}) {}", when, statement);
  }

  void emit_read_tags() {
    const std::string when = condition(message_.flexible, reach());
    if (!when.empty()) line(1, "if (!flexible) return;");
    if (tagged_.empty()) return line(1, "in.read_tags(unknown_tags);");
    const Versions context = message_.flexible.intersect(reach());
    line(1, "in.read_tags(unknown_tags, [&](uint32_t wire_tag) {{");
    for (const Field* field : tagged_) {
      const std::string known = condition(field->tagged, context);
      if (known == "false") continue;
      line(2, "if (wire_tag == {}{}{}) {{", field->tag, known.empty() ? "" : " && ", known);
      line(3, "{}", read_statement(*field));
      line(3, "return true;");
      line(2, "}}");
    }
    line(2, "return false;");
    line(1, "}});");
  }

  void emit_write() {
    line(0, "template <class Out>");
    line(0, "void {}::write([[maybe_unused]] Out& out, [[maybe_unused]] int16_t wire_version) const {{",
         qualified_);
    emit_flexible();
    for (const Field& field : structure_.fields) {
      emit_guarded(field.untagged(), write_statement(field, "out"));
      if (!field.ignorable) emit_require_default(field);
    }
    if (has_tags()) emit_write_tags();
    line(0, "}}\n");
  }

  void emit_require_default(const Field& field) {
    const std::string present = condition(field.versions, reach());
    if (present.empty()) return;
    const std::string absent = present == "false" ? "" : fmt::format("if (!({})) ", present);
    line(1, "{}out.require_default({}, {});", absent, is_default_expression(field), label(field));
  }

  void emit_write_tags() {
    const std::string when = condition(message_.flexible, reach());
    if (!when.empty()) line(1, "if (!flexible) return;");
    if (tagged_.empty()) return line(1, "write_unknown_tags(out, unknown_tags);");
    const Versions context = message_.flexible.intersect(reach());
    std::string count;
    for (const Field* field : tagged_) {
      const std::string known = condition(field->tagged, context);
      if (known == "false") continue;
      line(1, "const bool tag_{} = {}{}!({});", field->tag, known, known.empty() ? "" : " && ",
           is_default_expression(*field));
      count += fmt::format(" + tag_{}", field->tag);
    }
    line(1, "out.put_uvarint(static_cast<uint32_t>(unknown_tags.size(){}));", count);
    line(1, "size_t next_unknown = 0;");
    for (const Field* field : tagged_) {
      if (condition(field->tagged, context) == "false") continue;
      // An unknown tag below a known one: the known one's number was given in a later version.
      if (field->tag > 0)
        line(1, "next_unknown = out.put_unknown_tags(unknown_tags, next_unknown, {});", field->tag);
      line(1, "if (tag_{}) out.put_tag({}, [&](auto& tag_out) {{ {} }});", field->tag, field->tag,
           write_statement(*field, "tag_out"));
    }
    line(1, "out.put_unknown_tags(unknown_tags, next_unknown, UINT32_MAX);");
  }

  void emit_dump() {
    line(0, "void {}::dump(JsonWriter& out, [[maybe_unused]] int16_t wire_version) const {{", qualified_);
    line(1, "out.begin_object();");
    for (const Field& field : structure_.fields) emit_dump_field(field);
    if (!message_.flexible.empty()) line(1, "out.unknown_tags(unknown_tags);");
    line(1, "out.end_object();");
    line(0, "}}\n");
  }

  void emit_dump_field(const Field& field) {
    std::string when = condition(field.versions, reach());
    if (when == "false") return;
    if (field.tag >= 0) {
      const std::string untagged = condition(field.untagged(), reach());
      const std::string shown = fmt::format("(out.default_tags() || {}!({}))",
                                            untagged == "false" ? "" : fmt::format("({}) || ", untagged),
                                            is_default_expression(field));
      when += (when.empty() ? "" : " && ") + shown;
    }
    const int depth = when.empty() ? 1 : 2;
    if (!when.empty()) line(1, "if ({}) {{", when);
    line(depth, "out.key(\"{}\");", field.json);
    if (field.target != nullptr) {
      line(depth, "dump_struct(out, {}, wire_version);", field.member);
    } else {
      line(depth, "out.value({});", field.member);
    }
    if (!when.empty()) line(1, "}}");
  }

  const Message& message_;
  const Struct& structure_;
  std::string qualified_;
  std::vector<const Field*> tagged_;
  std::string out_;
};

std::string emit_message(const Message& message) {
  std::string out;
  for (const auto& structure : message.structs) {
    const std::string qualified = types_namespace(message) + "::" + structure->name;
    if (structure->is_element) {
      out +=
          fmt::format("static_assert(sizeof({0}) <= kMemoryPerFrameByte * {0}::kMinWireBytes);\n", qualified);
    }
    out += StructEmitter(message, *structure, qualified).run();
  }
  out += StructEmitter(message, message.body, message.name).run();
  out += fmt::format(
      "Result<{0}> {0}::decode(Decoder& in, int16_t wire_version) {{ return decode_as<{0}>(in, "
      "wire_version); }}\n"
      "Sizer {0}::measure(int16_t wire_version) const {{ return measure_as(*this, wire_version); }}\n"
      "Result<void> {0}::check_encodable(int16_t wire_version) const {{\n"
      "  return check_version(kName, kVersions, wire_version, measure(wire_version));\n"
      "}}\n"
      "void {0}::encode(Encoder& out, int16_t wire_version) const {{ write(out, wire_version); }}\n\n",
      message.name);
  return out;
}

}  // namespace

std::string emit_source(std::span<const Message* const> messages, size_t group) {
  std::string out = "// Generated from protocol/schemas/.\n";
  for (const Message* message : messages)
    out += fmt::format("#include \"protocol/messages/{}\"\n", header_name(*message));
  out +=
      "\n#include \"protocol/message_codec.h\"\n#include \"protocol/messages.h\"\n\nnamespace "
      "tidemark::protocol {\n\n";
  for (const Message* message : messages) out += emit_message(*message);
  out += fmt::format("std::span<const MessageType> generated_message_types_{}() {{\n", group);
  out += "  static constexpr MessageType kTypes[] = {\n";
  for (const Message* message : messages) out += fmt::format("      message_type<{}>(),\n", message->name);
  out += "  };\n  return kTypes;\n}\n\n}  // namespace tidemark::protocol\n";
  return out;
}

std::string emit_api_header(const Schemas& schemas) {
  std::string out =
      "// Generated from protocol/schemas/messages/.\n#pragma once\n\n#include <cstdint>\n\n"
      "namespace tidemark::protocol {\n\n// Every API that has a schema; which ones are served is "
      "protocol/api_versions.h.\n"
      "enum class ApiKey : int16_t {\n";
  for (const Api& api : schemas.apis) out += fmt::format("  {} = {},\n", api.name, api.key);
  out += "};\n\n}  // namespace tidemark::protocol\n";
  return out;
}

std::string emit_api_source(const Schemas& schemas, size_t groups) {
  std::string out =
      "// Generated from protocol/schemas/messages/.\n#include \"protocol/api_key.h\"\n"
      "#include \"protocol/messages.h\"\n\nnamespace tidemark::protocol {\n\n"
      "std::span<const ApiInfo> all_apis() {\n  static constexpr ApiInfo kApis[] = {\n";
  for (const Api& api : schemas.apis) {
    out += fmt::format("      {{ApiKey::{0}, \"{0}\", {1}, {2}, {3}, {4}, {5}, {6}}},\n", api.name,
                       version_range(api.request_versions), version_range(api.request_flexible),
                       version_range(api.response_flexible), api.latest_version_unstable, api.broker,
                       api.controller);
  }
  out += "  };\n  return kApis;\n}\n\n";
  for (size_t i = 0; i < groups; ++i) {
    out += fmt::format("std::span<const MessageType> generated_message_types_{}();\n", i);
  }
  out +=
      "\nstd::span<const std::span<const MessageType>> generated_message_types() {\n"
      "  static const std::span<const MessageType> kGroups[] = {\n";
  for (size_t i = 0; i < groups; ++i) out += fmt::format("      generated_message_types_{}(),\n", i);
  out += "  };\n  return kGroups;\n}\n\n}  // namespace tidemark::protocol\n";
  return out;
}

}  // namespace tidemark::codegen
