#include "broker/telemetry/client_series.h"

#include <algorithm>

#include "broker/telemetry/otlp.h"
#include "protocol/json_text.h"

namespace tidemark::broker {

namespace {

// Changes with every join, and would make every series a new one.
constexpr std::string_view kLeftOut = "group_member_id";

// A scrape must be readable whatever a client sends.
std::string label_value(std::string_view text) {
  std::string out;
  while (!text.empty() && out.size() < ClientSeries::kMaxLabelBytes) {
    const size_t length = protocol::utf8_length(text);
    if (length == 0) {
      out += '?';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

// [a-zA-Z_][a-zA-Z0-9_]*, and not one of those that Prometheus keeps for itself.
std::string label_name(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, ClientSeries::kMaxLabelBytes)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    out += letter || (digit && !out.empty()) ? c : '_';
  }
  return out.empty() || out.starts_with("__") ? "attribute" + out : out;
}

constexpr ptrdiff_t kOwnLabels = 5;

MetricLabels labels_of(const TelemetryClient& client, const OtlpPoint& point) {
  MetricLabels labels{{"metric", label_value(point.metric)},
                      {"client_instance_id", client.instance.to_string()},
                      {"client_id", label_value(client.client_id)},
                      {"client_software_name", label_value(client.software_name)},
                      {"client_software_version", label_value(client.software_version)}};
  // The first of a name counts.
  for (const OtlpAttributes* attributes : {&point.attributes, point.of_client}) {
    for (const auto& [key, value] : *attributes) {
      std::string name = label_name(key);
      if (value.empty()) continue;  // the same as none, to Prometheus
      const bool known = std::ranges::any_of(labels, [&](const auto& label) { return label.first == name; });
      if (!known && name != kLeftOut) labels.emplace_back(std::move(name), label_value(value));
    }
  }
  // One series, in whatever order a client names its attributes.
  std::sort(labels.begin() + kOwnLabels, labels.end());
  return labels;
}

// What a series takes, roughly.
size_t bytes_of(const MetricLabels& labels) {
  size_t bytes = 128;
  for (const auto& [name, value] : labels)
    bytes += sizeof(MetricLabels::value_type) + name.size() + value.size();
  return bytes;
}

struct Value {
  double value = 0;
  bool is_counter = false;
  bool is_delta = false;
};
// One push, before it meets the others.
struct Pushed {
  std::map<MetricLabels, Value> values;  // at most kMaxSeriesOfClient
  uint64_t dropped = 0;
};

Result<void> read_push(const TelemetryClient& client, std::span<const std::byte> otlp, Pushed& pushed) {
  size_t points = 0;
  return read_otlp(otlp, [&](const OtlpPoint& point) -> Result<void> {
    if (++points > ClientSeries::kMaxPointsOfPush)
      return fail(ErrorCode::TELEMETRY_TOO_LARGE, "too many metrics in a push");
    // A counter never goes down, whatever a client says.
    if (point.is_counter && point.is_delta && !(point.value >= 0)) return {};
    MetricLabels labels = labels_of(client, point);
    const bool is_full = pushed.values.size() >= ClientSeries::kMaxSeriesOfClient;
    if (is_full && !pushed.values.contains(labels)) {
      ++pushed.dropped;
      return {};
    }
    Value& value = pushed.values[std::move(labels)];
    value.value = point.is_delta ? value.value + point.value : point.value;
    value.is_counter = point.is_counter;
    value.is_delta = point.is_delta;
    return {};
  });
}

}  // namespace

ClientSeries::ClientSeries(Metrics& metrics) {
  metrics.gauges("tidemark_client_metric", "Gauges that clients push, by their own names",
                 [this] { return read(false); });
  metrics.counters({{"tidemark_client_metric_total", "Counters that clients push, by their own names"}},
                   [this] {
                     std::vector<std::pair<MetricLabels, std::vector<double>>> rows;
                     for (auto& [labels, value] : read(true))
                       rows.emplace_back(std::move(labels), std::vector{value});
                     return rows;
                   });
  metrics.gauge("tidemark_client_metrics_clients", "Clients that have pushed metrics and are remembered",
                [this] {
                  const std::lock_guard lock(mutex_);
                  return static_cast<double>(clients_.size());
                });
  metrics.gauge("tidemark_client_metrics_series", "Series of theirs", [this] {
    const std::lock_guard lock(mutex_);
    return static_cast<double>(series_);
  });
  metrics.counter_of("tidemark_client_metrics_dropped_total",
                     "Values that clients pushed and that had no room for a series", [this] {
                       const std::lock_guard lock(mutex_);
                       return static_cast<double>(dropped_);
                     });
}

std::vector<std::pair<MetricLabels, double>> ClientSeries::read(bool counters) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<MetricLabels, double>> rows;
  for (const auto& [id, client] : clients_) {
    for (const auto& [labels, series] : client.series) {
      if (series.is_counter == counters) rows.emplace_back(labels, series.value);
    }
  }
  return rows;
}

// end(): there is no room.
ClientSeries::SeriesAt ClientSeries::add(Client& client, const MetricLabels& labels) {
  const size_t bytes = bytes_of(labels);
  if (client.series.size() >= kMaxSeriesOfClient || series_ >= kMaxSeries || bytes_ + bytes > kMaxBytes)
    return client.series.end();
  ++series_;
  bytes_ += bytes;
  return client.series.emplace(labels, Series()).first;
}

ClientSeries::SeriesAt ClientSeries::remove(Client& client, SeriesAt at) {
  --series_;
  bytes_ -= bytes_of(at->first);
  return client.series.erase(at);
}

Result<void> ClientSeries::record(const TelemetryClient& client, std::span<const std::byte> otlp) {
  Pushed pushed;
  TRY(read_push(client, otlp, pushed));
  const std::lock_guard lock(mutex_);
  dropped_ += pushed.dropped;
  Client& known = clients_[client.instance];
  ++known.pushes;
  for (const auto& [labels, value] : pushed.values) {
    auto found = known.series.find(labels);
    if (found == known.series.end()) found = add(known, labels);
    if (found == known.series.end()) {
      ++dropped_;
      continue;
    }
    Series& series = found->second;
    series.is_counter = value.is_counter;
    series.push = known.pushes;
    series.value = value.is_delta ? series.value + value.value : value.value;
  }
  for (auto at = known.series.begin(); at != known.series.end();)
    at = at->second.is_counter || at->second.push == known.pushes ? std::next(at) : remove(known, at);
  return {};
}

void ClientSeries::forget(const Uuid& client) {
  keep([&client](const Uuid& other) { return other != client; });
}

void ClientSeries::keep(const std::function<bool(const Uuid&)>& is_known) {
  const std::lock_guard lock(mutex_);
  for (auto client = clients_.begin(); client != clients_.end();) {
    if (is_known(client->first)) {
      ++client;
      continue;
    }
    auto& series = client->second.series;
    for (auto at = series.begin(); at != series.end();) at = remove(client->second, at);
    client = clients_.erase(client);
  }
}

}  // namespace tidemark::broker
