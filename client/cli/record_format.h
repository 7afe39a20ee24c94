// The formats of `-f`: how consume prints a record, and how produce reads one from a line. Tokens, as kcat's
// where kcat has them:
//   %v or %s  value          %V or %S  its length, -1 for null       %k  key        %K  its length, -1 for
//   null %t  topic                %p  partition                           %o  offset     %T  timestamp, ms
//   since 1970 %h  headers, k=v,k=v     %%  a percent sign                      \n \t \r \\ \0 \xHH  that
//   character
// Null prints as nothing. produce takes %v %s %k %h %p %T, with a literal between any two of them. Pure.
#pragma once

#include <string>
#include <vector>

#include "protocol/batch/record_iterator.h"
#include "protocol/error.h"
#include "protocol/ids.h"

namespace tidemark::cli {

class RecordFormat {
 public:
  // Error (config): an unknown token or escape, with its place.
  static Result<RecordFormat> parse(std::string_view text);
  // ... that is to be printed; any token.
  void print(const TopicPartition& from, const protocol::RecordView& record, std::string& out) const;

  // A record taken from a line; views into it.
  struct Fields {
    std::optional<std::string_view> value;
    std::optional<std::string_view> key;
    std::vector<std::pair<std::string_view, std::string_view>> headers;
    std::optional<PartitionId> partition;
    std::optional<int64_t> timestamp_ms;
  };
  // Error (config): a token that only consume has, two tokens without a literal between, a token twice.
  [[nodiscard]] Result<void> check_readable() const;
  // `line` without its end. Error (config): the line lacks a literal, or a number is none.
  [[nodiscard]] Result<Fields> read(std::string_view line) const;

 private:
  struct Part {
    char token = 0;  // 0: literal
    std::string literal;
  };
  std::vector<Part> parts_;
};

}  // namespace tidemark::cli
