#include "storage/compaction/batch_cleaner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "protocol/batch/builder.h"
#include "protocol/batch/varint.h"
#include "protocol/invariant.h"

namespace tidemark::storage {
namespace {

using protocol::BatchHeader;
using protocol::BatchView;
using protocol::kBatchHeaderBytes;
using protocol::RecordView;

int64_t horizon_from(int64_t now_ms, int64_t retention_ms) {
  return retention_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + std::max<int64_t>(retention_ms, 0);
}

// The record with its timestamp counted from another base; all other bytes as they are.
void rebase(const RecordView& record, int64_t base_timestamp, std::vector<std::byte>& out) {
  const std::byte* at = record.bytes.data();
  const std::byte* end = at + record.bytes.size();
  int32_t body = 0;
  int64_t old_delta = 0;
  INVARIANT(protocol::read_varint32(at, end, body), "a record's length at offset {}", record.offset);
  const std::byte attributes = *at++;
  INVARIANT(protocol::read_varint64(at, end, old_delta), "a record's time at offset {}", record.offset);
  const int64_t delta = protocol::wrapping_subtract(record.create_timestamp, base_timestamp);
  const auto rest = static_cast<size_t>(end - at);
  out.clear();
  protocol::append_varint(out, static_cast<int64_t>(1 + protocol::varint_size(delta) + rest));
  out.push_back(attributes);
  protocol::append_varint(out, delta);
  out.insert(out.end(), at, end);
}

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

CleaningStats& CleaningStats::operator+=(const CleaningStats& other) {
  bytes_read += other.bytes_read;
  bytes_kept += other.bytes_kept;
  records_read += other.records_read;
  records_kept += other.records_kept;
  records_without_key += other.records_without_key;
  batches_copied += other.batches_copied;
  batches_rewritten += other.batches_rewritten;
  batches_emptied += other.batches_emptied;
  batches_dropped += other.batches_dropped;
  return *this;
}

std::map<ProducerId, LastOfProducer> last_of_producers(const ProducerState& state, Offset durable) {
  std::map<ProducerId, LastOfProducer> result;
  for (const auto& [id, entry] : state.producers()) {
    LastOfProducer last{{}, entry.epoch};
    for (const ProducerBatch& batch : entry.batches())
      if (batch.last_offset < durable) last.data_offsets.push_back(batch.last_offset);
    result.emplace_hint(result.end(), id, last);
  }
  return result;
}

BatchCleaner::BatchCleaner(const OffsetMap& map, CleanedTransactions& transactions, CleaningRules rules)
    : map_(map), transactions_(transactions), rules_(std::move(rules)) {
  REQUIRES(rules_.now_ms >= 0);
}

bool BatchCleaner::is_last_of_producer(const BatchHeader& header) const {
  if (!header.is_idempotent()) return false;
  const auto last = rules_.producers.find(header.producer_id);
  if (last == rules_.producers.end()) return false;
  const std::vector<Offset>& batches = last->second.data_offsets;
  if (!batches.empty())
    return std::find(batches.begin(), batches.end(), header.last_offset()) != batches.end();
  return header.is_control() && header.producer_epoch == last->second.epoch;
}

Result<BatchCleaner::Verdict> BatchCleaner::judge(const BatchView& batch) {
  const BatchHeader& header = batch.header;
  Verdict verdict;
  if (header.is_control()) {
    auto spent = transactions_.is_marker_spent(batch, decompressor_);
    if (!spent) return stored_batch_error(header, spent.error());
    verdict.marker_spent = *spent;
    // Like a tombstone, a marker outlives what it ends by delete.retention.ms.
    verdict.discard_records =
        verdict.marker_spent && header.has_delete_horizon() && header.base_timestamp <= rules_.now_ms;
  } else {
    verdict.discard_records = transactions_.is_aborted(header);
  }
  // Above the end everything stays, also what an earlier cleaning has emptied.
  verdict.keep_empty = is_last_of_producer(header) || header.next_offset() >= rules_.end;
  return verdict;
}

bool BatchCleaner::keeps(const BatchHeader& header, const RecordView& record, CleaningStats& stats) const {
  if (header.is_control() || record.offset >= map_.end()) return true;
  if (!record.key) {
    ++stats.records_without_key;
    return false;
  }
  const auto newest = map_.find(*record.key);
  if (newest && record.offset < *newest) return false;
  if (newest && rules_.planted == Planted::newest_value_dropped) return false;
  if (record.value) return true;
  if (rules_.planted == Planted::tombstone_early) return false;
  return !header.has_delete_horizon() || rules_.now_ms < header.base_timestamp;
}

Result<BatchCleaner::Filtered> BatchCleaner::filter(const BatchHeader& header, StoredBatch& stored,
                                                    CleaningStats& stats) const {
  Filtered filtered;
  while (true) {
    TRY_ASSIGN(const auto record, stored.next());
    if (!record) return filtered;
    const bool keep = keeps(header, *record, stats);
    filtered.keep.push_back(keep);
    if (!keep) continue;
    ++filtered.kept;
    filtered.max_timestamp = std::max(filtered.max_timestamp, record->create_timestamp);
    if (!record->value) filtered.tombstones = true;
  }
}

Result<void> BatchCleaner::clean(const BatchView& batch, std::vector<std::byte>& out, CleaningStats& stats) {
  const BatchHeader& header = batch.header;
  CleaningStats counted;
  counted.bytes_read = batch.bytes.size();
  counted.records_read = static_cast<uint64_t>(std::max(header.record_count, 0));
  const size_t before = out.size();
  TRY_ASSIGN(const Verdict verdict, judge(batch));

  Filtered filtered;
  std::optional<StoredBatch> stored;
  // Above what the map knows everything stays, and nobody has to look.
  const bool copy = !header.is_control() && !verdict.discard_records && header.base_offset >= map_.end() &&
                    header.record_count > 0;
  if (!copy && !verdict.discard_records) {
    TRY_ASSIGN(stored, StoredBatch::open(batch, decompressor_, rules_.max_decompressed_bytes));
    TRY_ASSIGN(filtered, filter(header, *stored, counted));
  }
  // KIP-534: a tombstone's time begins when a cleaning first finds it. Not above what the map knows, as in
  // Kafka: there the records that it deletes are not removed yet, and a reader that has met them must still
  // meet it for as long.
  std::optional<int64_t> horizon;
  const bool settled = header.last_offset() < map_.end();
  if (((filtered.tombstones && settled && !header.is_control()) || verdict.marker_spent) &&
      !header.has_delete_horizon())
    horizon = horizon_from(rules_.now_ms, rules_.delete_retention_ms);

  const bool whole = copy || (filtered.kept > 0 && filtered.kept == filtered.keep.size());
  if (whole && !horizon) {
    append(out, batch.bytes);
    ++counted.batches_copied;
    counted.records_kept = counted.records_read;
  } else if (filtered.kept > 0) {
    if (auto written = rewrite(header, *stored, filtered, horizon, out); !written) {
      out.resize(before);
      return stored_batch_error(header, written.error());
    }
    ++counted.batches_rewritten;
    counted.records_kept = filtered.kept;
  } else if (verdict.keep_empty) {
    append(out, protocol::build_emptied_batch(header));
    ++counted.batches_emptied;
  } else {
    ++counted.batches_dropped;
  }
  counted.bytes_kept = out.size() - before;
  stats += counted;
  return {};
}

Result<void> BatchCleaner::rewrite(const BatchHeader& header, StoredBatch& stored, const Filtered& filtered,
                                   std::optional<int64_t> horizon, std::vector<std::byte>& out) {
  const size_t start = out.size();
  out.resize(start + kBatchHeaderBytes);
  TRY_ASSIGN(const protocol::CompressionType codec, protocol::codec_of(header));
  compressor_.start(codec, std::nullopt, std::nullopt);
  std::vector<std::byte> rebased;
  stored.rewind();
  for (const bool keep : filtered.keep) {
    TRY_ASSIGN(const auto record, stored.next());
    INVARIANT(record.has_value(), "the batch at offset {} has lost a record", header.base_offset);
    if (!keep) continue;
    if (horizon) {
      rebase(*record, *horizon, rebased);
      compressor_.write(rebased, out);
    } else {
      compressor_.write(record->bytes, out);
    }
  }
  compressor_.finish(out);
  const size_t bytes = out.size() - start;
  if (bytes > INT32_MAX) return fail(ErrorCode::MESSAGE_TOO_LARGE, "cleaned, it takes more than 2 GiB");
  BatchHeader cleaned = header;
  cleaned.batch_length = static_cast<int32_t>(bytes - protocol::kBatchLengthOverhead);
  cleaned.record_count = static_cast<int32_t>(filtered.kept);
  if (header.timestamp_type() == protocol::TimestampType::create_time)
    cleaned.max_timestamp = filtered.max_timestamp;
  if (horizon) {
    cleaned.attributes = static_cast<int16_t>(cleaned.attributes | protocol::kBatchDeleteHorizonBit);
    cleaned.base_timestamp = *horizon;
  }
  protocol::write_batch_header(std::span(out).subspan(start), cleaned);
  return {};
}

}  // namespace tidemark::storage
