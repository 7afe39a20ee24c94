// What a broker's change of state does to a partition: who stays in the ISR, who leads, and whether a new
// leader epoch begins. Pure functions; each gives the record that says so, or nothing.
//
//   the broker ...            its place in the ISR                     leader
//   starts a new life         lost where its data may be (`data_lost`) its leaderships end: a new epoch
//   always is unfenced               stays                                    only where there was none
//   enters its shutdown       given up where another can lead          moves there, else stays until it is
//   fenced is fenced                 given up where another member is left    moves, or there is none
//
// The last member of an ISR never leaves it: whoever it is, nobody has more of the partition's records.
#pragma once

#include <optional>

#include "protocol/messages/partition_change_record.h"
#include "replication/controller/image.h"

namespace tidemark::replication {

struct PartitionRef {
  Uuid topic_id;
  PartitionId id;
  const PartitionImage& partition;
};

using PartitionVerdict = std::optional<protocol::PartitionChangeRecord>;

// `may_lead`: it starts unfenced. REQUIRES for all: `broker` is registered, or is about to be, in `image`.
PartitionVerdict on_new_life(const MetadataImage& image, const PartitionRef& ref, BrokerId broker,
                             bool may_lead, bool data_lost);
PartitionVerdict on_unfenced(const MetadataImage& image, const PartitionRef& ref, BrokerId broker);
PartitionVerdict on_controlled_shutdown(const MetadataImage& image, const PartitionRef& ref, BrokerId broker);
PartitionVerdict on_fenced(const MetadataImage& image, const PartitionRef& ref, BrokerId broker);

// An election that somebody asks for. The first replica of the assignment leads, if it may: it is active and
// in the ISR.
PartitionVerdict elect_preferred(const MetadataImage& image, const PartitionRef& ref);
// For a partition that nobody leads: any active replica, one in the ISR before others. What it lacks is lost,
// and the ISR is that replica alone.
PartitionVerdict elect_uncleanly(const MetadataImage& image, const PartitionRef& ref);

}  // namespace tidemark::replication
