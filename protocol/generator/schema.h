// The model of a message schema, as loaded from YAML and checked. Loading throws SchemaError, which names the
// file, the line and the field; after load_schemas() every reference is resolved and every rule below holds.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace tidemark::codegen {

inline constexpr int kNoUpperVersion = 32767;

// An inclusive range; max < min is none.
struct Versions {
  int min = 0;
  int max = -1;
  [[nodiscard]] bool empty() const { return max < min; }
  [[nodiscard]] bool contains(int version) const { return version >= min && version <= max; }
  [[nodiscard]] bool covers(const Versions& other) const {
    return other.empty() || (min <= other.min && max >= other.max);
  }
  [[nodiscard]] Versions intersect(const Versions& other) const {
    return {std::max(min, other.min), std::min(max, other.max)};
  }
};

enum class Type {
  int8,
  int16,
  int32,
  int64,
  uint16,
  uint32,
  float64,
  boolean,
  string,
  bytes,
  records,
  uuid,
  structure
};

struct Struct;

struct Field {
  std::string name;    // as in the schema
  std::string member;  // snake_case
  std::string json;    // camelCase
  std::string type_name;
  Type type = Type::int8;
  bool is_array = false;
  Struct* target = nullptr;  // of Type::structure
  Versions versions;
  Versions nullable;
  Versions tagged;  // Invariant: a suffix of `versions`, within the message's flexible ones
  int tag = -1;
  std::optional<std::string> default_text;
  bool default_is_null = false;
  bool ignorable = false;
  bool never_compact = false;
  int line = 0;

  [[nodiscard]] bool is_nullable() const { return !nullable.empty(); }
  [[nodiscard]] bool is_plain_struct() const { return type == Type::structure && !is_array; }
  // Where the field stands in the struct's body, not among its tags.
  [[nodiscard]] Versions untagged() const {
    return tagged.empty() ? versions : Versions{versions.min, tagged.min - 1};
  }
};

struct Struct {
  std::string name;
  std::vector<Field> fields;
  Versions reach;                 // the versions of the message in which it can occur
  bool is_element = false;        // of an array
  bool needs_is_default = false;  // as a tagged or droppable field
  int line = 0;
};

enum class Kind {
  request,
  response,
  header,
  data,
  metadata,
  remote_log_metadata,
  coordinator_key,
  coordinator_value
};

struct Message {
  std::string name;  // of the C++ struct
  std::string file;  // for error messages and the generated header's first line
  Kind kind = Kind::data;
  int api_key = -1;
  int type_id = -1;
  Versions versions;
  Versions flexible;
  Struct body;
  std::vector<std::unique_ptr<Struct>> structs;  // each after those that it holds
};

struct Api {
  std::string name;
  int key = 0;
  Versions request_versions;
  Versions request_flexible;
  Versions response_flexible;
  bool latest_version_unstable = false;
  bool broker = false;
  bool controller = false;
};

struct Schemas {
  std::vector<std::unique_ptr<Message>> messages;  // by name
  std::vector<Api> apis;                           // by key
};

class SchemaError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads every messages/*.yaml and records/*/*.yaml of `folder`.
Schemas load_schemas(const std::filesystem::path& folder);

// The fewest bytes that a struct takes on the wire in any version that has it.
size_t min_wire_bytes(const Message& message, const Struct& structure);

}  // namespace tidemark::codegen
