// One partition's share of a fetch response, read record by record: batches are opened one at a time when
// their turn comes, records below the wanted offset, control records and (read_committed) those of aborted
// transactions are passed over. Pure. Owns the response's frame; what next() gives are views that live until
// the next call.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "client/core/options.h"
#include "protocol/batch/batch_iterator.h"

namespace tidemark::client {

struct AbortedTransaction {
  ProducerId producer;
  Offset first_offset;
};

// A place in a log, and the leader epoch of the record before it: with both, a leader can tell whether that
// record is in its log (KIP-320). kNoLeaderEpoch: not known, and not compared.
struct FetchPosition {
  Offset offset;
  LeaderEpoch epoch = kNoLeaderEpoch;
  bool operator==(const FetchPosition&) const = default;
};

struct FetchedBytes {
  TopicPartition partition;
  std::shared_ptr<const std::vector<std::byte>> frame;  // keeps `records` alive
  std::span<const std::byte> records;
  Offset wanted;  // the offset that was asked for
  Offset high_watermark = kNoOffset;
  Offset log_start = kNoOffset;
  std::vector<AbortedTransaction> aborted;  // with read_committed
};

class PartitionRecords {
 public:
  PartitionRecords(FetchedBytes fetched, Isolation isolation, bool check_crcs);

  // The next record; nullopt behind the last whole batch. CORRUPT_MESSAGE and the like: the batch at
  // position() cannot be read, nor anything behind it.
  Result<std::optional<protocol::RecordView>> next();
  // Where reading goes on: the offset of the next record to be asked for.
  [[nodiscard]] Offset position() const { return position_; }
  // Of the record that next() gave last.
  [[nodiscard]] LeaderEpoch leader_epoch() const {
    return batch_ ? batch_->header.leader_epoch : kNoLeaderEpoch;
  }
  [[nodiscard]] const TopicPartition& partition() const { return fetched_.partition; }
  [[nodiscard]] Offset high_watermark() const { return fetched_.high_watermark; }
  [[nodiscard]] Offset log_start() const { return fetched_.log_start; }

  // Where the next fetch begins: behind the last whole batch in `records`, or `wanted` if there is none.
  static Result<FetchPosition> end_of(std::span<const std::byte> records, FetchPosition wanted);

 private:
  Result<bool> open_next_batch();
  [[nodiscard]] bool passes_over(const protocol::BatchView& batch);

  FetchedBytes fetched_;
  const Isolation isolation_;
  const bool check_crcs_;
  protocol::BatchIterator batches_;
  protocol::Decompressor decompressor_;
  std::optional<protocol::BatchView> batch_;
  std::optional<protocol::OpenBatch> open_;
  std::optional<protocol::RecordIterator> records_;
  Offset position_;
  size_t next_aborted_ = 0;        // of fetched_.aborted, which rises by first offset
  std::set<ProducerId> aborting_;  // producers whose records are of an aborted transaction
};

}  // namespace tidemark::client
