// `tidemark config`: get, set, unset, for topics, brokers, groups and client metrics.
#include "client/cli/session.h"
#include "client/core/co_try.h"
#include "client/core/nearest.h"

namespace tidemark::cli {
namespace {

using runtime::Task;

// DescribeConfigs' config_source, by number.
constexpr std::array<std::string_view, 9> kSources = {
    "unknown", "topic", "broker", "cluster", "file", "default", "broker-logger", "client-metrics", "group"};
constexpr int8_t kFromFile = 4;
constexpr int8_t kFromDefault = 5;

std::string_view source_name(int8_t source) {
  return source >= 0 && static_cast<size_t>(source) < kSources.size() ? kSources[static_cast<size_t>(source)]
                                                                      : kSources[0];
}

Result<client::Resource> resource_of(const std::string& type, const std::string& name) {
  client::Resource resource{client::ResourceType::topic, name};
  if (type == "broker") resource.type = client::ResourceType::broker;
  if (type == "group") resource.type = client::ResourceType::group;
  if (type == "client-metrics") resource.type = client::ResourceType::client_metrics;
  if (resource.type == client::ResourceType::broker && name == "default") resource.name.clear();
  if (resource.type == client::ResourceType::broker && !resource.name.empty()) {
    TRY(parse_number(name, "broker", 0, INT32_MAX));
  }
  return resource;
}

Task<Result<int>> get(Session& session, const ConfigGet& command) {
  std::vector<client::Resource> resources;
  CO_TRY_ASSIGN(client::Resource resource, resource_of(command.type, command.name));
  resources.push_back(std::move(resource));
  auto asking = session.admin.describe_configs(resources);
  const auto described = co_await asking;
  if (!described) co_return fail(Error(described.error()));
  const client::ResourceConfigs& configs = described->front();
  if (configs.error) co_return fail(Error(*configs.error));
  Value::List rows;
  std::set<std::string> missing(command.keys.begin(), command.keys.end());
  for (const client::ConfigEntry& entry : configs.entries) {
    const bool named = missing.erase(entry.name) > 0;
    const bool set = entry.source != kFromDefault && entry.source != kFromFile;
    if (!command.keys.empty() ? !named : !command.all && !set) continue;
    rows.push_back(Value::object({{"name", entry.name},
                                  {"value", entry.value ? Value(*entry.value) : Value()},
                                  {"source", source_name(entry.source)},
                                  {"read_only", entry.read_only},
                                  {"sensitive", entry.sensitive}}));
  }
  session.out.data(Value(rows));
  std::vector<std::string_view> known;
  for (const client::ConfigEntry& entry : configs.entries) known.push_back(entry.name);
  for (const std::string& name : missing) {
    const std::string_view nearest = client::nearest_word(name, known);
    session.out.error(
        Error(ErrorCode::INVALID_CONFIG,
              fmt::format("there is no setting {}{}", name,
                          nearest.empty() ? std::string() : fmt::format("; did you mean {}?", nearest))));
  }
  co_return missing.empty() ? kDone : kRefused;
}

Task<Result<int>> alter(Session& session, const ConfigAlter& command) {
  CO_TRY_ASSIGN(client::Resource resource, resource_of(command.type, command.name));
  std::vector<client::ConfigChange> changes;
  for (const std::string& text : command.set) {
    CO_TRY_ASSIGN(auto config, parse_pair(text, "setting"));
    changes.push_back({std::move(config.first), std::move(config.second)});
  }
  for (const std::string& name : command.unset) changes.push_back({name, std::nullopt});
  auto altering = session.admin.alter_configs(resource, changes);
  const auto altered = co_await altering;
  if (!altered) co_return fail(Error(altered.error()));
  if (altered->error) co_return fail(Error(*altered->error));
  Value::List rows;
  for (const client::ConfigChange& change : changes) {
    rows.push_back(
        Value::object({{"name", change.name}, {"value", change.value ? Value(*change.value) : Value()}}));
  }
  session.out.data(Value(rows));
  co_return kDone;
}

}  // namespace

int config_get(const GlobalOptions& g, const ConfigGet& command) { return run_session(g, command, get); }
int config_alter(const GlobalOptions& g, const ConfigAlter& command) {
  return run_session(g, command, alter);
}

}  // namespace tidemark::cli
