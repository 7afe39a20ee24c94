// What clients push, as the node's metrics show it: the newest value of each gauge, and of each counter what
// has come together. Bounded, because clients choose names and attributes: a client has so many series, all
// of them together so many, and what finds no room is counted. A client's series go when it is forgotten. Any
// thread: pushes and scrapes meet under a mutex, and neither is on the path of records.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "broker/observe/metrics.h"
#include "broker/telemetry/subscriptions.h"
#include "protocol/error.h"

namespace tidemark::broker {

class ClientSeries {
 public:
  static constexpr size_t kMaxSeriesOfClient = 200;
  static constexpr size_t kMaxSeries = 4'000;   // a scrape is made on a shard's loop
  static constexpr size_t kMaxBytes = 8 << 20;  // of all series
  static constexpr size_t kMaxPointsOfPush = 100'000;
  static constexpr size_t kMaxLabelBytes = 250;  // of a name or value; the rest is cut off

  explicit ClientSeries(Metrics& metrics);
  ClientSeries(const ClientSeries&) = delete;
  ClientSeries& operator=(const ClientSeries&) = delete;

  // One push, an OTLP message. Gauges that it does not have any more are gone. INVALID_RECORD: no such
  // message; TELEMETRY_TOO_LARGE: more points than anybody needs; either records nothing.
  Result<void> record(const TelemetryClient& client, std::span<const std::byte> otlp);
  void forget(const Uuid& client);
  // All but those that are known: also one that was forgotten while its push was being read.
  void keep(const std::function<bool(const Uuid&)>& is_known);
  [[nodiscard]] size_t clients() const {
    const std::lock_guard lock(mutex_);
    return clients_.size();
  }

 private:
  struct Series {
    double value = 0;
    bool is_counter = false;
    uint64_t push = 0;  // of its client, the newest that had it
  };
  struct Client {
    std::map<MetricLabels, Series> series;
    uint64_t pushes = 0;
  };
  using SeriesAt = std::map<MetricLabels, Series>::iterator;
  SeriesAt add(Client& client, const MetricLabels& labels);
  SeriesAt remove(Client& client, SeriesAt at);
  [[nodiscard]] std::vector<std::pair<MetricLabels, double>> read(bool counters) const;

  mutable std::mutex mutex_;
  std::map<Uuid, Client> clients_;
  size_t series_ = 0;  // Invariant: of all clients, like bytes_
  size_t bytes_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace tidemark::broker
