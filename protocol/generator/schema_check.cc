#include "protocol/generator/schema_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace tidemark::codegen {

void schema_fail(const std::string& file, int line, const std::string& where, const std::string& what) {
  throw SchemaError(fmt::format("{}:{}: {}{}{}", file, line, where, where.empty() ? "" : ": ", what));
}

namespace {

// Tags from here on are Tidemark's own; Kafka's count from 0, and need not reach this far.
constexpr int kFirstOwnTag = 10'000;

// Parameters and variables of the generated functions: no member may hide behind them.
const std::set<std::string> kLocals = {"in",       "out",     "wire_version", "flexible",
                                       "wire_tag", "tag_out", "next_unknown", "unknown_tags"};

class Resolver {
 public:
  explicit Resolver(Message& message) : message_(message) {}

  void run() {
    for (auto& structure : message_.structs) by_name_[structure->name] = structure.get();
    resolve(message_.body);
    for (auto& structure : message_.structs) resolve(*structure);
    message_.body.reach = message_.versions;
    spread_reach(message_.body, 0);
    order_structs();
    check_struct(message_.body);
    for (auto& structure : message_.structs) {
      check_struct(*structure);
      if (structure->is_element && min_wire_bytes(message_, *structure) == 0) {
        fail(structure->line, structure->name, "an array element that takes no byte on the wire");
      }
    }
  }

 private:
  [[noreturn]] void fail(int line, const std::string& where, const std::string& what) const {
    schema_fail(message_.file, line, where, what);
  }

  void resolve(Struct& structure) {
    for (Field& field : structure.fields) {
      if (field.type != Type::structure) continue;
      const auto target = by_name_.find(field.type_name);
      if (target == by_name_.end()) {
        fail(field.line, structure.name + "." + field.name, fmt::format("unknown type {}", field.type_name));
      }
      field.target = target->second;
      if (field.is_array) field.target->is_element = true;
    }
  }

  // Widens what each struct's fields can reach; a struct that reaches itself would recurse for ever.
  void spread_reach(Struct& from, size_t depth) {
    if (depth > message_.structs.size()) fail(from.line, from.name, "a struct that holds itself");
    for (Field& field : from.fields) {
      if (field.target == nullptr) continue;
      const Versions reach = from.reach.intersect(field.versions);
      if (reach.empty()) continue;
      Versions& known = field.target->reach;
      known =
          known.empty() ? reach : Versions{std::min(known.min, reach.min), std::max(known.max, reach.max)};
      spread_reach(*field.target, depth + 1);
    }
  }

  void order_structs() {
    std::vector<std::unique_ptr<Struct>> unordered = std::move(message_.structs);
    message_.structs.clear();
    std::set<const Struct*> placed;
    std::function<void(Struct*)> place = [&](Struct* structure) {
      if (!placed.insert(structure).second) return;
      for (Field& field : structure->fields) {
        if (field.target != nullptr) place(field.target);
      }
      auto at =
          std::find_if(unordered.begin(), unordered.end(), [&](auto& p) { return p.get() == structure; });
      message_.structs.push_back(std::move(*at));
    };
    std::vector<Struct*> all;
    for (auto& structure : unordered) all.push_back(structure.get());
    for (Struct* structure : all) place(structure);
    for (auto& structure : message_.structs) {
      if (structure->reach.empty()) fail(structure->line, structure->name, "a struct that no version uses");
    }
  }

  void check_struct(Struct& structure) {
    std::set<std::string> members;
    std::map<int, const Field*> tags;
    for (Field& field : structure.fields) {
      const std::string where = structure.name + "." + field.name;
      if (kLocals.contains(field.member)) fail(field.line, where, "a name that the generated functions use");
      if (!members.insert(field.member).second)
        fail(field.line, where, "a field of this name is there already");
      check_field(field, where);
      if (field.tag >= 0 && !tags.emplace(field.tag, &field).second)
        fail(field.line, where, "a tag that is used twice");
      const bool may_be_dropped = !field.ignorable && !field.versions.covers(structure.reach);
      if (field.is_plain_struct() && (field.tag >= 0 || may_be_dropped)) need_is_default(*field.target);
    }
    int expected = 0;
    for (const auto& [tag, field] : tags) {
      if (tag != expected++ && tag < kFirstOwnTag)
        fail(field->line, structure.name + "." + field->name, "tags must be 0, 1, 2, ...");
    }
  }

