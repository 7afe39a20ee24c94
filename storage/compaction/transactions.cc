#include "storage/compaction/transactions.h"

#include <algorithm>
#include <utility>

#include "protocol/batch/control_record.h"

namespace tidemark::storage {

CleanedTransactions::CleanedTransactions(std::vector<AbortedTransaction> aborted, size_t max_open)
    : aborted_(std::move(aborted)), max_open_(max_open) {
  std::sort(aborted_.begin(), aborted_.end(), [](const AbortedTransaction& a, const AbortedTransaction& b) {
    return a.first_offset < b.first_offset;
  });
}

// A producer's next transaction begins behind the marker of the one before it.
void CleanedTransactions::begin_up_to(Offset offset) {
  for (; begun_ < aborted_.size() && aborted_[begun_].first_offset <= offset; ++begun_)
    ongoing_aborted_.insert_or_assign(aborted_[begun_].producer, Ongoing{aborted_[begun_]});
}

bool CleanedTransactions::is_aborted(const protocol::BatchHeader& header) {
  begin_up_to(header.last_offset());
  if (!header.is_transactional()) return false;
  const auto aborted = ongoing_aborted_.find(header.producer_id);
  // An entry whose marker an earlier cleaning gave up ends where the marker was: what comes behind it is of
  // another transaction (Kafka would take that for aborted too).
  if (aborted != ongoing_aborted_.end() && header.base_offset <= aborted->second.transaction.last_offset) {
    aborted->second.walked = true;
    return true;
  }
  if (open_committed_.size() < max_open_) {
    open_committed_.insert(header.producer_id);
  } else if (!open_committed_.contains(header.producer_id)) {
    keeps_markers_ = true;
  }
  return false;
}

Result<bool> CleanedTransactions::is_marker_spent(const protocol::BatchView& batch,
                                                  protocol::Decompressor& decompressor) {
  begin_up_to(batch.header.last_offset());
  if (batch.header.record_count == 0) return true;  // emptied by an earlier cleaning
  TRY_ASSIGN(const auto open, protocol::OpenBatch::open(batch, decompressor, kMaxControlBytes));
  auto records = open.records();
  TRY_ASSIGN(const auto record, records.next());
  if (!record || !record->key)
    return fail(ErrorCode::CORRUPT_MESSAGE, "a control batch whose record has no key");
  TRY_ASSIGN(const protocol::ControlKey key, protocol::parse_control_key(*record->key));
  if (key.type == protocol::ControlType::commit)
    return open_committed_.erase(batch.header.producer_id) == 0 && !keeps_markers_;
  if (key.type != protocol::ControlType::abort) return false;  // of the metadata log
  const auto aborted = ongoing_aborted_.find(batch.header.producer_id);
  if (aborted == ongoing_aborted_.end() || aborted->second.transaction.last_offset < batch.header.base_offset)
    return true;
  const Ongoing ended = aborted->second;
  ongoing_aborted_.erase(aborted);
  if (ended.walked) kept_.push_back(ended.transaction);
  return !ended.walked;
}

}  // namespace tidemark::storage
