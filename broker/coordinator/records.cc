#include "broker/coordinator/records.h"

#include <fmt/format.h>

#include "protocol/invariant.h"
#include "protocol/message_codec.h"
#include "protocol/messages/group_metadata_key.h"
#include "protocol/messages/group_metadata_value.h"
#include "protocol/messages/legacy_offset_commit_key.h"
#include "protocol/messages/offset_commit_key.h"
#include "protocol/messages/offset_commit_value.h"

namespace tidemark::coordinator {

namespace {

using protocol::GroupMetadataKey;
using protocol::GroupMetadataValue;
using protocol::LegacyOffsetCommitKey;
using protocol::OffsetCommitKey;
using protocol::OffsetCommitValue;

// The int16 in front (a key's type, a value's version), then the message.
template <class Message>
Bytes framed(int16_t prefix, const Message& message, int16_t version) {
  const auto encoded = protocol::encode_message(message, version);
  INVARIANT(encoded.has_value(), "{} v{}: {}", Message::kName, version, encoded.error().message());
  Bytes out;
  out.reserve(2 + encoded->bytes.size());
  out.push_back(static_cast<std::byte>((prefix >> 8) & 0xFF));
  out.push_back(static_cast<std::byte>(prefix & 0xFF));
  out.insert(out.end(), encoded->bytes.begin(), encoded->bytes.end());
  return out;
}

struct Unframed {
  int16_t prefix;
  std::span<const std::byte> body;
};

Result<Unframed> unframe(std::span<const std::byte> bytes, std::string_view what) {
  if (bytes.size() < 2)
    return fail(Error::corruption(fmt::format("a group record's {} of {} bytes", what, bytes.size())));
  const auto prefix =
      static_cast<int16_t>((std::to_integer<int>(bytes[0]) << 8) | std::to_integer<int>(bytes[1]));
  return Unframed{prefix, bytes.subspan(2)};
}

// Key schemas have the one version 0: their type is their version.
template <class Key>
Result<Key> decode_key(std::span<const std::byte> body) {
  auto key = protocol::decode_all<Key>(body, 0);
  if (!key) return fail(Error::corruption("a group record's key: " + key.error().message()));
  return key;
}

template <class Value>
Result<Value> decode_value(std::span<const std::byte> bytes) {
  TRY_ASSIGN(const Unframed value, unframe(bytes, "value"));
  if (!Value::kVersions.contains(value.prefix)) {
    return fail(Error::format(fmt::format("a {} of version {}; this release knows up to {}", Value::kName,
                                          value.prefix, Value::kVersions.max)));
  }
  auto decoded = protocol::decode_all<Value>(value.body, value.prefix);
  if (!decoded) return fail(Error::corruption("a group record's value: " + decoded.error().message()));
  return decoded;
}

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}
std::optional<std::string_view> view(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}
Bytes owned(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

GroupMetadata group_metadata(const GroupMetadataValue& value) {
  GroupMetadata metadata;
  metadata.protocol_type = value.protocol_type;
  metadata.generation = value.generation;
  metadata.protocol = owned(value.protocol);
  metadata.leader = owned(value.leader);
  metadata.state_timestamp_ms = value.current_state_timestamp;
  for (const auto& member : value.members) {
    MemberMetadata& out = metadata.members.emplace_back();
    out.id = member.member_id;
    out.instance = owned(member.group_instance_id);
    out.client_id = member.client_id;
    out.client_host = member.client_host;
    out.rebalance_timeout_ms =
        member.rebalance_timeout < 0 ? member.session_timeout : member.rebalance_timeout;
    out.session_timeout_ms = member.session_timeout;
    out.subscription = owned(member.subscription);
    out.assignment = owned(member.assignment);
  }
  return metadata;
}

CommittedOffset committed_offset(const OffsetCommitValue& value) {
  CommittedOffset offset;
  offset.offset = Offset(value.offset);
  offset.leader_epoch = LeaderEpoch(value.leader_epoch);
  offset.metadata = value.metadata;
  offset.commit_timestamp_ms = value.commit_timestamp;
  if (value.expire_timestamp >= 0) offset.expire_timestamp_ms = value.expire_timestamp;
  offset.topic_id = value.topic_id;
  return offset;
}

template <class Key>
Result<std::optional<Change>> decode_offset(std::span<const std::byte> body,
                                            std::optional<std::span<const std::byte>> value) {
  TRY_ASSIGN(const Key key, decode_key<Key>(body));
  OffsetChange change{std::string(key.group), std::string(key.topic), PartitionId(key.partition), {}};
  if (value) {
    TRY_ASSIGN(const OffsetCommitValue offset, decode_value<OffsetCommitValue>(*value));
    change.offset = committed_offset(offset);
  }
  return std::optional<Change>(std::move(change));
}

Result<std::optional<Change>> decode_group(std::span<const std::byte> body,
                                           std::optional<std::span<const std::byte>> value) {
  TRY_ASSIGN(const GroupMetadataKey key, decode_key<GroupMetadataKey>(body));
  GroupChange change{std::string(key.group), {}};
  if (value) {
    TRY_ASSIGN(const GroupMetadataValue metadata, decode_value<GroupMetadataValue>(*value));
    change.metadata = group_metadata(metadata);
  }
  return std::optional<Change>(std::move(change));
}

}  // namespace

Record group_record(std::string_view group, const GroupMetadata& metadata) {
  GroupMetadataKey key;
  key.group = group;
  GroupMetadataValue value;
  value.protocol_type = metadata.protocol_type;
  value.generation = metadata.generation;
  value.protocol = view(metadata.protocol);
  value.leader = view(metadata.leader);
  value.current_state_timestamp = metadata.state_timestamp_ms;
  for (const MemberMetadata& member : metadata.members) {
    auto& out = value.members.emplace_back();
    out.member_id = member.id;
    out.group_instance_id = view(member.instance);
    out.client_id = member.client_id;
    out.client_host = member.client_host;
    out.rebalance_timeout = member.rebalance_timeout_ms;
    out.session_timeout = member.session_timeout_ms;
    out.subscription = member.subscription;
    out.assignment = member.assignment;
  }
  return {framed(GroupMetadataKey::kTypeId, key, 0),
          framed(kGroupMetadataVersion, value, kGroupMetadataVersion)};
}

Record group_tombstone(std::string_view group) {
  GroupMetadataKey key;
  key.group = group;
  return {framed(GroupMetadataKey::kTypeId, key, 0), std::nullopt};
}

Record offset_record(std::string_view group, std::string_view topic, PartitionId partition,
                     const CommittedOffset& offset) {
  Record record = offset_tombstone(group, topic, partition);
  OffsetCommitValue value;
  value.offset = offset.offset.value;
  value.leader_epoch = offset.leader_epoch.value;
  value.metadata = offset.metadata;
  value.commit_timestamp = offset.commit_timestamp_ms;
  value.expire_timestamp = offset.expire_timestamp_ms.value_or(-1);
  value.topic_id = offset.topic_id;
  const int16_t version = offset.expire_timestamp_ms  ? kOffsetWithExpiryVersion
                          : offset.topic_id.is_zero() ? kOffsetVersion
                                                      : kOffsetWithTopicIdVersion;
  record.value = framed(version, value, version);
  return record;
}

Record offset_tombstone(std::string_view group, std::string_view topic, PartitionId partition) {
  OffsetCommitKey key;
  key.group = group;
  key.topic = topic;
  key.partition = partition.value;
  return {framed(OffsetCommitKey::kTypeId, key, 0), std::nullopt};
}

Result<std::optional<Change>> decode_record(std::span<const std::byte> key,
                                            std::optional<std::span<const std::byte>> value) {
  TRY_ASSIGN(const Unframed unframed, unframe(key, "key"));
  switch (unframed.prefix) {
    case LegacyOffsetCommitKey::kTypeId: return decode_offset<LegacyOffsetCommitKey>(unframed.body, value);
    case OffsetCommitKey::kTypeId: return decode_offset<OffsetCommitKey>(unframed.body, value);
    case GroupMetadataKey::kTypeId: return decode_group(unframed.body, value);
    default: return std::optional<Change>();
  }
}

}  // namespace tidemark::coordinator
