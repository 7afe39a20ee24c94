// Metadata records as batches of `__cluster_metadata-0`, to and from the Controller: the forms that Kafka's
// own dump tool reads. Pure.
#pragma once

#include <span>

#include "protocol/messages/leader_change_message.h"
#include "protocol/runtime/buffer.h"
#include "replication/controller/controller.h"

namespace tidemark::broker {

inline constexpr std::string_view kMetadataTopic = "__cluster_metadata";
// As every KRaft cluster calls it.
inline const Uuid kMetadataTopicId = Uuid::from_halves(0, 1);

// One decision, one batch.
[[nodiscard]] runtime::BufferSlice metadata_batch(const replication::RecordList& records,
                                                  int64_t timestamp_ms);
// The control batch with which a leader begins its term.
[[nodiscard]] runtime::BufferSlice leader_change_batch(BrokerId leader, int64_t timestamp_ms);
[[nodiscard]] protocol::LeaderChangeMessage leader_change_message(BrokerId leader);

// Feeds whole batches to the controller, as a replay does; a partial one at the end is left. Error
// (corruption, format): the controller has applied what came before.
Result<void> apply_metadata_batches(replication::Controller& controller, std::span<const std::byte> bytes);

}  // namespace tidemark::broker
