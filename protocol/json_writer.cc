#include "protocol/json_writer.h"

#include <cmath>
#include <iterator>

namespace tidemark::protocol {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The length of the valid UTF-8 sequence at the start of `text`, 0 if there is none.
size_t utf8_length(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                        : first >= 0xE0 && first <= 0xEF ? 3
                        : first >= 0xF0 && first <= 0xF4 ? 4
                                                         : 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
  if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
  return length;
}

}  // namespace

void JsonWriter::separate() {
  if (needs_comma_) text_.push_back(',');
  needs_comma_ = true;
}

void JsonWriter::open(char c) {
  separate();
  text_.push_back(c);
  needs_comma_ = false;
}

void JsonWriter::close(char c) {
  text_.push_back(c);
  needs_comma_ = true;
}

void JsonWriter::literal(std::string_view text) {
  separate();
  text_.append(text);
}

void JsonWriter::key(std::string_view name) {
  value(name);
  text_.push_back(':');
  needs_comma_ = false;
}

void JsonWriter::value(int64_t v) {
  separate();
  fmt::format_to(std::back_inserter(text_), "{}", v);
}

void JsonWriter::value(double v) {
  if (std::isnan(v)) return literal("\"NaN\"");
  if (std::isinf(v)) return literal(v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  separate();
  fmt::format_to(std::back_inserter(text_), "{}", v);
}

void JsonWriter::value(std::string_view v) {
  separate();
  text_.push_back('"');
  while (!v.empty()) {
    const size_t length = utf8_length(v);
    const char c = v.front();
    if (length == 0) {
      text_.append(kReplacement);
    } else if (c == '"' || c == '\\') {
      text_.push_back('\\');
      text_.push_back(c);
    } else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) {
      fmt::format_to(std::back_inserter(text_), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      text_.append(v.substr(0, length));
    }
    v.remove_prefix(length == 0 ? 1 : length);
  }
  text_.push_back('"');
}

void JsonWriter::value(std::span<const std::byte> v) {
  separate();
  text_.push_back('"');
  for (size_t i = 0; i < v.size(); i += 3) {
    const size_t left = v.size() - i;
    auto byte = [&](size_t k) { return k < left ? std::to_integer<uint32_t>(v[i + k]) : 0; };
    const uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    text_.push_back(kBase64[bits >> 18]);
    text_.push_back(kBase64[(bits >> 12) & 63]);
    text_.push_back(left > 1 ? kBase64[(bits >> 6) & 63] : '=');
    text_.push_back(left > 2 ? kBase64[bits & 63] : '=');
  }
  text_.push_back('"');
}

void JsonWriter::value(const Records& v) {
  if (v.is_null()) return null();
  if (!v.is_deferred()) return value(v.bytes());
  begin_object();
  key("deferredBytes");
  value(static_cast<int64_t>(v.size()));
  end_object();
}

void JsonWriter::unknown_tags(const UnknownTags& tags) {
  if (tags.empty()) return;
  key("_unknownTags");
  begin_array();
  for (const UnknownTag& tag : tags.all()) {
    begin_object();
    key("tag");
    value(tag.tag);
    key("value");
    value(tag.value);
    end_object();
  }
  end_array();
}

}  // namespace tidemark::protocol
