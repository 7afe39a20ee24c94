// tidemark-vectors [--at-least N] FILE...: checks files of test vectors, one JSON object a line: messages
// (with "message") and record batches. Prints what failed, then "N passed, M failed"; exits 0 if none failed,
// no file was empty, and N have passed.
#include <charconv>
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

// What is wrong with the file as a whole; nothing: "".
std::string_view check_file(const char* path, Counts& counts) {
  std::ifstream in(path);
  std::string text;
  size_t number = 0;
  const size_t before = counts.passed + counts.failed;
  if (!in) return "cannot be read";
  while (std::getline(in, text)) {
    ++number;
    if (!text.empty()) check_line(text, fmt::format("{}:{}", path, number), counts);
  }
  if (in.bad()) return "cannot be read";
  return counts.passed + counts.failed == before ? "holds no vector" : "";
}

}  // namespace

int main(int argc, char** argv) {
  std::span<char*> arguments(argv + 1, static_cast<size_t>(std::max(argc - 1, 0)));
  size_t at_least = 1;
  bool understood = true;
  if (arguments.size() >= 2 && std::string_view(arguments[0]) == "--at-least") {
    const std::string_view number = arguments[1];
    const auto [end, error] = std::from_chars(number.begin(), number.end(), at_least);
    understood = error == std::errc() && end == number.end();
    arguments = arguments.subspan(2);
  }
  if (!understood || arguments.empty()) {
    fmt::print(stderr, "usage: tidemark-vectors [--at-least N] FILE...\n");
    return 2;
  }
  Counts counts;
  for (const char* path : arguments) {
    const std::string_view wrong = check_file(path, counts);
    if (wrong.empty()) continue;
    fmt::print(stderr, "{} {}\n", path, wrong);
    ++counts.failed;
  }
  fmt::print("{} passed, {} failed\n", counts.passed, counts.failed);
  if (counts.passed < at_least) fmt::print(stderr, "fewer than {} have passed\n", at_least);
  return counts.failed == 0 && counts.passed >= at_least ? 0 : 1;
}