  void need_is_default(Struct& structure) {
    structure.needs_is_default = true;
    for (Field& field : structure.fields) {
      if (field.is_plain_struct()) need_is_default(*field.target);
    }
  }

  void check_field(const Field& field, const std::string& where) {
    auto refuse = [&](const char* what) { fail(field.line, where, what); };
    if (field.tag >= 0) {
      if (field.tagged.max != kNoUpperVersion) refuse("`tagged` must be open: a tag is never given back");
      if (field.versions.max != kNoUpperVersion || field.tagged.min < field.versions.min) {
        refuse("`tagged` reaches beyond `versions`");
      }
      if (!message_.flexible.covers(field.tagged.intersect(message_.versions))) {
        refuse("`tagged` in versions that are not flexible");
      }
      if (field.type == Type::records) refuse("records cannot be tagged");
    }
    const bool number = field.type <= Type::boolean || field.type == Type::uuid;
    if (field.is_nullable() && number && !field.is_array) refuse("this type cannot be null");
    if (field.is_array && (field.type == Type::records || field.type == Type::boolean))
      refuse("no array of this type");
    if (field.default_is_null && !field.is_nullable()) refuse("a null default where null is never allowed");
    if (field.is_plain_struct() && field.is_nullable() && !field.nullable.covers(field.versions)) {
      refuse("a struct that is nullable in some of its versions only");
    }
    if (field.is_plain_struct() && field.is_nullable() && field.tag >= 0 &&
        !field.tagged.covers(field.versions)) {
      refuse("a nullable struct that is tagged in some of its versions only");
    }
    if (field.default_text && (field.is_array || field.type == Type::structure || field.type == Type::bytes ||
                               field.type == Type::records || field.type == Type::uuid)) {
      refuse("this type takes no default but null");
    }
    if (field.default_text) check_default(field, where);
  }

  void check_default(const Field& field, const std::string& where) {
    const std::string& text = *field.default_text;
    auto refuse = [&] { fail(field.line, where, fmt::format("`default: {}` does not fit the type", text)); };
    if (field.type == Type::boolean && text != "true" && text != "false") refuse();
    if (field.type >= Type::boolean || field.type == Type::float64) return;
    static const std::map<Type, std::pair<int64_t, int64_t>> kRanges = {
        {Type::int8, {INT8_MIN, INT8_MAX}},    {Type::int16, {INT16_MIN, INT16_MAX}},
        {Type::int32, {INT32_MIN, INT32_MAX}}, {Type::int64, {INT64_MIN, INT64_MAX}},
        {Type::uint16, {0, UINT16_MAX}},       {Type::uint32, {0, UINT32_MAX}}};
    size_t used = 0;
    int64_t value = 0;
    try {
      value = std::stoll(text, &used);
    } catch (const std::exception&) {
      refuse();
    }
    const auto [low, high] = kRanges.at(field.type);
    if (used != text.size() || value < low || value > high) refuse();
  }

  Message& message_;
  std::map<std::string, Struct*> by_name_;
};

size_t wire_bytes(const Message& message, const Struct& structure, int version);

size_t field_wire_bytes(const Message& message, const Field& field, int version) {
  const bool compact = message.flexible.contains(version) && !field.never_compact;
  if (field.is_array) return compact ? 1 : 4;
  switch (field.type) {
    case Type::int8:
    case Type::boolean: return 1;
    case Type::int16:
    case Type::uint16: return 2;
    case Type::int32:
    case Type::uint32: return 4;
    case Type::int64:
    case Type::float64: return 8;
    case Type::uuid: return 16;
    case Type::string: return compact ? 1 : 2;
    case Type::bytes:
    case Type::records: return compact ? 1 : 4;
    case Type::structure: return field.is_nullable() ? 1 : wire_bytes(message, *field.target, version);
  }
  return 0;
}

size_t wire_bytes(const Message& message, const Struct& structure, int version) {
  size_t bytes = message.flexible.contains(version) ? 1 : 0;
  for (const Field& field : structure.fields) {
    if (field.untagged().contains(version)) bytes += field_wire_bytes(message, field, version);
  }
  return bytes;
}

}  // namespace

void resolve_and_check(Message& message) { Resolver(message).run(); }

size_t min_wire_bytes(const Message& message, const Struct& structure) {
  size_t least = SIZE_MAX;
  for (int version = structure.reach.min; version <= structure.reach.max; ++version) {
    least = std::min(least, wire_bytes(message, structure, version));
  }
  return least;
}

}  // namespace tidemark::codegen
