#include "protocol/api_versions.h"

#include <algorithm>

namespace tidemark::protocol {

std::span<const ServedApi> served_apis() {
  static constexpr ServedApi kServed[] = {
      {.key = ApiKey::Produce, .min = 0, .max = 13, .refused_below = 3},
      {.key = ApiKey::Fetch, .min = 4, .max = 18},
      {.key = ApiKey::ListOffsets, .min = 1, .max = 11},
      {.key = ApiKey::Metadata, .min = 0, .max = 13},
      {.key = ApiKey::OffsetCommit, .min = 2, .max = 10},
      {.key = ApiKey::OffsetFetch, .min = 1, .max = 10},
      {.key = ApiKey::FindCoordinator, .min = 0, .max = 6},
      {.key = ApiKey::JoinGroup, .min = 0, .max = 9},
      {.key = ApiKey::Heartbeat, .min = 0, .max = 4},
      {.key = ApiKey::LeaveGroup, .min = 0, .max = 5},
      {.key = ApiKey::SyncGroup, .min = 0, .max = 5},
      {.key = ApiKey::DescribeGroups, .min = 0, .max = 6},
      {.key = ApiKey::ListGroups, .min = 0, .max = 5},
      {.key = ApiKey::ApiVersions, .min = 0, .max = 4},
      {.key = ApiKey::CreateTopics, .min = 2, .max = 7},
      {.key = ApiKey::DeleteTopics, .min = 1, .max = 6},
      {.key = ApiKey::DeleteRecords, .min = 0, .max = 2},
      {.key = ApiKey::InitProducerId, .min = 0, .max = 5},
      {.key = ApiKey::OffsetForLeaderEpoch, .min = 2, .max = 4},
      {.key = ApiKey::DescribeConfigs, .min = 1, .max = 4},
      {.key = ApiKey::AlterConfigs, .min = 0, .max = 2},
      {.key = ApiKey::DescribeLogDirs, .min = 1, .max = 5},
      {.key = ApiKey::CreatePartitions, .min = 0, .max = 3},
      {.key = ApiKey::DeleteGroups, .min = 0, .max = 2},
      {.key = ApiKey::ElectLeaders, .min = 0, .max = 2},
      {.key = ApiKey::IncrementalAlterConfigs, .min = 0, .max = 1},
      {.key = ApiKey::AlterPartitionReassignments, .min = 0, .max = 1},
      {.key = ApiKey::ListPartitionReassignments, .min = 0, .max = 0},
      {.key = ApiKey::OffsetDelete, .min = 0, .max = 0},
      {.key = ApiKey::DescribeClientQuotas, .min = 0, .max = 1},
      {.key = ApiKey::AlterClientQuotas, .min = 0, .max = 1},
      {.key = ApiKey::DescribeUserScramCredentials, .min = 0, .max = 0},
      {.key = ApiKey::DescribeQuorum, .min = 0, .max = 2},
      {.key = ApiKey::UpdateFeatures, .min = 0, .max = 2},
      {.key = ApiKey::DescribeCluster, .min = 0, .max = 2},
      {.key = ApiKey::DescribeProducers, .min = 0, .max = 0},
      {.key = ApiKey::UnregisterBroker, .min = 0, .max = 0},
      {.key = ApiKey::GetTelemetrySubscriptions, .min = 0, .max = 0},
      {.key = ApiKey::PushTelemetry, .min = 0, .max = 0},
      {.key = ApiKey::ListConfigResources, .min = 0, .max = 1},
      {.key = ApiKey::DescribeTopicPartitions, .min = 0, .max = 0},
  };
  return kServed;
}

const ServedApi* find_served(ApiKey key) {
  const auto apis = served_apis();
  const auto at = std::lower_bound(apis.begin(), apis.end(), key,
                                   [](const ServedApi& api, ApiKey k) { return api.key < k; });
  return at != apis.end() && at->key == key ? &*at : nullptr;
}

}  // namespace tidemark::protocol
