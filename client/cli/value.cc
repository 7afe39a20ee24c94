#include "client/cli/value.h"

#include <fmt/format.h>

#include <cmath>

#include "protocol/json_text.h"

namespace tidemark::cli {
namespace {

void new_line(std::string& out, int indent) {
  out += '\n';
  out.append(static_cast<size_t>(indent) * 2, ' ');
}

// Whether YAML would read the text as something else than this text.
bool needs_quotes(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return true;
  for (const char c : text) {
    if (static_cast<uint8_t>(c) < 0x20 || c == ':' || c == '#' || c == '"' || c == '\'' || c == '\\' ||
        c == ',' || c == '[' || c == ']' || c == '{' || c == '}' || static_cast<uint8_t>(c) >= 0x7F) {
      return true;
    }
  }
  if (std::string_view("-?!&*|>%@`~+.=<").find(text.front()) != std::string_view::npos) return true;
  if (text.front() >= '0' && text.front() <= '9') return true;
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (lower == word) return true;
  }
  return false;
}

// Names and reasons are other people's: what steers a terminal, or ends a line or a cell, is shown as it is
// written in C.
std::string shown(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    // U+0080 to U+009F, in UTF-8.
    const bool is_c1 = c == 0xC2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) < 0xA0;
    if (is_c1) {
      out += fmt::format("\\x{:02x}\\x{:02x}", c, static_cast<uint8_t>(text[++i]));
    } else if (c < 0x20 || c == 0x7F) {
      out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : fmt::format("\\x{:02x}", c);
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = protocol::utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  protocol::append_json_escaped(out, text);
  return out + '"';
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = (group << 8) | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k)
      out += i + k <= bytes.size() ? kAlphabet[(group >> (18 - 6 * k)) & 63] : '=';
  }
  return out;
}

bool Value::is_empty_container() const {
  return (list() != nullptr && list()->empty()) || (fields() != nullptr && fields()->empty());
}

void Value::write_json(std::string& out, int indent, bool pretty) const {
  if (std::holds_alternative<std::monostate>(content_)) {
    out += "null";
  } else if (const bool* truth = std::get_if<bool>(&content_)) {
    out += *truth ? "true" : "false";
  } else if (const int64_t* number = std::get_if<int64_t>(&content_)) {
    out += std::to_string(*number);
  } else if (const double* real = std::get_if<double>(&content_)) {
    out += std::isfinite(*real) ? fmt::format("{}", *real) : json_string(fmt::format("{}", *real));
  } else if (const std::string* text = std::get_if<std::string>(&content_)) {
    out += json_string(*text);
  } else if (list() != nullptr) {
    out += '[';
    for (size_t i = 0; i < list()->size(); ++i) {
      if (i > 0) out += ',';
      if (pretty) new_line(out, indent + 1);
      (*list())[i].write_json(out, indent + 1, pretty);
    }
    if (pretty && !list()->empty()) new_line(out, indent);
    out += ']';
  } else {
    out += '{';
    for (size_t i = 0; i < fields()->size(); ++i) {
      if (i > 0) out += ',';
      if (pretty) new_line(out, indent + 1);
      out += json_string((*fields())[i].first) + (pretty ? ": " : ":");
      (*fields())[i].second.write_json(out, indent + 1, pretty);
    }
    if (pretty && !fields()->empty()) new_line(out, indent);
    out += '}';
  }
}

// Behind the key or dash that owns it; containers begin on the next line, except for an object behind a dash.
void Value::write_yaml(std::string& out, int indent, bool in_list) const {
  if (list() != nullptr && !list()->empty()) {
    for (const Value& element : *list()) {
      if (!out.empty()) new_line(out, indent);
      out += "- ";
      element.write_yaml(out, indent + 1, true);
    }
  } else if (fields() != nullptr && !fields()->empty()) {
    bool first = in_list || out.empty();
    for (const auto& [name, value] : *fields()) {
      if (!std::exchange(first, false)) new_line(out, indent);
      out += (needs_quotes(name) ? json_string(name) : name) + ":";
      const bool block =
          (value.list() != nullptr || value.fields() != nullptr) && !value.is_empty_container();
      if (!block) out += ' ';
      value.write_yaml(out, indent + 1, false);
    }
  } else if (const std::string* text = std::get_if<std::string>(&content_)) {
    out += needs_quotes(*text) ? json_string(*text) : *text;
  } else {
    write_json(out, 0, false);
  }
}

std::string Value::json() const {
  std::string out;
  write_json(out, 0, false);
  return out;
}

std::string Value::pretty_json() const {
  std::string out;
  write_json(out, 0, true);
  return out;
}

std::string Value::yaml() const {
  std::string out;
  write_yaml(out, 0, false);
  return out;
}

std::string Value::cell() const {
  if (std::holds_alternative<std::monostate>(content_)) return "-";
  if (const std::string* text = std::get_if<std::string>(&content_)) return shown(*text);
  if (list() != nullptr) {
    std::string out;
    for (const Value& element : *list()) out += (out.empty() ? "" : ",") + element.cell();
    return out.empty() ? "-" : out;
  }
  return json();
}

}  // namespace tidemark::cli
