// One look over a whole cluster, by Kafka's own APIs: every broker and its log folders, every partition,
// every group. What somebody does not answer is noted, and the look goes on. On the Cluster's loop; changes
// nothing.
#pragma once

#include "client/core/group_admin.h"
#include "client/core/partition_survey.h"

namespace tidemark::client {

struct LogDir {
  std::string path;
  std::optional<Error> error;
  int64_t total_bytes = -1;  // of its file system; -1: the broker's version does not say
  int64_t usable_bytes = -1;
};

struct BrokerLook {
  BrokerNode node;
  std::optional<Error> unreachable;     // it does not answer ApiVersions
  std::optional<Error> log_dirs_error;  // it does, and does not tell of its folders
  std::vector<LogDir> log_dirs;
};

struct GroupLook {
  ListedGroup group;
  bool is_moving = false;  // in a rebalance, a moment later too
  GroupRebalances rebalances;
  std::optional<Error> error;  // of its coordinator
};

struct ClusterSurvey {
  std::string cluster_id;
  BrokerId controller = kNoBroker;
  std::vector<BrokerLook> brokers;
  std::vector<TopicMetadata> topics;  // by name
  PartitionSurvey partitions;
  std::map<std::string, int32_t> min_in_sync;  // min.insync.replicas, of the topics that told it
  std::optional<Error> settings_error;
  std::vector<GroupLook> groups;
  std::map<BrokerId, Error> groups_unknown;  // brokers that do not list theirs
};

// Error: nobody can be asked at all.
runtime::Task<Result<ClusterSurvey>> survey_cluster(Cluster& cluster);

}  // namespace tidemark::client
