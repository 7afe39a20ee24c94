// Builds a batch record by record: the client's producer, the metadata log, control batches, compaction.
// Without compression the bytes are those that Kafka's own builder makes of the same records. Owned by
// whoever fills it; no I/O.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "protocol/batch/codec.h"
#include "protocol/batch/control_record.h"
#include "protocol/batch/header.h"
#include "protocol/batch/record_iterator.h"

namespace tidemark::protocol {

struct BatchOptions {
  Offset base_offset{0};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  CompressionType codec = CompressionType::none;
  std::optional<int> level = std::nullopt;                // none: Kafka's standard for the codec
  std::optional<int64_t> log_append_time = std::nullopt;  // set: the batch's type is LogAppendTime
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = -1;
  bool transactional = false;
  bool control = false;
  std::optional<int64_t> delete_horizon_ms = std::nullopt;  // compaction (KIP-534)
};

class BatchBuilder {
 public:
  explicit BatchBuilder(BatchOptions options = {});

  // Adds a record at the next offset. `timestamp_ms` also in LogAppendTime: the record keeps its own.
  void add(int64_t timestamp_ms, NullableBytes key, NullableBytes value,
           std::span<const RecordHeader> headers = {});
  // At an offset that is not below the next one: compaction leaves gaps. REQUIRES: within 2^31 of the base.
  void add_at(Offset offset, int64_t timestamp_ms, NullableBytes key, NullableBytes value,
              std::span<const RecordHeader> headers = {});
  // REQUIRES: options.control.
  void add_control(int64_t timestamp_ms, ControlKey key, std::span<const std::byte> value);
  void add_end_txn_marker(int64_t timestamp_ms, bool commit, EndTxnMarker marker);

  // A producer's sequence is known only when the batch is sent.
  void set_producer(ProducerId id, ProducerEpoch epoch, int32_t base_sequence, bool transactional);
  // Compaction keeps a batch's last offset when it drops its last record. REQUIRES: not below the last
  // record's.
  void set_last_offset(Offset offset) { last_offset_ = offset; }

  [[nodiscard]] int32_t record_count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  // The batch's size without compression.
  [[nodiscard]] size_t uncompressed_bytes() const { return bytes_.size(); }
  // What add() would add to that.
  [[nodiscard]] size_t record_bytes(int64_t timestamp_ms, NullableBytes key, NullableBytes value,
                                    std::span<const RecordHeader> headers = {}) const;
  [[nodiscard]] int64_t max_timestamp() const { return max_timestamp_; }

  // The batch. The builder is then empty, with the same options. MESSAGE_TOO_LARGE: more than 2 GiB.
  // REQUIRES: at least one record; a producer id where transactional.
  Result<std::vector<std::byte>> build();

 private:
  [[nodiscard]] BatchHeader header(size_t batch_bytes) const;
  void clear();

  BatchOptions options_;
  std::vector<std::byte> bytes_;  // room for the header, then the records
  int64_t base_timestamp_ = -1;
  int64_t max_timestamp_ = -1;
  Offset next_offset_;
  Offset last_offset_;
  int32_t count_ = 0;
};

// What compaction leaves of a batch without records whose offsets and producer state must be remembered.
std::vector<std::byte> build_emptied_batch(const BatchHeader& of);

}  // namespace tidemark::protocol
