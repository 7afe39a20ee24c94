#include "replication/controller/features.h"

#include <fmt/format.h>

namespace tidemark::replication {

Result<void> update_features(BrokerId controller, std::span<const FeatureUpdate> updates) {
  for (const FeatureUpdate& update : updates) {
    const auto refuse = [&](std::string_view why) {
      return fail(
          ErrorCode::INVALID_UPDATE_VERSION,
          fmt::format("Invalid update version {} for feature {}. {}", update.level, update.feature, why));
    };
    if (update.type < static_cast<int8_t>(UpgradeType::upgrade) ||
        update.type > static_cast<int8_t>(UpgradeType::unsafe_downgrade))
      return refuse("The controller does not support the given upgrade type.");
    if (update.level < 0) return refuse("A feature version cannot be less than 0.");
    const auto* known = std::ranges::find_if(kSupportedFeatures, [&](const SupportedFeature& feature) {
      return feature.public_to_clients && feature.name == update.feature;
    });
    if (known == std::end(kSupportedFeatures)) {
      return refuse(update.level == 0
                        ? fmt::format("Feature {} not found.", update.feature)
                        : fmt::format("Local controller {} does not support this feature.", controller));
    }
    if (update.level != known->max) {
      return refuse(fmt::format("Local controller {} only supports versions {}", controller, known->max));
    }
  }
  return {};
}

Result<void> check_feature_level(std::string_view name, int16_t level) {
  if (level == 0) return {};
  for (const SupportedFeature& feature : kSupportedFeatures) {
    if (feature.name != name) continue;
    if (level >= feature.min && level <= feature.max) return {};
    return fail(Error::format(fmt::format("the metadata log is at {} {}, this release knows {} to {}", name,
                                          level, feature.min, feature.max)));
  }
  return fail(Error::format(
      fmt::format("the metadata log uses the feature {}, which this release does not know", name)));
}

}  // namespace tidemark::replication
