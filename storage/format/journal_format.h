// The journal's bytes (durability.md's "The journal"). Pure: encodes and decodes, never reads a file. Format
// version 1, integers little-endian.
//
// A *stretch* is one preallocated file: a 512-byte header, then *groups*, each starting at a multiple of 512.
// A group is what one synced write made durable: a 64-byte header and records back to back. Groups of one
// journal and generation count 1, 2, 3, ...; each one's checksum covers its header, its records, and its
// predecessor's checksum, so that what a recycled file still holds of its last lap never continues a chain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/ids.h"
#include "storage/planted.h"

namespace tidemark::storage {

// One incarnation of a replica in a data folder; never used again. 0: none. See make_log_id().
struct LogId : StrongId<struct LogIdTag, uint64_t> {
  using StrongId::StrongId;
};
// One start of the node, as the identity file counts them.
struct Generation : StrongId<struct GenerationTag, uint64_t> {
  using StrongId::StrongId;
};
// Which journal of a folder: a shard's number, or kMetadataJournal.
struct JournalId : StrongId<struct JournalIdTag, uint32_t> {
  using StrongId::StrongId;
};
// A group's number in its journal and generation, from 1; 0: none.
struct GroupSequence : StrongId<struct GroupSequenceTag, uint64_t> {
  using StrongId::StrongId;
};

inline constexpr JournalId kMetadataJournal{0xFFFF};

// A log's id says in which generation it was made, and by the low byte in which journal: damage to any other
// journal of that generation, or of one before it, cannot concern it.
[[nodiscard]] constexpr LogId make_log_id(Generation generation, JournalId journal, uint32_t number) {
  return LogId(generation.value << 32 | uint64_t{journal.value & 0xFF} << 24 | number);
}
[[nodiscard]] constexpr Generation generation_of(LogId log) { return Generation(log.value >> 32); }
// Whether it may have been made in `journal`.
[[nodiscard]] constexpr bool may_be_of(LogId log, JournalId journal) {
  return (log.value >> 24 & 0xFF) == (journal.value & 0xFF);
}
inline constexpr uint16_t kJournalFormat = 1;
inline constexpr size_t kJournalAlignment = 512;
inline constexpr size_t kStretchHeaderBytes = 512;
inline constexpr size_t kGroupHeaderBytes = 64;

[[nodiscard]] constexpr uint64_t align_journal(uint64_t bytes) {
  return (bytes + kJournalAlignment - 1) / kJournalAlignment * kJournalAlignment;
}

struct StretchHeader {
  JournalId journal;
  Generation generation;
  uint64_t ordinal = 0;        // of the stretch in its journal and generation, from 0
  GroupSequence first;         // the first group's number
  uint32_t chain = 0;          // checksum of the group before it
  GroupSequence checkpoint;    // groups up to here need no replay
  Generation floor;            // generations below need no replay
  uint64_t stretch_bytes = 0;  // size of the file
};

void encode_stretch_header(const StretchHeader& header, std::span<std::byte, kStretchHeaderBytes> out);
// nullopt: not a stretch header (zeros, torn, or foreign). Error (format): a newer format version.
Result<std::optional<StretchHeader>> decode_stretch_header(std::span<const std::byte> bytes);

struct GroupHeader {
  JournalId journal;
  Generation generation;
  GroupSequence sequence;
  GroupSequence synced_up_to;  // every group up to here was synced when this one was written
  GroupSequence checkpoint;
  Generation floor;
  uint32_t chain = 0;  // the predecessor's checksum
  uint32_t payload_bytes = 0;
  uint32_t record_count = 0;
};

// Encodes the header around payload parts that lie elsewhere; returns the group's checksum.
uint32_t encode_group_header(const GroupHeader& header, std::span<const std::span<const std::byte>> payload,
                             std::span<std::byte, kGroupHeaderBytes> out);

struct Group {
  GroupHeader header;
  uint32_t checksum = 0;
  std::span<const std::byte> payload;
};
// The group at the start of `bytes` if it is whole and its checksum holds; it says nothing of its place in a
// chain.
std::optional<Group> decode_group(std::span<const std::byte> bytes, Planted planted = Planted::none);

enum class JournalRecordType : uint8_t {
  create = 1,        // a replica's folder begins to exist
  append = 2,        // record batches, with their bytes
  bypass = 3,        // record batches whose bytes were synced into the segment before this record
  roll = 4,          // a new active segment
  truncate = 5,      // the log ends at `base_offset`, at `position` of segment `segment_base`
  log_start = 6,     // the log starts at `base_offset`
  erase = 7,         // the replica is gone; its id is dead
  begin_bypass = 8,  // a bypass to this place may be under way: from there on the file may be torn
};

struct JournalRecord {
  JournalRecordType type{};
  LogId log;
  Offset segment_base;              // append, bypass, begin_bypass, roll, truncate
  uint64_t position = 0;            // append, bypass, begin_bypass, truncate: byte position in that segment
  Offset base_offset;               // appends: of the first record; truncate, log_start: the offset
  Offset last_offset;               // append, bypass
  LeaderEpoch epoch;                // append, bypass
  uint32_t data_bytes = 0;          // append, bypass
  std::span<const std::byte> data;  // append: decoded, a view; encoded, written by the caller behind the head
  Uuid topic_id;                    // create
  PartitionId partition;            // create
  bool journaled = true;            // create: false for write.caching
  std::string_view folder;          // create: the folder's name in the data folder
};

// Appends everything but an append record's data to `out`.
void encode_record_head(const JournalRecord& record, std::vector<std::byte>& out);
// Bytes of head and data together.
[[nodiscard]] size_t encoded_record_bytes(const JournalRecord& record);
// Takes one record off the front of `bytes`.
Result<JournalRecord> decode_record(std::span<const std::byte>& bytes);

// How a stretch's groups end.
enum class StretchEnd : uint8_t {
  clean,    // every group up to the next stretch's first, or to the end of what was ever written
  torn,     // an unfinished last group: nothing valid follows, nothing says that it was synced
  corrupt,  // damage below a point that a later group states to be synced
};
// Groups that are not whole, although a later one states that they were synced.
struct StretchGap {
  GroupSequence first;
  GroupSequence next;  // the first one behind them
  uint64_t position = 0;
};
struct StretchScan {
  std::vector<Group> groups;     // views into the bytes given
  std::vector<StretchGap> gaps;  // what is missing between them; corrupt
  StretchEnd end = StretchEnd::clean;
  uint64_t end_position = 0;  // behind the last group
  uint32_t chain = 0;         // checksum of the last group
  GroupSequence next;         // the number that the next group would have
};
// Walks the groups of one stretch file. `next_stretch`: the header of the following stretch of the same
// journal and generation, if there is one.
StretchScan scan_stretch(std::span<const std::byte> file, const StretchHeader& header,
                         const StretchHeader* next_stretch, Planted planted = Planted::none);

}  // namespace tidemark::storage
