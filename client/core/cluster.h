// The client's view of a cluster and its connections: one to each broker that is used, and more in lanes of
// their own, opened on demand and again after a failure. Producer, Consumer and Admin share
// one Cluster on one loop; it outlives them. It asks for metadata when somebody needs it, and for what it
// remembers when that is older than metadata.max.age.ms; nobody is asked twice at once.
#pragma once

#include "client/core/connection.h"
#include "client/core/metadata.h"
#include "protocol/runtime/random.h"

namespace tidemark::client {

class Cluster {
 public:
  // REQUIRES: at least one bootstrap address.
  Cluster(runtime::Scheduler& scheduler, runtime::Connector& connector, runtime::Random& random,
          ClusterOptions options);

  using Link = std::shared_ptr<Connection>;
  // A connection to any broker: an open one if there is, else the first that can be reached.
  runtime::Task<Result<Link>> any();
  // A broker answers the requests of a connection in order, and holds some of them back: a Fetch for a while,
  // a JoinGroup for minutes. What must not wait behind them goes in a lane of its own: other connections.
  enum class Lane : uint64_t { requests = 0 };
  [[nodiscard]] Lane new_lane() { return Lane{++lanes_}; }
  // Its connections end. REQUIRES: nobody waits for one.
  void end_lane(Lane lane);
  // BROKER_NOT_AVAILABLE: not a broker that the metadata knows.
  runtime::Task<Result<Link>> broker(BrokerId id, Lane lane = Lane::requests);
  // The same, if a connection to it stands already; else null.
  [[nodiscard]] Link open_link(BrokerId id) const;
  // The controller if it is known, else any broker (which forwards).
  runtime::Task<Result<Link>> controller();

  // Asks for the topics (`all`: every topic of the cluster) and applies the answer.
  struct Interest {
    std::set<std::string, std::less<>> topics;
    bool all = false;
    bool create = false;  // allow_auto_topic_creation
  };
  runtime::Task<Result<void>> refresh(Interest interest);
  // Asks again for everything that remember() named, unless an answer has come since metadata().version() was
  // `seen`.
  runtime::Task<Result<void>> refresh_remembered(uint64_t seen);
  // From now on this topic's metadata is kept fresh.
  void remember(const std::string& topic, bool create);
  // The topic, asked for until its partitions are known: UNKNOWN_TOPIC_OR_PARTITION and the like after
  // `give_up`.
  runtime::Task<Result<const TopicMetadata*>> topic(std::string name, bool create, runtime::MonoTime give_up);

  [[nodiscard]] Metadata& metadata() { return metadata_; }
  [[nodiscard]] const ClusterOptions& options() const { return options_; }
  [[nodiscard]] runtime::Scheduler& scheduler() { return scheduler_; }
  [[nodiscard]] runtime::Random& random() { return random_; }
  [[nodiscard]] runtime::MonoTime api_deadline() const;
  // With jitter, doubling from retry.backoff.ms to its maximum.
  [[nodiscard]] runtime::Duration back_off_time(int attempt);
  runtime::Task<void> back_off(int attempt);

 private:
  struct Slot {
    explicit Slot(runtime::Scheduler& scheduler) : opened(scheduler) {}
    Link link;
    bool opening = false;
    std::optional<Error> error;  // of the last attempt
    runtime::Signal opened;
  };
  using SlotKey = std::pair<Lane, runtime::Endpoint>;
  runtime::Task<Result<Link>> open(runtime::Endpoint to, Lane lane = Lane::requests);
  Slot& slot(SlotKey key);
  [[nodiscard]] Link open_link() const;
  runtime::Task<Result<void>> ask_metadata(Interest interest);
  runtime::Task<Result<void>> ask_remembered(bool create);
  // The by-age refresh, so that new partitions and moved leaders are found where no request fails either.
  runtime::Task<void> keep_fresh();
  [[nodiscard]] runtime::MonoTime next_stale() const;

  runtime::Scheduler& scheduler_;
  runtime::Connector& connector_;
  runtime::Random& random_;
  const ClusterOptions options_;
  Metadata metadata_;
  Interest remembered_;
  runtime::MonoTime stale_at_{};  // when what is remembered is asked for again
  bool refreshing_ = false;
  runtime::Signal refreshed_;
  std::optional<Error> refresh_error_;
  std::map<SlotKey, std::unique_ptr<Slot>> slots_;
  uint64_t lanes_ = 0;
  runtime::TaskScope scope_;  // keep_fresh(), from the first topic that is remembered
};

}  // namespace tidemark::client
