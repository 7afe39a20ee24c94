#include "replication/partition/refused_producers.h"

#include <algorithm>

namespace tidemark::replication {

std::vector<RefusedProducers::Entry>::iterator RefusedProducers::find(const TopicIdPartition& id,
                                                                      ProducerId producer) {
  return std::find_if(entries_.begin(), entries_.end(),
                      [&](const Entry& e) { return e.producer == producer && e.id == id; });
}

void RefusedProducers::add(const TopicIdPartition& id, const protocol::BatchHeader& header,
                           runtime::MonoTime now) {
  if (!header.is_idempotent()) return;
  const Entry entry{id, header.producer_id, header.producer_epoch, header.base_sequence, now};
  const auto refused = find(id, header.producer_id);
  if (refused == entries_.end()) {
    if (entries_.size() == kMost) entries_.erase(entries_.begin());
    entries_.push_back(entry);
  } else if (refused->epoch < entry.epoch ||
             (refused->epoch == entry.epoch && entry.sequence < refused->sequence)) {
    *refused = entry;
  } else {
    refused->at = now;
  }
}

bool RefusedProducers::holds_back(const TopicIdPartition& id, const protocol::BatchHeader& header,
                                  runtime::MonoTime now) {
  if (entries_.empty() || !header.is_idempotent()) return false;
  const auto refused = find(id, header.producer_id);
  if (refused == entries_.end() || header.producer_epoch < refused->epoch) return false;
  const bool follows = header.producer_epoch == refused->epoch && header.base_sequence > refused->sequence;
  if (follows && now - refused->at < kKept) return true;
  if (follows || header.producer_epoch > refused->epoch || header.base_sequence == refused->sequence)
    entries_.erase(refused);
  return false;
}

}  // namespace tidemark::replication
