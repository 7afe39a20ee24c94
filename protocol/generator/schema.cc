#include "protocol/generator/schema.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <set>

#include "protocol/generator/names.h"
#include "protocol/generator/schema_check.h"

namespace tidemark::codegen {
namespace {

const std::map<std::string, Type> kTypes = {
    {"int8", Type::int8},     {"int16", Type::int16},   {"int32", Type::int32},  {"int64", Type::int64},
    {"uint16", Type::uint16}, {"uint32", Type::uint32}, {"bool", Type::boolean}, {"float64", Type::float64},
    {"string", Type::string}, {"bytes", Type::bytes},   {"uuid", Type::uuid},    {"records", Type::records},
};

const std::map<std::string, Kind> kRecordKinds = {{"header", Kind::header},
                                                  {"data", Kind::data},
                                                  {"metadata", Kind::metadata},
                                                  {"remote-log-metadata", Kind::remote_log_metadata},
                                                  {"coordinator-key", Kind::coordinator_key},
                                                  {"coordinator-value", Kind::coordinator_value}};

// One YAML map with its place: reads keys, and refuses those that nobody asked for.
class Node {
 public:
  Node(const YAML::Node& yaml, std::string file, std::string where)
      : yaml_(yaml), file_(std::move(file)), where_(std::move(where)) {
    if (!yaml_.IsMap()) fail("a map was expected");
  }
  [[noreturn]] void fail(const std::string& what) const { schema_fail(file_, line(), where_, what); }
  [[nodiscard]] int line() const { return yaml_.Mark().line + 1; }
  [[nodiscard]] const std::string& file() const { return file_; }
  void set_where(std::string where) { where_ = std::move(where); }

  bool has(const char* key) {
    known_.insert(key);
    return static_cast<bool>(yaml_[key]);
  }
  std::string text(const char* key) {
    if (!has(key)) fail(fmt::format("`{}` is missing", key));
    if (!yaml_[key].IsScalar()) fail(fmt::format("`{}` is not a scalar", key));
    return yaml_[key].Scalar();
  }
  std::string text_or(const char* key, std::string otherwise) { return has(key) ? text(key) : otherwise; }
  int number(const char* key) {
    try {
      return YAML::Node(text(key)).as<int>();
    } catch (const YAML::Exception&) {
      fail(fmt::format("`{}: {}` is not a number", key, text(key)));
    }
  }
  bool flag(const char* key) {
    const std::string value = text_or(key, "false");
    if (value != "true" && value != "false")
      fail(fmt::format("`{}: {}` is neither true nor false", key, value));
    return value == "true";
  }
  Versions versions(const char* key) {
    const std::string value = text(key);
    if (value == "none") return {};
    auto digits = [&](const std::string& t) {
      if (t.empty() || t.size() > 4 || t.find_first_not_of("0123456789") != std::string::npos) {
        fail(fmt::format("`{}: {}` is not a version range (3, 1-5, 2+ or none)", key, value));
      }
      return std::stoi(t);
    };
    if (value.ends_with('+')) return {digits(value.substr(0, value.size() - 1)), kNoUpperVersion};
    const size_t dash = value.find('-');
    if (dash == std::string::npos) return {digits(value), digits(value)};
    const Versions range{digits(value.substr(0, dash)), digits(value.substr(dash + 1))};
    if (range.empty()) fail(fmt::format("`{}: {}` ends before it begins", key, value));
    return range;
  }
  Versions versions_or_none(const char* key) { return has(key) ? versions(key) : Versions{}; }
  Node child(const char* key) {
    if (!has(key)) fail(fmt::format("`{}` is missing", key));
    return {yaml_[key], file_, where_};
  }
  bool is_null(const char* key) { return has(key) && yaml_[key].IsNull(); }
  std::vector<Node> list(const char* key) {
    std::vector<Node> nodes;
    if (!has(key)) return nodes;
    if (!yaml_[key].IsSequence()) fail(fmt::format("`{}` is not a list", key));
    for (const auto& item : yaml_[key]) nodes.emplace_back(item, file_, where_);
    return nodes;
  }
  std::vector<std::string> words(const char* key) {
    std::vector<std::string> out;
    if (!has(key)) return out;
    for (const auto& item : yaml_[key]) out.push_back(item.as<std::string>());
    return out;
  }
  void refuse_unknown_keys() const {
    for (const auto& entry : yaml_) {
      const auto key = entry.first.as<std::string>();
      if (!known_.contains(key)) fail(fmt::format("unknown key `{}`", key));
    }
  }

 private:
  YAML::Node yaml_;
  std::string file_;
  std::string where_;
  std::set<std::string> known_;
};

class MessageLoader {
 public:
  explicit MessageLoader(Message& message) : message_(message) {}

  void load(Node& node) {
    message_.versions = node.versions("versions");
    message_.flexible = node.versions("flexible");
    message_.body.name = message_.name;
    message_.body.line = node.line();
    if (!node.has("fields")) node.fail("`fields` is missing");
    for (Node& shared : structs_of(node)) {
      Struct& added = add_struct(shared.text("name"), shared);
      (void)shared.versions("versions");
      load_fields(shared, added);
      shared.refuse_unknown_keys();
    }
    load_fields(node, message_.body);
    resolve_and_check(message_);
  }

 private:
  std::vector<Node> structs_of(Node& node) { return node.list("structs"); }

  Struct& add_struct(const std::string& name, const Node& node) {
    for (const auto& other : message_.structs) {
      if (other->name == name) node.fail(fmt::format("the struct {} is defined twice", name));
    }
    message_.structs.push_back(std::make_unique<Struct>());
    message_.structs.back()->name = name;
    message_.structs.back()->line = node.line();
    return *message_.structs.back();
  }

