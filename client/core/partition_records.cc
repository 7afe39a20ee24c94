#include "client/core/partition_records.h"

#include "protocol/batch/control_record.h"

namespace tidemark::client {

PartitionRecords::PartitionRecords(FetchedBytes fetched, Isolation isolation, bool check_crcs)
    : fetched_(std::move(fetched)),
      isolation_(isolation),
      check_crcs_(check_crcs),
      batches_(fetched_.records),
      position_(fetched_.wanted) {
  std::sort(fetched_.aborted.begin(), fetched_.aborted.end(),
            [](const auto& a, const auto& b) { return a.first_offset < b.first_offset; });
}

Result<FetchPosition> PartitionRecords::end_of(std::span<const std::byte> records, FetchPosition wanted) {
  protocol::BatchIterator batches(records);
  FetchPosition end = wanted;
  for (;;) {
    TRY_ASSIGN(const std::optional<protocol::BatchView> batch, batches.next());
    if (!batch) return end;
    const protocol::BatchHeader& header = batch->header;
    if (header.next_offset() > end.offset) end = {header.next_offset(), header.leader_epoch};
  }
}

Result<std::optional<protocol::RecordView>> PartitionRecords::next() {
  for (;;) {
    if (records_) {
      TRY_ASSIGN(std::optional<protocol::RecordView> record, records_->next());
      if (record) {
        if (record->offset < position_) continue;
        position_ = record->offset + 1;
        return record;
      }
      records_.reset();
      position_ = std::max(position_, batch_->header.next_offset());
    }
    TRY_ASSIGN(const bool more, open_next_batch());
    if (!more) return std::optional<protocol::RecordView>();
  }
}

Result<bool> PartitionRecords::open_next_batch() {
  for (;;) {
    TRY_ASSIGN(batch_, batches_.next());
    if (!batch_) return false;
    // A batch may begin below the wanted offset, but not end there: the broker is asked by offset.
    if (batch_->header.last_offset() < position_) continue;
    if (check_crcs_ && !protocol::batch_crc_holds(batch_->bytes)) {
      return fail(ErrorCode::CORRUPT_MESSAGE,
                  fmt::format("{}: the checksum of the batch at offset {} is wrong", fetched_.partition,
                              batch_->header.base_offset.value));
    }
    if (passes_over(*batch_)) {
      position_ = batch_->header.next_offset();
      continue;
    }
    TRY_ASSIGN(open_, protocol::OpenBatch::open(*batch_, decompressor_));
    records_.emplace(open_->records());
    return true;
  }
}

bool PartitionRecords::passes_over(const protocol::BatchView& batch) {
  const protocol::BatchHeader& header = batch.header;
  if (isolation_ == Isolation::read_uncommitted) return header.is_control();
  while (next_aborted_ < fetched_.aborted.size() &&
         fetched_.aborted[next_aborted_].first_offset <= header.last_offset()) {
    aborting_.insert(fetched_.aborted[next_aborted_++].producer);
  }
  if (!header.is_control()) return header.is_transactional() && aborting_.contains(header.producer_id);
  // The marker that ends the aborted transaction: the producer's next records are of another one.
  protocol::RecordIterator records(header, batch.payload());
  const auto marker = records.next();
  if (marker && *marker && (*marker)->key) {
    const auto key = protocol::parse_control_key(*(*marker)->key);
    if (key && key->type == protocol::ControlType::abort) aborting_.erase(header.producer_id);
  }
  return true;
}

}  // namespace tidemark::client
