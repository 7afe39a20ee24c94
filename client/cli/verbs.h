// How the command line's verbs and families are declared. Only what knows CLI11 includes this.
#pragma once

#include <CLI/CLI.hpp>

#include "client/cli/commands.h"

namespace tidemark::cli {

using Verb = std::function<int(const GlobalOptions&)>;

// A verb with its example; `chosen` becomes what to run.
CLI::App* add_verb(CLI::App& parent, const char* name, const char* what, const std::string& example,
                   Verb& chosen, Verb run);
CLI::App* add_family(CLI::App& app, const char* name, const char* what, const std::string& example);

// What `tidemark group` holds before it is understood.
struct GroupLine {
  GroupList list;
  GroupDescribe describe;
  GroupReset reset;
  GroupDelete remove;
  GroupDeleteOffsets remove_offsets;
};
void add_group(CLI::App& app, GroupLine& line, Verb& chosen);

}  // namespace tidemark::cli
