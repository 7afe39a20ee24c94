// How a command speaks: data to stdout as a table, JSON or YAML, everything else to stderr. Colour only where
// a terminal shows it.
#pragma once

#include <string>

#include "client/cli/value.h"
#include "protocol/error.h"

namespace tidemark::cli {

enum class OutputFormat : uint8_t { automatic, table, json, yaml };

class Output {
 public:
  explicit Output(OutputFormat format);

  // `value` for JSON and YAML; `rows` (a list of objects with the same fields) for a table, which without
  // being asked for is a table on a terminal and else lines of tab-separated cells without a heading.
  void data(const Value& value, const Value& rows) const;
  void data(const Value& rows) const { data(rows, rows); }
  // Several tables, an empty line between them; those without a row are left out.
  void data(const Value& value, const std::vector<Value>& tables) const;
  // Whether tables are lines of cells without a heading.
  [[nodiscard]] bool is_plain() const { return format_ == OutputFormat::automatic && !on_terminal_; }
  [[nodiscard]] OutputFormat format() const { return format_; }

  void note(const std::string& text) const;
  // "error: CODE: message", without the code where it is no broker's answer.
  void error(const Error& error) const;
  // Some of them, and how many more there are.
  void errors(const std::vector<Error>& all) const;

 private:
  void print_table(const Value& rows) const;

  const OutputFormat format_;
  const bool on_terminal_;
  const bool colour_;
};

// Bytes to stdout as they are. False: nobody reads them any more.
bool write_stdout(std::string_view bytes);
bool flush_stdout();

// The process's exit status (interfaces.md): 0 done, 1 the cluster said no, 2 bad usage.
inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;
inline constexpr int kBadUsage = 2;
[[nodiscard]] int exit_status(const Error& error);

}  // namespace tidemark::cli
