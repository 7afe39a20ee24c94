#include "storage/format/journal_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/batch/crc32c.h"
#include "protocol/invariant.h"

namespace tidemark::storage {
namespace {

constexpr uint32_t kStretchMagic = 0x534A4454;  // "TDJS"
constexpr uint32_t kGroupMagic = 0x474A4454;    // "TDJG"
constexpr size_t kRecordHeadBytes = 8;          // type, 3 reserved, body length
constexpr size_t kMaxFolderName = 300;

// Little-endian integers at a moving position of a fixed buffer.
template <class T>
void put(std::byte*& at, T value) {
  std::memcpy(at, &value, sizeof value);  // x86-64 and arm64 are little-endian
  at += sizeof value;
}
template <class T>
T take(const std::byte*& at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  at += sizeof value;
  return value;
}

size_t body_bytes(const JournalRecord& r) {
  switch (r.type) {
    case JournalRecordType::create: return 8 + 16 + 4 + 1 + 2 + r.folder.size();
    case JournalRecordType::append: return 8 + 8 + 8 + 8 + 8 + 4 + 4 + r.data_bytes;
    case JournalRecordType::bypass: return 8 + 8 + 8 + 8 + 8 + 4 + 4;
    case JournalRecordType::roll: return 8 + 8;
    case JournalRecordType::begin_bypass:
    case JournalRecordType::truncate: return 8 + 8 + 8 + 8;
    case JournalRecordType::log_start: return 8 + 8;
    case JournalRecordType::erase: return 8;
  }
  INVARIANT(false, "journal record type {}", static_cast<int>(r.type));
}

uint32_t checksum_of(std::span<const std::byte> head, std::span<const std::span<const std::byte>> payload) {
  uint32_t crc = protocol::crc32c(head);
  for (const auto& part : payload) crc = protocol::crc32c_extend(crc, part);
  return crc;
}

}  // namespace

void encode_stretch_header(const StretchHeader& h, std::span<std::byte, kStretchHeaderBytes> out) {
  std::memset(out.data(), 0, out.size());
  std::byte* at = out.data();
  put(at, kStretchMagic);
  put(at, kJournalFormat);
  put(at, uint16_t{0});
  put(at, h.journal.value);
  put(at, uint32_t{0});
  put(at, h.generation.value);
  put(at, h.ordinal);
  put(at, h.first.value);
  put(at, h.checkpoint.value);
  put(at, h.floor.value);
  put(at, h.stretch_bytes);
  put(at, h.chain);
  std::byte* crc_at = out.data() + kStretchHeaderBytes - 4;
  put(crc_at, protocol::crc32c(out.first(kStretchHeaderBytes - 4)));
}

Result<std::optional<StretchHeader>> decode_stretch_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kStretchHeaderBytes) return std::optional<StretchHeader>();
  const std::byte* at = bytes.data();
  if (take<uint32_t>(at) != kStretchMagic) return std::optional<StretchHeader>();
  const std::byte* crc_at = bytes.data() + kStretchHeaderBytes - 4;
  if (take<uint32_t>(crc_at) != protocol::crc32c(bytes.first(kStretchHeaderBytes - 4)))
    return std::optional<StretchHeader>();
  const auto version = take<uint16_t>(at);
  if (version > kJournalFormat) {
    return fail(Error::format(fmt::format(
        "the journal has format version {}, and this release reads up to {}: start the newer release",
        version, kJournalFormat)));
  }
  take<uint16_t>(at);
  StretchHeader h;
  h.journal = JournalId(take<uint32_t>(at));
  take<uint32_t>(at);
  h.generation = Generation(take<uint64_t>(at));
  h.ordinal = take<uint64_t>(at);
  h.first = GroupSequence(take<uint64_t>(at));
  h.checkpoint = GroupSequence(take<uint64_t>(at));
  h.floor = Generation(take<uint64_t>(at));
  h.stretch_bytes = take<uint64_t>(at);
  h.chain = take<uint32_t>(at);
  return std::optional<StretchHeader>(h);
}

uint32_t encode_group_header(const GroupHeader& h, std::span<const std::span<const std::byte>> payload,
                             std::span<std::byte, kGroupHeaderBytes> out) {
  std::byte* at = out.data() + 8;
  put(at, h.generation.value);
  put(at, h.sequence.value);
  put(at, h.synced_up_to.value);
  put(at, h.checkpoint.value);
  put(at, h.floor.value);
  put(at, h.chain);
  put(at, h.payload_bytes);
  put(at, h.record_count);
  put(at, h.journal.value);
  const uint32_t crc = checksum_of(out.subspan(8), payload);
  at = out.data();
  put(at, kGroupMagic);
  put(at, crc);
  return crc;
}

