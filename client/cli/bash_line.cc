#include "client/cli/completion.h"

namespace tidemark::cli {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// "NAME=..." in front of a command.
bool is_assignment(std::string_view word) {
  const size_t equals = word.find('=');
  if (equals == 0 || equals == std::string_view::npos) return false;
  const std::string_view name = word.substr(0, equals);
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
}

}  // namespace

BashLine split_bash(std::string_view line, std::string_view breaks) {
  BashLine out;
  std::string word;
  bool in_word = false;
  size_t kept = 0;
  size_t kept_outside = 0;  // of the quotes
  // Bash takes what follows a break as a word of its own; a quote is one while it is open.
  const auto mark_break = [&](char c) {
    if (breaks.find(c) != std::string_view::npos) kept = word.size();
  };
  const auto end_word = [&] {
    if (in_word && !(out.words.empty() && is_assignment(word))) out.words.push_back(word);
    word.clear();
    in_word = false;
    kept = 0;
  };
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (out.quote == '\'') {
      if (c == '\'') {
        out.quote = 0;
        kept = kept_outside;
      } else {
        word += c;
      }
    } else if (c == '\\' && i + 1 < line.size()) {
      // Between double quotes a backslash stays one, except before these.
      if (out.quote == '"' && std::string_view("$`\"\\").find(line[i + 1]) == std::string_view::npos)
        word += c;
      word += line[++i];
      in_word = true;
    } else if (out.quote == '"') {
      if (c == '"') {
        out.quote = 0;
        kept = kept_outside;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      out.quote = c;
      in_word = true;
      kept_outside = kept;
      mark_break(c);
    } else if (is_blank(c)) {
      end_word();
    } else {
      word += c;
      in_word = true;
      mark_break(c);
    }
  }
  // The word under the cursor, which may not have begun.
  in_word = true;
  const size_t last_kept = kept;
  end_word();
  out.kept = last_kept;
  return out;
}

std::string quote_bash(const BashLine& line, std::string_view word) {
  word.remove_prefix(std::min(word.size(), line.kept));
  std::string out;
  for (const char c : word) {
    if (line.quote == '\'') {
      out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    } else if (line.quote == '"') {
      if (std::string_view("$`\"\\").find(c) != std::string_view::npos) out += '\\';
      out += c;
    } else {
      if (std::string_view(" \t!\"#$&'()*;<>?[\\]^`{|}~").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

}  // namespace tidemark::cli
