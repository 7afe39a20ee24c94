#include "storage/producer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "protocol/invariant.h"

namespace tidemark::storage {
namespace {

using protocol::BatchHeader;

bool follows(int32_t last_sequence, int32_t next_sequence) {
  return next_sequence == int64_t{last_sequence} + 1 || (next_sequence == 0 && last_sequence == INT32_MAX);
}

Unexpected refuse(ErrorCode code, const BatchHeader& h, const ProducerEntry& entry, std::string_view why) {
  return fail(code, fmt::format("producer {} epoch {} sequence {}: {} (known: epoch {}, last sequence {})",
                                h.producer_id, h.producer_epoch, h.base_sequence, why, entry.epoch,
                                entry.last_sequence()));
}

}  // namespace

void ProducerEntry::add(const ProducerBatch& batch) {
  if (recent_count == kProducerBatches) {
    std::shift_left(recent.begin(), recent.end(), 1);
    --recent_count;
  }
  recent[recent_count++] = batch;
}

Result<std::optional<DuplicateBatch>> ProducerState::check(const BatchHeader& h) const {
  if (!h.is_idempotent() || h.is_control()) return std::optional<DuplicateBatch>();
  static const ProducerEntry kUnknown;
  const ProducerEntry* known = find(h.producer_id);
  const ProducerEntry& entry = known != nullptr ? *known : kUnknown;
  if (h.base_sequence < 0 || h.producer_epoch < ProducerEpoch(0))
    return refuse(ErrorCode::INVALID_RECORD, h, entry, "a producer id without epoch or sequence");
  if (known == nullptr) return std::optional<DuplicateBatch>();
  if (h.producer_epoch == entry.epoch) {
    for (const ProducerBatch& b : entry.batches())
      if (b.first_sequence() == h.base_sequence && b.last_sequence == h.last_sequence())
        return std::optional(DuplicateBatch{b.base_offset(), b.last_offset, b.timestamp_ms});
  }
  if (h.producer_epoch < entry.epoch)
    return refuse(ErrorCode::INVALID_PRODUCER_EPOCH, h, entry, "the epoch is fenced");
  if (h.producer_epoch > entry.epoch) {
    // KIP-98: a new epoch starts over. An entry without an epoch knows nothing to start over from.
    if (h.base_sequence != 0 && entry.epoch != kNoProducerEpoch)
      return refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, h, entry, "a new epoch must start at 0");
  } else if (!follows(entry.last_sequence(), h.base_sequence)) {
    return refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, h, entry, "the sequence does not follow");
  }
  if (entry.current_txn_first_offset && !h.is_transactional())
    return refuse(ErrorCode::INVALID_TXN_STATE, h, entry, "a plain batch inside a transaction");
  return std::optional<DuplicateBatch>();
}

void ProducerState::apply(const BatchHeader& h, runtime::WallTime now) {
  advance_to(h.next_offset());
  if (!h.is_idempotent() || h.is_control()) return;
  ProducerEntry& entry = entry_of(h.producer_id);
  if (entry.epoch != h.producer_epoch) {
    entry.epoch = h.producer_epoch;
    entry.recent_count = 0;
    entry.recent = {};
  }
  entry.add({h.last_sequence(), h.last_offset_delta, h.last_offset(), h.max_timestamp});
  entry.last_timestamp_ms = h.max_timestamp;
  entry.last_active = std::max(entry.last_active, now);
  if (h.is_transactional() && !entry.current_txn_first_offset) entry.current_txn_first_offset = h.base_offset;
}

void ProducerState::apply_end_marker(const BatchHeader& h, int32_t coordinator_epoch, runtime::WallTime now) {
  advance_to(h.next_offset());
  if (!h.is_idempotent()) return;
  ProducerEntry& entry = entry_of(h.producer_id);
  if (entry.epoch != h.producer_epoch) {
    entry.epoch = h.producer_epoch;
    entry.recent_count = 0;
    entry.recent = {};
  }
  entry.coordinator_epoch = coordinator_epoch;
  entry.current_txn_first_offset.reset();
  entry.last_timestamp_ms = h.max_timestamp;
  entry.last_active = std::max(entry.last_active, now);
}

size_t ProducerState::expire(runtime::WallTime now, std::chrono::milliseconds expiration) {
  return std::erase_if(producers_, [&](const auto& item) {
    const ProducerEntry& entry = item.second;
    return !entry.current_txn_first_offset && now - entry.last_active >= expiration;
  });
}

void ProducerState::clear(Offset end_offset) {
  producers_.clear();
  end_offset_ = end_offset;
}

const ProducerEntry* ProducerState::find(ProducerId id) const {
  const auto found = producers_.find(id);
  return found == producers_.end() ? nullptr : &found->second;
}

ProducerState ProducerState::below(Offset end) const {
  ProducerState result(max_producers_);
  result.end_offset_ = std::min(end_offset_, end);
  for (const auto& [id, entry] : producers_) {
    ProducerEntry part = entry;
    part.recent = {};
    part.recent_count = 0;
    for (const ProducerBatch& batch : entry.batches()) {
      if (batch.last_offset < end) part.add(batch);
    }
    if (part.recent_count == 0) continue;
    part.last_timestamp_ms = part.batches().back().timestamp_ms;
    result.producers_.emplace_hint(result.producers_.end(), id, part);
  }
  return result;
}

void ProducerState::load(ProducerId id, const ProducerEntry& entry) { entry_of(id) = entry; }

ProducerEntry& ProducerState::entry_of(ProducerId id) {
  const auto found = producers_.lower_bound(id);
  if (found != producers_.end() && found->first == id) return found->second;
  if (producers_.size() >= max_producers_) make_room();
  return producers_[id];
}

// Forgets a sixteenth of the producers, the longest idle ones, so that a stream of new ones pays little each.
void ProducerState::make_room() {
  std::vector<std::pair<runtime::WallTime, ProducerId>> idle;
  idle.reserve(producers_.size());
  for (const auto& [id, entry] : producers_)
    if (!entry.current_txn_first_offset) idle.emplace_back(entry.last_active, id);
  // All inside transactions: then one of those has to go.
  if (idle.empty()) idle.emplace_back(producers_.begin()->second.last_active, producers_.begin()->first);
  const size_t drop = std::min(idle.size(), producers_.size() / 16 + 1);
  std::nth_element(idle.begin(), idle.begin() + static_cast<std::ptrdiff_t>(drop) - 1, idle.end());
  for (size_t i = 0; i < drop; ++i) producers_.erase(idle[i].second);
  evicted_ += drop;
}

}  // namespace tidemark::storage
