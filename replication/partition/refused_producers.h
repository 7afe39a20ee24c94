// Batches of idempotent producers that were refused before their log knew the producer. A log takes the first
// batch of an unknown producer whatever its sequence (KIP-360); without this, what a client has in flight
// behind the refused batch would be taken in its stead, and the refused one never again. Soft state of one
// loop: what was in flight dies with the process too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/batch/header.h"
#include "protocol/ids.h"
#include "protocol/runtime/time.h"

namespace tidemark::replication {

class RefusedProducers {
 public:
  // This batch was not taken, and will come again.
  void add(const TopicIdPartition& id, const protocol::BatchHeader& header, runtime::MonoTime now);
  // Whether the batch follows a refused one that has not come again: where the log does not know the
  // producer, OUT_OF_ORDER_SEQUENCE_NUMBER is its answer. The refused one itself, or a new epoch, ends that;
  // and so does time, for a client gives its batch up one day.
  [[nodiscard]] bool holds_back(const TopicIdPartition& id, const protocol::BatchHeader& header,
                                runtime::MonoTime now);

 private:
  static constexpr size_t kMost = 1000;                                // then the oldest is forgotten
  static constexpr runtime::Duration kKept = std::chrono::minutes(5);  // delivery.timeout.ms is two

  struct Entry {
    TopicIdPartition id;
    ProducerId producer;
    ProducerEpoch epoch;
    int32_t sequence;
    runtime::MonoTime at;
  };
  [[nodiscard]] std::vector<Entry>::iterator find(const TopicIdPartition& id, ProducerId producer);

  std::vector<Entry> entries_;  // oldest first; empty but for moments of trouble
};

}  // namespace tidemark::replication
