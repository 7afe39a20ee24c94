// Cleans one batch after the other: what stays of each, once the offset map knows which keys have newer
// records. Kafka's rules (Cleaner.cleanInto, MemoryRecords.filterTo), KIP-98 for producers and transactions,
// KIP-534 for tombstones. Owned by one cleaning, through all its groups; blocks for as long as a batch takes
// to open and to compress, and does no I/O.
//
// Memory: one batch opened, up to max_decompressed_bytes, and what is written of it.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "protocol/batch/batch_iterator.h"
#include "storage/compaction/offset_map.h"
#include "storage/compaction/stored_batch.h"
#include "storage/compaction/transactions.h"
#include "storage/planted.h"
#include "storage/producer_state.h"

namespace tidemark::storage {

// What must stay of an active producer, even without a record: the batches that it may still send again, of
// which a start may know from the log alone, or, where it wrote none, its newest marker, which holds the
// epoch.
struct LastOfProducer {
  std::vector<Offset> data_offsets;  // the last offset of each
  ProducerEpoch epoch = kNoProducerEpoch;
};

// Of all that the log knows, as far as it is below `durable`.
[[nodiscard]] std::map<ProducerId, LastOfProducer> last_of_producers(const ProducerState& state,
                                                                     Offset durable);

struct CleaningRules {
  int64_t now_ms = 0;               // wall clock, once for the whole cleaning
  int64_t delete_retention_ms = 0;  // delete.retention.ms
  // CleaningDecision::end: the batch before it stays, even without a record, so that a replica that fetches
  // still learns of this offset.
  Offset end;
  std::map<ProducerId, LastOfProducer> producers;  // the active ones
  size_t max_decompressed_bytes = protocol::kMaxDecompressedBytes;
  Planted planted = Planted::none;
};

struct CleaningStats {
  uint64_t bytes_read = 0;
  uint64_t bytes_kept = 0;
  uint64_t records_read = 0;
  uint64_t records_kept = 0;
  uint64_t records_without_key = 0;  // which a compacted topic should not hold
  uint64_t batches_copied = 0;       // byte for byte
  uint64_t batches_rewritten = 0;
  uint64_t batches_emptied = 0;
  uint64_t batches_dropped = 0;
  CleaningStats& operator+=(const CleaningStats& other);
  bool operator==(const CleaningStats&) const = default;
};

class BatchCleaner {
 public:
  // `map` and `transactions` outlive it.
  BatchCleaner(const OffsetMap& map, CleanedTransactions& transactions, CleaningRules rules);

  // Appends to `out` what stays of `batch`, if anything; every batch of the log from its start passes through
  // here, in order. The new batch has the base offset, last offset, producer, epochs and codec of the old
  // one, its base timestamp or a delete horizon, and each kept record's bytes, but for a timestamp that
  // counts from that horizon. Errors: corruption: it cannot be opened or read, or its offsets do not rise.
  // MESSAGE_TOO_LARGE: it opens to more than max_decompressed_bytes, or would take more than 2 GiB.
  // UNSUPPORTED_COMPRESSION_TYPE. `out` is then as before. REQUIRES: the checksum holds.
  Result<void> clean(const protocol::BatchView& batch, std::vector<std::byte>& out, CleaningStats& stats);

 private:
  // What is known of a batch before its records are looked at.
  struct Verdict {
    bool discard_records = false;
    bool keep_empty = false;
    bool marker_spent = false;  // a control batch without a transaction: its delete horizon is set
  };
  struct Filtered {
    std::vector<bool> keep;  // by record
    size_t kept = 0;
    int64_t max_timestamp = -1;  // of the kept ones
    bool tombstones = false;     // among them
  };
  Result<Verdict> judge(const protocol::BatchView& batch);
  Result<Filtered> filter(const protocol::BatchHeader& header, StoredBatch& stored,
                          CleaningStats& stats) const;
  [[nodiscard]] bool keeps(const protocol::BatchHeader& header, const protocol::RecordView& record,
                           CleaningStats& stats) const;
  [[nodiscard]] bool is_last_of_producer(const protocol::BatchHeader& header) const;
  Result<void> rewrite(const protocol::BatchHeader& header, StoredBatch& stored, const Filtered& filtered,
                       std::optional<int64_t> horizon, std::vector<std::byte>& out);

  const OffsetMap& map_;
  CleanedTransactions& transactions_;
  CleaningRules rules_;
  protocol::Decompressor decompressor_;
  protocol::Compressor compressor_;
};

}  // namespace tidemark::storage
