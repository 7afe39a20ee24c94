#include "client/core/assignor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tidemark::client {
namespace {

struct Known {
  Assignor assignor;
  std::string_view name;
  std::string_view class_name;
};
constexpr std::array<Known, 3> kKnown = {{
    {Assignor::range, "range", "RangeAssignor"},
    {Assignor::round_robin, "roundrobin", "RoundRobinAssignor"},
    {Assignor::cooperative_sticky, "cooperative-sticky", "CooperativeStickyAssignor"},
}};
constexpr std::string_view kKafkasPackage = "org.apache.kafka.clients.consumer.";

// Static members first, by the names that they keep.
bool stands_before(const Subscriber& a, const Subscriber& b) {
  if (a.instance_id.has_value() != b.instance_id.has_value()) return a.instance_id.has_value();
  return a.instance_id ? *a.instance_id < *b.instance_id : a.id < b.id;
}

std::vector<TopicPartition> all_partitions(const PartitionCounts& counts) {
  std::vector<TopicPartition> all;
  for (const auto& [topic, count] : counts) {
    for (int32_t id = 0; id < count; ++id) all.push_back({topic, PartitionId(id)});
  }
  return all;
}

void divide_ranges(const std::vector<Subscriber>& members, const PartitionCounts& counts, Shares& shares) {
  for (const auto& [topic, count] : counts) {
    std::vector<const Subscriber*> readers;
    for (const Subscriber& member : members) {
      if (member.topics.contains(topic)) readers.push_back(&member);
    }
    int32_t next = 0;
    for (size_t i = 0; i < readers.size(); ++i) {
      const auto total = static_cast<int32_t>(readers.size());
      const int32_t size = count / total + (static_cast<int32_t>(i) < count % total ? 1 : 0);
      for (const int32_t end = next + size; next < end; ++next)
        shares[readers[i]->id].push_back({topic, PartitionId(next)});
    }
  }
}

void divide_in_turn(const std::vector<Subscriber>& members, const PartitionCounts& counts, Shares& shares) {
  size_t turn = 0;
  for (const TopicPartition& tp : all_partitions(counts)) {
    for (size_t tried = 0; tried < members.size(); ++tried) {
      const Subscriber& member = members[turn++ % members.size()];
      if (!member.topics.contains(tp.topic)) continue;
      shares[member.id].push_back(tp);
      break;
    }
  }
}

// Everybody keeps what it owns as far as that is fair.
class Sticky {
 public:
  Sticky(const std::vector<Subscriber>& members, const PartitionCounts& counts)
      : members_(members), counts_(counts), shares_(members.size()) {}

  void divide(Shares& shares) {
    keep();
    for (const TopicPartition& tp : all_partitions(counts_)) {
      if (!owners_.contains(tp)) give(tp);
    }
    while (balance_once()) {
    }
    std::map<TopicPartition, std::set<size_t>> held;
    for (size_t i = 0; i < members_.size(); ++i) {
      for (const TopicPartition& tp : members_[i].owned) held[tp].insert(i);
    }
    for (size_t i = 0; i < members_.size(); ++i) {
      std::vector<TopicPartition>& share = shares[members_[i].id];
      for (const TopicPartition& tp : shares_[i]) {
        const auto holders = held.find(tp);
        // KIP-429: two must never read it at once.
        if (holders == held.end() || holders->second.contains(i)) share.push_back(tp);
      }
    }
  }

 private:
  // Of several that claim a partition the newest generation's is right; of the same generation, nobody.
  void keep() {
    struct Claim {
      int32_t generation;
      std::optional<size_t> member;
    };
    std::map<TopicPartition, Claim> claims;
    for (size_t i = 0; i < members_.size(); ++i) {
      for (const TopicPartition& tp : members_[i].owned) {
        const auto count = counts_.find(tp.topic);
        if (count == counts_.end() || tp.partition.value < 0 || tp.partition.value >= count->second) continue;
        if (!members_[i].topics.contains(tp.topic)) continue;
        const auto [claim, is_first] = claims.emplace(tp, Claim{members_[i].generation, i});
        if (is_first || claim->second.member == i) continue;
        if (claim->second.generation < members_[i].generation) {
          claim->second = {members_[i].generation, i};
        } else if (claim->second.generation == members_[i].generation) {
          claim->second.member.reset();
        }
      }
    }
    for (const auto& [tp, claim] : claims) {
      if (claim.member) put(tp, *claim.member);
    }
  }
  void put(const TopicPartition& tp, size_t member) {
    shares_[member].insert(tp);
    owners_[tp] = member;
  }
  // To the one with the least that reads it.
  void give(const TopicPartition& tp) {
    std::optional<size_t> least;
    for (size_t i = 0; i < members_.size(); ++i) {
      if (members_[i].topics.contains(tp.topic) && (!least || shares_[i].size() < shares_[*least].size()))
        least = i;
    }
    if (least) put(tp, *least);
  }
  // One partition goes from somebody with more to somebody with less by two at least. Each such move makes
  // the sum of the squares of their numbers smaller, so that there is an end to it.
  bool balance_once() {
    std::vector<size_t> by_load(members_.size());
    for (size_t i = 0; i < by_load.size(); ++i) by_load[i] = i;
    std::stable_sort(by_load.begin(), by_load.end(),
                     [&](size_t a, size_t b) { return shares_[a].size() < shares_[b].size(); });
    for (auto from = by_load.rbegin(); from != by_load.rend(); ++from) {
      for (const size_t to : by_load) {
        if (shares_[*from].size() < shares_[to].size() + 2) break;
        const auto& share = shares_[*from];
        const auto movable = std::find_if(share.rbegin(), share.rend(), [&](const TopicPartition& tp) {
          return members_[to].topics.contains(tp.topic);
        });
        if (movable == share.rend()) continue;
        const TopicPartition tp = *movable;
        shares_[*from].erase(tp);
        put(tp, to);
        return true;
      }
    }
    return false;
  }

  const std::vector<Subscriber>& members_;
  const PartitionCounts& counts_;
  std::vector<std::set<TopicPartition>> shares_;
  std::map<TopicPartition, size_t> owners_;
};

}  // namespace

std::string_view name_of(Assignor assignor) { return kKnown[static_cast<size_t>(assignor)].name; }

std::optional<Assignor> find_assignor(std::string_view name) {
  if (name.starts_with(kKafkasPackage)) name.remove_prefix(kKafkasPackage.size());
  for (const Known& known : kKnown) {
    if (name == known.name || name == known.class_name) return known.assignor;
  }
  return std::nullopt;
}

Shares divide(Assignor assignor, std::vector<Subscriber> members, const PartitionCounts& partitions) {
  Shares shares;
  for (const Subscriber& member : members) shares[member.id];
  std::sort(members.begin(), members.end(), stands_before);
  switch (assignor) {
    case Assignor::range: divide_ranges(members, partitions, shares); break;
    case Assignor::round_robin: divide_in_turn(members, partitions, shares); break;
    case Assignor::cooperative_sticky: Sticky(members, partitions).divide(shares); break;
  }
  return shares;
}

}  // namespace tidemark::client
