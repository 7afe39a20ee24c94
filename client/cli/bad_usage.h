// What is wrong with a command line that could not be understood, and what was probably meant. Pure.
#pragma once

#include "client/cli/syntax.h"

namespace tidemark::cli {

// `words`: the command line without the program's name; `message`: what the parser says of it.
Error bad_usage(const Verb& root, const std::vector<std::string>& words, const std::string& message);

}  // namespace tidemark::cli
