// What a command has to say, before it is decided how: a tree like JSON's, whose objects keep their order.
// Values; no I/O.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tidemark::cli {

class Value {
 public:
  using List = std::vector<Value>;
  using Object = std::vector<std::pair<std::string, Value>>;

  Value() = default;  // null
  Value(bool value) : content_(value) {}
  Value(int value) : content_(int64_t{value}) {}
  Value(int64_t value) : content_(value) {}
  Value(double value) : content_(value) {}  // what JSON has no number for becomes text
  Value(std::string value) : content_(std::move(value)) {}
  Value(std::string_view value) : content_(std::string(value)) {}
  Value(const char* value) : content_(std::string(value)) {}
  Value(List value) : content_(std::move(value)) {}
  Value(Object value) : content_(std::move(value)) {}

  static Value object(std::initializer_list<std::pair<std::string, Value>> fields) {
    return Value(Object(fields));
  }

  [[nodiscard]] const List* list() const { return std::get_if<List>(&content_); }
  [[nodiscard]] const Object* fields() const { return std::get_if<Object>(&content_); }

  // One line; text that is not UTF-8 has its bad bytes replaced by U+FFFD.
  [[nodiscard]] std::string json() const;
  // Indented by two spaces.
  [[nodiscard]] std::string pretty_json() const;
  [[nodiscard]] std::string yaml() const;
  // As a table's cell: text as it is, null as "-", lists joined by commas.
  [[nodiscard]] std::string cell() const;

 private:
  void write_json(std::string& out, int indent, bool pretty) const;
  void write_yaml(std::string& out, int indent, bool in_list) const;
  [[nodiscard]] bool is_empty_container() const;

  std::variant<std::monostate, bool, int64_t, double, std::string, List, Object> content_;
};

[[nodiscard]] bool is_utf8(std::string_view text);
// With quotes.
[[nodiscard]] std::string json_string(std::string_view text);
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace tidemark::cli
