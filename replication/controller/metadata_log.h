// The batches of __cluster_metadata-0, byte for byte what KRaft writes: ordinary record batches whose leader
// epoch is the term, and a LeaderChange control batch at the start of each term. Builds them for the shell to
// append, and reads them back into a builder. Pure; the log itself is storage's.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "protocol/error.h"
#include "protocol/ids.h"
#include "protocol/runtime/time.h"
#include "replication/controller/image_builder.h"
#include "replication/controller/records.h"

namespace tidemark::replication {

// One decision's records as one batch. REQUIRES: !records.empty().
Result<std::vector<std::byte>> encode_records(Offset base, LeaderEpoch term, const RecordList& records,
                                              runtime::WallTime now);

// The first batch of a term. `voters` all granted their vote: a leader of one has nobody else to ask.
Result<std::vector<std::byte>> encode_leader_change(Offset base, LeaderEpoch term, BrokerId leader,
                                                    std::span<const Voter> voters, runtime::WallTime now);

// Feeds whole batches, one behind the other, to the builder. Control records that say nothing about the image
// (a snapshot's marks, kraft.version and voters at its start) are passed over.
// Error of kind corruption: a CRC that fails, offsets that are not contiguous, a term that goes back, half a
// batch, or a record that contradicts; of kind format: a newer release wrote it. Drop the builder then.
Result<void> replay_batches(std::span<const std::byte> batches, ImageBuilder& builder);

}  // namespace tidemark::replication
