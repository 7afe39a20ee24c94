// `tidemark complete`: what the scripts of completion_scripts.cc ask at every Tab. It takes at most a second,
// prints nothing where nobody answers, and never fails: a shell has no place for an error.
#pragma once

#include "client/cli/commands.h"
#include "client/cli/completion.h"

namespace tidemark::cli {

// How the scripts call it; it is no verb, since its words may look like anybody's options.
inline constexpr std::string_view kCompleteWord = "complete";

// What the global options said, by name; nullopt where they cannot be understood.
using FindCluster =
    std::function<std::optional<GlobalOptions>(const std::string& bootstrap, const std::string& config_file)>;

// `arguments`: SHELL WORD..., of bash its line and its COMP_WORDBREAKS.
int complete(const Verb& root, const std::vector<std::string>& arguments, const FindCluster& find);

}  // namespace tidemark::cli
