// bench-load RUN --bootstrap HOST:PORT ...: loads a broker, Tidemark or genuine Kafka, and prints one JSON
// line about it. tests/bench/compare.sh runs it; see tests/bench/README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/bench/load/runs.h"

namespace {

using namespace tidemark::bench;
using nlohmann::json;

using tidemark::protocol::CompressionType;
const std::map<std::string, CompressionType> codecs{{"none", CompressionType::none},
                                                    {"gzip", CompressionType::gzip},
                                                    {"snappy", CompressionType::snappy},
                                                    {"lz4", CompressionType::lz4},
                                                    {"zstd", CompressionType::zstd}};

struct Options {
  Load load;
  std::vector<std::string> settings;
  double patience_s = 120;
};

Settings parsed(const std::vector<std::string>& settings) {
  Settings result;
  for (const std::string& setting : settings) {
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) throw std::runtime_error("a setting is KEY=VALUE, not " + setting);
    result[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  return result;
}

// For the time that a start takes: when the broker first answers, and when it has taken a record in every
// partition of the topic. Both on the clock that Python calls time.monotonic_ns().
json probe(const Options& options, bool create) {
  const Load& load = options.load;
  const Nanos until = now_ns() + static_cast<Nanos>(options.patience_s * 1e9);
  wait_for_answer(load.bootstrap, until);
  json report{{"answered_ns", now_ns()}};
  for (;;) {
    try {
      if (create) {
        create_topic(load.bootstrap, load.topic, load.partitions, parsed(options.settings));
      } else {
        Wire wire(load.bootstrap);
        wait_for_partitions(wire, load.topic, load.partitions);
      }
      break;
    } catch (const std::exception&) {
      if (now_ns() > until) throw;
    }
  }
  report["produced_ns"] = now_ns();
  return report;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Loads a Kafka-compatible broker and measures it.", "bench-load");
  app.require_subcommand(1);
  Options options;
  Load& load = options.load;
  json result;
  const auto run = [&](const char* name, const char* what, std::function<json()> work) {
    CLI::App* sub = app.add_subcommand(name, what);
    sub->add_option("--bootstrap", load.bootstrap, "HOST:PORT")->required();
    sub->add_option("--topic", load.topic)->required();
    sub->add_option("--pid", load.broker, "the broker's process");
    sub->add_option("--partitions", load.partitions);
    sub->add_option("--acks", load.acks, "1 or -1 (all)");
    sub->add_option("--connections", load.connections);
    sub->add_option("--in-flight", load.in_flight, "requests of a connection");
    sub->add_option("--record-bytes", load.record_bytes);
    sub->add_option("--batch-bytes", load.batch_bytes, "at most");
    sub->add_option("--codec", load.codec)->transform(CLI::CheckedTransformer(codecs));
    sub->add_option("--batches", load.batches, "in a request");
    sub->add_option("--rate", load.rate, "records a second");
    sub->add_option("--linger", load.linger_s, "seconds");
    sub->add_option("--warmup", load.warmup_s, "seconds");
    sub->add_option("--seconds", load.seconds);
    sub->add_option("--max-bytes", load.max_bytes);
    sub->add_option("--setting", options.settings, "KEY=VALUE of the topic");
    sub->add_option("--patience", options.patience_s, "seconds");
    sub->callback([&result, work] { result = work(); });
  };
  run("max", "as much as the broker takes", [&] { return run_max(load); });
  run("paced", "single records at a rate", [&] { return run_paced(load); });
  run("end-to-end", "single records at a rate, read back", [&] { return run_end_to_end(load); });
  run("stream", "batches, read back through a group", [&] { return run_stream(load); });
  run("catch-up", "reads the topic from its beginning", [&] { return run_catch_up(load); });
  run("create", "creates the topic and waits until it takes records", [&] {
    create_topic(load.bootstrap, load.topic, load.partitions, parsed(options.settings));
    return json::object();
  });
  run("delete", "deletes the topic", [&] {
    delete_topic(load.bootstrap, load.topic);
    return json::object();
  });
  run("probe", "when a starting broker takes records in a topic that it has",
      [&] { return probe(options, false); });
  run("probe-new", "when a starting broker takes records in a new topic",
      [&] { return probe(options, true); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench-load: {}\n", e.what());
    return 1;
  }
  fmt::print("{}\n", result.dump());
  return 0;
}
