// Record batches as simulated clients make them: well-formed, uncompressed, each with content of its own, so
// that no two batches of a run can be taken for each other.
#pragma once

#include <vector>

#include "protocol/ids.h"
#include "protocol/runtime/buffer.h"

namespace tidemark::simulation {

struct SimBatch {
  uint64_t identity = 0;  // goes into the records' values
  int32_t records = 1;
  size_t value_bytes = 16;    // of each record, at least 8
  int64_t timestamp_ms = -1;  // of every record
  ProducerId producer = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = -1;
  bool keyed = false;  // each record has a key that no other has
  // Instead: the key of each record, and which of them are tombstones. What such a batch is can be told by
  // any record that is left of it: a header names its identity.
  std::vector<int32_t> keys;
  std::vector<bool> tombstones;

  [[nodiscard]] runtime::BufferSlice encode() const;
};

}  // namespace tidemark::simulation
