// tidemark-codegen SCHEMAS OUT GROUPS: writes the C++ of every schema into OUT: one header a message, GROUPS
// source files of about the same size, api_key.h and api_key.cc. A file whose text has not changed is left
// alone, so that an edited schema rebuilds only what depends on it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "protocol/generator/emit.h"

namespace {

using namespace tidemark::codegen;

void write_if_changed(const std::filesystem::path& path, const std::string& text) {
  std::ifstream old(path, std::ios::binary);
  if (old && std::string(std::istreambuf_iterator<char>(old), {}) == text) return;
  old.close();
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  if (!out.flush()) throw SchemaError(fmt::format("cannot write {}", path.string()));
}

size_t weight(const Message& message) {
  size_t fields = 5 + message.body.fields.size();
  for (const auto& structure : message.structs) fields += 3 + structure->fields.size();
  return fields;
}

// The largest message first, each into the lightest group.
std::vector<std::vector<const Message*>> split(const Schemas& schemas, size_t count) {
  std::vector<const Message*> order;
  for (const auto& message : schemas.messages) order.push_back(message.get());
  std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return weight(*a) > weight(*b); });
  std::vector<std::vector<const Message*>> groups(count);
  std::vector<size_t> weights(count);
  for (const Message* message : order) {
    const auto lightest = std::min_element(weights.begin(), weights.end()) - weights.begin();
    groups[static_cast<size_t>(lightest)].push_back(message);
    weights[static_cast<size_t>(lightest)] += weight(*message);
  }
  return groups;
}

void generate(const std::filesystem::path& schemas_folder, const std::filesystem::path& out, size_t groups) {
  const Schemas schemas = load_schemas(schemas_folder);
  std::filesystem::create_directories(out);
  for (const auto& message : schemas.messages)
    write_if_changed(out / header_name(*message), emit_header(*message));
  const auto parts = split(schemas, groups);
  for (size_t i = 0; i < parts.size(); ++i) {
    write_if_changed(out / fmt::format("messages_{}.cc", i), emit_source(parts[i], i));
  }
  write_if_changed(out / "api_key.h", emit_api_header(schemas));
  write_if_changed(out / "api_key.cc", emit_api_source(schemas, groups));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: tidemark-codegen SCHEMAS OUT GROUPS\n");
    return 2;
  }
  try {
    generate(argv[1], argv[2], static_cast<size_t>(std::stoul(argv[3])));
  } catch (const std::exception& e) {
    fmt::print(stderr, "tidemark-codegen: {}\n", e.what());
    return 1;
  }
  return 0;
}
