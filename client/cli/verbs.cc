#include "client/cli/verbs.h"

namespace tidemark::cli {

CLI::App* add_verb(CLI::App& parent, const char* name, const char* what, const std::string& example,
                   Verb& chosen, Verb run) {
  CLI::App* verb = parent.add_subcommand(name, what);
  verb->footer("Example:\n  " + example);
  verb->callback([&chosen, run] { chosen = run; });
  return verb;
}

CLI::App* add_family(CLI::App& app, const char* name, const char* what, const std::string& example) {
  CLI::App* family = app.add_subcommand(name, what);
  family->footer("Example:\n  " + example);
  family->require_subcommand(1);
  return family;
}

}  // namespace tidemark::cli
