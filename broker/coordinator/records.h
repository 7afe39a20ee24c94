// The records of __consumer_offsets as bytes, in exactly Kafka's schemas and in the versions that Kafka 4
// writes, and back. What is applied is always decoded from these bytes, live as in a replay, so nothing can
// be applied that the log would not say. Values; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/coordinator/image.h"
#include "protocol/error.h"

namespace tidemark::coordinator {

inline constexpr int16_t kGroupMetadataVersion = 3;
// An expiry of its own stands only in version 1; a topic's id only from version 4 on.
inline constexpr int16_t kOffsetWithExpiryVersion = 1;
inline constexpr int16_t kOffsetVersion = 3;
inline constexpr int16_t kOffsetWithTopicIdVersion = 4;

struct Record {
  Bytes key;
  std::optional<Bytes> value;  // none: a tombstone
  [[nodiscard]] size_t size() const { return key.size() + (value ? value->size() : 0); }
};
using RecordList = std::vector<Record>;

[[nodiscard]] Record group_record(std::string_view group, const GroupMetadata& metadata);
[[nodiscard]] Record group_tombstone(std::string_view group);
[[nodiscard]] Record offset_record(std::string_view group, std::string_view topic, PartitionId partition,
                                   const CommittedOffset& offset);
[[nodiscard]] Record offset_tombstone(std::string_view group, std::string_view topic, PartitionId partition);

// nullopt: a record of a kind that this release does not know (those of the newer group types): to be
// skipped. Error of kind format: a value's version that it does not know. Error of kind corruption: bytes
// that are not such a record.
[[nodiscard]] Result<std::optional<Change>> decode_record(std::span<const std::byte> key,
                                                          std::optional<std::span<const std::byte>> value);

}  // namespace tidemark::coordinator
