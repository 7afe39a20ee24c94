// Reads partitions that its owner assigns (a GroupConsumer's group does it for it): one fetch in flight per
// leader, answers buffered per partition, so that fetching goes on while the reader works. A log that was
// truncated below what was read is noticed (KIP-320), given brokers that know OffsetForLeaderEpoch v3. Lives
// on its Cluster's loop.
#pragma once

#include <functional>

#include "client/core/cluster.h"
#include "client/core/fetch_plan.h"
#include "client/core/fetch_session.h"
#include "client/core/metadata_refresher.h"
#include "protocol/messages/fetch_response.h"

namespace tidemark::client {

// A fetch that brought records: from when it was to be sent until its answer was here. A broker that waits
// for records to come (fetch.max.wait.ms) waits within.
struct FetchTiming {
  BrokerId leader = kNoBroker;
  runtime::Duration took{};
  size_t record_bytes = 0;  // as they came, compressed
};

class Consumer {
 public:
  // Told of each truncation, before poll() returns its error or goes on elsewhere.
  using OnTruncation = std::function<void(const LogTruncation&)>;
  // Told of each fetch when its answer comes, on the loop; it must not destroy the consumer.
  using OnFetch = std::function<void(const FetchTiming&)>;
  Consumer(Cluster& cluster, ConsumerOptions options, OnTruncation on_truncation = {}, OnFetch on_fetch = {});
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Reads the partition from this offset on (again, if it is assigned already). With the leader epoch of the
  // record before it, a truncation since then is noticed.
  void assign(const TopicPartition& partition, Offset offset, LeaderEpoch epoch = kNoLeaderEpoch);
  // The same from a time on (ms since the epoch), or kEarliest, kLatest; behind the last record if all are
  // older.
  void assign_at(const TopicPartition& partition, int64_t time_ms);
  void unassign(const TopicPartition& partition);

  // The next records of some assigned partition, in the partition's order; nullptr if none came by
  // `deadline`. Errors of a partition (OFFSET_OUT_OF_RANGE, TOPIC_AUTHORIZATION_FAILED, ...) name it and come
  // once each; then it is tried again. Leaders that move and connections that break are not reported, nor
  // offsets out of range where options.offset_reset says how to go on: of a truncated log, from where it
  // diverged; without that setting its error is OFFSET_OUT_OF_RANGE too.
  runtime::Task<Result<std::unique_ptr<PartitionRecords>>> poll(runtime::MonoTime deadline);
  // The same for who has more to wait for: what is there already, if anything. Else take() may have something
  // when arrived() is notified, and at next_event().
  std::optional<Result<std::unique_ptr<PartitionRecords>>> take();
  [[nodiscard]] runtime::Signal& arrived() { return arrived_; }
  [[nodiscard]] runtime::MonoTime next_event() const;

  // Told where reading of a partition begins that was not assigned by offset, once that is known.
  std::function<void(const TopicPartition&, FetchPosition)> on_placed = {};

  // Ends the fetch sessions, so that brokers need not keep them until they age. Waits for the answers until
  // `deadline`, and a moment longer for the requests to be written. Nothing may be polled after.
  runtime::Task<void> close(runtime::MonoTime deadline);

 private:
  void start_fetches();
  runtime::Task<void> fetch(BrokerId leader, std::vector<FetchTarget> targets);
  runtime::Task<Result<bool>> exchange(BrokerId leader, std::vector<FetchTarget>& targets);
  void take_answer(FetchTarget target, const protocol::FetchResponse::PartitionData& data,
                   const Reply<protocol::FetchResponse>& reply, bool& moved);
  // Asks the leader where its log ends for each target's epoch.
  runtime::Task<void> compare(BrokerId leader, std::vector<FetchTarget> targets);
  runtime::Task<Result<void>> ask_ends(BrokerId leader, std::vector<FetchTarget>& targets);
  void take_end(const FetchTarget& target, std::optional<FetchPosition> end);
  // Where the policy says, after seek().
  void reset(const FetchTarget& target);
  runtime::Task<void> end_session(Cluster::Link link, FetchSession& session);
  // Where in the log a time is, as its leader answers.
  runtime::Task<void> look_up(FetchTarget target, int64_t time_ms);
  [[nodiscard]] std::vector<FetchSession::Item> items_of(const std::vector<FetchTarget>& targets);
  [[nodiscard]] runtime::MonoTime later() const;

  Cluster& cluster_;
  const ConsumerOptions options_;
  const OnTruncation on_truncation_;
  const OnFetch on_fetch_;
  FetchPlan plan_;
  uint64_t leaders_version_ = 0;  // of the metadata that the plan follows
  size_t ending_ = 0;             // sessions
  std::set<BrokerId> busy_;
  std::map<BrokerId, FetchSession> sessions_;
  runtime::Signal arrived_;
  MetadataRefresher refresher_;
  runtime::TaskScope scope_;
};

}  // namespace tidemark::client
