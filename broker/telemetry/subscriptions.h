// The client metrics subscriptions of the cluster (KIP-714): who is asked for which metrics, and how often.
// Made from the settings in the metadata image; a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/client_metrics.h"
#include "protocol/ids.h"
#include "replication/controller/image.h"

namespace tidemark::broker {

// What a subscription's `match` can look at.
struct TelemetryClient {
  Uuid instance;
  std::string client_id;
  std::string software_name;
  std::string software_version;
  std::string source_address;
  uint16_t source_port = 0;
};

class Subscriptions {
 public:
  static constexpr int32_t kDefaultIntervalMs = 300'000;
  static constexpr std::string_view kAllMetrics = "*";

  // Settings that this release cannot read are passed over.
  static Subscriptions of(const replication::MetadataImage& image);

  struct Wanted {
    int32_t interval_ms = kDefaultIntervalMs;  // the shortest of those that match; none does: the default
    std::vector<std::string> metrics;          // prefixes, in order, each once; "*" alone: all
  };
  [[nodiscard]] Wanted wanted_by(const TelemetryClient& client) const;
  [[nodiscard]] size_t size() const { return subscriptions_.size(); }

 private:
  struct Subscription {
    int32_t interval_ms = kDefaultIntervalMs;
    std::vector<std::string> metrics;
    std::vector<config::ClientMatch> match;
  };
  std::vector<Subscription> subscriptions_;
};

}  // namespace tidemark::broker