std::optional<Group> decode_group(std::span<const std::byte> bytes, Planted planted) {
  if (bytes.size() < kGroupHeaderBytes) return std::nullopt;
  const std::byte* at = bytes.data();
  if (take<uint32_t>(at) != kGroupMagic) return std::nullopt;
  Group group;
  group.checksum = take<uint32_t>(at);
  GroupHeader& h = group.header;
  h.generation = Generation(take<uint64_t>(at));
  h.sequence = GroupSequence(take<uint64_t>(at));
  h.synced_up_to = GroupSequence(take<uint64_t>(at));
  h.checkpoint = GroupSequence(take<uint64_t>(at));
  h.floor = Generation(take<uint64_t>(at));
  h.chain = take<uint32_t>(at);
  h.payload_bytes = take<uint32_t>(at);
  h.record_count = take<uint32_t>(at);
  h.journal = JournalId(take<uint32_t>(at));
  if (h.payload_bytes > bytes.size() - kGroupHeaderBytes) return std::nullopt;
  group.payload = bytes.subspan(kGroupHeaderBytes, h.payload_bytes);
  if (checksum_of(bytes.subspan(8, kGroupHeaderBytes - 8), std::span(&group.payload, 1)) != group.checksum &&
      planted != Planted::torn_tail_is_data)
    return std::nullopt;
  return group;
}

size_t encoded_record_bytes(const JournalRecord& record) { return kRecordHeadBytes + body_bytes(record); }

void encode_record_head(const JournalRecord& r, std::vector<std::byte>& out) {
  const size_t body = body_bytes(r);
  const size_t head = kRecordHeadBytes + body - (r.type == JournalRecordType::append ? r.data_bytes : 0);
  const size_t start = out.size();
  out.resize(start + head);
  std::byte* at = out.data() + start;
  put(at, static_cast<uint8_t>(r.type));
  put(at, uint8_t{0});
  put(at, uint16_t{0});
  put(at, static_cast<uint32_t>(body));
  put(at, r.log.value);
  switch (r.type) {
    case JournalRecordType::create:
      std::memcpy(at, r.topic_id.bytes.data(), 16);
      at += 16;
      put(at, r.partition.value);
      put(at, static_cast<uint8_t>(r.journaled));
      put(at, static_cast<uint16_t>(r.folder.size()));
      std::memcpy(at, r.folder.data(), r.folder.size());
      at += r.folder.size();
      break;
    case JournalRecordType::append:
    case JournalRecordType::bypass:
      put(at, r.segment_base.value);
      put(at, r.position);
      put(at, r.base_offset.value);
      put(at, r.last_offset.value);
      put(at, r.epoch.value);
      put(at, r.data_bytes);
      break;
    case JournalRecordType::roll: put(at, r.segment_base.value); break;
    case JournalRecordType::begin_bypass:
    case JournalRecordType::truncate:
      put(at, r.segment_base.value);
      put(at, r.position);
      put(at, r.base_offset.value);
      break;
    case JournalRecordType::log_start: put(at, r.base_offset.value); break;
    case JournalRecordType::erase: break;
  }
  INVARIANT(at == out.data() + out.size(), "journal record head of type {}", static_cast<int>(r.type));
}

