// Decisions about settings that are changed at run time, of topics and brokers. What a setting is, which
// values it takes and how an operation changes it is config/'s business; here is whose settings a request may
// change, and what is written. Pure; words and codes are those of Kafka 4.3.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "config/resolver.h"
#include "protocol/error.h"
#include "replication/controller/decision.h"

namespace tidemark::replication {

// The layers of a broker's settings: its own and the cluster's dynamic ones in the image, over
// `static_broker`. Borrows both.
config::BrokerLayers broker_layers(const MetadataImage& image, BrokerId broker,
                                   const config::Properties& static_broker);

// The topic's effective `write.caching`.
bool writes_are_cached(const MetadataImage& image, std::string_view topic,
                       const config::BrokerLayers& layers);

// Each client is held against all of them.
inline constexpr size_t kMaxClientMetricsSubscriptions = 100;

// Each resource by itself, in the request's order. `receiver`: the broker that the client asked; a broker's
// own settings can be changed there only, as in Kafka.
Decision<std::vector<AlteredResource>> alter_configs(const MetadataImage& image, BrokerId receiver,
                                                     std::span<const ResourceAlteration> resources,
                                                     bool validate_only);

}  // namespace tidemark::replication
