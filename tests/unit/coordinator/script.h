// The language of the transcripts: one command a line, below it what came of it (replies with the number of
// their request, and records behind '|'). Member ids are written as the client's or instance's name and a
// number, in the order of their appearance.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "world.h"

namespace tidemark::coordinator::testing {

// "verb word word key=value".
struct Command {
  std::string verb;
  std::vector<std::string> words;
  std::multimap<std::string, std::string> options;

  [[nodiscard]] std::string option(const std::string& key, const std::string& otherwise = "") const;
  [[nodiscard]] int number(const std::string& key, int otherwise) const;
  [[nodiscard]] std::optional<std::string> optional(const std::string& key) const;
};
[[nodiscard]] Command parse_command(const std::string& line);
[[nodiscard]] std::vector<std::string> split(const std::string& text, char separator);

// What a command asks of the coordinator; nullopt: it is none of these.
[[nodiscard]] std::optional<Request> request_of(const Command& command);
// A reply, and a record, in one line.
[[nodiscard]] std::string words_of(const ReplyBody& reply);
[[nodiscard]] std::string words_of(const Record& record);

}  // namespace tidemark::coordinator::testing
