// tidemarkd: arguments, configuration, and then run_daemon(). Exit 0: stopped by a signal, or asked for
// something that was printed; 1: could not start; 2: bad arguments or configuration.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "broker/daemon.h"
#include "broker/observe/spdlog_log.h"
#include "config/loader.h"
#include "config/report.h"
#include "protocol/version.h"

using namespace tidemark;

namespace {

int fail_with(const std::string& message) {
  std::fprintf(stderr, "tidemarkd: %s\n", message.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The Tidemark broker: a Kafka-compatible message broker in one binary.", "tidemarkd");
  app.footer(
      "Example: tidemarkd --data-dir /var/lib/tidemark --listen 127.0.0.1:9092 --set num.partitions=3");
  std::string config_file, check_file, log_format = "text", plant;
  std::vector<std::string> sets;
  std::map<std::string, std::string> flags{
      {"--node-id", ""}, {"--data-dir", ""}, {"--listen", ""}, {"--http", ""}};
  bool version = false;
  app.add_option("--config", config_file, "configuration: our YAML, or Kafka's server.properties");
  app.add_option("--check-config", check_file, "validate FILE, print the effective configuration, and exit");
  app.add_option("--node-id", flags["--node-id"], "this node's id (default 1)");
  app.add_option("--data-dir", flags["--data-dir"], "the data folder (default ./tidemark-data)");
  app.add_option("--listen", flags["--listen"],
                 "HOST:PORT for Kafka clients (default 127.0.0.1:9092; port 0: any free)");
  app.add_option("--http", flags["--http"], "HOST:PORT for metrics and health (default 127.0.0.1:9644)");
  app.add_option("--set", sets, "KEY=VALUE: one setting, over the file's")->take_all();
  app.add_option("--log-format", log_format, "text or json")->check(CLI::IsMember({"text", "json"}));
  app.add_option("--plant", plant, "plant a bug, for the project's own tests: never in production")
      ->group("");
  app.add_flag("--version", version, "print the version and exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (version) {
    std::puts("tidemarkd " TIDEMARK_VERSION);
    return 0;
  }
  std::vector<config::WrittenSetting> overrides;
  for (const auto& [flag, value] : flags) {
    if (!value.empty()) overrides.push_back(config::flag_setting(flag, value));
  }
  for (const std::string& set : sets) {
    auto written = config::parse_override(set);
    if (!written) return fail_with(written.error().message());
    overrides.push_back(std::move(*written));
  }
  std::optional<std::string> path;
  if (!config_file.empty()) path = config_file;
  if (!check_file.empty()) path = check_file;
  auto node = config::load_node_config(path, overrides);
  if (!node) return fail_with(node.error().message());
  if (!check_file.empty()) {
    std::fputs(config::check_config(*node).c_str(), stdout);
    return 0;
  }
  auto planted = storage::Planted::none;
  if (!plant.empty()) {
    const auto found = storage::parse_planted(plant);
    if (!found) return fail_with("no planted bug is called " + plant);
    planted = *found;
  }
  broker::LogOptions options;
  if (log_format == "json") options.format = broker::LogFormat::json;
  broker::block_stop_signals();
  const auto log = broker::make_stderr_log(options);
  for (const std::string& warning : node->warnings) log->warn(warning);
  return broker::run_daemon(*node, *log, planted);
}
