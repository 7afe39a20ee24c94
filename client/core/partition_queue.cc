#include "client/core/partition_queue.h"

namespace tidemark::client {
namespace {

using runtime::MonoTime;

constexpr int16_t kLastEpoch = INT16_MAX;

std::chrono::milliseconds millis(int64_t ms) { return std::chrono::milliseconds(ms); }

}  // namespace

PartitionQueue::PartitionQueue(TopicPartition partition, const ProducerOptions& options)
    : partition_(std::move(partition)), options_(options) {}

size_t PartitionQueue::append(RecordNumber record, const OutgoingRecord& content, int64_t timestamp_ms,
                              BatchNumber next_batch, MonoTime now) {
  const auto limit = static_cast<size_t>(options_.batch_bytes);
  Batch* open =
      waiting_.empty() || waiting_.back()->full || waiting_.back()->closed ? nullptr : waiting_.back().get();
  if (open != nullptr) {
    const size_t grown =
        open->builder.uncompressed_bytes() +
        open->builder.record_bytes(timestamp_ms, content.key, content.value, content.headers);
    if (grown > limit) {
      open->full = true;
      open = nullptr;
    }
  }
  if (open == nullptr) {
    protocol::BatchOptions options;
    options.codec = options_.codec;
    auto batch = std::make_unique<Batch>(options);
    batch->number = next_batch;
    batch->created = now;
    open = batch.get();
    waiting_.push_back(std::move(batch));
  }
  open->builder.add(timestamp_ms, content.key, content.value, content.headers);
  open->records.push_back(record);
  if (open->builder.uncompressed_bytes() >= limit) open->full = true;
  const size_t growth = open->builder.uncompressed_bytes() - open->charged;
  open->charged += growth;
  return growth;
}

void PartitionQueue::close_open_batch() {
  if (!waiting_.empty()) waiting_.back()->full = true;
}

MonoTime PartitionQueue::ready_at() const {
  if (waiting_.empty() || wants_new_id_) return runtime::kNever;
  if (in_flight_.size() >= static_cast<size_t>(options_.max_in_flight_per_partition)) return runtime::kNever;
  if (restart_ && !in_flight_.empty()) return runtime::kNever;
  const Batch& next = *waiting_.front();
  // Rule 2: a retry goes alone.
  if (!in_flight_.empty() && (next.attempts > 0 || in_flight_.front()->attempts > 1)) return runtime::kNever;
  if (!in_flight_.empty() && in_flight_.front()->sequence && !known_) return runtime::kNever;
  if (next.full || next.closed) return std::max(next.not_before, next.created);
  return next.created + millis(options_.linger_ms);
}

Result<Attempt> PartitionQueue::take(const ProducerIdentity& identity) {
  REQUIRES(!waiting_.empty());
  BatchPtr batch = std::move(waiting_.front());
  waiting_.pop_front();
  if (Result<void> built = close(*batch); !built) {
    const Error error = built.error();
    settle(std::move(batch), fail(Error(error)));
    return fail(Error(error));
  }
  if (identity.known()) {
    if (!identity_.known()) {
      identity_ = identity;
      next_sequence_ = 0;
    }
    stamp(*batch);
  }
  ++batch->attempts;
  const Attempt attempt{batch->number, batch->bytes};
  in_flight_.push_back(std::move(batch));
  return attempt;
}

Result<void> PartitionQueue::close(Batch& batch) {
  if (batch.closed) return {};
  TRY_ASSIGN(batch.bytes, batch.builder.build());
  batch.closed = batch.full = true;
  return {};
}

void PartitionQueue::stamp(Batch& batch) {
  if (batch.sequence) return;
  protocol::BatchHeader header = protocol::read_batch_header(batch.bytes);
  header.producer_id = identity_.id;
  header.producer_epoch = identity_.epoch;
  header.base_sequence = next_sequence_;
  protocol::write_batch_header(batch.bytes, header);
  batch.sequence = next_sequence_;
  // Sequences wrap to 0 after 2^31 - 1.
  next_sequence_ = static_cast<int32_t>((int64_t{next_sequence_} + header.record_count) & INT32_MAX);
}

void PartitionQueue::answered(BatchNumber number, ErrorCode code, std::string message, Offset base_offset,
                              MonoTime now) {
  BatchPtr batch = leave_flight(number);
  if (!batch) return;
  const Judgement judgement = judge_produce(code);
  batch->possibly_persisted |= judgement.possibly_persisted;
  Error error(code, message.empty() ? partition_.topic : std::move(message));
  switch (judgement.verdict) {
    case Verdict::delivered:
      if (batch->sequence) known_ = true;
      settle(std::move(batch), code == ErrorCode::NONE ? base_offset : kNoOffset);
      break;
    case Verdict::retry:
    case Verdict::move: try_again(std::move(batch), std::move(error), now); break;
    case Verdict::out_of_turn:
      if (batch->sequence && !is_oldest(*batch)) {
        try_again(std::move(batch), std::move(error), now);
        break;
      }
      [[fallthrough]];
    case Verdict::state_lost:
    case Verdict::fenced:
      if (!batch->sequence) {
        give_up(std::move(batch), std::move(error));
        break;
      }
      restart_ = true;
      if (judgement.verdict == Verdict::fenced) wants_new_id_ = true;
      try_again(std::move(batch), std::move(error), now);
      break;
    case Verdict::refused: give_up(std::move(batch), std::move(error)); break;
  }
  restart_sequences_if_quiet();
}

void PartitionQueue::unanswered(BatchNumber number, const Error& error, MonoTime now) {
  BatchPtr batch = leave_flight(number);
  if (!batch) return;
  batch->possibly_persisted |= error.possibly_persisted();
  const bool worth_it = is_retriable(error.code()) || error.kind() == ErrorKind::io ||
                        error.kind() == ErrorKind::closed || error.kind() == ErrorKind::timeout ||
                        error.code() == ErrorCode::BROKER_NOT_AVAILABLE;
  if (worth_it) {
    try_again(std::move(batch), error, now);
  } else {
    give_up(std::move(batch), error);
  }
  restart_sequences_if_quiet();
}

PartitionQueue::BatchPtr PartitionQueue::leave_flight(BatchNumber number) {
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(),
                                  [&](const BatchPtr& batch) { return batch->number == number; });
  if (found == in_flight_.end()) return nullptr;
  BatchPtr batch = std::move(*found);
  in_flight_.erase(found);
  return batch;
}

