#include "config/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace tidemark::config {
namespace {

using Instruction = Pattern::Instruction;
using Op = Instruction::Op;
using Set = Pattern::Set;
// Jumps inside are relative and stay inside, or go to its end: fragments can be joined and repeated.
using Fragment = std::vector<Instruction>;

constexpr int kMaxDepth = 50;

std::vector<char32_t> characters(std::string_view text, size_t most) {
  std::vector<char32_t> out;
  for (size_t i = 0; i < text.size() && out.size() < most;) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    char32_t c = more == 0 ? lead : lead & (0x3Fu >> more);
    bool good = i + more < text.size();
    for (size_t k = 1; good && k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      good = (next & 0xC0u) == 0x80;
      c = c << 6 | (next & 0x3Fu);
    }
    out.push_back(good ? c : lead);
    i += good ? more + 1 : 1;
  }
  return out;
}

bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

// \d, \w and \s; nullopt: none of them.
std::optional<Set> named_set(char32_t name) {
  switch (name) {
    case 'd':
    case 'D': return Set{{{'0', '9'}}, name == 'D'};
    case 'w':
    case 'W': return Set{{{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'_', '_'}}, name == 'W'};
    case 's':
    case 'S': return Set{{{'\t', '\r'}, {' ', ' '}}, name == 'S'};
    default: return std::nullopt;
  }
}

class Compiler {
 public:
  Compiler(std::vector<char32_t> text, std::vector<Set>& sets) : text_(std::move(text)), sets_(sets) {}

  Result<Fragment> compile() {
    TRY_ASSIGN(Fragment whole, alternatives(0));
    if (more()) return wrong("a ')' too many");
    return whole;
  }

