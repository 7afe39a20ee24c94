#include "tests/simulation/group_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::simulation {

namespace {

constexpr size_t kRemembered = 200;  // commits of one partition
// Records tell whole milliseconds.
constexpr runtime::Duration kRounding = std::chrono::milliseconds(2);
constexpr size_t kUuidSuffix = 37;  // "-", and a UUID's text

}  // namespace

std::string bearer(const std::string& member) {
  const bool is_static = member.starts_with(kStaticPrefix) && member.size() > kUuidSuffix;
  return is_static ? member.substr(0, member.size() - kUuidSuffix) : member;
}

int32_t GroupModel::least_generation(uint64_t life, bool log_may_refuse) const {
  int32_t least = 0;
  for (const auto& [number, generation] : generations_)
    if (generation.synced || (generation.life == life && !log_may_refuse)) least = std::max(least, number);
  return least;
}

Verdict GroupModel::joined(int32_t number, const std::string& member, const std::string& leader,
                           int32_t least, uint64_t life, runtime::MonoTime now) {
  has_members_ = true;
  if (may_have_gone(now)) {
    generations_.clear();
    ++incarnation_;
    // What this life says comes after all that the lives before it did.
    deletions_.erase(deletions_.begin(), deletions_.lower_bound(life));
    is_deleted_ = false;
    if (number < least) {
      // It did go, and with it all that was committed.
      for (auto& [partition, commits] : commits_) lose(commits, now_, life);
    }
  } else if (number < least) {
    return fmt::format("group {}: {} joined generation {}, and {} was there already", name_, member, number,
                       least);
  }
  Generation& generation = generations_[number];
  // A dead process's answer, which was long under way: nobody else need have heard of that generation.
  if (life < generation.life) return std::nullopt;
  // One that was never synced is named again after a crash.
  if (generation.life != life && !generation.synced) generation = Generation{leader, life, false, {}};
  if (bearer(generation.leader) != bearer(leader)) {
    return fmt::format("group {}: generation {} is led by {}, and was by {}", name_, number, leader,
                       generation.leader);
  }
  return std::nullopt;
}

Verdict GroupModel::synced(int32_t number, const std::string& member, const std::vector<int32_t>& partitions,
                           uint64_t life, uint64_t incarnation) {
  if (incarnation != incarnation_) return std::nullopt;
  Generation& generation = generations_[number];
  generation.synced = true;
  generation.life = std::max(generation.life, life);
  for (const int32_t partition : partitions) {
    const auto [owner, is_new] = generation.owners.emplace(partition, member);
    if (!is_new && bearer(owner->second) != bearer(member)) {
      return fmt::format("group {}: in generation {} partition {} is {}'s and {}'s", name_, number, partition,
                         owner->second, member);
    }
  }
  return std::nullopt;
}

GroupModel::Attempt GroupModel::commit_begins(PartitionId partition, int64_t value, uint64_t life,
                                              runtime::MonoTime now) {
  auto& commits = commits_[partition];
  if (commits.size() > kRemembered && commits.front().gone != 0) commits.pop_front();
  commits.push_back({++now_, value, life, now, 0, 0, 0});
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

void GroupModel::alive(runtime::MonoTime sent, runtime::MonoTime now) {
  ++now_;
  for (auto& [partition, commits] : commits_)
    for (Commit& c : commits)
      if (may_expire(c, now)) c.may_have_expired = now_;
  last_alive_ = std::max(last_alive_, sent);
}

Verdict GroupModel::unsettled(int32_t partitions) const {
  std::vector<int32_t> owned;
  std::set<int32_t> generations;
  std::string all;
  for (const auto& [host, standing] : standings) {
    owned.insert(owned.end(), standing.partitions.begin(), standing.partitions.end());
    generations.insert(standing.generation);
    all += fmt::format(" {} is {} in generation {} with {} partitions;", host, standing.member,
                       standing.generation, standing.partitions.size());
  }
  std::sort(owned.begin(), owned.end());
  std::vector<int32_t> each;
  for (int32_t p = 0; p < partitions; ++p) each.push_back(p);
  if (generations.size() == 1 && *generations.begin() >= 0 && owned == each) return std::nullopt;
  return fmt::format("group {}:{}", name_, all);
}

void GroupModel::deletion_begins(uint64_t life) { deletions_.insert(life); }

void GroupModel::deletion_answered(uint64_t life, bool is_deleted) {
  if (const auto asked = deletions_.find(life); asked != deletions_.end()) deletions_.erase(asked);
  if (!is_deleted) return;
  is_deleted_ = true;
  generations_.clear();
  ++incarnation_;
}

bool GroupModel::may_expire(const Commit& commit, runtime::MonoTime now) const {
  if (retention_ == runtime::Duration(0)) return false;
  if (commit.may_have_expired != 0) return true;
  // Who is in the group's generation has committed it; when the group was left, any life since may have said,
  // by its own clock. The time of a commit is of the life that was asked.
  const auto passed = has_members_ ? walls_->most_within(std::max(last_alive_, commit.sent), now)
                                   : walls_->most_since(commit.sent, now);
  return retention_ <= passed + kRounding;
}

bool GroupModel::may_have_gone(runtime::MonoTime now) const {
  if (is_deleted_ || !deletions_.empty()) return true;
  if (retention_ == runtime::Duration(0)) return false;
  for (const auto& [partition, commits] : commits_)
    for (const Commit& c : commits)
      if (c.is_certain() && !may_expire(c, now)) return false;
  return true;
}

// Nothing was committed after `before`, in this life: what was certain then has gone, and nothing that a dead
// process was asked comes any more.
void GroupModel::lose(std::deque<Commit>& commits, uint64_t before, uint64_t life) {
  ++now_;
  for (Commit& c : commits)
    if (c.gone == 0 && ((c.answered != 0 && c.answered < before) || c.life < life)) c.gone = now_;
}

Verdict GroupModel::fetched(PartitionId partition, int64_t value, uint64_t began, uint64_t life,
                            runtime::MonoTime now) {
  const auto found = commits_.find(partition);
  if (value == kNothing) {
    if (found == commits_.end()) return std::nullopt;
    bool has_expired = false;
    // By one that was answered, or had its successor, before this commit was sent it is not.
    const auto may_be_deleted = [&](const Commit& commit) {
      return std::ranges::any_of(found->second, [&](const Commit& d) {
        const bool may_come_after = d.answered != 0 ? d.answered > commit.attempt : d.life >= commit.life;
        return d.value == kNothing && may_come_after && (d.gone == 0 || d.gone > commit.attempt);
      });
    };
    for (const Commit& c : found->second) {
      // As long as nothing is certain.
      const bool was_certain = c.answered != 0 && c.answered < began && (c.gone == 0 || c.gone >= began);
      if (c.value == kNothing || !was_certain || may_be_deleted(c)) continue;
      if (!may_expire(c, now)) {
        return fmt::format("group {}: nothing is committed for partition {}, and something was", name_,
                           partition);
      }
      has_expired = true;
    }
    if (has_expired) ++expired_;
    lose(found->second, began, life);
    return std::nullopt;
  }
  if (found == commits_.end())
    return fmt::format("group {}: {} is committed for partition {}, and nobody did", name_, value, partition);
  for (Commit& c : found->second) {
    if (c.value != value || (c.gone != 0 && c.gone <= began)) continue;
    if (c.may_have_expired < began) c.may_have_expired = 0;  // it has not
    return std::nullopt;
  }
  return fmt::format("group {}: {} is committed for partition {}, which was never sent or has a successor",
                     name_, value, partition);
}

}  // namespace tidemark::simulation
