// Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete, and how offsets end (retention, deleted
// topics, deleted groups). Functions over the image and the running groups within a Turn. Transactional
// commits are not here yet.
#pragma once

#include <string_view>

#include "broker/coordinator/extents.h"
#include "broker/coordinator/membership.h"
#include "broker/coordinator/turn.h"

namespace tidemark::coordinator {

void commit_offsets(Turn& turn, Groups& groups, RequestToken token, const OffsetCommitRequest& request);
void fetch_offsets(Turn& turn, RequestToken token, const OffsetFetchRequest& request);
void delete_offsets(Turn& turn, Groups& groups, RequestToken token, const OffsetDeleteRequest& request);

// Tombstones for everything that the group has: its offsets, and itself.
void bury_group(Turn& turn, std::string_view group);
// The partitions whose offsets are past their retention, of one piece of the groups, from `from` on.
[[nodiscard]] Partitions unused_partitions(const Turn& turn, const Groups& groups, std::string_view from);
// Tombstones for those whose partition holds nothing of what would be read next, and for groups that have
// nothing left, of the same piece. The group at which the next one begins; empty: all have been looked at.
[[nodiscard]] std::string expire_offsets(Turn& turn, const Groups& groups, const Extents& extents,
                                         std::string_view from);
// Tombstones for the offsets of a topic that is no more: of that id, where both ids are known. Not for all of
// them at once: again, once these are applied, if there are kMaxRecordsPerDecision.
void forget_topic(Turn& turn, std::string_view topic, const Uuid& id);

}  // namespace tidemark::coordinator
