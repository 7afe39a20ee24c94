// tidemark-config-reference: prints the reference page, checks that a file is up to date, or lists what the
// checks of the table need.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "config/reference/page.h"

namespace {

int check(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (file && text.str() == tidemark::config::reference_page()) return 0;
  fmt::print(stderr, "{} is out of date: build/release/bin/tidemark-config-reference > {}\n", path, path);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "--check" && argc == 3) return check(argv[2]);
  if (verb.empty()) {
    fmt::print("{}", tidemark::config::reference_page());
  } else if (verb == "--tests" && argc == 2) {
    fmt::print("{}", tidemark::config::honoured_tests());
  } else if (verb == "--facts" && argc == 2) {
    fmt::print("{}", tidemark::config::kafka_facts());
  } else {
    fmt::print(stderr, "usage: tidemark-config-reference [--check FILE | --tests | --facts]\n");
    return 2;
  }
  return 0;
}
