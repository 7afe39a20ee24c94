// What is wrong with a command line that could not be understood, and what was probably meant. Pure.
#pragma once

#include <string>
#include <vector>

#include "protocol/error.h"

namespace CLI {
class App;
}

namespace tidemark::cli {

// `words`: the command line without the program's name; `message`: what CLI11 says of it.
Error bad_usage(const CLI::App& app, const std::vector<std::string>& words, const std::string& message);

}  // namespace tidemark::cli
