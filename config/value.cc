#include "config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "config/node_config.h"
#include "protocol/invariant.h"

namespace tidemark::config {
namespace {

constexpr std::string_view kSpaces = " \t\r\n\f\v";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_any_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<int64_t> parse_integer(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  // Java allows a float's or double's suffix.
  if (text.size() > 1 && std::string_view("fFdD").find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (std::isnan(value)) return std::nullopt;
  return value;
}

std::optional<bool> parse_boolean(std::string_view text) {
  text = trimmed(text);
  if (equal_any_case(text, "true")) return true;
  if (equal_any_case(text, "false")) return false;
  return std::nullopt;
}

// Ours: 268435456, 256MiB, 1GiB.
std::optional<int64_t> parse_size(std::string_view text) {
  text = trimmed(text);
  int shift = 0;
  for (const auto& [suffix, bits] : {std::pair<std::string_view, int>{"KiB", 10}, {"MiB", 20}, {"GiB", 30}}) {
    if (text.ends_with(suffix)) {
      text.remove_suffix(suffix.size());
      shift = bits;
    }
  }
  const auto value = parse_integer(text);
  if (!value || *value < 0 || *value > (std::numeric_limits<int64_t>::max() >> shift)) return std::nullopt;
  return *value << shift;
}

std::optional<int64_t> parse_typed_integer(const Setting& setting, std::string_view text) {
  if (setting.valid.kind == Valid::Kind::size) return parse_size(text);
  const auto value = parse_integer(text);
  if (!value) return std::nullopt;
  const auto within = [&](int64_t low, int64_t high) { return *value >= low && *value <= high; };
  if (setting.type == Type::kInt &&
      !within(std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max())) {
    return std::nullopt;
  }
  if (setting.type == Type::kShort &&
      !within(std::numeric_limits<int16_t>::min(), std::numeric_limits<int16_t>::max())) {
    return std::nullopt;
  }
  return value;
}

bool has_word(std::string_view words, std::string_view word) {
  const auto known = list_elements(words);
  return std::ranges::find(known, word) != known.end();
}

bool is_replica_pair(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto digits = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
  };
  return digits(text.substr(0, colon)) && digits(text.substr(colon + 1));
}

class Checker {
 public:
  Checker(const Setting& setting, std::string_view text) : setting_(setting), text_(text) {}

  Result<void> check() const {
    if (text_.size() > kMaxValueBytes) return wrong("Longer than 65536 bytes");
    switch (setting_.type) {
      case Type::kBoolean:
        if (!parse_boolean(text_)) return wrong("Expected value to be either true or false");
        return {};
      case Type::kInt:
      case Type::kShort:
      case Type::kLong: {
        const auto value = parse_typed_integer(setting_, text_);
        if (!value) return wrong(fmt::format("Not a number of type {}", type_name(setting_.type)));
        return check_number(static_cast<double>(*value));
      }
      case Type::kDouble: {
        const auto value = parse_double(text_);
        if (!value) return wrong("Not a number of type DOUBLE");
        return check_number(*value);
      }
      case Type::kString:
      case Type::kClass:
      case Type::kPassword: return check_string(trimmed(text_));
      case Type::kList: return check_list();
    }
    return {};
  }

 private:
  // A password never appears in a message.
  Unexpected wrong(std::string_view why) const {
    return fail(
        Error::config(fmt::format("Invalid value {} for configuration {}: {}", shown(), setting_.name, why)));
  }
  std::string shown() const {
    if (setting_.is_sensitive()) return "[hidden]";
    constexpr size_t kMaxShown = 200;
    return text_.size() <= kMaxShown ? std::string(text_) : fmt::format("{}...", text_.substr(0, kMaxShown));
  }

  Result<void> check_number(double value) const {
    const Valid& valid = setting_.valid;
    switch (valid.kind) {
      case Valid::Kind::at_least:
      case Valid::Kind::size:
        if (value < valid.low) return wrong(fmt::format("Value must be at least {:.0f}", valid.low));
        return {};
      case Valid::Kind::between:
        if (value < valid.low) return wrong(fmt::format("Value must be at least {:.0f}", valid.low));
        if (value > valid.high) return wrong(fmt::format("Value must be no more than {:.0f}", valid.high));
        return {};
      case Valid::Kind::gzip_level:
        if (value != -1 && (value < 1 || value > 9)) {
          return wrong("Value must be between 1 and 9 or equal to -1");
        }
        return {};
      default: return {};
    }
  }

