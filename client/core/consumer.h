// Reads partitions that its owner assigns (groups come with their own issue): one fetch in flight per leader,
// answers buffered per partition, so that fetching goes on while the reader works. Lives on its Cluster's
// loop.
#pragma once

#include "client/core/cluster.h"
#include "client/core/fetch_plan.h"

namespace tidemark::client {

class Consumer {
 public:
  Consumer(Cluster& cluster, ConsumerOptions options);
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Reads the partition from this offset on (again, if it is assigned already).
  void assign(const TopicPartition& partition, Offset offset);
  void unassign(const TopicPartition& partition);

  // The next records of some assigned partition, in the partition's order; nullptr if none came by
  // `deadline`. Errors of a partition (OFFSET_OUT_OF_RANGE, TOPIC_AUTHORIZATION_FAILED, ...) name it and come
  // once each; then it is tried again. Leaders that move and connections that break are not reported.
  runtime::Task<Result<std::unique_ptr<PartitionRecords>>> poll(runtime::MonoTime deadline);

 private:
  void start_fetches();
  runtime::Task<void> fetch(BrokerId leader, std::vector<FetchTarget> targets);
  runtime::Task<Result<bool>> exchange(BrokerId leader, std::vector<FetchTarget>& targets);
  runtime::Task<void> refresh_metadata();
  void refresh_once();

  Cluster& cluster_;
  const ConsumerOptions options_;
  FetchPlan plan_;
  std::set<BrokerId> busy_;
  bool refreshing_ = false;
  int refresh_failures_ = 0;
  runtime::Signal arrived_;
  runtime::TaskScope scope_;
};

}  // namespace tidemark::client
