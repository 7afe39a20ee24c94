// What the command line may hold, as a tree: families, their verbs, each one's options and where their values
// go. Parsing, help, what is said of bad usage and the shells' completion all come from this one definition.
// Built once by command_line.cc, outlived by what it points to. No I/O, and nothing of CLI11: that costs
// seconds of compilation a file, and parser.cc alone knows it.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/error.h"

namespace tidemark::cli {

struct GlobalOptions;

// Where a value goes, which is also its type: `bool` is a flag, a vector takes many.
using Target = std::variant<bool*, std::optional<bool>*, std::string*, std::optional<std::string>*,
                            std::vector<std::string>*, std::vector<int32_t>*, int16_t*, int32_t*, int64_t*,
                            std::optional<int64_t>*, double*>;

// What values name, for completion.
enum class Names : uint8_t {
  nothing,
  topic,
  group,
  setting,         // of what the first argument says
  setting_value,   // setting=value
  settings_owner,  // of the kind that the first argument says
  file,
  folder,
  brokers,        // HOST:PORT,...: whom to ask
  client_config,  // a file that may say whom
};

struct Option {
  // "-p,--partition", an argument "NAME"; a flag may have a negation, "--sync,!--no-sync".
  std::string name;
  Target to;
  std::string what;
  bool is_required = false;
  std::vector<std::string> choices;  // empty: anything
  bool any_case = false;             // of the choices
  double least = 0;                  // of numbers, if below `most`
  double most = 0;
  std::string heading;  // of its part of the help; empty: the usual one
  Names named = Names::nothing;
  std::vector<std::string> suggestions;  // some of what it may be, for completion

  Option& required();
  Option& one_of(std::vector<std::string> words);
  Option& one_of_any_case(std::vector<std::string> words);
  Option& range(double from, double to_and_with);
  Option& at_least(double from);
  Option& under(std::string title);
  Option& names(Names kind);
  Option& suggest(std::vector<std::string> words);

  [[nodiscard]] bool is_argument() const { return !name.starts_with('-'); }
  [[nodiscard]] bool is_flag() const;
  [[nodiscard]] bool takes_many() const;
  [[nodiscard]] bool has_range() const { return least < most; }
  // With their dashes, negations too; none of an argument.
  [[nodiscard]] std::vector<std::string> spellings() const;
  // How the help names its value: TEXT, INT 1..10, {a,b}.
  [[nodiscard]] std::string value_name() const;
  // Puts the words where they belong. Error (config): not of the type, the choices or the range.
  Result<void> take(const std::vector<std::string>& words) const;
  void take_flag(bool said) const;
};

struct Verb {
  using Run = std::function<int(const GlobalOptions&)>;

  std::string name;
  std::string what;
  std::string footer;
  Run run;  // none: a family, of which one verb must be named
  std::list<Option> options;
  std::list<Verb> verbs;

  Verb& family(std::string family_name, std::string family_what, const std::string& example);
  Verb& verb(std::string verb_name, std::string verb_what, const std::string& example, Run verb_run);
  Option& option(std::string option_name, Target to, std::string option_what);

  [[nodiscard]] const Verb* find_verb(std::string_view word) const;
  // By one of its spellings.
  [[nodiscard]] const Option* find_option(std::string_view spelling) const;
};

}  // namespace tidemark::cli