 private:
  [[nodiscard]] bool more() const { return at_ < text_.size(); }
  [[nodiscard]] char32_t peek() const { return more() ? text_[at_] : 0; }
  bool take(char32_t c) {
    if (!more() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Unexpected wrong(std::string_view why) const {
    return fail(Error::config(fmt::format("{} near character {}", why, at_)));
  }

  Result<void> check_size(size_t instructions) const {
    if (instructions > Pattern::kMaxInstructions) return wrong("too large a pattern");
    return {};
  }
  Result<void> append(Fragment& to, const Fragment& more) const {
    TRY(check_size(to.size() + more.size()));
    to.insert(to.end(), more.begin(), more.end());
    return {};
  }

  Result<Fragment> alternatives(int depth) {
    if (depth > kMaxDepth) return wrong("too many groups in groups");
    std::vector<Fragment> choices;
    do {
      TRY_ASSIGN(Fragment choice, sequence(depth));
      choices.push_back(std::move(choice));
    } while (take('|'));
    Fragment rest = std::move(choices.back());
    for (size_t i = choices.size() - 1; i-- > 0;) {
      Fragment both{{Op::split, 1, static_cast<int32_t>(choices[i].size()) + 2}};
      TRY(append(both, choices[i]));
      both.push_back({Op::jump, static_cast<int32_t>(rest.size()) + 1});
      TRY(append(both, rest));
      rest = std::move(both);
    }
    return rest;
  }

  Result<Fragment> sequence(int depth) {
    Fragment all;
    while (more() && (quoting_ || (peek() != '|' && peek() != ')'))) {
      TRY_ASSIGN(Fragment one, atom(depth));
      TRY_ASSIGN(one, quantified(std::move(one)));
      TRY(append(all, one));
    }
    return all;
  }

  Result<Fragment> quantified(Fragment one) {
    constexpr int kNoLimit = -1;
    while (!quoting_) {
      int least = 0, most = kNoLimit;
      if (take('*')) {
      } else if (take('+')) {
        least = 1;
      } else if (take('?')) {
        most = 1;
      } else if (take('{')) {
        TRY_ASSIGN(least, number());
        most = least;
        if (take(',')) {
          most = kNoLimit;
          if (peek() != '}') {
            TRY_ASSIGN(most, number());
          }
        }
        if (!take('}') || (most != kNoLimit && most < least)) return wrong("a wrong repetition");
      } else {
        return one;
      }
      take('?');  // reluctant: the same where all of the text has to match
      if (peek() == '+') return wrong("a possessive quantifier");
      TRY_ASSIGN(one, repeated(one, least, most));
    }
    return one;
  }
  Result<int> number() {
    constexpr int kMost = 1'000;
    if (!is_digit(peek())) return wrong("a wrong repetition");
    int value = 0;
    while (is_digit(peek()) && value <= kMost) value = 10 * value + static_cast<int>(text_[at_++] - '0');
    if (value > kMost) return wrong("too many repetitions");
    return value;
  }
  // `most` < 0: no limit.
  Result<Fragment> repeated(const Fragment& one, int least, int most) const {
    Fragment all;
    for (int i = 0; i < least; ++i) TRY(append(all, one));
    const auto size = static_cast<int32_t>(one.size());
    if (most < 0) {
      all.push_back({Op::split, 1, size + 2});
      TRY(append(all, one));
      all.push_back({Op::jump, -(size + 1)});
    }
    for (int i = least; i < most; ++i) {
      // Each of them goes to the end of all.
      all.push_back({Op::split, 1, (most - i) * (size + 1)});
      TRY(append(all, one));
    }
    return all;
  }

  Result<Fragment> atom(int depth) {
    const char32_t c = text_[at_++];
    if (quoting_) {
      end_quote();
      return of(one(c));
    }
    switch (c) {
      case '(': return group(depth);
      case '[': {
        TRY_ASSIGN(Set set, bracketed());
        return of(std::move(set));
      }
      case '.': return of({{{'\n', '\n'}, {'\r', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}}, true});
      case '^': return Fragment{{Op::begin}};
      case '$': return Fragment{{Op::end}};
      case '\\': return escaped();
      case '*':
      case '+':
      case '?': return wrong("nothing to repeat");
      case '{': return wrong("a '{' that repeats nothing");
      default: return of(one(c));
    }
  }

  Result<Fragment> group(int depth) {
    const bool outer = any_case_;
    if (take('?')) {
      if (take('i')) {
        any_case_ = true;
        if (take(')')) return Fragment{};  // until the end of the group around
        if (!take(':')) return wrong("an unknown group");
      } else if (!take(':')) {
        return wrong("an unknown group");
      }
    }
    TRY_ASSIGN(Fragment inside, alternatives(depth + 1));
    if (!take(')')) return wrong("a '(' that is not closed");
    any_case_ = outer;
    return inside;
  }

  // Behind a backslash: a character by itself.
  Result<char32_t> escaped_character() {
    if (!more()) return wrong("a backslash at the end");
    const char32_t c = text_[at_++];
    switch (c) {
      case 't': return U'\t';
      case 'n': return U'\n';
      case 'r': return U'\r';
      case 'f': return U'\f';
      default:
        if (is_letter(c) || is_digit(c)) return wrong("an unknown escape");
        return c;
    }
  }
  Result<Fragment> escaped() {
    if (auto set = named_set(peek())) {
      ++at_;
      return of(std::move(*set));
    }
    if (take('Q')) {
      quoting_ = true;
      end_quote();
      return Fragment{};
    }
    TRY_ASSIGN(const char32_t c, escaped_character());
    return of(one(c));
  }
  // Behind each character of \Q...\E, all of which stand for themselves.
  void end_quote() {
    if (peek() != '\\' || at_ + 1 == text_.size() || text_[at_ + 1] != 'E') return;
    at_ += 2;
    quoting_ = false;
  }

  // Behind its '['.
  Result<Set> bracketed() {
    Set set;
    set.negated = take('^');
    bool first = true;
    while (first || peek() != ']') {
      first = false;
      if (!more()) return wrong("a '[' that is not closed");
      if (peek() == '[' || peek() == '&') return wrong("a set of sets");
      char32_t low = text_[at_++];
      if (low == '\\') {
        if (const auto named = named_set(peek())) {
          ++at_;
          if (named->negated) return wrong("a set of sets");
          set.ranges.insert(set.ranges.end(), named->ranges.begin(), named->ranges.end());
          continue;
        }
        TRY_ASSIGN(low, escaped_character());
      }
      char32_t high = low;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        high = text_[at_++];
        if (high == '\\') {
          TRY_ASSIGN(high, escaped_character());
        }
        if (high < low) return wrong("a range that goes backwards");
      }
      set.ranges.emplace_back(low, high);
    }
    ++at_;
    return set;
  }

  static Set one(char32_t c) { return {{{c, c}}, false}; }
  static std::vector<std::pair<char32_t, char32_t>> merged(
      std::vector<std::pair<char32_t, char32_t>> ranges) {
    std::ranges::sort(ranges);
    std::vector<std::pair<char32_t, char32_t>> out;
    for (const auto& range : ranges) {
      if (!out.empty() && range.first <= out.back().second + 1) {
        out.back().second = std::max(out.back().second, range.second);
      } else {
        out.push_back(range);
      }
    }
    return out;
  }
  Result<Fragment> of(Set set) {
    if (any_case_) {
      const auto plain = set.ranges;
      for (const auto& [low, high] : plain) {
        for (char32_t c = std::max<char32_t>(low, 'A'); c <= std::min<char32_t>(high, 'z'); ++c) {
          if (is_letter(c)) set.ranges.emplace_back(c ^ 0x20, c ^ 0x20);
        }
      }
    }
    set.ranges = merged(std::move(set.ranges));
    TRY(check_size(sets_.size() + 1));
    sets_.push_back(std::move(set));
    return Fragment{{Op::set, static_cast<int32_t>(sets_.size()) - 1}};
  }

  const std::vector<char32_t> text_;
  std::vector<Set>& sets_;
  size_t at_ = 0;
  bool any_case_ = false;
  bool quoting_ = false;
};

}  // namespace

