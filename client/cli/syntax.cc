#include "client/cli/syntax.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <limits>

namespace tidemark::cli {
namespace {

template <class T>
constexpr bool kIsFlag = std::is_same_v<T, bool> || std::is_same_v<T, std::optional<bool>>;

// The type of one value.
template <class T>
struct Single {
  using type = T;
};
template <class T>
struct Single<std::optional<T>> {
  using type = T;
};
template <class T>
struct Single<std::vector<T>> {
  using type = T;
};

template <class T>
const char* type_name() {
  if constexpr (kIsFlag<T>) return "";
  if constexpr (std::is_same_v<T, std::string>) return "TEXT";
  return std::is_floating_point_v<T> ? "NUMBER" : "INT";
}

template <class T>
Result<T> converted(const std::string& word) {
  if constexpr (std::is_same_v<T, std::string>) {
    return word;
  } else {
    T value{};
    const char* const end = word.data() + word.size();
    const bool has_plus = word.size() > 1 && word[0] == '+' && word[1] != '-';
    const auto parsed = std::from_chars(word.data() + (has_plus ? 1 : 0), end, value);
    if (parsed.ec == std::errc() && parsed.ptr == end) return value;
    const char* kind = std::is_floating_point_v<T> ? "number" : "whole number";
    return fail(Error::config(fmt::format("'{}' is no {}{}", word, kind,
                                          parsed.ec == std::errc::result_out_of_range ? " that fits" : "")));
  }
}

bool same_in_any_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return std::tolower(x) == std::tolower(y); });
}

std::string range_text(const Option& option) {
  if (option.most == std::numeric_limits<double>::infinity()) return fmt::format("{}..", option.least);
  return fmt::format("{}..{}", option.least, option.most);
}

template <class T>
Result<T> checked(const Option& option, const std::string& word) {
  TRY_ASSIGN(T value, converted<T>(word));
  if constexpr (!std::is_same_v<T, std::string>) {
    const auto number = static_cast<double>(value);
    if (option.has_range() && (number < option.least || number > option.most))
      return fail(Error::config(fmt::format("Value {} not in range {}", word, range_text(option))));
  } else if (!option.choices.empty()) {
    const bool known =
        std::any_of(option.choices.begin(), option.choices.end(), [&](const std::string& choice) {
          return option.any_case ? same_in_any_case(choice, word) : choice == word;
        });
    if (!known)
      return fail(Error::config(fmt::format("{} not in {{{}}}", word, fmt::join(option.choices, ","))));
  }
  return value;
}

template <class T>
Result<void> store(const Option& option, const std::vector<std::string>& words, T& to) {
  TRY_ASSIGN(to, checked<typename Single<T>::type>(option, words.back()));
  return {};
}
template <class T>
Result<void> store(const Option& option, const std::vector<std::string>& words, std::vector<T>& to) {
  to.clear();
  for (const std::string& word : words) {
    TRY_ASSIGN(T value, checked<T>(option, word));
    to.push_back(std::move(value));
  }
  return {};
}

}  // namespace

Option& Option::required() {
  is_required = true;
  return *this;
}
Option& Option::one_of(std::vector<std::string> words) {
  choices = std::move(words);
  return *this;
}
Option& Option::one_of_any_case(std::vector<std::string> words) {
  any_case = true;
  return one_of(std::move(words));
}
Option& Option::range(double from, double to_and_with) {
  least = from;
  most = to_and_with;
  return *this;
}
Option& Option::at_least(double from) { return range(from, std::numeric_limits<double>::infinity()); }
Option& Option::under(std::string title) {
  heading = std::move(title);
  return *this;
}
Option& Option::names(Names kind) {
  named = kind;
  return *this;
}
Option& Option::suggest(std::vector<std::string> words) {
  suggestions = std::move(words);
  return *this;
}

bool Option::is_flag() const {
  return std::visit([](const auto* target) { return kIsFlag<std::decay_t<decltype(*target)>>; }, to);
}

bool Option::takes_many() const {
  return std::holds_alternative<std::vector<std::string>*>(to) ||
         std::holds_alternative<std::vector<int32_t>*>(to);
}

std::vector<std::string> Option::spellings() const {
  std::vector<std::string> all;
  if (is_argument()) return all;
  for (std::string_view rest = name; !rest.empty();) {
    std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (one.starts_with('!')) one.remove_prefix(1);
    all.emplace_back(one);
  }
  return all;
}

std::string Option::value_name() const {
  if (!choices.empty()) return fmt::format("{{{}}}", fmt::join(choices, ","));
  const std::string type = std::visit(
      [](const auto* target) { return type_name<typename Single<std::decay_t<decltype(*target)>>::type>(); },
      to);
  return has_range() ? type + " " + range_text(*this) : type;
}

Result<void> Option::take(const std::vector<std::string>& words) const {
  return std::visit(
      [&](auto* target) -> Result<void> {
        if constexpr (kIsFlag<std::decay_t<decltype(*target)>>) {
          return {};
        } else {
          return store(*this, words, *target);
        }
      },
      to);
}

void Option::take_flag(bool said) const {
  if (const auto* plain = std::get_if<bool*>(&to)) **plain = said;
  if (const auto* tristate = std::get_if<std::optional<bool>*>(&to)) **tristate = said;
}

Verb& Verb::family(std::string family_name, std::string family_what, const std::string& example) {
  return verb(std::move(family_name), std::move(family_what), example, nullptr);
}

Verb& Verb::verb(std::string verb_name, std::string verb_what, const std::string& example, Run verb_run) {
  Verb& made = verbs.emplace_back();
  made.name = std::move(verb_name);
  made.what = std::move(verb_what);
  made.footer = "Example:\n  " + example;
  made.run = std::move(verb_run);
  return made;
}

Option& Verb::option(std::string option_name, Target to, std::string option_what) {
  Option& made = options.emplace_back();
  made.name = std::move(option_name);
  made.to = to;
  made.what = std::move(option_what);
  return made;
}

const Verb* Verb::find_verb(std::string_view word) const {
  const auto found = std::find_if(verbs.begin(), verbs.end(), [&](const Verb& v) { return v.name == word; });
  return found == verbs.end() ? nullptr : &*found;
}

const Option* Verb::find_option(std::string_view spelling) const {
  for (const Option& each : options) {
    const std::vector<std::string> all = each.spellings();
    if (std::find(all.begin(), all.end(), spelling) != all.end()) return &each;
  }
  return nullptr;
}

}  // namespace tidemark::cli