  Result<void> check_string(std::string_view word) const {
    const Valid& valid = setting_.valid;
    switch (valid.kind) {
      case Valid::Kind::one_of:
        if (!has_word(valid.words, word)) return wrong_word();
        return {};
      case Valid::Kind::one_of_any_case: {
        const auto known = list_elements(valid.words);
        const bool found =
            std::ranges::any_of(known, [&](std::string_view k) { return equal_any_case(k, word); });
        if (!found) return wrong_word();
        return {};
      }
      case Valid::Kind::non_empty:
        if (word.empty()) return wrong("String must be non-empty");
        return {};
      case Valid::Kind::share_offset_reset:
        // The duration itself is Java's to read; share groups come later and check it then.
        if (!has_word("latest, earliest", word) && !word.starts_with("by_duration:P")) {
          return wrong(
              fmt::format("Invalid value `{}` for configuration {}. The value must be either 'earliest', "
                          "'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
                          shown(), setting_.name));
        }
        return {};
      case Valid::Kind::address: {
        const auto endpoint = parse_endpoint(word);
        if (!endpoint) return wrong(endpoint.error().message());
        return {};
      }
      default: return {};
    }
  }

  Result<void> check_list() const {
    const Valid& valid = setting_.valid;
    const auto elements = list_elements(text_);
    for (const std::string_view element : elements) {
      switch (valid.kind) {
        case Valid::Kind::list_of:
          if (!has_word(valid.words, element)) {
            return fail(
                Error::config(fmt::format("Invalid value {} for configuration {}: String must be one of: {}",
                                          element.substr(0, 200), setting_.name, valid.words)));
          }
          break;
        case Valid::Kind::non_empty_list:
          if (element.empty()) return wrong("Values must not be empty");
          break;
        case Valid::Kind::throttled_replicas:
          if (element != "*" || elements.size() > 1) {
            if (!is_replica_pair(element)) {
              return wrong(
                  fmt::format("{} must be the literal '*' or a list of replicas in the following format: {}",
                              setting_.name, valid_text(valid)));
            }
          }
          break;
        default: break;
      }
    }
    return {};
  }

  Unexpected wrong_word() const {
    return wrong(fmt::format("String must be one of: {}", setting_.valid.words));
  }

  const Setting& setting_;
  std::string_view text_;
};

bool same_value(const Setting& setting, std::string_view text, std::string_view accepted) {
  return canonical_value(setting, text) == canonical_value(setting, accepted);
}

bool takes_refused_at(const Setting& setting, std::string_view text) {
  if (!setting.default_value) {
    if (trimmed(text).empty()) return true;
  } else if (same_value(setting, text, *setting.default_value)) {
    return true;
  }
  std::string_view rest = setting.also_accepted;
  while (!rest.empty()) {
    const size_t bar = rest.find('|');
    if (same_value(setting, text, rest.substr(0, bar))) return true;
    if (bar == std::string_view::npos) break;
    rest.remove_prefix(bar + 1);
  }
  return false;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

std::vector<std::string_view> list_elements(std::string_view text) {
  std::vector<std::string_view> elements;
  text = trimmed(text);
  while (!text.empty()) {
    const size_t comma = text.find(',');
    elements.push_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) elements.emplace_back();
  }
  return elements;
}

Result<void> check_value(const Setting& setting, std::string_view text) {
  return Checker(setting, text).check();
}

Result<void> check_accepted(const Setting& setting, std::string_view text) {
  // A password that stands for `null` may be empty; everything else has its type first.
  TRY(check_value(setting, text));
  if (setting.status == Status::refused && !takes_refused_at(setting, text)) {
    const std::string instead =
        setting.default_value ? fmt::format("only {} is accepted", setting.default_value->empty()
                                                                       ? std::string_view("an empty value")
                                                                       : *setting.default_value)
                              : std::string("leave it unset");
    return fail(
        Error::config(fmt::format("Refused configuration {}: {} ({})", setting.name, setting.note, instead)));
  }
  return {};
}

std::string canonical_value(const Setting& setting, std::string_view text) {
  switch (setting.type) {
    case Type::kBoolean: return boolean_value(text) ? "true" : "false";
    case Type::kInt:
    case Type::kShort:
    case Type::kLong: return fmt::format("{}", integer_value(setting, text));
    case Type::kDouble: return fmt::format("{}", double_value(text));
    case Type::kString:
    case Type::kClass:
    case Type::kPassword: return std::string(trimmed(text));
    case Type::kList: return fmt::format("{}", fmt::join(list_elements(text), ","));
  }
  return std::string(text);
}

int64_t integer_value(const Setting& setting, std::string_view text) {
  const auto value = parse_typed_integer(setting, text);
  REQUIRES(value.has_value());
  return *value;
}

double double_value(std::string_view text) {
  const auto value = parse_double(text);
  REQUIRES(value.has_value());
  return *value;
}

bool boolean_value(std::string_view text) {
  const auto value = parse_boolean(text);
  REQUIRES(value.has_value());
  return *value;
}

}  // namespace tidemark::config
