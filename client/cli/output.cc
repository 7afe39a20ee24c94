#include "client/cli/output.h"

#include <cstdio>

#include "client/runtime/terminal.h"

namespace tidemark::cli {
namespace {

constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kPlain = "\033[0m";
constexpr size_t kMostErrors = 10;  // of one kind

std::string upper(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c == '_' ? ' ' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return out;
}

// Columns as a terminal shows them: one for each code point, which is right for most scripts.
size_t width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(),
                                           [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

}  // namespace

Output::Output(OutputFormat format)
    : format_(format),
      on_terminal_(client::is_terminal(client::kStandardOutput)),
      colour_(client::is_terminal(client::kStandardError)) {}

bool write_stdout(std::string_view bytes) {
  return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
}
bool flush_stdout() { return std::fflush(stdout) == 0; }

void Output::data(const Value& value, const Value& rows) const {
  switch (format_) {
    case OutputFormat::json: write_stdout(value.pretty_json() + "\n"); return;
    case OutputFormat::yaml: write_stdout(value.yaml() + "\n"); return;
    case OutputFormat::table:
    case OutputFormat::automatic: print_table(rows); return;
  }
}

void Output::data(const Value& value, const std::vector<Value>& tables) const {
  if (format_ == OutputFormat::json || format_ == OutputFormat::yaml) return data(value, Value());
  bool first = true;
  for (const Value& rows : tables) {
    if (rows.list() == nullptr || rows.list()->empty()) continue;
    if (!first) write_stdout("\n");
    first = false;
    print_table(rows);
  }
}

void Output::print_table(const Value& rows) const {
  if (rows.list() == nullptr || rows.list()->empty()) return;
  std::vector<std::vector<std::string>> lines;
  const bool plain = is_plain();
  if (!plain) {
    auto& heading = lines.emplace_back();
    for (const auto& [name, value] : *rows.list()->front().fields()) heading.push_back(upper(name));
  }
  for (const Value& row : *rows.list()) {
    auto& line = lines.emplace_back();
    for (const auto& [name, value] : *row.fields()) line.push_back(value.cell());
  }
  std::vector<size_t> widths(lines.front().size(), 0);
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  std::string out;
  for (size_t n = 0; n < lines.size(); ++n) {
    const bool bold = n == 0 && !plain && on_terminal_;
    if (bold) out += kBold;
    for (size_t i = 0; i < lines[n].size(); ++i) {
      const bool last = i + 1 == lines[n].size();
      out += lines[n][i];
      if (!last && plain) out += '\t';
      if (!last && !plain) out.append(widths[i] - width(lines[n][i]) + 2, ' ');
    }
    if (bold) out += kPlain;
    out += '\n';
  }
  write_stdout(out);
}

void Output::note(const std::string& text) const { fmt::print(stderr, "{}\n", text); }

void Output::error(const Error& error) const {
  const std::string_view red = colour_ ? kRed : "";
  const std::string_view plain = colour_ ? kPlain : "";
  const bool named = error.kind() == ErrorKind::protocol || error.kind() == ErrorKind::timeout;
  std::string text = named ? std::string(error_name(error.code())) : "";
  if (!error.message().empty()) text += (text.empty() ? "" : ": ") + error.message();
  fmt::print(stderr, "{}error:{} {}\n", red, plain, text);
}

void Output::errors(const std::vector<Error>& all) const {
  const size_t shown = std::min(all.size(), kMostErrors);
  for (size_t i = 0; i < shown; ++i) error(all[i]);
  if (shown < all.size()) note(fmt::format("and {} more errors", all.size() - shown));
}

int exit_status(const Error& error) { return error.kind() == ErrorKind::config ? kBadUsage : kRefused; }

}  // namespace tidemark::cli
