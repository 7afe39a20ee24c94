#include "tests/simulation/group_log.h"

#include <fmt/format.h>

#include "protocol/message_codec.h"
#include "protocol/messages/group_metadata_key.h"
#include "protocol/messages/offset_commit_key.h"
#include "protocol/messages/offset_commit_value.h"

namespace tidemark::simulation {

namespace {

using protocol::OffsetCommitKey;
using protocol::OffsetCommitValue;

// Both keys and values begin with their type or version.
int16_t prefix_of(std::span<const std::byte> bytes) {
  if (bytes.size() < 2) return -1;
  return static_cast<int16_t>(std::to_integer<int>(bytes[0]) << 8 | std::to_integer<int>(bytes[1]));
}

int64_t offset_at(const CommittedOffsets& offsets, const CommittedPlace& place) {
  const auto found = offsets.find(place);
  return found != offsets.end() ? found->second : -1;
}

}  // namespace

Verdict replay(CommittedOffsets& offsets, std::optional<std::span<const std::byte>> key,
               std::optional<std::span<const std::byte>> value) {
  if (!key) return "the log of groups has a record without a key";
  const int16_t type = prefix_of(*key);
  if (type == protocol::GroupMetadataKey::kTypeId) return std::nullopt;
  if (type != OffsetCommitKey::kTypeId) return fmt::format("the log of groups has a key of type {}", type);
  const auto place = protocol::decode_all<OffsetCommitKey>(key->subspan(2), 0);
  if (!place) return "a key in the log of groups: " + place.error().message();
  const CommittedPlace at(place->group, place->topic, place->partition);
  if (!value) {
    offsets.erase(at);
    return std::nullopt;
  }
  const int16_t version = prefix_of(*value);
  if (version < 0) return "the log of groups has a value without a version";
  const auto committed = protocol::decode_all<OffsetCommitValue>(value->subspan(2), version);
  if (!committed) return "a value in the log of groups: " + committed.error().message();
  offsets[at] = committed->offset;
  return std::nullopt;
}

std::set<Disagreement> compare(const CommittedOffsets& before, const CommittedOffsets& log,
                               const CommittedOffsets& after) {
  std::set<Disagreement> found;
  const auto look_at = [&](const CommittedPlace& place) {
    const int64_t answered = offset_at(before, place);
    const int64_t logged = offset_at(log, place);
    if (answered == offset_at(after, place) && answered != logged) found.insert({place, answered, logged});
  };
  for (const auto& [place, offset] : before) look_at(place);
  for (const auto& [place, offset] : log) look_at(place);
  return found;
}

}  // namespace tidemark::simulation
