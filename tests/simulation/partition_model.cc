#include "tests/simulation/partition_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::simulation {

Verdict PartitionModel::place(SentBatch& batch, Offset base) {
  const Offset last = base + (batch.records - 1);
  auto after = content_.upper_bound(last);
  if (after != content_.begin()) {
    const auto& [there, entry] = *std::prev(after);
    if (there == base && entry.identity == batch.identity) return std::nullopt;
    if (entry.last >= base) {
      return fmt::format("{}: offset {} held batch #{} (at {}), and now holds batch #{} (at {})", name_,
                         std::max(there, base), entry.identity, there, batch.identity, base);
    }
  }
  auto& places = batch.places[topic_id_];
  if (batch.producer != kNoProducerId && !places.empty()) {
    return fmt::format("{}: idempotent batch #{} of producer {} stands at {} and again at {}", name_,
                       batch.identity, batch.producer, places.front(), base);
  }
  if (static_cast<int>(places.size()) >= batch.attempts) {
    return fmt::format("{}: batch #{} was sent {} times, and stands at {} too", name_, batch.identity,
                       batch.attempts, base);
  }
  if (auto wrong = judge_order(batch, base)) return wrong;
  places.push_back(base);
  content_.emplace(base, Entry{last, batch.identity, kNoLeaderEpoch, batch.timestamp_ms, 0});
  return std::nullopt;
}

Verdict PartitionModel::judge_order(const SentBatch& batch, Offset base) {
  if (batch.producer == kNoProducerId) return std::nullopt;
  auto& sequences = sequences_[batch.producer];
  const auto next = sequences.lower_bound(batch.base_sequence);
  const bool behind_next = next != sequences.end() && next->second < base;
  const bool before_previous = next != sequences.begin() && std::prev(next)->second > base;
  if (behind_next || before_previous) {
    return fmt::format("{}: producer {}'s sequence {} stands at {}, out of its order", name_, batch.producer,
                       batch.base_sequence, base);
  }
  sequences.emplace(batch.base_sequence, base);
  return std::nullopt;
}

Verdict PartitionModel::judge_epoch(Content::iterator at) {
  const Entry& entry = at->second;
  if (entry.epoch == kNoLeaderEpoch) return std::nullopt;
  if (at != content_.begin()) {
    const auto before = std::prev(at);
    if (before->second.epoch > entry.epoch)
      return fmt::format("{}: the batch at {} is of epoch {}, the one behind it, at {}, of {}", name_,
                         before->first, before->second.epoch, at->first, entry.epoch);
  }
  return entry.life == 0 ? std::nullopt : saw_leader(entry.epoch, entry.life);
}

Verdict PartitionModel::acked(SentBatch& batch, Offset base, uint64_t life, Offset was_promised) {
  if (base < was_promised) {
    return fmt::format("{}: batch #{} is acknowledged at {}, but {} was promised before it was sent", name_,
                       batch.identity, base, was_promised);
  }
  if (auto wrong = place(batch, base)) return wrong;
  const auto at = content_.find(base);
  // A batch sent again may stand there from an earlier life.
  if (batch.attempts == 1) at->second.life = life;
  promised_end_ = std::max(promised_end_, base + batch.records);
  return judge_epoch(at);
}

Verdict PartitionModel::read(SentBatch& batch, Offset base, LeaderEpoch epoch) {
  if (auto wrong = place(batch, base)) return wrong;
  const auto at = content_.find(base);
  Entry& entry = at->second;
  if (entry.epoch != kNoLeaderEpoch && entry.epoch != epoch) {
    return fmt::format("{}: the batch at {} was of epoch {}, and now is of {}", name_, base, entry.epoch,
                       epoch);
  }
  entry.epoch = epoch;
  return judge_epoch(at);
}

KeyTable PartitionModel::newest_by_key(const std::function<const SentBatch&(uint64_t)>& find) const {
  KeyTable table;
  for (const auto& [base, entry] : content_) {
    const SentBatch& batch = find(entry.identity);
    for (size_t i = 0; i < batch.keys.size(); ++i)
      table[batch.keys[i]] = {base + static_cast<int64_t>(i), batch.tombstones[i]};
  }
  return table;
}

