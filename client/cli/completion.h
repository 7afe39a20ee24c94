// What a shell may offer for the word under the cursor, from the command line's syntax. Pure: where the
// answer is the cluster's (topics, groups), this says what to ask for.
#pragma once

#include <span>

#include "client/cli/syntax.h"

namespace tidemark::cli {

struct Candidate {
  std::string word;
  std::string what;  // one line; may be empty
};

struct Completion {
  std::vector<Candidate> candidates;
  // What else belongs to them: names that only the cluster knows, or files, which the shell finds itself.
  Names named = Names::nothing;
  std::string before;  // stands in the word already, in front of such a name: "--topic="
  // What global options said so far, to know whom to ask.
  std::string bootstrap;
  std::string config_file;
};

// `words`: all behind the program's name, up to the cursor; the last one is being written, and may be empty.
// Only what begins like it is a candidate. REQUIRES: at least one word.
[[nodiscard]] Completion complete_words(const Verb& root, std::span<const std::string> words);

// A line of bash taken apart as bash would: quotes and backslashes. Substitutions stay as they are.
struct BashLine {
  std::vector<std::string> words;  // the program's name is the first
  char quote = 0;                  // that the last word is in: ' or ", else 0
  size_t kept = 0;                 // bytes of the last word that bash takes as words of their own
};
// `breaks`: COMP_WORDBREAKS.
[[nodiscard]] BashLine split_bash(std::string_view line, std::string_view breaks);
// What bash is to insert for `word`, behind what it keeps of the line.
[[nodiscard]] std::string quote_bash(const BashLine& line, std::string_view word);

// The script that teaches a shell: bash, zsh or fish.
[[nodiscard]] std::string_view completion_script(std::string_view shell);

}  // namespace tidemark::cli
