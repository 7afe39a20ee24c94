// The command line: every verb, its options, its help. The only file that knows CLI11.
#include <CLI/CLI.hpp>
#include <cstdlib>

#include "client/cli/client_config.h"
#include "client/cli/commands.h"
#include "client/core/client_properties.h"
#include "client/core/nearest.h"

namespace tidemark::cli {
namespace {

constexpr const char* kVersion = "tidemark 0.1.0";
constexpr const char* kDefaultBootstrap = "127.0.0.1:9092";

// What the command line holds before it is understood.
struct Line {
  std::string bootstrap;
  std::string config_file;
  std::string output;
  TopicCreate create;
  TopicList list;
  TopicDescribe describe;
  TopicAlter alter;
  TopicDelete remove;
  TopicTrim trim;
  Produce produce;
  Consume consume;
  std::string group;
  ConfigGet get;
  ConfigAlter change;
  LogDump dump;
  LogVerify verify;
};

using Verb = std::function<int(const GlobalOptions&)>;

// A verb with its example; `chosen` becomes what to run.
CLI::App* add_verb(CLI::App& parent, const char* name, const char* what, const std::string& example,
                   Verb& chosen, Verb run) {
  CLI::App* verb = parent.add_subcommand(name, what);
  verb->footer("Example:\n  " + example);
  verb->callback([&chosen, run] { chosen = run; });
  return verb;
}

CLI::App* add_family(CLI::App& app, const char* name, const char* what, const std::string& example) {
  CLI::App* family = app.add_subcommand(name, what);
  family->footer("Example:\n  " + example);
  family->require_subcommand(1);
  return family;
}

void add_topic(CLI::App& app, Line& line, Verb& chosen) {
  CLI::App& topic = *add_family(app, "topic", "create, list, describe, alter, delete and trim topics",
                                "tidemark topic create orders -p 3");

  CLI::App* create = add_verb(topic, "create", "create topics",
                              "tidemark topic create orders -p 12 -r 3 -c retention.ms=86400000", chosen,
                              [&](const GlobalOptions& g) { return topic_create(g, line.create); });
  create->add_option("NAME", line.create.names, "names")->required();
  create
      ->add_option("-p,--partitions", line.create.partitions, "partitions; else the cluster's num.partitions")
      ->check(CLI::Range(1, 1'000'000));
  create
      ->add_option("-r,--replication", line.create.replication,
                   "replicas of each partition; else the cluster's default.replication.factor")
      ->check(CLI::Range(1, 1'000));
  create->add_option("-c,--setting", line.create.configs, "a setting, key=value; may be repeated")
      ->allow_extra_args(false);
  create->add_flag("--validate-only", line.create.validate_only, "say what would happen, change nothing");

  CLI::App* list = add_verb(topic, "list", "list topics", "tidemark topic list -o json", chosen,
                            [&](const GlobalOptions& g) { return topic_list(g, line.list); });
  list->add_flag("--internal", line.list.internal, "those of Kafka's own machinery too");

  CLI::App* describe = add_verb(topic, "describe", "partitions, leaders, replicas, offsets, own settings",
                                "tidemark topic describe orders", chosen,
                                [&](const GlobalOptions& g) { return topic_describe(g, line.describe); });
  describe->add_option("NAME", line.describe.names, "names; none: every topic");

  CLI::App* alter = add_verb(topic, "alter", "add partitions, change settings",
                             "tidemark topic alter orders -p 24 -c retention.ms=3600000 -d cleanup.policy",
                             chosen, [&](const GlobalOptions& g) { return topic_alter(g, line.alter); });
  alter->add_option("NAME", line.alter.name, "the topic")->required();
  alter->add_option("-p,--partitions", line.alter.partitions, "how many partitions it shall have")
      ->check(CLI::Range(1, 1'000'000));
  alter->add_option("-c,--setting", line.alter.configs, "a setting, key=value; may be repeated")
      ->allow_extra_args(false);
  alter->add_option("-d,--unset", line.alter.removed, "a setting to return to its default; may be repeated")
      ->allow_extra_args(false);

  CLI::App* remove =
      add_verb(topic, "delete", "delete topics and all that is in them", "tidemark topic delete orders",
               chosen, [&](const GlobalOptions& g) { return topic_delete(g, line.remove); });
  remove->add_option("NAME", line.remove.names, "names")->required();

  CLI::App* trim = add_verb(topic, "trim", "remove the records before an offset",
                            "tidemark topic trim orders --before 5000 -p 0", chosen,
                            [&](const GlobalOptions& g) { return topic_trim(g, line.trim); });
  trim->add_option("NAME", line.trim.name, "the topic")->required();
  trim->add_option("--before", line.trim.before, "the first offset to keep, or end")->required();
  trim->add_option("-p,--partition", line.trim.partitions, "a partition, may be repeated; none: all")
      ->allow_extra_args(false)
      ->check(CLI::NonNegativeNumber);
}

constexpr const char* kFormatHelp =
    "%v value, %k key, %h headers, %T timestamp, %p partition, %t topic, %o offset, %V %K lengths, %% \\n "
    "\\t \\xHH";

void add_records(CLI::App& app, Line& line, Verb& chosen) {
  CLI::App* produce = add_verb(app, "produce", "write a record from each line of the standard input",
                               "printf 'a:1\\nb:2\\n' | tidemark produce orders -f '%k:%v\\n' -z zstd",
                               chosen, [&](const GlobalOptions& g) { return cli::produce(g, line.produce); });
  produce->add_option("TOPIC", line.produce.topic, "the topic")->required();
  produce->add_option("-k,--key", line.produce.key, "the key of every record");
  produce
      ->add_option("-H,--header", line.produce.headers,
                   "a header of every record, key=value; may be repeated")
      ->allow_extra_args(false);
  produce->add_option("-p,--partition", line.produce.partition, "the partition; else by key, or in turn")
      ->check(CLI::NonNegativeNumber);
  produce->add_option("-z,--compression", line.produce.codec, "none, gzip, snappy, lz4, zstd")
      ->check(CLI::IsMember({"none", "gzip", "snappy", "lz4", "zstd"}));
  produce
      ->add_option("--acks", line.produce.acks,
                   "0: none; 1: the leader's; all: every replica's in sync (default)")
      ->check(CLI::IsMember({"0", "1", "all", "-1"}));
  produce->add_option(
      "-f,--format", line.produce.format,
      "how a line is read: %v value, %k key, %h headers (k=v,k=v), %p partition, %T timestamp");

  produce->add_flag("-Z,--empty-is-null", line.produce.empty_is_null,
                    "an empty key or value is sent as null");

  CLI::App* consume = add_verb(app, "consume", "print records; goes on until it has enough",
                               "tidemark consume orders --offset start --until-end -f '%p %o %k=%v\\n'",
                               chosen, [&](const GlobalOptions& g) { return cli::consume(g, line.consume); });
  consume->add_option("TOPIC", line.consume.topics, "topics")->required();
  consume->add_option("-g,--group", line.group, "read as a member of a consumer group (not in this release)");
  consume->add_option(
      "--offset", line.consume.offset,
      "where to begin: start (default), end, N, -N (the last N), @TIME (ms since 1970, or ISO 8601)");
  consume->add_option("-n,--count", line.consume.count, "stop after so many records")
      ->check(CLI::NonNegativeNumber);
  consume->add_flag("-e,--until-end", line.consume.until_end,
                    "stop at the ends that the partitions have now");
  consume->add_option("-p,--partition", line.consume.partitions, "a partition, may be repeated; none: all")
      ->allow_extra_args(false)
      ->check(CLI::NonNegativeNumber);
  consume->add_option("-f,--format", line.consume.format, kFormatHelp);
  consume->add_option("--isolation", line.consume.isolation, "read_uncommitted (default) or read_committed")
      ->check(CLI::IsMember({"read_uncommitted", "read_committed"}));
}

void add_cluster(CLI::App& app, Verb& chosen) {
  CLI::App& cluster = *add_family(app, "cluster", "the cluster as a whole", "tidemark cluster info");
  add_verb(cluster, "info", "its id, its controller, its brokers", "tidemark -b 127.0.0.1:9092 cluster info",
           chosen, [](const GlobalOptions& g) { return cluster_info(g); });
}

void add_config(CLI::App& app, Line& line, Verb& chosen) {
  CLI::App& config = *add_family(app, "config", "settings of topics, brokers, groups and client metrics",
                                 "tidemark config get topic orders");
  const auto resource = [](CLI::App* verb, std::string& type, std::string& name) {
    verb->add_option("TYPE", type, "topic, broker, group or client-metrics")
        ->required()
        ->check(CLI::IsMember({"topic", "broker", "group", "client-metrics"}));
    verb->add_option("NAME", name, "its name; a broker's number, or default for all brokers")->required();
  };
  CLI::App* get = add_verb(config, "get", "show settings: those asked for, else those that somebody set",
                           "tidemark config get topic orders retention.ms", chosen,
                           [&](const GlobalOptions& g) { return config_get(g, line.get); });
  resource(get, line.get.type, line.get.name);
  get->add_option("KEY", line.get.keys, "settings");
  get->add_flag("-a,--all", line.get.all, "defaults too");
  CLI::App* set =
      add_verb(config, "set", "change settings", "tidemark config set topic orders retention.ms=60000",
               chosen, [&](const GlobalOptions& g) { return config_alter(g, line.change); });
  resource(set, line.change.type, line.change.name);
  set->add_option("KEY=VALUE", line.change.set, "settings")->required();
  CLI::App* unset = add_verb(config, "unset", "return settings to their defaults",
                             "tidemark config unset topic orders retention.ms", chosen,
                             [&](const GlobalOptions& g) { return config_alter(g, line.change); });
  resource(unset, line.change.type, line.change.name);
  unset->add_option("KEY", line.change.unset, "settings")->required();
}

void add_log(CLI::App& app, Line& line, Verb& chosen) {
  CLI::App& log =
      *add_family(app, "log", "look into a data folder, offline", "tidemark log verify tidemark-data");
  CLI::App* dump =
      add_verb(log, "dump", "what segments, indexes and journal files hold",
               "tidemark log dump tidemark-data/orders-0/00000000000000000000.log --records -o json", chosen,
               [&](const GlobalOptions& g) { return log_dump(g, line.dump); });
  dump->add_option("FILE", line.dump.files, ".log, .index, .timeindex, .journal")->required();
  dump->add_flag("--records", line.dump.records, "the records of each batch too");
  CLI::App* verify = add_verb(log, "verify", "check every segment: checksums, offsets, epochs, indexes",
                              "tidemark log verify tidemark-data", chosen,
                              [&](const GlobalOptions& g) { return log_verify(g, line.verify); });
  verify->add_option("DIR", line.verify.folder, "a data folder, or one partition's")->required();
}

std::string meant(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  const std::string_view nearest = client::nearest_word(word, candidates);
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
}

// The verb, family or option that there is none of, and the nearest one; empty where that is not what is
// wrong.
std::string unknown_word(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") return "";  // arguments from here on
    if (word.size() > 1 && word.front() == '-') {
      const std::string name = word.starts_with("--") ? word.substr(0, word.find('=')) : word.substr(0, 2);
      const CLI::Option* option = at->get_option_no_throw(name);
      if (option == nullptr) option = app.get_option_no_throw(name);
      if (option == nullptr) {
        std::vector<std::string> known;
        for (const CLI::App* one : {at, &app}) {
          for (const CLI::Option* each : one->get_options()) {
            for (const std::string& lname : each->get_lnames()) known.push_back("--" + lname);
          }
        }
        return fmt::format("there is no option {}{}", name, meant(name, known));
      }
      const bool apart = word == name;
      if (apart && option->get_items_expected_min() > 0) ++i;  // its value
      continue;
    }
    const std::vector<const CLI::App*> verbs = at->get_subcommands([](const CLI::App*) { return true; });
    if (verbs.empty()) continue;  // an argument
    const auto verb = std::find_if(verbs.begin(), verbs.end(),
                                   [&](const CLI::App* each) { return each->get_name() == word; });
    if (verb == verbs.end()) {
      std::vector<std::string> names;
      for (const CLI::App* each : verbs) names.push_back(each->get_name());
      const std::string nearest = meant(word, names);
      return fmt::format("there is no command {}{}", word,
                         nearest.empty() ? fmt::format("; there are {}", fmt::join(names, ", ")) : nearest);
    }
    at = *verb;
  }
  return "";
}

// "jsn not in {table,json,yaml}": the nearest of them. Where none is near, that list says enough.
std::string unknown_choice(const std::string& message) {
  const size_t middle = message.find(" not in {");
  if (middle == std::string::npos || !message.ends_with('}')) return "";
  const size_t begin = message.rfind(' ', middle - 1);
  const std::string word = message.substr(begin == std::string::npos ? 0 : begin + 1, middle - begin - 1);
  std::vector<std::string> known;
  std::string_view rest = std::string_view(message).substr(middle + 9);
  rest.remove_suffix(1);
  while (!rest.empty()) {
    known.emplace_back(rest.substr(0, rest.find(',')));
    rest.remove_prefix(std::min(rest.size(), known.back().size() + 1));
  }
  return meant(word, known);
}

Result<GlobalOptions> global_options(const Line& line) {
  GlobalOptions global;
  if (line.output == "table") global.format = OutputFormat::table;
  if (line.output == "json") global.format = OutputFormat::json;
  if (line.output == "yaml") global.format = OutputFormat::yaml;
  if (!line.config_file.empty()) TRY(apply_config_file(line.config_file, global));
  std::string_view bootstrap = line.bootstrap;
  if (bootstrap.empty() && global.cluster.bootstrap.empty()) {
    const char* environment = std::getenv("TIDEMARK_BOOTSTRAP");
    bootstrap = environment != nullptr && *environment != '\0' ? environment : kDefaultBootstrap;
  }
  if (!bootstrap.empty()) {
    TRY_ASSIGN(global.cluster.bootstrap, client::parse_bootstrap(bootstrap));
  }
  return global;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Line line;
  Verb chosen;
  CLI::App app("Tidemark's command line: topics, records, settings and the cluster", "tidemark");
  app.footer(
      "Exit status: 0 done, 1 the cluster refused (its error by name), 2 bad usage.\n"
      "Example:\n  tidemark -b 127.0.0.1:9092 topic list");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("-b,--bootstrap", line.bootstrap,
                 "brokers, HOST:PORT,...; else bootstrap.servers of --config, else TIDEMARK_BOOTSTRAP, else "
                 "127.0.0.1:9092");
  app.add_option("-o,--output", line.output,
                 "table, json or yaml; without it a table on a terminal, else plain lines")
      ->check(CLI::IsMember({"table", "json", "yaml"}));
  app.add_option("--config", line.config_file, "a client's settings in Kafka's properties format");
  add_topic(app, line, chosen);
  add_records(app, line, chosen);
  add_cluster(app, chosen);
  add_config(app, line, chosen);
  add_log(app, line, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error) == 0 ? kDone : kBadUsage;  // help, version
    const std::vector<std::string> words(argv + 1, argv + argc);
    std::string what = unknown_word(app, words);
    if (what.empty()) what = error.what() + unknown_choice(error.what());
    Output(OutputFormat::automatic).error(Error::config(what + "; --help says more"));
    return kBadUsage;
  }
  const Output speaker(OutputFormat::automatic);
  if (!line.group.empty()) {
    speaker.error(Error::config("-g: consumer groups follow with a later release; read by partition (-p)"));
    return kBadUsage;
  }
  const Result<GlobalOptions> global = global_options(line);
  if (!global) {
    speaker.error(global.error());
    return exit_status(global.error());
  }
  return chosen(*global);
}

}  // namespace tidemark::cli
