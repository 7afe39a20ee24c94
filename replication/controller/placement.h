// Chooses the brokers of new partitions: spread over racks first, over brokers second, and never two replicas
// on one broker. Racks are taken in turn, and the brokers of a rack in turn; each partition starts one rack
// further, so that leaders and followers form stripes; after a round the order is drawn anew,
// so that a broker's partitions are not all followed by the same other one. Fenced brokers come last and
// never lead. Pure but for the draws of its starting points.
#pragma once

#include <vector>

#include "protocol/error.h"
#include "protocol/ids.h"
#include "protocol/runtime/random.h"
#include "replication/controller/image.h"

namespace tidemark::replication {

class ReplicaPlacer {
 public:
  // The brokers of `image` that may get partitions: not in controlled shutdown, some log directory not
  // cordoned.
  ReplicaPlacer(const MetadataImage& image, runtime::Random& random);

  // INVALID_REPLICATION_FACTOR: more replicas than brokers, or no broker that may lead.
  [[nodiscard]] Result<void> check(int16_t replication_factor) const;
  // The replicas of the next partition, its leader first. REQUIRES: check(replication_factor).
  std::vector<BrokerId> place(int16_t replication_factor);

 private:
  struct Rack {
    std::vector<BrokerId> active;  // in id order
    std::vector<BrokerId> fenced;
    // Where in `active` the next partition starts if its leader comes from this rack, and if only followers
    // do: two turns, so that both are even.
    size_t next_leader = 0;
    size_t next_follower = 0;
    // The current partition's: where it started, and how many it has taken, active ones first.
    size_t first = 0;
    size_t used = 0;

    [[nodiscard]] size_t size() const { return active.size() + fenced.size(); }
    BrokerId take();
  };
  void start_round();

  runtime::Random& random_;
  std::vector<Rack> racks_;
  size_t first_rack_ = 0;
  size_t active_ = 0;
  size_t total_ = 0;
  size_t placed_ = 0;  // in this round
};

}  // namespace tidemark::replication
