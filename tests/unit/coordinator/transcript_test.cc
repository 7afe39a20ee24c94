// Golden transcripts: each file in transcripts/ has commands and, below each, what the coordinator answered
// and wrote. A reviewer reads them; this test runs the commands again and compares. After a wanted change:
// TIDEMARK_REWRITE_TRANSCRIPTS=1 unit-coordinator 'transcripts*'.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "script.h"

namespace tidemark::coordinator::testing {

namespace {

GroupSettings settings_of(const Command& c) {
  GroupSettings settings;
  settings.group_max_size = c.number("group.max.size", settings.group_max_size);
  settings.group_initial_rebalance_delay_ms =
      c.number("group.initial.rebalance.delay.ms", settings.group_initial_rebalance_delay_ms);
  settings.offset_metadata_max_bytes =
      c.number("offset.metadata.max.bytes", settings.offset_metadata_max_bytes);
  settings.offsets_retention_ms = c.number("offsets.retention.minutes", 10'080) * int64_t{60'000};
  settings.max_record_bytes = static_cast<size_t>(c.number("max.record.bytes", 1'000'000));
  return settings;
}

class Transcript {
 public:
  std::string run(const std::string& script) {
    std::istringstream in(script);
    std::string out;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("  ")) continue;  // an earlier answer
      out += line + "\n";
      if (line.empty() || line.starts_with("#")) continue;
      const size_t answers = world_->answered().size();
      const size_t records = world_->log().size();
      out += execute(parse_command(whole_ids(line)));
      for (size_t i = answers; i < world_->answered().size(); ++i) {
        const RequestToken token = world_->answered()[i];
        out += fmt::format("  {} {}\n", token.value, named_ids(words_of(*world_->reply(token))));
      }
      for (size_t i = records; i < world_->log().size(); ++i)
        out += fmt::format("  | {}\n", named_ids(words_of(world_->log()[i])));
    }
    return out;
  }

 private:
  // What is said beside replies and records.
  std::string execute(const Command& c) {
    if (const auto request = request_of(c)) {
      const RequestToken token = world_->send(*request);
      return world_->reply(token) == nullptr ? fmt::format("  {} waits\n", token.value) : "";
    }
    if (c.verb == "settings") return world_ = std::make_unique<World>(settings_of(c)), "";
    if (c.verb == "pass") return world_->pass_ms(std::stoll(c.words.at(0))), "";
    if (c.verb == "fail-over") return world_->fail_over(), "";
    if (c.verb == "refuse-next") return world_->set_fate(Fate::refused), "";
    if (c.verb == "topic-deleted") return world_->delete_topic(c.words.at(0)), "";
    if (c.verb == "history") return history(c.words.at(0));
    FAIL("an unknown command: " + c.verb);
    return {};
  }

  std::string history(const std::string& group) {
    static constexpr const char* kOutcomes[] = {"running", "stable", "empty", "superseded"};
    std::string out;
    for (const Rebalance& r : world_->group(group).history.rebalances()) {
      out += named_ids(fmt::format(
          "  generation {} {} of {} members: {}; joined {}, left {}, timed out {}; joining {} ms, assigning "
          "{} "
          "ms\n",
          r.generation, kOutcomes[static_cast<int>(r.outcome)], r.members, r.reason, r.changes.joined.count,
          r.changes.left.count, r.changes.timed_out.count, r.joining_ms, r.assigning_ms));
    }
    return out;
  }

  // "alice-" and 36 random characters <-> "alice.1".
  std::string named_ids(const std::string& text) {
    static const std::regex kId("([A-Za-z0-9]+)-([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})");
    std::string out;
    size_t at = 0;
    for (std::sregex_iterator it(text.begin(), text.end(), kId), end; it != end; ++it) {
      auto [known, is_new] = names_.try_emplace(it->str(), "");
      if (is_new) known->second = fmt::format("{}.{}", (*it)[1].str(), names_.size());
      out += text.substr(at, static_cast<size_t>(it->position()) - at) + known->second;
      at = static_cast<size_t>(it->position() + it->length());
    }
    return out + text.substr(at);
  }
  std::string whole_ids(std::string text) {
    for (const auto& [id, name] : names_) {
      for (size_t at = 0; (at = text.find(name, at)) != text.npos; at += id.size()) {
        const size_t end = at + name.size();
        if (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) continue;
        text.replace(at, name.size(), id);
      }
    }
    return text;
  }

  std::unique_ptr<World> world_ = std::make_unique<World>();
  std::map<std::string, std::string> names_;
};

}  // namespace

TEST_CASE("transcripts: the coordinator answers and writes what the reviewed files say") {
  const std::filesystem::path folder = "tests/unit/coordinator/transcripts";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    INFO(entry.path());
    std::ifstream in(entry.path());
    std::stringstream expected;
    expected << in.rdbuf();
    const std::string actual = Transcript().run(expected.str());
    if (std::getenv("TIDEMARK_REWRITE_TRANSCRIPTS") != nullptr) {
      std::ofstream(entry.path()) << actual;
    } else {
      CHECK(actual == expected.str());
    }
    ++files;
  }
  CHECK(files >= 6);
}

}  // namespace tidemark::coordinator::testing
