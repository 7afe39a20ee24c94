#include "client/core/accumulator.h"

namespace tidemark::client {
namespace {

// Lengths, deltas and the batch's header, at their longest.
constexpr size_t kRecordOverhead = 48;
constexpr size_t kHeaderOverhead = 10;

}  // namespace

size_t Accumulator::record_bytes(const OutgoingRecord& record) {
  size_t bytes =
      kRecordOverhead + (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const protocol::RecordHeader& header : record.headers)
    bytes += kHeaderOverhead + header.key.size() + (header.value ? header.value->size() : 0);
  return bytes;
}

PartitionQueue& Accumulator::queue(const TopicPartition& partition) {
  auto& found = queues_[partition];
  if (!found) found = std::make_unique<PartitionQueue>(partition, options_);
  return *found;
}

Result<Accumulator::Appended> Accumulator::append(const OutgoingRecord& record, int64_t timestamp_ms,
                                                  runtime::MonoTime now) {
  REQUIRES(record.partition.has_value());
  const size_t bytes = record_bytes(record) + protocol::kBatchHeaderBytes;
  if (bytes > static_cast<size_t>(options_.max_request_bytes)) {
    return fail(ErrorCode::MESSAGE_TOO_LARGE, fmt::format("a record of {} bytes; max.request.size is {}",
                                                          bytes, options_.max_request_bytes));
  }
  const RecordNumber number = next_record_++;
  PartitionQueue& batches = queue({std::string(record.topic), *record.partition});
  const bool had_waiting = batches.has_waiting();
  buffered_ += static_cast<int64_t>(batches.append(number, record, timestamp_ms, next_batch_++, now));
  ++unsettled_;
  return Appended{number, !had_waiting || batches.ready_at() <= now};
}

void Accumulator::close_open_batches() {
  for (auto& [partition, batches] : queues_) batches->close_open_batch();
}

runtime::MonoTime Accumulator::next_event() const {
  runtime::MonoTime first = runtime::kNever;
  for (const auto& [partition, batches] : queues_) {
    if (!batches->has_waiting()) continue;
    first = std::min({first, batches->ready_at(), batches->next_expiry()});
  }
  return first;
}

void Accumulator::answered(const Draft& draft, ErrorCode code, std::string message, Offset base_offset,
                           runtime::MonoTime now) {
  queue(draft.partition).answered(draft.batch, code, std::move(message), base_offset, now);
}

void Accumulator::unanswered(const Draft& draft, const Error& error, runtime::MonoTime now) {
  queue(draft.partition).unanswered(draft.batch, error, now);
}

void Accumulator::expire(runtime::MonoTime now) {
  for (auto& [partition, batches] : queues_) {
    if (batches->has_waiting() && batches->next_expiry() <= now) batches->expire(now);
  }
}

void Accumulator::fail_waiting(const Error& error) {
  for (auto& [partition, batches] : queues_) batches->fail_waiting(error);
}

std::vector<Delivery> Accumulator::take_deliveries() {
  std::vector<Delivery> all;
  size_t freed = 0;
  for (auto& [partition, batches] : queues_) {
    for (Delivery& delivery : batches->take_deliveries(freed)) {
      unsettled_ -= delivery.records.size();
      all.push_back(std::move(delivery));
    }
  }
  buffered_ -= static_cast<int64_t>(freed);
  return all;
}

bool Accumulator::wants_identity() const {
  if (!idempotent()) return false;
  for (const auto& [partition, batches] : queues_) {
    if (batches->has_waiting() && (!identity_.known() || batches->wants_new_id())) return true;
  }
  return false;
}

void Accumulator::set_identity(ProducerIdentity identity) {
  identity_ = identity;
  for (auto& [partition, batches] : queues_) {
    if (batches->wants_new_id()) batches->new_id_available();
  }
}

}  // namespace tidemark::client
