#include "replication/controller/election.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "protocol/broker_ids.h"

namespace tidemark::replication {

namespace {

bool contains(const std::vector<BrokerId>& brokers, BrokerId broker) {
  return std::find(brokers.begin(), brokers.end(), broker) != brokers.end();
}

std::vector<BrokerId> without(std::vector<BrokerId> brokers, BrokerId broker) {
  std::erase(brokers, broker);
  return brokers;
}

using MayLead = std::function<bool(BrokerId)>;

bool is_active(const MetadataImage& image, BrokerId id) {
  const BrokerImage* broker = image.broker(id);
  return broker != nullptr && broker->is_active();
}

// Active brokers may lead; of `broker` the caller knows better.
MayLead active_and(const MetadataImage& image, BrokerId broker, bool it_may) {
  return [&image, broker, it_may](BrokerId candidate) {
    return candidate == broker ? it_may : is_active(image, candidate);
  };
}

// The present leader if it may, else the first replica, in the order of the assignment, that is in the ISR.
BrokerId elect(const PartitionImage& partition, const std::vector<BrokerId>& isr, const MayLead& may_lead) {
  const auto fits = [&](BrokerId candidate) { return contains(isr, candidate) && may_lead(candidate); };
  if (partition.leader != kNoBroker && fits(partition.leader)) return partition.leader;
  const auto found = std::find_if(partition.replicas.begin(), partition.replicas.end(), fits);
  return found != partition.replicas.end() ? *found : kNoBroker;
}

struct Target {
  std::vector<BrokerId> isr;
  std::vector<BrokerId> elr;
  BrokerId leader;
  bool new_epoch = false;  // even if the leader stays
};

PartitionVerdict difference(const PartitionRef& ref, const Target& target) {
  protocol::PartitionChangeRecord record;
  record.topic_id = ref.topic_id;
  record.partition_id = ref.id.value;
  bool changed = false;
  if (target.leader != ref.partition.leader || target.new_epoch) {
    record.leader = target.leader.value;
    changed = true;
  }
  if (target.isr != ref.partition.isr) {
    record.isr = numbers_of(target.isr);
    changed = true;
  }
  if (target.elr != ref.partition.elr) {
    record.eligible_leader_replicas = numbers_of(target.elr);
    changed = true;
  }
  return changed ? PartitionVerdict(std::move(record)) : std::nullopt;
}

// The ISR without the broker, unless that would leave nobody.
std::vector<BrokerId> leave(const std::vector<BrokerId>& isr, BrokerId broker) {
  std::vector<BrokerId> rest = without(isr, broker);
  return rest.empty() ? isr : rest;
}

}  // namespace

PartitionVerdict on_new_life(const MetadataImage& image, const PartitionRef& ref, BrokerId broker,
                             bool may_lead, bool data_lost) {
  const PartitionImage& now = ref.partition;
  if (!contains(now.replicas, broker)) return std::nullopt;
  Target target{now.isr, now.elr, now.leader};
  if (data_lost) {
    target.isr = leave(now.isr, broker);
    target.elr = without(now.elr, broker);
  }
  if (now.leader == broker || now.leader == kNoBroker) {
    target.leader = elect(now, target.isr, active_and(image, broker, may_lead));
    target.new_epoch = now.leader == broker;
  }
  return difference(ref, target);
}

PartitionVerdict on_unfenced(const MetadataImage& image, const PartitionRef& ref, BrokerId broker) {
  const PartitionImage& now = ref.partition;
  if (now.leader != kNoBroker || !contains(now.isr, broker)) return std::nullopt;
  return difference(ref, {now.isr, now.elr, elect(now, now.isr, active_and(image, broker, true))});
}

PartitionVerdict on_controlled_shutdown(const MetadataImage& image, const PartitionRef& ref,
                                        BrokerId broker) {
  const PartitionImage& now = ref.partition;
  if (!contains(now.isr, broker)) return std::nullopt;
  const std::vector<BrokerId> rest = leave(now.isr, broker);
  const BrokerId leader =
      now.leader == broker ? elect(now, rest, active_and(image, broker, false)) : now.leader;
  if (leader == kNoBroker) return std::nullopt;
  return difference(ref, {rest, now.elr, leader});
}

PartitionVerdict on_fenced(const MetadataImage& image, const PartitionRef& ref, BrokerId broker) {
  const PartitionImage& now = ref.partition;
  if (!contains(now.isr, broker) && now.leader != broker) return std::nullopt;
  Target target{leave(now.isr, broker), now.elr, now.leader};
  if (now.leader == broker) target.leader = elect(now, target.isr, active_and(image, broker, false));
  return difference(ref, target);
}

PartitionVerdict elect_preferred(const MetadataImage& image, const PartitionRef& ref) {
  const PartitionImage& now = ref.partition;
  const BrokerId preferred = now.replicas.front();
  if (!contains(now.isr, preferred) || !is_active(image, preferred)) return std::nullopt;
  return difference(ref, {now.isr, now.elr, preferred});
}

PartitionVerdict elect_uncleanly(const MetadataImage& image, const PartitionRef& ref) {
  constexpr int8_t kRecovering = 1;
  const PartitionImage& now = ref.partition;
  const MayLead may_lead = [&image](BrokerId candidate) { return is_active(image, candidate); };
  if (const BrokerId clean = elect(now, now.isr, may_lead); clean != kNoBroker)
    return difference(ref, {now.isr, now.elr, clean});
  const BrokerId leader = elect(now, now.replicas, may_lead);
  if (leader == kNoBroker) return std::nullopt;
  PartitionVerdict verdict = difference(ref, {{leader}, {}, leader});
  if (verdict) verdict->leader_recovery_state = kRecovering;
  return verdict;
}

}  // namespace tidemark::replication
