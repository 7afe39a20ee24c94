// The command line as a tree: what its options take, and what is said of words that it has not.
#include <catch2/catch.hpp>

#include "client/cli/bad_usage.h"
#include "client/cli/parser.h"

using namespace tidemark;
using namespace tidemark::cli;

namespace {

struct Sample {
  std::string output, name;
  std::vector<int32_t> partitions;
  int64_t count = 0;
  bool all = false;
  std::optional<bool> sync;
  Verb root;

  Sample() {
    const Verb::Run run = [](const GlobalOptions&) { return 0; };
    root.name = "tidemark";
    root.option("-o,--output", &output, "how").one_of({"table", "json"});
    Verb& topic = root.family("topic", "topics", "e");
    Verb& trim = topic.verb("trim", "cut", "e", run);
    trim.option("NAME", &name, "the topic").required();
    trim.option("-p,--partition", &partitions, "one").at_least(0);
    trim.option("--sync,!--no-sync", &sync, "wait");
    topic.verb("list", "all", "e", run).option("-a,--all", &all, "all");
    root.verb("some", "records", "e", run).option("-n,--count", &count, "so many").range(1, 10);
  }
};

std::string taken(const Option& option, const std::vector<std::string>& words) {
  const auto result = option.take(words);
  return result ? "" : result.error().message();
}

}  // namespace

TEST_CASE("values are checked before they are kept") {
  Sample sample;
  const Option& count = *sample.root.find_verb("some")->find_option("-n");
  CHECK(taken(count, {"7"}) == "");
  CHECK(sample.count == 7);
  CHECK(taken(count, {"0"}) == "Value 0 not in range 1..10");
  CHECK(taken(count, {"7x"}) == "'7x' is no whole number");
  CHECK(taken(count, {"99999999999999999999"}) == "'99999999999999999999' is no whole number that fits");
  CHECK(count.value_name() == "INT 1..10");
  const Option& output = *sample.root.find_option("--output");
  CHECK(taken(output, {"xml"}) == "xml not in {table,json}");
  CHECK(output.value_name() == "{table,json}");
  const Verb& trim = *sample.root.find_verb("topic")->find_verb("trim");
  CHECK(taken(*trim.find_option("-p"), {"1", "2"}) == "");
  CHECK(sample.partitions == std::vector<int32_t>{1, 2});
  trim.find_option("--no-sync")->take_flag(false);
  CHECK(sample.sync == false);
}

TEST_CASE("a line is taken word by word") {
  struct Groups {
    std::vector<std::string> names;
    bool dry = false;
    int64_t by = 0;
    Verb root;
    Groups() {
      root.name = "tidemark";
      Verb& remove = root.verb("delete", "them", "e", [](const GlobalOptions&) { return 0; });
      remove.option("NAME", &names, "names").required();
      remove.option("--dry-run", &dry, "nothing");
      remove.option("--by", &by, "so many");
    }
    Result<Parsed> parse(std::vector<std::string> words) {
      words.insert(words.begin(), {"tidemark", "delete"});
      std::vector<char*> line;
      for (std::string& word : words) line.push_back(word.data());
      return cli::parse(root, "1", static_cast<int>(line.size()), line.data());
    }
  };
  {
    Groups groups;
    REQUIRE(groups.parse({"[a,b]", "c", "--dry-run", "--by", "+5"}).has_value());
    CHECK(groups.names == std::vector<std::string>{"[a,b]", "c"});  // no list
    CHECK(groups.dry);
    CHECK(groups.by == 5);
  }
  {
    Groups groups;
    REQUIRE(groups.parse({"a", "--dry-run=false", "--dry-run"}).has_value());
    CHECK(groups.dry);  // the last one holds
  }
  for (const char* wrong : {"--dry-run=banana", "--dry-run=99999999999999999999999", "--by=x"}) {
    Groups groups;
    CHECK_FALSE(groups.parse({"a", wrong}).has_value());
  }
}

TEST_CASE("what was meant by a word that there is not") {
  const Sample sample;
  const auto told = [&](const std::vector<std::string>& words) {
    return bad_usage(sample.root, words, "refused").message();
  };
  CHECK(told({"topik", "list"}) == "there is no command topik; did you mean topic?; --help says more");
  CHECK(told({"topic", "ls"}) == "there is no command ls; there are trim, list; --help says more");
  CHECK(told({"topic", "list", "--al"}) == "there is no option --al; did you mean --all?; --help says more");
  CHECK(told({"topic", "trim", "x"}) == "refused; --help says more");
}
