#include "client/core/fetch_plan.h"

namespace tidemark::client {

void FetchPlan::assign(const TopicPartition& partition, Offset offset) {
  Partition fresh;
  fresh.fetch_offset = offset;
  fresh.generation = ++generation_;
  partitions_[partition] = fresh;
}

FetchTarget FetchPlan::assign_later(const TopicPartition& partition) {
  assign(partition, kNoOffset);
  Partition& fresh = partitions_[partition];
  fresh.asked = true;
  return {partition, kNoOffset, fresh.generation};
}

void FetchPlan::place(const FetchTarget& target, Offset offset) {
  Partition* partition = current(target);
  if (partition == nullptr) return;
  partition->asked = false;
  partition->fetch_offset = offset;
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
  const Result<Offset> end = PartitionRecords::end_of(fetched.records, target.offset);
  if (!end) {
    partition->asked = true;
    take_error(target, end.error());
    return true;
  }
  if (*end == target.offset) return false;
  partition->fetch_offset = *end;
  ++partition->buffered;
  auto records =
      std::make_unique<PartitionRecords>(std::move(fetched), options_.isolation, options_.check_crcs);
  buffered_.push_back({target.generation, {target.partition, std::move(records)}});
  return true;
}

void FetchPlan::take_error(const FetchTarget& target, Error error) {
  Partition* partition = current(target);
  if (partition == nullptr) return;
  partition->asked = false;
  partition->stopped = true;
  ++partition->buffered;
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
    --found->second.buffered;
    if (!next.ready.records) found->second.stopped = false;
    return std::move(next.ready);
  }
  return std::nullopt;
}

}  // namespace tidemark::client
