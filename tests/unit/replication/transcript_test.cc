// Golden transcripts: each file in transcripts/ has commands and, below each, what the controller answered
// and wrote. A reviewer reads them; this test runs the commands again and compares. After a wanted change:
// TIDEMARK_REWRITE_TRANSCRIPTS=1 unit-replication transcripts.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "protocol/error.h"
#include "world.h"

namespace tidemark::replication::testing {

namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

// "verb word word key=value": what a line of a transcript asks for.
struct Command {
  std::string verb;
  std::vector<std::string> words;
  std::multimap<std::string, std::string> options;

  [[nodiscard]] std::string option(const std::string& key, const std::string& otherwise = "") const {
    const auto found = options.find(key);
    return found != options.end() ? found->second : otherwise;
  }
  [[nodiscard]] bool has(const std::string& word) const {
    return std::find(words.begin(), words.end(), word) != words.end();
  }
};

Command parse(const std::string& line) {
  Command command;
  for (const std::string& part : split(line, ' ')) {
    const size_t equals = part.find('=');
    if (command.verb.empty()) {
      command.verb = part;
    } else if (equals == part.npos) {
      command.words.push_back(part);
    } else {
      command.options.emplace(part.substr(0, equals), part.substr(equals + 1));
    }
  }
  return command;
}

std::vector<std::vector<BrokerId>> assignments(const std::string& text) {
  std::vector<std::vector<BrokerId>> all;
  for (const std::string& partition : split(text, '/')) {
    std::vector<BrokerId>& brokers = all.emplace_back();
    for (const std::string& id : split(partition, ',')) brokers.emplace_back(std::stoi(id));
  }
  return all;
}

std::string words_of(const ApiError& error) {
  return fmt::format("{}{}", error_name(error.code), error.message ? ": " + *error.message : "");
}

std::string ids(const std::vector<BrokerId>& brokers) {
  std::string text;
  for (const BrokerId id : brokers) text += (text.empty() ? "" : ",") + std::to_string(id.value);
  return "[" + text + "]";
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
      const size_t entries = world_.log().size();
      for (const std::string& answer : execute(parse(line))) out += "  " + name_ids(answer) + "\n";
      for (size_t i = entries; i < world_.log().size(); ++i) out += written(world_.log()[i]);
    }
    return out;
  }

 private:
  std::vector<std::string> execute(const Command& c) {
    if (c.verb == "term") return world_.start_term(), std::vector<std::string>{};
    if (c.verb == "register") return register_broker(c);
    if (c.verb == "unfence" || c.verb == "shutdown" || c.verb == "fence") return change_broker(c);
    if (c.verb == "create") return create(c);
    if (c.verb == "delete") return remove(c);
    if (c.verb == "grow") return grow(c);
    if (c.verb == "alter") return alter(c);
    if (c.verb == "elect") return elect(c);
    if (c.verb == "reassign") return reassign(c);
    if (c.verb == "unregister") {
      const BrokerId id(std::stoi(c.words.at(0)));
      return {words_of(world_.commit(world_.controller().unregister_broker(id)))};
    }
    if (c.verb == "producer-ids") return producer_ids(c);
    if (c.verb == "show") return show(c);
    FAIL("an unknown command: " + c.verb);
    return {};
  }

  std::vector<std::string> register_broker(const Command& c) {
    const BrokerId id(std::stoi(c.words.at(0)));
    BrokerRegistration request = registration_of(id, world_.random().uuid());
    request.cluster_id = c.option("cluster", "cluster");
    if (c.options.contains("rack")) request.rack = c.option("rack");
    if (c.has("no-features")) request.features.clear();
    if (c.has("no-dirs")) request.log_dirs.clear();
    if (c.options.contains("dir"))
      request.log_dirs = {Uuid::from_halves(0xD1, 100 + std::stoull(c.option("dir")))};
    request.unfenced = !c.has("fenced");
    const BrokerImage* old_life = world_.image().broker(id);
    if (c.has("clean") && old_life != nullptr) request.clean_stop_of = old_life->epoch;
    if (c.options.contains("short")) {
      const auto parts = split(c.option("short"), ':');
      request.short_partitions.push_back(
          {world_.image().topic(parts[0])->id, PartitionId(std::stoi(parts[1]))});
    }
    const auto response = world_.commit(world_.controller().register_broker(request));
    return {fmt::format("{} epoch {}", words_of(response.error), response.epoch)};
  }

  std::vector<std::string> change_broker(const Command& c) {
    const BrokerId id(std::stoi(c.words.at(0)));
    const BrokerImage* broker = world_.image().broker(id);
    BrokerEpoch epoch = broker != nullptr ? broker->epoch : BrokerEpoch(0);
    if (c.has("stale")) --epoch.value;
    Controller& controller = world_.controller();
    const auto response =
        world_.commit(c.verb == "unfence"    ? controller.unfence_broker(id, epoch)
                      : c.verb == "shutdown" ? controller.begin_controlled_shutdown(id, epoch)
                                             : controller.fence_broker(id, epoch));
    return {fmt::format("{} leads {}", words_of(response.error), response.leaderships)};
  }

  // Several topics in one request are separated by '+'.
  std::vector<std::string> create(const Command& c) {
    std::vector<NewTopic> topics;
    for (const std::string& name : split(c.words.at(0), '+')) {
      NewTopic& topic = topics.emplace_back();
      topic.name = name;
      topic.partitions = std::stoi(c.option("p", "-1"));
      topic.replication_factor = static_cast<int16_t>(std::stoi(c.option("r", "-1")));
      PartitionId id(std::stoi(c.option("first", "0")));
      for (auto& brokers : assignments(c.option("assign")))
        topic.assignments.push_back({id, brokers}), ++id.value;
      for (const auto& [key, value] : c.options) {
        if (key.find('.') != key.npos)
          topic.configs.emplace_back(key, value == "null" ? std::nullopt : std::optional(value));
      }
    }
    const auto response = world_.commit(world_.controller().create_topics(topics, c.has("validate")));
    std::vector<std::string> answers;
    for (const CreatedTopic& t : response) {
      answers.push_back(fmt::format("{} {}{}", t.name, words_of(t.error),
                                    t.error.ok() ? fmt::format(" id {} partitions {} replicas {}", t.id,
                                                               t.partitions, t.replication_factor)
                                                 : ""));
    }
    return answers;
  }

  std::vector<std::string> remove(const Command& c) {
    std::vector<TopicToDelete> topics;
    for (const std::string& name : c.words) topics.push_back({name, {}});
    for (const auto& [key, value] : c.options) {
      const TopicImage* topic = world_.image().topic(value);
      topics.push_back({std::nullopt, topic != nullptr ? topic->id : Uuid::from_halves(7, 7)});
    }
    std::vector<std::string> answers;
    for (const DeletedTopic& t : world_.commit(world_.controller().delete_topics(topics)))
      answers.push_back(fmt::format("{} {} {}", t.name.value_or("-"), t.id, words_of(t.error)));
    return answers;
  }

  std::vector<std::string> grow(const Command& c) {
    MorePartitions request{c.words.at(0), std::stoi(c.words.at(1)), std::nullopt};
    if (c.options.contains("assign")) request.assignments = assignments(c.option("assign"));
    std::vector<std::string> answers;
    const auto decision = world_.controller().create_partitions(std::span(&request, 1), c.has("validate"));
    for (const GrownTopic& t : world_.commit(decision)) answers.push_back(t.topic + " " + words_of(t.error));
    return answers;
  }

  std::vector<std::string> alter(const Command& c) {
    const std::map<std::string, ConfigOperation> operations = {{"set", ConfigOperation::set},
                                                               {"unset", ConfigOperation::unset},
                                                               {"append", ConfigOperation::append},
                                                               {"subtract", ConfigOperation::subtract}};
    const std::map<std::string, ConfigResourceType> types = {{"topic", ConfigResourceType::topic},
                                                             {"broker", ConfigResourceType::broker},
                                                             {"group", ConfigResourceType::group},
                                                             {"metrics", ConfigResourceType::client_metrics}};
    ResourceAlteration resource{
        static_cast<int8_t>(types.at(c.words.at(0))), c.words.at(1) == "default" ? "" : c.words.at(1), {}};
    resource.replaces = c.words.at(2) == "replace";
    const auto operation = resource.replaces ? ConfigOperation::set : operations.at(c.words.at(2));
    for (const auto& [key, value] : c.options) {
      std::optional<std::string> v;
      if (value != "null") v = value;
      resource.changes.push_back({key, static_cast<int8_t>(operation), v});
    }
    std::vector<std::string> answers;
    const auto decision =
        world_.controller().alter_configs(BrokerId(1), std::span(&resource, 1), c.has("validate"));
    for (const AlteredResource& r : world_.commit(decision)) answers.push_back(words_of(r.error));
    return answers;
  }

  static std::vector<std::string> lines_of(const std::vector<TopicAnswer>& topics) {
    std::vector<std::string> lines;
    for (const TopicAnswer& topic : topics) {
      for (const auto& [id, error] : topic.partitions)
        lines.push_back(fmt::format("{}-{} {}", topic.topic, id, words_of(error)));
    }
    return lines;
  }

  // "elect preferred t:0 t:1": without partitions, all.
  std::vector<std::string> elect(const Command& c) {
    const auto type = c.words.at(0) == "preferred" ? ElectionType::preferred : ElectionType::unclean;
    std::vector<TopicPartitions> topics;
    for (size_t i = 1; i < c.words.size(); ++i) {
      const auto parts = split(c.words[i], ':');
      topics.push_back({parts[0], {PartitionId(std::stoi(parts[1]))}});
    }
    return lines_of(
        world_.commit(world_.controller().elect_leaders(type, topics.empty() ? nullptr : &topics)));
  }

  // "reassign t:0 to=1,2"; without `to`, what is under way is cancelled.
  std::vector<std::string> reassign(const Command& c) {
    const auto parts = split(c.words.at(0), ':');
    TopicReassignment topic{parts[0], {{PartitionId(std::stoi(parts[1])), std::nullopt}}};
    if (c.options.contains("to")) {
      const auto to = assignments(c.option("to"));
      topic.partitions[0].replicas = to.empty() ? std::vector<BrokerId>() : to[0];
    }
    return lines_of(world_.commit(world_.controller().alter_partition_reassignments(std::span(&topic, 1))));
  }

  std::vector<std::string> producer_ids(const Command& c) {
    const BrokerId id(std::stoi(c.words.at(0)));
    const BrokerImage* broker = world_.image().broker(id);
    const auto block = world_.commit(
        world_.controller().allocate_producer_ids(id, broker != nullptr ? broker->epoch : BrokerEpoch(0)));
    return {fmt::format("{} {} from {}", words_of(block.error), block.count, block.first)};
  }

  std::vector<std::string> show(const Command& c) {
    std::vector<std::string> lines;
    const TopicImage* topic = world_.image().topic(c.words.at(0));
    if (topic == nullptr) return {"no such topic"};
    for (PartitionId id(0); id.value < topic->partition_count(); ++id.value) {
      const PartitionImage& p = *topic->partition(id);
      lines.push_back(fmt::format("{}-{} leader {} epoch {} isr {} replicas {}", topic->name, id, p.leader,
                                  p.leader_epoch, ids(p.isr), ids(p.replicas)));
    }
    return lines;
  }

  std::string written(const LogEntry& entry) {
    if (entry.records.empty()) return fmt::format("  | LEADER_CHANGE term {}\n", entry.term);
    std::string text;
    for (size_t i = 0; i < entry.records.size(); ++i) {
      const auto json = record_to_json(entry.records[i]);
      REQUIRE(json.has_value());
      text += "  | " + name_ids(*json) + "\n";
    }
    return text;
  }

  // Random ids become <1>, <2>, ... in the order of their appearance.
  std::string name_ids(const std::string& text) {
    static const std::regex kId("\\b[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])");
    std::string out;
    std::sregex_iterator it(text.begin(), text.end(), kId);
    size_t at = 0;
    for (; it != std::sregex_iterator(); ++it) {
      if (!Uuid::parse(it->str())) continue;
      const auto [known, is_new] = ids_.try_emplace(it->str(), ids_.size() + 1);
      out += text.substr(at, static_cast<size_t>(it->position()) - at) + fmt::format("<{}>", known->second);
      at = static_cast<size_t>(it->position() + it->length());
    }
    return out + text.substr(at);
  }

  World world_;
  std::map<std::string, size_t> ids_;
};

}  // namespace

TEST_CASE("transcripts: the controller answers and writes what the reviewed files say") {
  const std::filesystem::path folder = "tests/unit/replication/transcripts";
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
  CHECK(files >= 5);
}

}  // namespace tidemark::replication::testing
