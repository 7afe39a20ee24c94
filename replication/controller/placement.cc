#include "replication/controller/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "protocol/invariant.h"

namespace tidemark::replication {

namespace {

bool takes_replicas(const BrokerImage& broker) {
  if (broker.in_controlled_shutdown) return false;
  if (!broker.cordoned_log_dirs || broker.log_dirs.empty()) return true;
  return !std::all_of(broker.log_dirs.begin(), broker.log_dirs.end(), [&](const Uuid& dir) {
    return std::find(broker.cordoned_log_dirs->begin(), broker.cordoned_log_dirs->end(), dir) !=
           broker.cordoned_log_dirs->end();
  });
}

template <class T>
void shuffle(std::vector<T>& items, runtime::Random& random) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

}  // namespace

ReplicaPlacer::ReplicaPlacer(const MetadataImage& image, runtime::Random& random) : random_(random) {
  std::map<std::optional<std::string>, Rack> racks;
  for (const auto& [id, broker] : image.brokers) {
    if (!takes_replicas(*broker)) continue;
    Rack& rack = racks[broker->rack];
    (broker->fenced ? rack.fenced : rack.active).push_back(id);
    ++total_;
    if (!broker->fenced) ++active_;
  }
  for (auto& [name, rack] : racks) {
    rack.next_leader = rack.next_follower = random.below(rack.active.size());
    racks_.push_back(std::move(rack));
  }
  first_rack_ = random.below(racks_.size());
}

Result<void> ReplicaPlacer::check(int16_t replication_factor) const {
  if (replication_factor > 0 && static_cast<size_t>(replication_factor) > total_) {
    // The words are those of Kafka 4.3: its tools print them.
    return fail(
        ErrorCode::INVALID_REPLICATION_FACTOR,
        fmt::format("The target replication factor of {} cannot be reached because only {} broker(s) are "
                    "registered or some brokers have all their log directories cordoned.",
                    replication_factor, total_));
  }
  if (active_ == 0) return fail(ErrorCode::INVALID_REPLICATION_FACTOR, "All brokers are currently fenced.");
  return {};
}

void ReplicaPlacer::start_round() {
  placed_ = 1;
  if (active_ == 1) return;
  shuffle(racks_, random_);
  for (Rack& rack : racks_) {
    shuffle(rack.active, random_);
    shuffle(rack.fenced, random_);
  }
}

BrokerId ReplicaPlacer::Rack::take() {
  const size_t at = used++;
  return at < active.size() ? active[(first + at) % active.size()] : fenced[at - active.size()];
}

std::vector<BrokerId> ReplicaPlacer::place(int16_t replication_factor) {
  REQUIRES(replication_factor > 0 && check(replication_factor).has_value());
  if (placed_++ == active_) start_round();
  std::vector<BrokerId> replicas;
  size_t rack = first_rack_;
  // The leader comes from the first rack that has an active broker; the others continue from there.
  while (racks_[rack].active.empty()) rack = (rack + 1) % racks_.size();
  for (Rack& each : racks_) {
    each.first = each.next_follower;
    each.used = 0;
  }
  Rack& of_leader = racks_[rack];
  of_leader.first = of_leader.next_leader++;
  while (replicas.size() < static_cast<size_t>(replication_factor)) {
    Rack& next = racks_[rack];
    if (next.used < next.size()) replicas.push_back(next.take());
    rack = (rack + 1) % racks_.size();
  }
  for (Rack& each : racks_) {
    if (&each != &of_leader) each.next_follower += each.used;
  }
  first_rack_ = (first_rack_ + 1) % racks_.size();
  return replicas;
}

}  // namespace tidemark::replication
