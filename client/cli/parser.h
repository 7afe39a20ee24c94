// Understands a command line by its syntax. Only parser.cc knows CLI11.
#pragma once

#include "client/cli/syntax.h"

namespace tidemark::cli {

struct Parsed {
  const Verb* verb = nullptr;  // whose options are set; none: `text` is all that was asked for
  std::string text;            // the help, or the version
};

// Error (config): what is wrong, and what was probably meant.
Result<Parsed> parse(const Verb& root, const std::string& version, int argc, char** argv);

}  // namespace tidemark::cli
