#include "replication/controller/features.h"

#include <fmt/format.h>

namespace tidemark::replication {

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