  void load_fields(Node& node, Struct& into) {
    for (Node& item : node.list("fields")) {
      Field field;
      field.name = item.text("name");
      item.set_where(into.name + "." + field.name);
      load_field(item, field);
      if (item.has("fields")) {
        if (field.type != Type::structure) item.fail("`fields` where the type is no struct");
        load_fields(item, add_struct(field.type_name, item));
      }
      item.refuse_unknown_keys();
      into.fields.push_back(std::move(field));
    }
  }

  static void load_field(Node& item, Field& field) {
    field.line = item.line();
    field.member = snake_case(field.name);
    field.json = camel_case(field.name);
    field.type_name = item.text("type");
    if (field.type_name.starts_with("[]")) {
      field.is_array = true;
      field.type_name.erase(0, 2);
    }
    const auto primitive = kTypes.find(field.type_name);
    field.type = primitive == kTypes.end() ? Type::structure : primitive->second;
    field.versions = item.versions("versions");
    field.nullable = item.versions_or_none("nullable").intersect(field.versions);
    if (item.has("tag") != item.has("tagged")) item.fail("`tag` and `tagged` go together");
    if (item.has("tag")) {
      field.tag = item.number("tag");
      field.tagged = item.versions("tagged");
    }
    if (item.has("flexible")) {
      if (!item.versions("flexible").empty()) item.fail("a field's own `flexible` can only be none");
      field.never_compact = true;
    }
    if (item.is_null("default")) {
      field.default_is_null = true;
    } else if (item.has("default")) {
      field.default_text = item.text("default");
    }
    field.ignorable = item.flag("ignorable");
    // Facts that no code depends on yet: the key of a map-like array, and what a value names.
    (void)item.flag("key");
    (void)item.text_or("entity", "");
  }

  Message& message_;
};

std::unique_ptr<Message> load_message(Node& node, std::string name, Kind kind, const std::string& file) {
  auto message = std::make_unique<Message>();
  message->name = std::move(name);
  message->file = file;
  message->kind = kind;
  node.set_where(message->name);
  MessageLoader(*message).load(node);
  return message;
}

void load_api(Node& top, const std::string& stem, Schemas& out) {
  Api api;
  api.name = top.text("api");
  api.key = top.number("key");
  if (stem != fmt::format("{:02}-{}", api.key, api.name)) {
    top.fail(fmt::format("the file should be called {:02}-{}.yaml", api.key, api.name));
  }
  Node request = top.child("request");
  Node response = top.child("response");
  for (const std::string& listener : request.words("listeners")) {
    if (listener != "broker" && listener != "controller") request.fail("unknown listener " + listener);
    (listener == "broker" ? api.broker : api.controller) = true;
  }
  api.latest_version_unstable = request.flag("latest_version_unstable");
  auto& messages = out.messages;
  messages.push_back(load_message(request, api.name + "Request", Kind::request, top.file()));
  messages.back()->api_key = api.key;
  api.request_versions = messages.back()->versions;
  api.request_flexible = messages.back()->flexible;
  messages.push_back(load_message(response, api.name + "Response", Kind::response, top.file()));
  messages.back()->api_key = api.key;
  api.response_flexible = messages.back()->flexible;
  request.refuse_unknown_keys();
  response.refuse_unknown_keys();
  if (messages.back()->versions.min != api.request_versions.min ||
      messages.back()->versions.max != api.request_versions.max) {
    response.fail("request and response have different versions");
  }
  out.apis.push_back(api);
}

void load_record(Node& top, const std::string& stem, Schemas& out) {
  const std::string name = top.text("record");
  if (stem != name) top.fail(fmt::format("the file should be called {}.yaml", name));
  const auto kind = kRecordKinds.find(top.text("kind"));
  if (kind == kRecordKinds.end()) top.fail("unknown kind " + top.text("kind"));
  const int type_id = top.has("type_id") ? top.number("type_id") : -1;
  out.messages.push_back(load_message(top, name, kind->second, top.file()));
  out.messages.back()->type_id = type_id;
}

void load_file(const std::filesystem::path& path, const std::string& file, Schemas& out) {
  YAML::Node yaml;
  try {
    yaml = YAML::LoadFile(path.string());
  } catch (const YAML::Exception& e) {
    schema_fail(file, e.mark.line + 1, "", e.msg);
  }
  Node top(yaml, file, "");
  top.has("api") ? load_api(top, path.stem().string(), out) : load_record(top, path.stem().string(), out);
  top.refuse_unknown_keys();
}

}  // namespace

Schemas load_schemas(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const char* part : {"messages", "records"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / part)) {
      if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  Schemas out;
  for (const auto& path : paths) load_file(path, std::filesystem::relative(path, folder).string(), out);

  std::sort(out.apis.begin(), out.apis.end(), [](const Api& a, const Api& b) { return a.key < b.key; });
  for (size_t i = 1; i < out.apis.size(); ++i) {
    if (out.apis[i].key == out.apis[i - 1].key) {
      throw SchemaError(fmt::format("api key {} is used by {} and {}", out.apis[i].key, out.apis[i - 1].name,
                                    out.apis[i].name));
    }
  }
  std::sort(out.messages.begin(), out.messages.end(),
            [](const auto& a, const auto& b) { return a->name < b->name; });
  for (size_t i = 1; i < out.messages.size(); ++i) {
    const Message& a = *out.messages[i - 1];
    const Message& b = *out.messages[i];
    if (a.name == b.name)
      throw SchemaError(fmt::format("{} is defined by {} and {}", a.name, a.file, b.file));
  }
  return out;
}

}  // namespace tidemark::codegen
