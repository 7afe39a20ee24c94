// The command line: every verb, its options, its help.
#include <cstdlib>

#include "client/cli/bad_usage.h"
#include "client/cli/client_config.h"
#include "client/cli/verbs.h"
#include "client/core/client_properties.h"

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
  GroupLine groups;
  PerfProduce perf_produce;
  PerfConsume perf_consume;
  PerfLatency perf_latency;
  ConfigGet get;
  ConfigAlter change;
  LogDump dump;
  LogVerify verify;
};

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

void add_limits(CLI::App* verb, PerfLimits& limits, bool records) {
  if (records) {
    verb->add_option("--records", limits.records, "stop after so many records")
        ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000'000}));
  }
  verb->add_option("--seconds", limits.seconds,
                   records ? "stop after so many seconds (default 10, unless --records says when)"
                           : "stop after so many seconds (default 10)")
      ->check(CLI::Range(0.1, 604'800.0));
}

void add_load(CLI::App* verb, PerfLoad& load, int64_t least_bytes) {
  verb->add_option("--size", load.record_bytes, "bytes of a record's value, random letters (default 100)")
      ->check(CLI::Range(least_bytes, int64_t{1} << 30));
  verb->add_option("--acks", load.acks,
                   "0: none, acknowledged once written to the connection; 1: the leader's; all: every "
                   "replica's in sync (default)")
      ->check(CLI::IsMember({"0", "1", "all", "-1"}));
  verb->add_option("-z,--compression", load.codec, "none, gzip, snappy, lz4, zstd")
      ->check(CLI::IsMember({"none", "gzip", "snappy", "lz4", "zstd"}));
  verb->add_flag(
      "--idempotent,!--no-idempotent", [&load](int64_t said) { load.idempotent = said > 0; },
      "no retry writes a record twice (default with --acks all)");
  verb->add_option("--batch-bytes", load.batch_bytes, "a batch is sent when it would grow beyond (16384)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30));
}

void add_perf(CLI::App& app, Line& line, Verb& chosen) {
  CLI::App& perf = *add_family(app, "perf", "measure: writing, reading, and from one to the other",
                               "tidemark perf latency orders --rate 1000 --seconds 30");
  const CLI::Range rates(int64_t{1}, int64_t{10'000'000});
  const CLI::Range lingers(int64_t{0}, int64_t{60'000});

  CLI::App* produce =
      add_verb(perf, "produce",
               "write records and time their acknowledgements: p50, p90, p99, p99.9, max. A record's time "
               "counts from when it was handed over; with --rate from when it was due, whatever the broker "
               "did (no coordinated omission)",
               "tidemark perf produce orders --seconds 30 --size 1000 --rate 5000 -z lz4", chosen,
               [&](const GlobalOptions& g) { return perf_produce(g, line.perf_produce); });
  PerfProduce& written = line.perf_produce;
  produce->add_option("TOPIC", written.topic, "the topic")->required();
  add_limits(produce, written.limits, true);
  produce->add_option("--rate", written.load.rate, "records a second; without it as many as can be written")
      ->check(rates);
  add_load(produce, written.load, 1);
  produce->add_option("--linger-ms", written.load.linger_ms, "how long a batch waits for more records (5)")
      ->check(lingers);
  produce->add_option("-p,--partition", written.partition, "the partition; else in turn")
      ->check(CLI::NonNegativeNumber);

  CLI::App* consume = add_verb(
      perf, "consume",
      "read records and time the fetches that bring some, the broker's wait for new records included",
      "tidemark perf consume orders --records 1000000", chosen,
      [&](const GlobalOptions& g) { return perf_consume(g, line.perf_consume); });
  PerfConsume& read = line.perf_consume;
  consume->add_option("TOPIC", read.topics, "topics")->required();
  add_limits(consume, read.limits, true);
  consume->add_option(
      "--offset", read.offset,
      "where to begin: start (default), end, N, -N (the last N), @TIME (ms since 1970, or ISO 8601)");
  consume->add_option("-p,--partition", read.partitions, "a partition, may be repeated; none: all")
      ->allow_extra_args(false)
      ->check(CLI::NonNegativeNumber);

  CLI::App* latency =
      add_verb(perf, "latency",
               "write records at a fixed rate, read them back, and time the way from when each was due (no "
               "coordinated omission) until it is in the reader's hands: p50, p90, p99, p99.9, max",
               "tidemark perf latency orders --rate 1000 --seconds 30 --acks all", chosen,
               [&](const GlobalOptions& g) { return perf_latency(g, line.perf_latency); });
  PerfLatency& echoed = line.perf_latency;
  latency->add_option("TOPIC", echoed.topic, "the topic; every partition gets its share")->required();
  add_limits(latency, echoed.limits, false);
  latency->add_option("--rate", echoed.load.rate, "records a second (default 1000)")->check(rates);
  add_load(latency, echoed.load, kPerfMarkBytes);
  latency->add_option("--linger-ms", echoed.load.linger_ms, "how long a batch waits for more records (0)")
      ->check(lingers);
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
  add_group(app, line.groups, chosen);
  add_cluster(app, chosen);
  add_config(app, line, chosen);
  add_log(app, line, chosen);
  add_perf(app, line, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error) == 0 ? kDone : kBadUsage;  // help, version
    const std::vector<std::string> words(argv + 1, argv + argc);
    Output(OutputFormat::automatic).error(bad_usage(app, words, error.what()));
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
