#include "client/cli/record_format.h"

#include <charconv>
#include <set>

namespace tidemark::cli {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

template <class Number>
Result<Number> number_of(std::string_view text, const char* what) {
  Number number{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return fail(Error::config(fmt::format("'{}' is no {}", text, what)));
  return number;
}

int64_t length_of(const protocol::NullableBytes& bytes) {
  return bytes ? static_cast<int64_t>(bytes->size()) : -1;
}

void print_headers(const protocol::RecordHeaders& headers, std::string& out) {
  bool first = true;
  for (const protocol::RecordHeader& header : headers) {
    if (!std::exchange(first, false)) out += ',';
    out += header.key;
    out += '=';
    if (header.value) out += text_of(*header.value);
  }
}

}  // namespace

Result<RecordFormat> RecordFormat::parse(std::string_view text) {
  constexpr std::string_view kTokens = "vsVSkKtpoTh";
  RecordFormat format;
  const auto literal = [&](char c) {
    if (format.parts_.empty() || format.parts_.back().token != 0) format.parts_.emplace_back();
    format.parts_.back().literal += c;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '%' && c != '\\') {
      literal(c);
      continue;
    }
    if (++i == text.size())
      return fail(Error::config(fmt::format("format '{}': nothing follows the last '{}'", text, c)));
    const char next = text[i];
    if (c == '%') {
      if (next == '%') {
        literal('%');
      } else if (kTokens.find(next) != std::string_view::npos) {
        const char token = next == 's' ? 'v' : next == 'S' ? 'V' : next;
        format.parts_.push_back({token, ""});
      } else {
        return fail(Error::config(fmt::format(
            "format '{}': unknown token %{} (known: %v %V %k %K %t %p %o %T %h %%)", text, next)));
      }
      continue;
    }
    switch (next) {
      case 'n': literal('\n'); break;
      case 't': literal('\t'); break;
      case 'r': literal('\r'); break;
      case '0': literal('\0'); break;
      case '\\': literal('\\'); break;
      case 'x':
        if (i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
          literal(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
          i += 2;
          break;
        }
        return fail(Error::config(fmt::format("format '{}': \\x wants two hexadecimal digits", text)));
      default:
        return fail(Error::config(
            fmt::format("format '{}': unknown escape \\{} (known: \\n \\t \\r \\\\ \\0 \\xHH)", text, next)));
    }
  }
  return format;
}

void RecordFormat::print(const TopicPartition& from, const protocol::RecordView& record,
                         std::string& out) const {
  for (const Part& part : parts_) {
    switch (part.token) {
      case 0: out += part.literal; break;
      case 'v':
        if (record.value) out += text_of(*record.value);
        break;
      case 'V': out += std::to_string(length_of(record.value)); break;
      case 'k':
        if (record.key) out += text_of(*record.key);
        break;
      case 'K': out += std::to_string(length_of(record.key)); break;
      case 't': out += from.topic; break;
      case 'p': out += std::to_string(from.partition.value); break;
      case 'o': out += std::to_string(record.offset.value); break;
      case 'T': out += std::to_string(record.timestamp); break;
      case 'h': print_headers(record.headers, out); break;
      default: break;
    }
  }
}

Result<void> RecordFormat::check_readable() const {
  std::set<char> seen;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const char token = parts_[i].token;
    if (token == 0) continue;
    if (std::string_view("vkhpT").find(token) == std::string_view::npos)
      return fail(
          Error::config(fmt::format("%{} cannot be read from a line (known: %v %k %h %p %T)", token)));
    if (!seen.insert(token).second) return fail(Error::config(fmt::format("%{} stands there twice", token)));
    if (i > 0 && parts_[i - 1].token != 0)
      return fail(Error::config(fmt::format("nothing tells %{} and %{} apart: a literal must stand between",
                                            parts_[i - 1].token, token)));
  }
  return {};
}

Result<RecordFormat::Fields> RecordFormat::read(std::string_view line) const {
  Fields fields;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (part.token == 0) {
      // A newline at the format's end is the line's own.
      const bool last = i + 1 == parts_.size();
      std::string_view literal = part.literal;
      if (last && literal.ends_with('\n')) literal.remove_suffix(1);
      if (!line.starts_with(literal))
        return fail(Error::config(fmt::format("'{}' is missing where '{}' begins", literal, line)));
      line.remove_prefix(literal.size());
      continue;
    }
    size_t end = line.size();
    if (i + 1 < parts_.size()) {
      std::string_view stop = parts_[i + 1].literal;
      if (i + 2 == parts_.size() && stop.ends_with('\n')) stop.remove_suffix(1);
      if (!stop.empty()) {
        end = line.find(stop);
        if (end == std::string_view::npos)
          return fail(Error::config(fmt::format("'{}' is missing in '{}'", stop, line)));
      }
    }
    const std::string_view text = line.substr(0, end);
    line.remove_prefix(end);
    if (part.token == 'v') fields.value = text;
    if (part.token == 'k') fields.key = text;
    if (part.token == 'p') {
      TRY_ASSIGN(const int32_t number, number_of<int32_t>(text, "partition"));
      fields.partition = PartitionId(number);
    }
    if (part.token == 'T') {
      TRY_ASSIGN(fields.timestamp_ms, number_of<int64_t>(text, "timestamp"));
    }
    if (part.token == 'h') {
      for (std::string_view rest = text; !rest.empty();) {
        const std::string_view one = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        const size_t equals = one.find('=');
        if (equals == std::string_view::npos)
          return fail(Error::config(fmt::format("header '{}' is not of the form key=value", one)));
        fields.headers.emplace_back(one.substr(0, equals), one.substr(equals + 1));
      }
    }
  }
  if (!line.empty()) return fail(Error::config(fmt::format("'{}' is left over", line)));
  return fields;
}

}  // namespace tidemark::cli
