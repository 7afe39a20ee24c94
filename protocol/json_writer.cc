#include "protocol/json_writer.h"

#include <cmath>
#include <iterator>

#include "protocol/json_text.h"

namespace tidemark::protocol {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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
  append_json_escaped(text_, v);
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