Result<JournalRecord> decode_record(std::span<const std::byte>& bytes) {
  const auto malformed = [](std::string_view what) {
    return fail(Error::corruption(fmt::format("journal record: {}", what)));
  };
  if (bytes.size() < kRecordHeadBytes) return malformed("shorter than its head");
  const std::byte* at = bytes.data();
  JournalRecord r;
  const auto type = take<uint8_t>(at);
  take<uint8_t>(at);
  take<uint16_t>(at);
  const auto body = take<uint32_t>(at);
  if (type < 1 || type > static_cast<uint8_t>(JournalRecordType::begin_bypass))
    return malformed("unknown type");
  r.type = static_cast<JournalRecordType>(type);
  if (body > bytes.size() - kRecordHeadBytes) return malformed("longer than its group");
  // With no data and no folder this is the smallest body of the type.
  if (body < body_bytes(r)) return malformed("shorter than its type");
  r.log = LogId(take<uint64_t>(at));
  switch (r.type) {
    case JournalRecordType::create: {
      std::memcpy(r.topic_id.bytes.data(), at, 16);
      at += 16;
      r.partition = PartitionId(take<int32_t>(at));
      r.journaled = take<uint8_t>(at) != 0;
      const auto length = take<uint16_t>(at);
      if (length == 0 || length > kMaxFolderName) return malformed("a folder name of this length");
      r.folder = std::string_view(reinterpret_cast<const char*>(at), length);
      break;
    }
    case JournalRecordType::append:
    case JournalRecordType::bypass:
      r.segment_base = Offset(take<int64_t>(at));
      r.position = take<uint64_t>(at);
      r.base_offset = Offset(take<int64_t>(at));
      r.last_offset = Offset(take<int64_t>(at));
      r.epoch = LeaderEpoch(take<int32_t>(at));
      r.data_bytes = take<uint32_t>(at);
      if (r.segment_base > r.base_offset || r.base_offset > r.last_offset)
        return malformed("offsets out of order");
      break;
    case JournalRecordType::roll: r.segment_base = Offset(take<int64_t>(at)); break;
    case JournalRecordType::begin_bypass:
    case JournalRecordType::truncate:
      r.segment_base = Offset(take<int64_t>(at));
      r.position = take<uint64_t>(at);
      r.base_offset = Offset(take<int64_t>(at));
      break;
    case JournalRecordType::log_start: r.base_offset = Offset(take<int64_t>(at)); break;
    case JournalRecordType::erase: break;
  }
  if (body_bytes(r) != body) return malformed("its length is not that of its type");
  if (r.type == JournalRecordType::create &&
      r.folder.find_first_of(std::string_view("/\0", 2)) != r.folder.npos)
    return malformed("a folder name that is a path");
  if (r.type == JournalRecordType::append) r.data = std::span(at, r.data_bytes);
  bytes = bytes.subspan(kRecordHeadBytes + body);
  return r;
}

StretchScan scan_stretch(std::span<const std::byte> file, const StretchHeader& header,
                         const StretchHeader* next_stretch, Planted planted) {
  StretchScan scan;
  scan.chain = header.chain;
  scan.next = header.first;
  uint64_t at = kStretchHeaderBytes;
  const auto continues = [&](const Group& group) {
    return group.header.generation == header.generation && group.header.journal == header.journal;
  };
  // A group of this generation behind a break was written only after what precedes it was synced. Each number
  // is written once, so that it is none of an earlier lap.
  const auto find_behind = [&](uint64_t from) -> std::optional<uint64_t> {
    for (; from < file.size(); from += kJournalAlignment) {
      const auto group = decode_group(file.subspan(from));
      if (!group || !continues(*group) || group->header.sequence < scan.next) continue;
      if (next_stretch != nullptr && group->header.sequence >= next_stretch->first) continue;
      if (group->header.synced_up_to >= scan.next && planted != Planted::corruption_is_torn_tail) return from;
      scan.end = StretchEnd::torn;
    }
    return std::nullopt;
  };
  while (at < file.size()) {
    auto group = decode_group(file.subspan(at), planted);
    if (!group || !continues(*group) || group->header.sequence != scan.next ||
        group->header.chain != scan.chain) {
      const auto behind = find_behind(at);
      if (!behind) break;
      group = decode_group(file.subspan(*behind));
      scan.gaps.push_back({scan.next, group->header.sequence, std::exchange(at, *behind)});
      scan.next = group->header.sequence;
    }
    scan.chain = group->checksum;
    scan.next = GroupSequence(scan.next.value + 1);
    at += align_journal(kGroupHeaderBytes + group->header.payload_bytes);
    scan.groups.push_back(std::move(*group));
  }
  scan.end_position = std::min<uint64_t>(at, file.size());
  if (next_stretch != nullptr) {
    scan.end = StretchEnd::clean;
    if (next_stretch->first != scan.next || next_stretch->chain != scan.chain)
      scan.gaps.push_back({std::min(scan.next, GroupSequence(next_stretch->first.value - 1)),
                           next_stretch->first, scan.end_position});
  }
  if (!scan.gaps.empty()) scan.end = StretchEnd::corrupt;
  if (next_stretch != nullptr) return scan;
  if (scan.end == StretchEnd::clean && scan.end_position < file.size()) {
    // Anything that looks like the start of the expected group is a torn one; zeros and old laps are a clean
    // end.
    const std::byte* magic = file.data() + scan.end_position;
    if (file.size() - scan.end_position >= 4 && take<uint32_t>(magic) == kGroupMagic &&
        file.size() - scan.end_position >= kGroupHeaderBytes) {
      const std::byte* g = file.data() + scan.end_position + 8;
      if (Generation(take<uint64_t>(g)) == header.generation) scan.end = StretchEnd::torn;
    }
  }
  return scan;
}

}  // namespace tidemark::storage
