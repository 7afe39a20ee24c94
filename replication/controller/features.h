// The feature levels that this release knows: Kafka's (KIP-584), and one of our own that stands for the
// format of the metadata log. Only what works is claimed: a level goes up here in the commit that makes it
// true.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/error.h"
#include "replication/controller/decision.h"

namespace tidemark::replication {

inline constexpr std::string_view kMetadataVersionFeature = "metadata.version";
inline constexpr std::string_view kKraftVersionFeature = "kraft.version";
inline constexpr std::string_view kElrVersionFeature = "eligible.leader.replicas.version";
// Raised when a record or a tagged field of ours appears that an older release must not skip over. It is in
// the log for ourselves; clients are not told.
inline constexpr std::string_view kMetadataFormatFeature = "tidemark.metadata.format";

struct SupportedFeature {
  std::string_view name;
  int16_t min = 0;
  int16_t max = 0;
  int16_t at_start = 0;  // the level that a new cluster gets; 0: none
  bool public_to_clients = true;
};

// metadata.version 30 is Kafka's 4.3-IV0.
inline constexpr std::array kSupportedFeatures{
    SupportedFeature{kMetadataVersionFeature, 30, 30, 30},
    SupportedFeature{kMetadataFormatFeature, 1, 1, 1, false},
};
static_assert(std::ranges::all_of(kSupportedFeatures,
                                  [](const SupportedFeature& f) { return f.min == f.max; }),
              "update_features() has to write what it decides");

// UpdateFeatures: all or none. INVALID_UPDATE_VERSION, in the words of Kafka 4.3. Each feature has one level
// in this release, so that what succeeds has changed nothing. `controller`: who says so.
Result<void> update_features(BrokerId controller, std::span<const FeatureUpdate> updates);

// An Error of kind format for a level of which this release cannot say that it understands it.
Result<void> check_feature_level(std::string_view name, int16_t level);

}  // namespace tidemark::replication
