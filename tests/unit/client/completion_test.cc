// What the shells offer at Tab.
#include <catch2/catch.hpp>

#include "client/cli/completion.h"

using namespace tidemark;
using namespace tidemark::cli;

namespace {

struct Sample {
  std::string output, bootstrap, name, before, type, owner;
  std::vector<std::string> topics, settings;
  std::vector<int32_t> partitions;
  int64_t count = 0;
  bool all = false;
  std::optional<bool> sync;
  Verb root;

  Sample() {
    const Verb::Run run = [](const GlobalOptions&) { return 0; };
    root.name = "tidemark";
    root.option("-b,--bootstrap", &bootstrap, "brokers").names(Names::brokers);
    root.option("-o,--output", &output, "how").one_of({"table", "json"});
    Verb& topic = root.family("topic", "topics", "e");
    Verb& trim = topic.verb("trim", "cut", "e", run);
    trim.option("NAME", &name, "the topic").required().names(Names::topic);
    trim.option("--before", &before, "keep").suggest({"start", "end"});
    trim.option("-p,--partition", &partitions, "one").at_least(0);
    trim.option("--sync,!--no-sync", &sync, "wait");
    topic.verb("list", "all", "e", run).option("-a,--all", &all, "all");
    Verb& get = root.verb("get", "settings", "e", run);
    get.option("TYPE", &type, "of what").one_of({"topic", "group"});
    get.option("NAME", &owner, "whose").names(Names::settings_owner);
    get.option("KEY", &settings, "which").names(Names::setting);
    root.verb("dump", "files", "e", run).option("FILE", &topics, "files").names(Names::file);
    root.verb("some", "records", "e", run).option("-n,--count", &count, "so many");
  }

  std::string offered(std::vector<std::string> words) const {
    std::string text;
    for (const Candidate& each : complete_words(root, words).candidates)
      text += (text.empty() ? "" : " ") + each.word;
    return text;
  }
  Names named(std::vector<std::string> words) const { return complete_words(root, words).named; }
};

}  // namespace

TEST_CASE("verbs, options and choices are offered where they may stand") {
  const Sample sample;
  CHECK(sample.offered({""}) == "topic get dump some");
  CHECK(sample.offered({"t"}) == "topic");
  CHECK(sample.offered({"topic", ""}) == "trim list");
  CHECK(sample.offered({"topic", "list", "-"}) == "--all --bootstrap --output --help");
  CHECK(sample.offered({"topic", "list", ""}) ==
        "--all --bootstrap --output --help");  // nothing else can follow
  CHECK(sample.offered({"topic", "list", "--all", "--o"}) == "--output");
  CHECK(sample.offered({"topic", "list", "-a", "--a"}) == "");  // said already
  CHECK(sample.offered({"topic", "trim", "-p", "1", "--p"}) == "--partition");
  CHECK(sample.offered({"topic", "trim", "--n"}) == "--no-sync");
  CHECK(sample.offered({"-o", ""}) == "table json");
  CHECK(sample.offered({"-o", "j"}) == "json");
  CHECK(sample.offered({"-o", "json", "topic", "l"}) == "list");
  CHECK(sample.offered({"--output=j"}) == "--output=json");
  CHECK(sample.offered({"topic", "trim", "x", "--before", ""}) == "start end");
  CHECK(sample.offered({"nonsense", ""}) == "");
  CHECK(sample.offered({"topic", "list", "--nonsense", "--a"}) == "--all");
  CHECK(sample.offered({"topic", "trim", "--", "--b"}) == "");
}

TEST_CASE("names that only the cluster knows are asked for, and of whom") {
  const Sample sample;
  CHECK(sample.named({"topic", "trim", ""}) == Names::topic);
  CHECK(sample.named({"topic", "trim", "--before", "5", ""}) == Names::topic);
  CHECK(sample.named({"topic", "trim", "orders", ""}) == Names::nothing);
  CHECK(sample.named({"topic", "trim", "--", "-o"}) == Names::topic);
  CHECK(sample.named({"dump", "a", "b"}) == Names::file);
  CHECK(sample.named({"get", "group", ""}) == Names::group);
  CHECK(sample.offered({"get", "topic", "orders", "retention.b"}) == "retention.bytes");
  CHECK(sample.offered({"get", "topic", "orders", "x", "retention.b"}) == "retention.bytes");
  const std::vector<std::string> words{"-b", "h:1", "topic", "trim", "--bootstrap=h:2", ""};
  CHECK(complete_words(sample.root, words).bootstrap == "h:2");
}

TEST_CASE("a line of bash is taken apart as bash does it") {
  constexpr std::string_view kBreaks = " \t\n\"'><=;|&(:";
  const auto split = [&](std::string_view line) { return split_bash(line, kBreaks); };
  using Words = std::vector<std::string>;
  CHECK(split("tidemark topic ").words == Words{"tidemark", "topic", ""});
  CHECK(split("tidemark  'a b' c\\ d \"e\\\"f\\g\"").words == Words{"tidemark", "a b", "c d", "e\"f\\g"});
  CHECK(split("A=1 B='2 3' tidemark x").words == Words{"tidemark", "x"});
  CHECK(split("tidemark x A=1").words == Words{"tidemark", "x", "A=1"});
  CHECK(split("tidemark 'it").quote == '\'');
  CHECK(split("tidemark \"it").quote == '"');
  CHECK(split("tidemark ''").words == Words{"tidemark", ""});
  CHECK(split("tidemark x\\").words == Words{"tidemark", "x\\"});
  CHECK(split("tidemark").words == Words{"tidemark"});
  CHECK(split("tidemark --topic=or").kept == 8);
  CHECK(split("tidemark a:b:c").kept == 4);
  CHECK(split("tidemark 'a:b").kept == 0);
  CHECK(split("tidemark 'a b'c").kept == 0);
  CHECK(split("tidemark 'o'\\''n").kept == 2);
}

TEST_CASE("what bash inserts is quoted as the word was begun") {
  constexpr std::string_view kBreaks = " \t\n\"'><=;|&(:";
  const auto quoted = [&](std::string_view line, std::string_view word) {
    return quote_bash(split_bash(line, kBreaks), word);
  };
  CHECK(quoted("tidemark g", "g-1.a_b") == "g-1.a_b");
  CHECK(quoted("tidemark g", "g $1 'x'") == "g\\ \\$1\\ \\'x\\'");
  CHECK(quoted("tidemark 'g", "g $1 'x'") == "g $1 '\\''x'\\''");
  CHECK(quoted("tidemark \"g", "g $1 'x'") == "g \\$1 'x'");
  CHECK(quoted("tidemark team:b", "team:billing") == "billing");
  CHECK(quoted("tidemark --topic=or", "--topic=orders") == "orders");
}