bool PartitionQueue::is_oldest(const Batch& batch) const {
  const auto older = [&](const BatchPtr& other) { return other->number < batch.number; };
  return std::none_of(in_flight_.begin(), in_flight_.end(), older) &&
         std::none_of(waiting_.begin(), waiting_.end(), older);
}

void PartitionQueue::try_again(BatchPtr batch, Error error, MonoTime now) {
  if (now >= expiry_of(*batch)) {
    give_up(std::move(batch), std::move(error));
    return;
  }
  batch->last_error = std::move(error);
  batch->not_before = now + millis(options_.retry_backoff_ms);
  const auto place = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const BatchPtr& other) { return other->number > batch->number; });
  waiting_.insert(place, std::move(batch));
}

void PartitionQueue::give_up(BatchPtr batch, Error error) {
  // Rule 3: the broker would find a gap where this batch's sequences were.
  if (batch->sequence) restart_ = true;
  if (batch->possibly_persisted) error = Error(std::move(error)).mark_possibly_persisted();
  settle(std::move(batch), fail(std::move(error)));
}

void PartitionQueue::settle(BatchPtr batch, Result<Offset> outcome) {
  freed_ += batch->charged;
  settled_.push_back({partition_, std::move(batch->records), std::move(outcome)});
}

void PartitionQueue::restart_sequences_if_quiet() {
  if (!restart_ || !in_flight_.empty()) return;
  restart_ = false;
  std::deque<BatchPtr> kept;
  for (BatchPtr& batch : std::exchange(waiting_, {})) {
    if (batch->sequence && batch->possibly_persisted) {
      const Error why = batch->last_error.value_or(Error(ErrorCode::UNKNOWN_PRODUCER_ID, partition_.topic));
      settle(std::move(batch), fail(Error(why).mark_possibly_persisted()));
      continue;
    }
    batch->sequence.reset();
    kept.push_back(std::move(batch));
  }
  waiting_ = std::move(kept);
  next_sequence_ = 0;
  known_ = false;
  if (identity_.epoch.value == kLastEpoch) wants_new_id_ = true;
  if (wants_new_id_) {
    identity_ = {};
  } else {
    identity_.epoch = ProducerEpoch(static_cast<int16_t>(identity_.epoch.value + 1));
  }
}

MonoTime PartitionQueue::expiry_of(const Batch& batch) const {
  return batch.created + millis(options_.delivery_timeout_ms);
}

MonoTime PartitionQueue::next_expiry() const {
  MonoTime first = runtime::kNever;
  for (const BatchPtr& batch : waiting_) first = std::min(first, expiry_of(*batch));
  return first;
}

void PartitionQueue::expire(MonoTime now) {
  bool gone = false;
  for (BatchPtr& batch : std::exchange(waiting_, {})) {
    if (now < expiry_of(*batch)) {
      waiting_.push_back(std::move(batch));
      continue;
    }
    gone = true;
    Error error = batch->last_error.value_or(Error::timeout(
        fmt::format("{}: not delivered within {} ms", partition_.topic, options_.delivery_timeout_ms)));
    give_up(std::move(batch), std::move(error));
  }
  if (gone) restart_sequences_if_quiet();
}

void PartitionQueue::fail_waiting(const Error& error) {
  for (BatchPtr& batch : std::exchange(waiting_, {})) give_up(std::move(batch), error);
  restart_sequences_if_quiet();
}

std::vector<Delivery> PartitionQueue::take_deliveries(size_t& freed) {
  freed += std::exchange(freed_, 0);
  return std::exchange(settled_, {});
}

}  // namespace tidemark::client
