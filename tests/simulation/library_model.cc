#include "tests/simulation/library_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::simulation {

uint64_t LibraryModel::sends(uint64_t producer, PartitionId partition) {
  records_.push_back({producer, partition, false, false, std::nullopt});
  return records_.size();
}

Verdict LibraryModel::delivered(uint64_t number, std::optional<Offset> at) {
  Record& record = records_[number - 1];
  record.is_delivered = true;
  if (at) return stands(record, number, *at);
  return std::nullopt;
}

Verdict LibraryModel::refused(uint64_t number) {
  Record& record = records_[number - 1];
  record.is_refused = true;
  if (!record.at) return std::nullopt;
  return fmt::format("library: record {} is said to be refused, and stands at {} of partition {}", number,
                     *record.at, record.partition);
}

Verdict LibraryModel::unmet() const {
  for (size_t i = 0; i < records_.size(); ++i)
    if (records_[i].is_delivered && !records_[i].at)
      return fmt::format("library: record {} was delivered to partition {}, and is nowhere", i + 1,
                         records_[i].partition);
  return std::nullopt;
}

Verdict LibraryModel::saw(PartitionId partition, Offset at, uint64_t number) {
  if (number == 0 || number > records_.size())
    return fmt::format("library: {} of partition {} has record {}, which nobody sent", at, partition, number);
  Record& record = records_[number - 1];
  if (record.partition != partition)
    return fmt::format("library: record {} of partition {} is in {}", number, record.partition, partition);
  if (record.is_refused)
    return fmt::format("library: record {} was refused, and stands at {} of partition {}", number, at,
                       partition);
  return stands(record, number, at);
}

Verdict LibraryModel::stands(Record& record, uint64_t number, Offset at) {
  Partition& partition = of(record.partition);
  if (record.at && *record.at != at)
    return fmt::format("library: record {} is at {} and at {} of partition {}", number, *record.at, at,
                       record.partition);
  const auto [place, is_new] = partition.records.emplace(at, number);
  if (place->second != number)
    return fmt::format("library: {} of partition {} has record {}, and {}", at, record.partition,
                       place->second, number);
  record.at = at;
  partition.certain_end = std::max(partition.certain_end, Offset(at.value + 1));
  if (!is_new) return std::nullopt;
  // Its neighbours, where they are the same producer's.
  const auto out_of_order = [&](uint64_t first, uint64_t second) {
    return records_[first - 1].producer == records_[second - 1].producer && first > second;
  };
  const bool before = place != partition.records.begin() && out_of_order(std::prev(place)->second, number);
  const auto next = std::next(place);
  const bool after = next != partition.records.end() && out_of_order(number, next->second);
  if (before || after)
    return fmt::format("library: record {} at {} of partition {} is out of its producer's order", number, at,
                       record.partition);
  return std::nullopt;
}

uint64_t LibraryModel::commits(PartitionId partition, Offset next) {
  auto& attempts = of(partition).attempts;
  attempts.push_back({next, true});
  return attempts.size() - 1;
}

void LibraryModel::committed(PartitionId partition, uint64_t attempt) {
  Partition& of_it = of(partition);
  of_it.attempts[attempt].is_open = false;
  of_it.committed = std::max<size_t>(of_it.committed.value_or(0), attempt);
}

Verdict LibraryModel::begins(PartitionId partition, std::optional<Offset> at) const {
  const Partition& of_it = of(partition);
  if (!at && !of_it.committed) return std::nullopt;
  const auto is_it = [&](const Attempt& attempt) { return at && attempt.next == *at; };
  if (of_it.committed && is_it(of_it.attempts[*of_it.committed])) return std::nullopt;
  // One that had no answer may still have been taken, and later than the last that had one.
  if (std::ranges::any_of(of_it.attempts, [&](const Attempt& a) { return a.is_open && is_it(a); }))
    return std::nullopt;
  return fmt::format("library: a member begins partition {} at {}, and {} is committed", partition,
                     at ? at->value : -1, of_it.committed ? of_it.attempts[*of_it.committed].next.value : -1);
}

void LibraryModel::processed(PartitionId partition, Offset next) {
  Partition& of_it = of(partition);
  of_it.processed = std::max(of_it.processed, next);
}

bool LibraryModel::all_processed() const {
  return std::ranges::all_of(partitions_, [](const Partition& p) { return p.processed >= p.certain_end; });
}

}  // namespace tidemark::simulation
