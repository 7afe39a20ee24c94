#include "config/report.h"

#include <fmt/format.h>

#include <iterator>

#include "config/describe.h"
#include "config/settings.h"

namespace tidemark::config {
namespace {

void count(StatusCounts& counts, Status status) {
  switch (status) {
    case Status::honoured: ++counts.honoured; return;
    case Status::refused: ++counts.refused; return;
    case Status::ignored: ++counts.ignored; return;
  }
}

std::string printed(const StatusCounts& counts) {
  return fmt::format("{} honoured, {} refused, {} ignored", counts.honoured, counts.refused, counts.ignored);
}

}  // namespace

StatusCounts count_table() {
  StatusCounts counts;
  for (const Scope scope : {Scope::broker, Scope::topic, Scope::group, Scope::client_metrics}) {
    for (const Setting* setting : settings_of(scope)) count(counts, setting->status);
  }
  return counts;
}

StatusCounts count_written(const NodeConfig& node) {
  StatusCounts counts;
  for (const auto& [name, value] : node.properties) {
    if (name == node.mirrored) continue;
    const Setting* setting = find_setting(Scope::broker, name);
    count(counts, setting != nullptr ? setting->status : Status::ignored);
  }
  return counts;
}

std::string check_config(const NodeConfig& node) {
  std::string report;
  const auto line = [&](std::string_view text) {
    report += text;
    report += '\n';
  };
  line(fmt::format("node {}{}: broker and controller of a cluster of one", node.node_id.value,
                   node.rack ? fmt::format(" in rack {}", *node.rack) : ""));
  for (const Listener& listener : node.listeners) {
    line(fmt::format("listener {} on {}, advertised as {}", listener.name, listener.address.to_string(),
                     listener.advertised ? listener.advertised->to_string()
                                         : std::string("the address that a client connected to")));
  }
  line(fmt::format("http on {}", node.http.to_string()));
  line(fmt::format("data in {}", fmt::join(node.data_dirs, ", ")));

  line("\neffective settings (* written down):");
  const BrokerLayers layers{nullptr, nullptr, &node.properties};
  for (const Setting* setting : settings_of(Scope::broker)) {
    const bool written = node.properties.contains(setting->name) && setting->name != node.mirrored;
    if (setting->status != Status::honoured && !written) continue;
    std::string value = setting->is_sensitive() ? std::string("[hidden]")
                                                : broker_value(*setting, layers).value_or("(unset)");
    line(fmt::format(
        "{} {} = {}{}", written ? '*' : ' ', setting->name, value,
        setting->status == Status::honoured ? "" : fmt::format("   [{}]", status_name(setting->status))));
  }

  line(fmt::format("\nwritten down here: {}", printed(count_written(node))));
  line(fmt::format("known in all: {} (refused ones are accepted at their defaults)", printed(count_table())));
  for (const std::string& warning : node.warnings) line(fmt::format("warning: {}", warning));
  for (const std::string& exposure : node.exposures) line(fmt::format("warning: {}", exposure));
  return report;
}

}  // namespace tidemark::config
