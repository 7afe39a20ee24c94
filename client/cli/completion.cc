#include "client/cli/completion.h"

#include "config/settings.h"

namespace tidemark::cli {
namespace {

// What has been read of the line before its last word.
struct Place {
  const Verb* verb = nullptr;
  size_t arguments = 0;              // already there
  const Option* open = nullptr;      // an option whose value comes next
  bool only_arguments = false;       // behind --
  std::vector<const Option*> given;  // options
  std::vector<std::string> values;   // of the arguments
  std::string bootstrap;
  std::string config_file;
};

const Option* find_option(const Verb& root, const Verb& verb, std::string_view spelling) {
  const Option* own = verb.find_option(spelling);
  return own != nullptr ? own : root.find_option(spelling);
}

void take_value(const Option& option, const std::string& value, Place& place) {
  if (option.named == Names::brokers) place.bootstrap = value;
  if (option.named == Names::client_config) place.config_file = value;
}

// False: there is no such verb, so that nothing can be said.
bool read_word(const Verb& root, const std::string& word, Place& place) {
  if (const Option* open = std::exchange(place.open, nullptr)) {
    take_value(*open, word, place);
    return true;
  }
  if (!place.only_arguments && word == "--") {
    place.only_arguments = true;
    return true;
  }
  if (!place.only_arguments && word.size() > 1 && word.front() == '-') {
    const bool is_long = word.starts_with("--");
    const size_t equals = is_long ? word.find('=') : std::string::npos;
    const std::string name = is_long ? word.substr(0, equals) : word.substr(0, 2);
    const Option* option = find_option(root, *place.verb, name);
    if (option == nullptr) return true;
    place.given.push_back(option);
    if (option->is_flag()) return true;
    if (word == name) {
      place.open = option;
    } else {
      take_value(*option, word.substr(is_long ? equals + 1 : 2), place);
    }
    return true;
  }
  if (!place.verb->verbs.empty()) {
    place.verb = place.verb->find_verb(word);
    return place.verb != nullptr;
  }
  ++place.arguments;
  place.values.push_back(word);
  return true;
}

const Option* next_argument(const Place& place) {
  size_t passed = 0;
  for (const Option& option : place.verb->options) {
    if (!option.is_argument()) continue;
    if (option.takes_many() || passed++ == place.arguments) return &option;
  }
  return nullptr;
}

class Offer {
 public:
  Offer(Completion& out, std::string_view typed) : out_(out), typed_(typed) {}
  void add(std::string word, std::string_view what = {}) {
    word.insert(0, out_.before);
    if (!word.starts_with(typed_)) return;
    out_.candidates.push_back({std::move(word), std::string(what)});
  }

 private:
  Completion& out_;
  std::string_view typed_;
};

void offer_settings(config::Scope scope, bool with_value, Offer& offer) {
  for (const config::Setting* setting : config::settings_of(scope)) {
    if (setting->status != config::Status::honoured) continue;
    offer.add(std::string(setting->name) + (with_value ? "=" : ""));
  }
}

config::Scope scope_of(std::string_view type) {
  if (type == "broker") return config::Scope::broker;
  if (type == "group") return config::Scope::group;
  if (type == "client-metrics") return config::Scope::client_metrics;
  return config::Scope::topic;
}

void offer_values(const Option& option, const Place& place, Completion& out, Offer& offer) {
  for (const std::string& choice : option.choices) offer.add(choice);
  for (const std::string& word : option.suggestions) offer.add(word);
  const std::string_view type = place.values.empty() ? std::string_view() : place.values.front();
  switch (option.named) {
    case Names::nothing:
    case Names::brokers: return;
    case Names::setting: return offer_settings(scope_of(type), false, offer);
    case Names::setting_value: return offer_settings(scope_of(type), true, offer);
    case Names::settings_owner:
      if (type == "topic") out.named = Names::topic;
      if (type == "group") out.named = Names::group;
      if (type == "broker") offer.add("default", "of all brokers");
      return;
    case Names::topic:
    case Names::group:
    case Names::file:
    case Names::folder: out.named = option.named; return;
    case Names::client_config: out.named = Names::file; return;
  }
}

void offer_options(const Verb& root, const Place& place, Offer& offer) {
  const auto add = [&](const Option& option) {
    const bool given = std::find(place.given.begin(), place.given.end(), &option) != place.given.end();
    if (given && !option.takes_many()) return;
    for (const std::string& spelling : option.spellings()) {
      if (spelling.starts_with("--")) offer.add(spelling, option.what);
    }
  };
  for (const Option& option : place.verb->options) add(option);
  if (place.verb != &root) {
    for (const Option& option : root.options) add(option);
  }
  offer.add("--help", "what this does");
}

}  // namespace

Completion complete_words(const Verb& root, std::span<const std::string> words) {
  Completion out;
  Place place;
  place.verb = &root;
  const std::string& typed = words.back();
  Offer offer(out, typed);
  bool known = true;
  for (const std::string& word : words.first(words.size() - 1)) known = known && read_word(root, word, place);
  if (!known) return out;
  out.bootstrap = place.bootstrap;
  out.config_file = place.config_file;
  if (place.open != nullptr) {
    offer_values(*place.open, place, out, offer);
    return out;
  }
  if (!place.only_arguments && typed.starts_with('-')) {
    const size_t equals = typed.find('=');
    const Option* option = find_option(root, *place.verb, std::string_view(typed).substr(0, equals));
    if (equals != std::string::npos) {
      out.before = typed.substr(0, equals + 1);
      if (option != nullptr && !option->is_flag()) offer_values(*option, place, out, offer);
    } else {
      offer_options(root, place, offer);
    }
    return out;
  }
  for (const Verb& verb : place.verb->verbs) offer.add(verb.name, verb.what);
  if (!place.verb->verbs.empty()) return out;
  if (const Option* argument = next_argument(place)) {
    offer_values(*argument, place, out, offer);
  } else if (typed.empty() && !place.only_arguments) {
    offer_options(root, place, offer);
  }
  return out;
}

}  // namespace tidemark::cli