bool Pattern::Set::contains(char32_t c) const {
  const auto after = std::ranges::upper_bound(ranges, c, {}, &std::pair<char32_t, char32_t>::first);
  const bool inside = after != ranges.begin() && c <= std::prev(after)->second;
  return inside != negated;
}

Result<Pattern> Pattern::compile(std::string_view text) {
  if (text.size() > 4 * kMaxInstructions) return fail(Error::config("too large a pattern"));
  Pattern pattern;
  Compiler compiler(characters(text, text.size()), pattern.sets_);
  TRY_ASSIGN(pattern.program_, compiler.compile());
  return pattern;
}

// Every place of the program where the machine may stand, moved on by one character at a time.
bool Pattern::matches(std::string_view text) const {
  const std::vector<char32_t> read = characters(text, kMaxText + 1);
  if (read.size() > kMaxText) return false;
  std::vector<size_t> now, next, pending;
  std::vector<size_t> seen(program_.size() + 1, SIZE_MAX);  // by place: the last position that put it in
  const auto enter = [&](size_t place, size_t position, std::vector<size_t>& places) {
    pending.assign(1, place);
    while (!pending.empty()) {
      const size_t at = pending.back();
      pending.pop_back();
      if (std::exchange(seen[at], position) == position) continue;
      if (at == program_.size() || program_[at].op == Op::set) {
        places.push_back(at);
        continue;
      }
      const Instruction& step = program_[at];
      const auto to = [&](int32_t by) { pending.push_back(at + static_cast<size_t>(by)); };
      switch (step.op) {
        case Op::split: to(step.first), to(step.second); break;
        case Op::jump: to(step.first); break;
        case Op::begin:
          if (position == 0) to(1);
          break;
        case Op::end:
          if (position == read.size()) to(1);
          break;
        case Op::set: break;
      }
    }
  };
  enter(0, 0, now);
  for (size_t i = 0; i < read.size() && !now.empty(); ++i) {
    next.clear();
    for (const size_t place : now) {
      if (place == program_.size()) continue;
      if (sets_[static_cast<size_t>(program_[place].first)].contains(read[i])) enter(place + 1, i + 1, next);
    }
    now.swap(next);
  }
  return std::ranges::find(now, program_.size()) != now.end();
}

}  // namespace tidemark::config
