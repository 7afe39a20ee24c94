#include "client/cli/parser.h"

#include <CLI/CLI.hpp>
#include <sstream>

#include "client/cli/bad_usage.h"

namespace tidemark::cli {
namespace {

// CLI11 takes "[a,b]" for a list where an argument may be repeated; a name may look like that. Behind this it
// does not see it.
constexpr char kHidden = '\x01';

std::vector<std::string> hide_lists(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = argc - 1; i > 0; --i) {  // as CLI11 wants them: the last one first
    words.emplace_back(argv[i]);
    if (words.back().starts_with('[') || words.back().starts_with(kHidden))
      words.back().insert(0, 1, kHidden);
  }
  return words;
}

std::vector<std::string> unhide(std::vector<std::string> words) {
  for (std::string& word : words) {
    if (word.starts_with(kHidden)) word.erase(0, 1);
  }
  return words;
}

void add_option(CLI::App& app, const Option& option) {
  CLI::Option* added = nullptr;
  if (option.is_flag()) {
    added = app.add_flag_function(
        option.name, [&option](int64_t said) { option.take_flag(said > 0); }, option.what);
    added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  } else {
    CLI::callback_t take = [&option](const CLI::results_t& words) {
      const Result<void> taken = option.take(unhide(words));
      const std::vector<std::string> spellings = option.spellings();
      if (!taken)
        throw CLI::ValidationError(spellings.empty() ? option.name : spellings.back(),
                                   taken.error().message());
      return true;
    };
    added = app.add_option(option.name, std::move(take), option.what);
    added->type_name(option.value_name());
    if (option.takes_many()) {
      added->expected(CLI::detail::expected_max_vector_size);
      // "-p 1 -p 2", so that what follows a value may be an argument.
      if (!option.is_argument()) added->allow_extra_args(false);
    }
  }
  if (option.is_required) added->required();
  if (!option.heading.empty()) added->group(option.heading);
}

// `app` is the verb itself; what is chosen below it goes to `chosen`.
void add_parts(CLI::App& app, const Verb& verb, const Verb*& chosen) {
  app.footer(verb.footer);
  for (const Option& option : verb.options) add_option(app, option);
  for (const Verb& each : verb.verbs) add_parts(*app.add_subcommand(each.name, each.what), each, chosen);
  if (verb.verbs.empty()) {
    app.callback([&verb, &chosen] { chosen = &verb; });
  } else {
    app.require_subcommand(1);
  }
}

}  // namespace

Result<Parsed> parse(const Verb& root, const std::string& version, int argc, char** argv) {
  Parsed parsed;
  CLI::App app(root.what, root.name);
  app.set_version_flag("--version", version);
  app.fallthrough();  // before there are verbs, which inherit it
  add_parts(app, root, parsed.verb);
  try {
    app.parse(hide_lists(argc, argv));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0)
      return fail(bad_usage(root, std::vector<std::string>(argv + 1, argv + argc), error.what()));
    std::ostringstream text;
    app.exit(error, text, text);
    parsed.verb = nullptr;
    parsed.text = text.str();
  } catch (const std::logic_error&) {
    // Of a flag that is given a value which is neither truth nor number.
    return fail(bad_usage(root, std::vector<std::string>(argv + 1, argv + argc), "a flag takes no value"));
  }
  return parsed;
}

}  // namespace tidemark::cli
