#include "tests/simulation/group_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::simulation {

namespace {

constexpr size_t kRemembered = 200;  // commits of one partition

}  // namespace

int32_t GroupModel::least_generation(uint64_t life) const {
  int32_t least = 0;
  for (const auto& [number, generation] : generations_)
    if (generation.synced || generation.life == life) least = std::max(least, number);
  return least;
}

Verdict GroupModel::joined(int32_t number, const std::string& member, const std::string& leader,
                           int32_t least, uint64_t life) {
  if (number < least) {
    return fmt::format("group {}: {} joined generation {}, and {} was there already", name_, member, number,
                       least);
  }
  Generation& generation = generations_[number];
  // A dead process's answer, which was long under way: nobody else need have heard of that generation.
  if (life < generation.life) return std::nullopt;
  // One that was never synced is named again after a crash.
  if (generation.life != life && !generation.synced) generation = Generation{leader, life, false, {}};
  if (generation.leader != leader) {
    return fmt::format("group {}: generation {} is led by {}, and was by {}", name_, number, leader,
                       generation.leader);
  }
  return std::nullopt;
}

Verdict GroupModel::synced(int32_t number, const std::string& member, const std::vector<int32_t>& partitions,
                           uint64_t life) {
  Generation& generation = generations_[number];
  generation.synced = true;
  generation.life = std::max(generation.life, life);
  for (const int32_t partition : partitions) {
    const auto [owner, is_new] = generation.owners.emplace(partition, member);
    if (!is_new && owner->second != member) {
      return fmt::format("group {}: in generation {} partition {} is {}'s and {}'s", name_, number, partition,
                         owner->second, member);
    }
  }
  return std::nullopt;
}

GroupModel::Attempt GroupModel::commit_begins(PartitionId partition, int64_t value, uint64_t life) {
  auto& commits = commits_[partition];
  if (commits.size() > kRemembered && commits.front().gone != 0) commits.pop_front();
  commits.push_back({++now_, value, life, 0, 0});
  return now_;
}

void GroupModel::commit_acknowledged(PartitionId partition, Attempt attempt) {
  ++now_;
  auto& commits = commits_[partition];
  const auto own =
      std::find_if(commits.begin(), commits.end(), [&](const Commit& c) { return c.attempt == attempt; });
  own->answered = now_;
  for (Commit& c : commits) {
    if (c.attempt == attempt || c.gone != 0) continue;
    // What was answered before this one was sent, and what a dead process was asked, cannot come after it.
    const bool before = c.answered != 0 ? c.answered < attempt : c.life < own->life;
    if (before) c.gone = now_;
  }
}

void GroupModel::commit_refused(PartitionId partition, Attempt attempt) {
  std::erase_if(commits_[partition], [&](const Commit& c) { return c.attempt == attempt; });
}

Verdict GroupModel::fetched(PartitionId partition, int64_t value, uint64_t began) const {
  const auto found = commits_.find(partition);
  const auto none = [&] {
    // As long as nothing is certain.
    return found == commits_.end() || std::none_of(found->second.begin(), found->second.end(), [&](auto& c) {
             return c.answered != 0 && c.answered < began;
           });
  };
  if (value == -1) {
    if (none()) return std::nullopt;
    return fmt::format("group {}: nothing is committed for partition {}, and something was", name_,
                       partition);
  }
  if (found == commits_.end())
    return fmt::format("group {}: {} is committed for partition {}, and nobody did", name_, value, partition);
  for (const Commit& c : found->second)
    if (c.value == value && (c.gone == 0 || c.gone > began)) return std::nullopt;
  return fmt::format("group {}: {} is committed for partition {}, which was never sent or has a successor",
                     name_, value, partition);
}

}  // namespace tidemark::simulation
