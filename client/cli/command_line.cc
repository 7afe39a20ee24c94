// The command line: every verb, its options, its help.
#include <cstdlib>

#include "client/cli/client_config.h"
#include "client/cli/complete.h"
#include "client/cli/parser.h"
#include "client/cli/verbs.h"
#include "client/core/client_properties.h"
#include "protocol/version.h"

namespace tidemark::cli {
namespace {

constexpr const char* kVersion = "tidemark " TIDEMARK_VERSION;
constexpr const char* kDefaultBootstrap = "127.0.0.1:9092";

// What the command line holds before it is understood.
struct Line {
  std::optional<std::string> bootstrap;
  std::optional<std::string> config_file;
  std::string output;
  TopicCreate create;
  TopicList list;
  TopicDescribe describe;
  TopicAlter alter;
  TopicDelete remove;
  TopicTrim trim;
  Produce produce;
  Consume consume;
  GroupLine groups;
  QuotaLine quotas;
  PerfLine perf;
  ConfigGet get;
  ConfigAlter change;
  LogDump dump;
  LogVerify verify;
  std::string shell;
};

void add_topic(Verb& app, Line& line) {
  Verb& topic = app.family("topic", "create, list, describe, alter, delete and trim topics",
                           "tidemark topic create orders -p 3");

  Verb& create = topic.verb("create", "create topics",
                            "tidemark topic create orders -p 12 -r 3 -c retention.ms=86400000",
                            [&](const GlobalOptions& g) { return topic_create(g, line.create); });
  create.option("NAME", &line.create.names, "names").required();
  create.option("-p,--partitions", &line.create.partitions, "partitions; else the cluster's num.partitions")
      .range(1, 1'000'000);
  create
      .option("-r,--replication", &line.create.replication,
              "replicas of each partition; else the cluster's default.replication.factor")
      .range(1, 1'000);
  create.option("-c,--setting", &line.create.configs, "a setting, key=value; may be repeated")
      .names(Names::setting_value);
  create.option("--validate-only", &line.create.validate_only, "say what would happen, change nothing");

  Verb& list = topic.verb("list", "list topics", "tidemark topic list -o json",
                          [&](const GlobalOptions& g) { return topic_list(g, line.list); });
  list.option("--internal", &line.list.internal, "those of Kafka's own machinery too");

  Verb& describe = topic.verb("describe", "partitions, leaders, replicas, offsets, own settings",
                              "tidemark topic describe orders",
                              [&](const GlobalOptions& g) { return topic_describe(g, line.describe); });
  describe.option("NAME", &line.describe.names, "names; none: every topic").names(Names::topic);

  Verb& alter = topic.verb("alter", "add partitions, change settings",
                           "tidemark topic alter orders -p 24 -c retention.ms=3600000 -d cleanup.policy",
                           [&](const GlobalOptions& g) { return topic_alter(g, line.alter); });
  alter.option("NAME", &line.alter.name, "the topic").required().names(Names::topic);
  alter.option("-p,--partitions", &line.alter.partitions, "how many partitions it shall have")
      .range(1, 1'000'000);
  alter.option("-c,--setting", &line.alter.configs, "a setting, key=value; may be repeated")
      .names(Names::setting_value);
  alter.option("-d,--unset", &line.alter.removed, "a setting to return to its default; may be repeated")
      .names(Names::setting);

  Verb& remove = topic.verb("delete", "delete topics and all that is in them", "tidemark topic delete orders",
                            [&](const GlobalOptions& g) { return topic_delete(g, line.remove); });
  remove.option("NAME", &line.remove.names, "names").required().names(Names::topic);

  Verb& trim =
      topic.verb("trim", "remove the records before an offset: prints where the partitions begin now",
                 "tidemark topic trim orders --before 5000 -p 0",
                 [&](const GlobalOptions& g) { return topic_trim(g, line.trim); });
  trim.option("NAME", &line.trim.name, "the topic").required().names(Names::topic);
  trim.option(
          "--before", &line.trim.before,
          "what to keep from: N, start, end (keeps nothing), -N (the last N), @TIME (ms since 1970, or ISO "
          "8601)")
      .required()
      .suggest({"start", "end"});
  trim.option("-p,--partition", &line.trim.partitions, "a partition, may be repeated; none: all").at_least(0);
}

constexpr const char* kFormatHelp =
    "%v value, %k key, %h headers, %T timestamp, %p partition, %t topic, %o offset, %V %K lengths, %% \\n "
    "\\t \\xHH";

void add_records(Verb& app, Line& line) {
  Verb& produce = app.verb("produce", "write a record from each line of the standard input",
                           "printf 'a:1\\nb:2\\n' | tidemark produce orders -f '%k:%v\\n' -z zstd",
                           [&](const GlobalOptions& g) { return cli::produce(g, line.produce); });
  produce.option("TOPIC", &line.produce.topic, "the topic").required().names(Names::topic);
  produce.option("-k,--key", &line.produce.key, "the key of every record");
  produce.option("-H,--header", &line.produce.headers,
                 "a header of every record, key=value; may be repeated");
  produce.option("-p,--partition", &line.produce.partition, "the partition; else by key, or in turn")
      .at_least(0);
  produce.option("-z,--compression", &line.produce.codec, "none, gzip, snappy, lz4, zstd")
      .one_of({"none", "gzip", "snappy", "lz4", "zstd"});
  produce
      .option("--acks", &line.produce.acks,
              "0: none; 1: the leader's; all: every replica's in sync (default)")
      .one_of({"0", "1", "all", "-1"});
  produce.option("-f,--format", &line.produce.format,
                 "how a line is read: %v value, %k key, %h headers (k=v,k=v), %p partition, %T timestamp");

  produce.option("-Z,--empty-is-null", &line.produce.empty_is_null, "an empty key or value is sent as null");

  Verb& consume = app.verb("consume", "print records; goes on until it has enough",
                           "tidemark consume orders --offset start --until-end -f '%p %o %k=%v\\n'",
                           [&](const GlobalOptions& g) { return cli::consume(g, line.consume); });
  consume.option("TOPIC", &line.consume.topics, "topics").required().names(Names::topic);
  consume
      .option("-g,--group", &line.consume.group,
              "read as a member of a consumer group: from where it has committed, else --offset; what was "
              "printed is committed")
      .names(Names::group);
  consume
      .option("--offset", &line.consume.offset,
              "where to begin: start (default), end, N, -N (the last N), @TIME (ms since 1970, or ISO 8601)")
      .suggest({"start", "end"});
  consume.option("-n,--count", &line.consume.count, "stop after so many records").at_least(0);
  consume.option("-e,--until-end", &line.consume.until_end, "stop at the ends that the partitions have now");
  consume.option("-p,--partition", &line.consume.partitions, "a partition, may be repeated; none: all")
      .at_least(0);
  consume.option("-f,--format", &line.consume.format, kFormatHelp);
  consume.option("--isolation", &line.consume.isolation, "read_uncommitted (default) or read_committed")
      .one_of({"read_uncommitted", "read_committed"});
}

void add_cluster(Verb& app) {
  Verb& cluster = app.family("cluster", "the cluster as a whole", "tidemark cluster health");
  cluster.verb("info", "its id, its controller, its brokers", "tidemark -b 127.0.0.1:9092 cluster info",
               [](const GlobalOptions& g) { return cluster_info(g); });
  cluster.verb("health",
               "what is wrong, with whom, and what to do: brokers, partitions, log folders, groups; exit "
               "status 1 if anything is",
               "tidemark cluster health", [](const GlobalOptions& g) { return cluster_health(g); });
}

void add_config(Verb& app, Line& line) {
  Verb& config = app.family("config", "settings of topics, brokers, groups and client metrics",
                            "tidemark config get topic orders");
  const auto resource = [](Verb& verb, std::string& type, std::string& name) {
    verb.option("TYPE", &type, "topic, broker, group or client-metrics")
        .required()
        .one_of({"topic", "broker", "group", "client-metrics"});
    verb.option("NAME", &name, "its name; a broker's number, or default for all brokers")
        .required()
        .names(Names::settings_owner);
  };
  Verb& get = config.verb("get", "show settings: those asked for, else those that somebody set",
                          "tidemark config get topic orders retention.ms",
                          [&](const GlobalOptions& g) { return config_get(g, line.get); });
  resource(get, line.get.type, line.get.name);
  get.option("KEY", &line.get.keys, "settings").names(Names::setting);
  get.option("-a,--all", &line.get.all, "defaults too");
  Verb& set = config.verb("set", "change settings", "tidemark config set topic orders retention.ms=60000",
                          [&](const GlobalOptions& g) { return config_alter(g, line.change); });
  resource(set, line.change.type, line.change.name);
  set.option("KEY=VALUE", &line.change.set, "settings").required().names(Names::setting_value);
  Verb& unset = config.verb("unset", "return settings to their defaults",
                            "tidemark config unset topic orders retention.ms",
                            [&](const GlobalOptions& g) { return config_alter(g, line.change); });
  resource(unset, line.change.type, line.change.name);
  unset.option("KEY", &line.change.unset, "settings").required().names(Names::setting);
}

void add_log(Verb& app, Line& line) {
  Verb& log = app.family("log", "look into a data folder, offline", "tidemark log verify tidemark-data");
  Verb& dump = log.verb("dump", "what segments, indexes and journal files hold",
                        "tidemark log dump tidemark-data/orders-0/00000000000000000000.log --records -o json",
                        [&](const GlobalOptions& g) { return log_dump(g, line.dump); });
  dump.option("FILE", &line.dump.files, ".log, .index, .timeindex, .journal").required().names(Names::file);
  dump.option("--records", &line.dump.records, "the records of each batch too");
  Verb& verify = log.verb("verify", "check every segment: checksums, offsets, epochs, indexes",
                          "tidemark log verify tidemark-data",
                          [&](const GlobalOptions& g) { return log_verify(g, line.verify); });
  verify.option("DIR", &line.verify.folder, "a data folder, or one partition's")
      .required()
      .names(Names::folder);
}

void add_completion(Verb& root, Line& line) {
  Verb& completion =
      root.verb("completion", "print a script that teaches a shell to complete this command with Tab",
                "source <(tidemark completion bash)", [&](const GlobalOptions&) {
                  write_stdout(completion_script(line.shell));
                  return flush_stdout() ? kDone : kRefused;
                });
  completion.option("SHELL", &line.shell, "bash, zsh or fish").required().one_of({"bash", "zsh", "fish"});
}

Result<GlobalOptions> global_options(const Line& line) {
  GlobalOptions global;
  if (line.output == "table") global.format = OutputFormat::table;
  if (line.output == "json") global.format = OutputFormat::json;
  if (line.output == "yaml") global.format = OutputFormat::yaml;
  // What is given and empty is a variable that is not set: it must not mean another cluster.
  if (line.config_file && line.config_file->empty()) return fail(Error::config("--config: names no file"));
  if (line.config_file) TRY(apply_config_file(*line.config_file, global));
  std::optional<std::string> bootstrap = line.bootstrap;
  if (!bootstrap && global.cluster.bootstrap.empty()) {
    const char* environment = std::getenv("TIDEMARK_BOOTSTRAP");
    bootstrap = environment != nullptr && *environment != '\0' ? environment : kDefaultBootstrap;
  }
  if (bootstrap) {
    TRY_ASSIGN(global.cluster.bootstrap, client::parse_bootstrap(*bootstrap));
  }
  return global;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Line line;
  const Output speaker(OutputFormat::automatic);
  Verb root;
  root.name = "tidemark";
  root.what = "Tidemark's command line: topics, records, settings and the cluster";
  root.footer =
      "Exit status: 0 done, 1 the cluster refused (its error by name), 2 bad usage.\n"
      "Example:\n  tidemark -b 127.0.0.1:9092 topic list";
  root.option("-b,--bootstrap", &line.bootstrap,
              "brokers, HOST:PORT,...; else bootstrap.servers of --config, else TIDEMARK_BOOTSTRAP, else "
              "127.0.0.1:9092")
      .names(Names::brokers);
  root.option("-o,--output", &line.output,
              "table, json or yaml; without it a table on a terminal, else plain lines")
      .one_of({"table", "json", "yaml"});
  root.option("--config", &line.config_file, "a client's settings in Kafka's properties format")
      .names(Names::client_config);
  add_topic(root, line);
  add_records(root, line);
  add_group(root, line.groups);
  add_cluster(root);
  add_config(root, line);
  add_quota(root, line.quotas);
  add_log(root, line);
  add_perf(root, line.perf);
  add_completion(root, line);
  if (argc > 1 && argv[1] == kCompleteWord) {
    const auto find = [&](const std::string& bootstrap, const std::string& file) {
      if (!bootstrap.empty()) line.bootstrap = bootstrap;
      if (!file.empty()) line.config_file = file;
      const Result<GlobalOptions> global = global_options(line);
      return global ? std::optional(*global) : std::nullopt;
    };
    return complete(root, std::vector<std::string>(argv + 2, argv + argc), find);
  }
  const Result<Parsed> parsed = parse(root, kVersion, argc, argv);
  if (!parsed) {
    speaker.error(parsed.error());
    return kBadUsage;
  }
  if (parsed->verb == nullptr) return write_stdout(parsed->text) && flush_stdout() ? kDone : kRefused;
  const Result<GlobalOptions> global = global_options(line);
  if (!global) {
    speaker.error(global.error());
    return exit_status(global.error());
  }
  return parsed->verb->run(*global);
}

}  // namespace tidemark::cli
