// Writes JSON text into a string: the dumps of messages for logs and tests. Bytes and records become base64,
// uuids URL-safe base64; text that is not UTF-8 gets replacement characters, so that the output is always
// JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/ids.h"
#include "protocol/records.h"
#include "protocol/unknown_tags.h"

namespace tidemark::protocol {

class JsonWriter {
 public:
  // Tagged fields that hold their default are left out, as on the wire, unless `default_tags`.
  explicit JsonWriter(bool default_tags = false) : default_tags_(default_tags) {}

  [[nodiscard]] bool default_tags() const { return default_tags_; }

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void key(std::string_view name);

  void null() { literal("null"); }
  void value(bool v) { literal(v ? "true" : "false"); }
  void value(int64_t v);
  void value(int8_t v) { value(int64_t{v}); }
  void value(int16_t v) { value(int64_t{v}); }
  void value(int32_t v) { value(int64_t{v}); }
  void value(uint16_t v) { value(int64_t{v}); }
  void value(uint32_t v) { value(int64_t{v}); }
  void value(double v);
  void value(std::string_view v);
  void value(std::span<const std::byte> v);
  void value(const Uuid& v) { value(std::string_view(v.to_string())); }
  // Deferred records show their size: {"deferredBytes": n}.
  void value(const Records& v);
  template <class T>
  void value(const std::optional<T>& v) {
    v ? value(*v) : null();
  }
  template <class T>
  void value(const std::vector<T>& v) {
    begin_array();
    for (const T& element : v) value(element);
    end_array();
  }
  // "_unknownTags": [{"tag": n, "value": base64}], where there are any.
  void unknown_tags(const UnknownTags& tags);

  [[nodiscard]] const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  void separate();
  void open(char c);
  void close(char c);
  void literal(std::string_view text);

  std::string text_;
  bool default_tags_;
  bool needs_comma_ = false;
};

// A struct, and arrays and optionals of structs, of one version.
template <class T>
void dump_struct(JsonWriter& out, const T& value, int16_t version) {
  value.dump(out, version);
}
template <class T>
void dump_struct(JsonWriter& out, const std::vector<T>& values, int16_t version) {
  out.begin_array();
  for (const T& value : values) value.dump(out, version);
  out.end_array();
}
template <class T>
void dump_struct(JsonWriter& out, const std::optional<T>& value, int16_t version) {
  value ? dump_struct(out, *value, version) : out.null();
}

}  // namespace tidemark::protocol
