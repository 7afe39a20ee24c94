// tidemark-vectors FILE...: checks files of test vectors, one JSON object a line: messages (with "message")
// and record batches. Prints what failed, then "N passed, M failed"; exits 0 if none failed.
#include <cstdio>
#include <fstream>

#include "tests/vectors/vector_check.h"

namespace {

using namespace tidemark;

constexpr size_t kMaxShownFailures = 100;

struct Counts {
  size_t passed = 0;
  size_t failed = 0;
};

// "FetchRequest v12 full", or what names a batch.
std::string title(const nlohmann::json& line) {
  std::string text;
  for (const char* key : {"message", "version", "case", "name", "codec"}) {
    if (!line.contains(key)) continue;
    const auto& value = line[key];
    text += (text.empty() ? "" : " ") + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text.empty() ? "unnamed" : text;
}

Result<void> check(const nlohmann::json& line) {
  if (line.is_object() && line.contains("message")) return vectors::check_message_vector(line);
  if (line.is_object() && line.contains("records")) return vectors::check_batch_vector(line);
  return fail(ErrorCode::INVALID_REQUEST, "neither a message (\"message\") nor a batch (\"records\")");
}

void check_line(const std::string& text, const std::string& place, Counts& counts) {
  std::string what;
  std::string name = "line";
  try {
    const auto line = nlohmann::json::parse(text);
    if (line.is_object()) name = title(line);
    const Result<void> result = check(line);
    if (result) {
      ++counts.passed;
      return;
    }
    what = result.error().message();
  } catch (const nlohmann::json::exception& e) {
    what = e.what();
  }
  if (++counts.failed <= kMaxShownFailures) fmt::print("FAILED {} {}: {}\n", place, name, what);
}

bool check_file(const char* path, Counts& counts) {
  std::ifstream in(path);
  std::string text;
  size_t number = 0;
  if (!in) return false;
  while (std::getline(in, text)) {
    ++number;
    if (!text.empty()) check_line(text, fmt::format("{}:{}", path, number), counts);
  }
  return !in.bad();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: tidemark-vectors FILE...\n");
    return 2;
  }
  Counts counts;
  for (int i = 1; i < argc; ++i) {
    if (check_file(argv[i], counts)) continue;
    fmt::print(stderr, "cannot read {}\n", argv[i]);
    ++counts.failed;
  }
  fmt::print("{} passed, {} failed\n", counts.passed, counts.failed);
  return counts.failed == 0 ? 0 : 1;
}
