// A regular expression as a client metrics subscription's `match` has them (KIP-714), in Java's syntax: what
// reads like Java means what Java means, and the rest (look-around, back references, possessive quantifiers,
// boundaries, \p classes) is an error. Runs in time proportional to the text and the pattern, whatever both
// are: anybody who reaches the broker may set a pattern and choose the text. A value; any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/error.h"

namespace tidemark::config {

class Pattern {
 public:
  static constexpr size_t kMaxInstructions = 500;
  static constexpr size_t kMaxText = 250;  // characters; a longer text does not match

  // Error of kind config: what is wrong with it.
  static Result<Pattern> compile(std::string_view text);
  // Whether all of `text` matches. UTF-8; a byte that is none stands for itself.
  [[nodiscard]] bool matches(std::string_view text) const;

  // One step of the machine that reads a text. Jumps are relative.
  struct Instruction {
    enum class Op : uint8_t { set, split, jump, begin, end };
    Op op;
    int32_t first = 0;   // set: its index; split, jump: where to
    int32_t second = 0;  // split: or there
  };
  struct Set {
    std::vector<std::pair<char32_t, char32_t>> ranges;  // Invariant: in order, apart from each other
    bool negated = false;
    [[nodiscard]] bool contains(char32_t c) const;
  };

 private:
  std::vector<Instruction> program_;  // behind its end: the text has matched
  std::vector<Set> sets_;
};

}  // namespace tidemark::config
