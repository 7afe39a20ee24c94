#include "client/cli/bad_usage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/core/nearest.h"

namespace tidemark::cli {
namespace {

std::string meant(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  const std::string_view nearest = client::nearest_word(word, candidates);
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
}

// The verb, family or option that there is none of, and the nearest one; empty where that is not what is
// wrong.
std::string unknown_word(const Verb& root, const std::vector<std::string>& words) {
  const Verb* at = &root;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") return "";  // arguments from here on
    if (word.size() > 1 && word.front() == '-') {
      const std::string name = word.starts_with("--") ? word.substr(0, word.find('=')) : word.substr(0, 2);
      if (name == "--help" || name == "-h") continue;
      const Option* option = at->find_option(name);
      if (option == nullptr) option = root.find_option(name);
      if (option == nullptr) {
        std::vector<std::string> known{"--help"};
        for (const Verb* one : {at, &root}) {
          for (const Option& each : one->options) {
            for (std::string& spelling : each.spellings()) {
              if (spelling.starts_with("--")) known.push_back(std::move(spelling));
            }
          }
        }
        return fmt::format("there is no option {}{}", name, meant(name, known));
      }
      const bool apart = word == name;
      if (apart && !option->is_flag()) ++i;  // its value
      continue;
    }
    if (at->verbs.empty()) continue;  // an argument
    const Verb* verb = at->find_verb(word);
    if (verb == nullptr) {
      std::vector<std::string> names;
      for (const Verb& each : at->verbs) names.push_back(each.name);
      const std::string nearest = meant(word, names);
      return fmt::format("there is no command {}{}", word,
                         nearest.empty() ? fmt::format("; there are {}", fmt::join(names, ", ")) : nearest);
    }
    at = verb;
  }
  return "";
}

// "jsn not in {table,json,yaml}": the nearest of them. Where none is near, that list says enough.
std::string unknown_choice(const std::string& message) {
  const size_t middle = message.find(" not in {");
  if (middle == std::string::npos || !message.ends_with('}')) return "";
  const size_t begin = message.rfind(' ', middle - 1);
  const std::string word = message.substr(begin == std::string::npos ? 0 : begin + 1, middle - begin - 1);
  std::vector<std::string> known;
  std::string_view rest = std::string_view(message).substr(middle + 9);
  rest.remove_suffix(1);
  while (!rest.empty()) {
    known.emplace_back(rest.substr(0, rest.find(',')));
    rest.remove_prefix(std::min(rest.size(), known.back().size() + 1));
  }
  return meant(word, known);
}

}  // namespace

Error bad_usage(const Verb& root, const std::vector<std::string>& words, const std::string& message) {
  std::string what = unknown_word(root, words);
  if (what.empty()) what = message + unknown_choice(message);
  return Error::config(what + "; --help says more");
}

}  // namespace tidemark::cli