bool PartitionModel::deleted_above(int32_t key, Offset offset,
                                   const std::function<const SentBatch&(uint64_t)>& find) const {
  for (const auto& [base, entry] : content_) {
    const SentBatch& batch = find(entry.identity);
    for (size_t i = 0; i < batch.keys.size(); ++i) {
      const bool is_one = batch.keys[i] == key && batch.tombstones[i];
      if (is_one && base + static_cast<int64_t>(i) > offset) return true;
    }
  }
  return false;
}

Verdict PartitionModel::read_empty(Offset base, Offset last) const {
  if (!compacted_) return fmt::format("{}: the batch at {} has no record", name_, base);
  const auto after = content_.upper_bound(last);
  if (after == content_.begin()) return std::nullopt;
  const auto& [there, entry] = *std::prev(after);
  if (entry.last < base || (there == base && entry.last == last)) return std::nullopt;
  return fmt::format("{}: batch #{} stands at {} to {}, and an empty one at {} to {}", name_, entry.identity,
                     there, entry.last, base, last);
}

Verdict PartitionModel::saw_leader(LeaderEpoch epoch, uint64_t life) {
  const auto [known, is_new] = led_in_.emplace(epoch, life);
  if (known->second != life) {
    return fmt::format("{}: epoch {} was life {}'s, and is used again in life {}", name_, epoch,
                       known->second, life);
  }
  if (!is_new) return std::nullopt;
  // Later lives lead in later epochs.
  const auto next = std::next(known);
  const bool wrong = (next != led_in_.end() && next->second < life) ||
                     (known != led_in_.begin() && std::prev(known)->second > life);
  if (wrong) return fmt::format("{}: life {} leads in epoch {}, out of order", name_, life, epoch);
  return std::nullopt;
}

Verdict PartitionModel::saw_high_watermark(Offset high_watermark, View at_send) {
  if (high_watermark < at_send.certain_end) {
    return fmt::format("{}: the high watermark is {}, and {} was certain before", name_, high_watermark,
                       at_send.certain_end);
  }
  was_read(high_watermark);
  return std::nullopt;
}

Verdict PartitionModel::saw_start(Offset start, View at_send) {
  if (start < at_send.start)
    return fmt::format("{}: starts at {}, and started at {} before", name_, start, at_send.start);
  if (start > start_limit_)
    return fmt::format("{}: starts at {}, and nobody asked for more than {}", name_, start, start_limit_);
  start_ = std::max(start_, start);
  return std::nullopt;
}

Verdict PartitionModel::found_by_time(int64_t timestamp, Offset found, int64_t found_timestamp,
                                      View at_send) const {
  // Whatever may have been trimmed meanwhile need not be found; what was not certain yet need not either.
  const Offset until = found == kNoOffset ? at_send.certain_end : found;
  for (auto at = content_.begin(); at != content_.end() && at->first < until && !compacted_; ++at) {
    if (at->second.last < start_limit_ || at->second.timestamp_ms < timestamp) continue;
    if (at->second.last >= until) break;  // the record found is in this very batch
    if (at->first >= at_send.certain_end) break;
    return fmt::format("{}: the record at {} has time {}, and a search from {} on leads to {}", name_,
                       at->first, at->second.timestamp_ms, timestamp, found);
  }
  if (found == kNoOffset) return std::nullopt;
  auto at = content_.upper_bound(found);
  if (at == content_.begin() || (--at)->second.last < found) return std::nullopt;  // not known
  if (at->second.timestamp_ms < timestamp || at->second.timestamp_ms != found_timestamp) {
    return fmt::format("{}: a search from {} on leads to {} with time {}, and that record has {}", name_,
                       timestamp, found, found_timestamp, at->second.timestamp_ms);
  }
  return std::nullopt;
}

Verdict PartitionModel::served(uint64_t life) const {
  if (!is_lost(life)) return std::nullopt;
  return fmt::format("{}: life {} serves it, and its folder was lost after life {}", name_, life,
                     lost_after_);
}

Verdict PartitionModel::trimmed(Offset to, Offset low_watermark, View at_send) {
  if (to != kAnyOffset && low_watermark < to)
    return fmt::format("{}: trimmed to {}, and still starts at {}", name_, to, low_watermark);
  return saw_start(low_watermark, at_send);
}

}  // namespace tidemark::simulation
