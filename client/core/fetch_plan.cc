#include "client/core/fetch_plan.h"

namespace tidemark::client {

std::string LogTruncation::to_string() const {
  return fmt::format("{}: the log was truncated: it was read up to offset {} of leader epoch {}, {}",
                     partition, position.offset.value, position.epoch.value,
                     diverged ? fmt::format("and goes on otherwise from offset {}", diverged->offset.value)
                              : std::string("of which the leader knows nothing"));
}

void FetchPlan::assign(const TopicPartition& partition, FetchPosition from) {
  Partition fresh;
  fresh.next = from;
  fresh.generation = ++generation_;
  partitions_[partition] = fresh;
}

FetchTarget FetchPlan::assign_later(const TopicPartition& partition) {
  assign(partition, {kNoOffset});
  Partition& fresh = partitions_[partition];
  fresh.asked = fresh.seeking = true;
  return {partition, fresh.next, kNoLeaderEpoch, fresh.generation};
}

void FetchPlan::seek(const FetchTarget& target) {
  if (Partition* partition = current(target)) partition->asked = partition->seeking = true;
}

bool FetchPlan::place(const FetchTarget& target, FetchPosition at) {
  Partition* partition = current(target);
  if (partition == nullptr) return false;
  partition->asked = partition->seeking = partition->to_compare = false;
  partition->next = at;
  return true;
}

bool FetchPlan::wants(const Partition& partition, runtime::MonoTime now) const {
  return !partition.asked && !partition.stopped &&
         partition.unread.size() < static_cast<size_t>(options_.max_buffered_fetches) &&
         partition.not_before <= now;
}

// What was fetched of another leader and not read yet may be cut off as well: it is fetched again, from where
// the reader stands. An answer that is still under way comes too late.
void FetchPlan::follow(Partition& partition, const PartitionLeader& leader) {
  partition.leader = leader;
  if (!partition.unread.empty() || partition.asked) {
    if (!partition.unread.empty()) partition.next = partition.unread.front();
    partition.unread.clear();
    partition.generation = ++generation_;
    partition.asked = partition.stopped = false;
  }
  partition.to_compare = partition.next.epoch != kNoLeaderEpoch && leader.epoch != kNoLeaderEpoch;
}

// As Kafka's own consumer judges it: only an end below the position tells of a truncation. An older epoch
// with an end above it does not, since compaction may have removed every record of the position's epoch.
std::optional<LogTruncation> FetchPlan::take_end(const FetchTarget& target,
                                                 std::optional<FetchPosition> end) {
  Partition* partition = current(target);
  if (partition == nullptr || !partition->to_compare) return std::nullopt;
  partition->asked = false;
  if (!end ||
      (end->offset != kNoOffset && end->epoch != kNoLeaderEpoch && end->offset >= target.position.offset)) {
    partition->to_compare = false;
    return std::nullopt;
  }
  const bool known = end->offset != kNoOffset && end->epoch != kNoLeaderEpoch;
  return LogTruncation{target.partition, target.position, known ? end : std::nullopt};
}

void FetchPlan::remove(const TopicPartition& partition) { partitions_.erase(partition); }

runtime::MonoTime FetchPlan::next_event(runtime::MonoTime now) const {
  runtime::MonoTime first = runtime::kNever;
  for (const auto& [tp, partition] : partitions_) {
    if (!partition.asked && partition.not_before > now) first = std::min(first, partition.not_before);
  }
  return first;
}

FetchPlan::Partition* FetchPlan::current(const FetchTarget& target) {
  const auto found = partitions_.find(target.partition);
  if (found == partitions_.end() || found->second.generation != target.generation) return nullptr;
  return &found->second;
}

bool FetchPlan::take_records(const FetchTarget& target, FetchedBytes fetched) {
  Partition* partition = current(target);
  if (partition == nullptr) return false;
  partition->asked = false;
  const Result<FetchPosition> end = PartitionRecords::end_of(fetched.records, target.position);
  if (!end) {
    take_error(target, end.error());
    return true;
  }
  if (end->offset == target.position.offset) return false;
  partition->next = *end;
  partition->unread.push_back(target.position);
  auto records =
      std::make_unique<PartitionRecords>(std::move(fetched), options_.isolation, options_.check_crcs);
  buffered_.push_back({target.generation, {target.partition, std::move(records)}});
  return true;
}

void FetchPlan::take_error(const FetchTarget& target, Error error) {
  Partition* partition = current(target);
  if (partition == nullptr) return;
  partition->asked = partition->seeking = false;
  partition->stopped = true;
  partition->unread.push_back(partition->next);
  buffered_.push_back({target.generation, {target.partition, fail(std::move(error))}});
}

void FetchPlan::retry(const FetchTarget& target, runtime::MonoTime not_before) {
  Partition* partition = current(target);
  if (partition == nullptr) return;
  partition->asked = false;
  partition->not_before = not_before;
}

std::optional<FetchPlan::Ready> FetchPlan::pop() {
  while (!buffered_.empty()) {
    Buffered next = std::move(buffered_.front());
    buffered_.pop_front();
    const auto found = partitions_.find(next.ready.partition);
    if (found == partitions_.end() || found->second.generation != next.generation) continue;
    found->second.unread.pop_front();
    if (!next.ready.records) found->second.stopped = false;
    return std::move(next.ready);
  }
  return std::nullopt;
}

}  // namespace tidemark::client
