// Whole partitions: each segment, that it goes on where its predecessor ended, and that its indexes point at
// batches.
#include <charconv>
#include <map>

#include "client/cli/log_files.h"
#include "storage/format/offset_index.h"
#include "storage/format/segment_scan.h"
#include "storage/format/time_index.h"

namespace tidemark::cli {
namespace {

using storage::FileSystem;

constexpr int kMaxDepth = 3;  // data folder, partition, and one more for several data folders

struct Partition {
  int64_t segments = 0;
  int64_t batches = 0;
  int64_t records = 0;
  int64_t bytes = 0;
  int64_t gaps = 0;  // offsets missing between batches: compaction leaves such
  Health health = Health::ok;
  std::string reason;

  void find(Health found, std::string why) {
    if (found <= health) return;
    health = found;
    reason = std::move(why);
  }
};

std::string_view name_of(Health health) {
  switch (health) {
    case Health::ok: return "ok";
    case Health::torn: return "torn";
    case Health::damaged: return "damaged";
  }
  return "damaged";
}

// The entries of an index file, as far as they are written: a live index of Kafka's ends in zeros.
Result<std::vector<std::byte>> read_index(FileSystem& files, const std::string& path, size_t entry_bytes) {
  TRY_ASSIGN(const auto file, files.open(path, storage::OpenMode::read));
  TRY_ASSIGN(const uint64_t size, file->size());
  if (size > storage::kMaxIndexFileBytes) return fail(Error::corruption(fmt::format("{} bytes", size)));
  std::vector<std::byte> bytes(size);
  TRY_ASSIGN(const size_t got, file->read(0, bytes));
  bytes.resize(got);
  const auto is_zero = [](std::byte each) { return each == std::byte{0}; };
  while (bytes.size() >= entry_bytes && bytes.size() % entry_bytes == 0 &&
         std::all_of(bytes.end() - static_cast<std::ptrdiff_t>(entry_bytes), bytes.end(), is_zero)) {
    bytes.resize(bytes.size() - entry_bytes);
  }
  return bytes;
}

// Position of each batch to its last offset.
using Batches = std::map<uint64_t, Offset>;

void check_indexes(FileSystem& files, const std::string& stem, Offset base, const Batches& batches,
                   Partition& out) {
  const std::string path = stem + ".index";
  const auto exists = files.exists(path);
  if (exists && *exists) {
    const auto bytes = read_index(files, path, storage::OffsetPosition::kBytes);
    const auto index = bytes ? storage::OffsetIndex::parse(base, *bytes)
                             : Result<storage::OffsetIndex>(fail(Error(bytes.error())));
    if (!index) return out.find(Health::damaged, path + ": " + index.error().message());
    for (size_t at = 0; at < bytes->size(); at += storage::OffsetPosition::kBytes) {
      const auto entry = storage::OffsetPosition::decode(base, bytes->data() + at);
      const auto batch = batches.find(static_cast<uint64_t>(entry.position));
      if (batch == batches.end() || batch->second != entry.offset) {
        return out.find(Health::damaged, fmt::format("{}: offset {} is not the last of a batch at byte {}",
                                                     path, entry.offset.value, entry.position));
      }
    }
  }
  const std::string times = stem + ".timeindex";
  const auto has_times = files.exists(times);
  if (!has_times || !*has_times) return;
  const auto bytes = read_index(files, times, storage::TimestampOffset::kBytes);
  const auto index = bytes ? storage::TimeIndex::parse(base, *bytes)
                           : Result<storage::TimeIndex>(fail(Error(bytes.error())));
  if (!index) out.find(Health::damaged, times + ": " + index.error().message());
}

Result<void> verify_partition(FileSystem& files, const std::string& folder,
                              const std::vector<storage::DirEntry>& entries, Partition& out) {
  std::vector<std::string> stems;
  for (const storage::DirEntry& entry : entries) {
    if (entry.name.ends_with(".log")) stems.push_back(entry.name.substr(0, entry.name.size() - 4));
  }
  std::optional<Offset> expected;
  LeaderEpoch epoch = kNoLeaderEpoch;
  for (size_t i = 0; i < stems.size(); ++i) {
    const std::string stem = folder + "/" + stems[i];
    int64_t number = -1;
    const auto parsed = std::from_chars(stems[i].data(), stems[i].data() + stems[i].size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != stems[i].data() + stems[i].size()) {
      out.find(Health::damaged, stem + ".log: the name is no offset");
      continue;
    }
    const Offset base(number);
    if (expected && *expected > base)
      out.find(Health::damaged, fmt::format("{}.log begins below offset {}, where the segment before it ends",
                                            stem, expected->value));
    TRY_ASSIGN(const auto file, files.open(stem + ".log", storage::OpenMode::read));
    storage::ScanOptions options;
    options.gaps_below = storage::kGapsAnywhere;
    options.min_epoch = epoch;
    Batches batches;
    TRY_ASSIGN(const storage::ScanResult scan,
               storage::scan_segment(*file, options, [&](const storage::ScannedBatch& batch) {
                 if (expected && batch.header.base_offset > *expected) ++out.gaps;
                 expected = batch.header.next_offset();
                 batches[batch.position] = batch.header.last_offset();
                 ++out.batches;
                 out.records += batch.header.record_count;
                 return true;
               }));
    ++out.segments;
    out.bytes += static_cast<int64_t>(scan.position);
    epoch = std::max(epoch, scan.last_epoch);
    if (scan.end == storage::ScanEnd::torn || scan.end == storage::ScanEnd::corrupt) {
      // Only the last segment may end in the middle of a write.
      const bool repairable = scan.end == storage::ScanEnd::torn && i + 1 == stems.size();
      out.find(repairable ? Health::torn : Health::damaged,
               fmt::format("{}.log, byte {}: {}", stem, scan.position, scan.reason));
    }
    check_indexes(files, stem, base, batches, out);
  }
  return {};
}

Result<void> walk(FileSystem& files, const std::string& folder, int depth, FileReport& report) {
  TRY_ASSIGN(const std::vector<storage::DirEntry> entries, files.list(folder));
  const bool is_partition = std::any_of(entries.begin(), entries.end(), [](const storage::DirEntry& entry) {
    return !entry.is_dir && entry.name.ends_with(".log");
  });
  if (is_partition) {
    Partition found;
    TRY(verify_partition(files, folder, entries, found));
    report.rows.push_back(Value::object({{"folder", folder},
                                         {"status", name_of(found.health)},
                                         {"segments", found.segments},
                                         {"batches", found.batches},
                                         {"records", found.records},
                                         {"bytes", found.bytes},
                                         {"gaps", found.gaps},
                                         {"reason", found.reason.empty() ? Value() : Value(found.reason)}}));
    if (found.health > report.health) {
      report.health = found.health;
      report.reason = found.reason;
    }
  }
  if (depth == 0) return {};
  for (const storage::DirEntry& entry : entries) {
    // The daemon's own folder: journals, and a key-value store whose files end in .log too.
    if (entry.name == "tidemark") continue;
    if (entry.is_dir) TRY(walk(files, folder + "/" + entry.name, depth - 1, report));
  }
  return {};
}

}  // namespace

Result<FileReport> verify_folder(FileSystem& files, const std::string& path) {
  FileReport report;
  if (const auto listed = files.list(path); !listed) return fail(Error::config(listed.error().message()));
  TRY(walk(files, path, kMaxDepth, report));
  if (report.rows.empty()) return fail(Error::config(fmt::format("{}: there is no segment below it", path)));
  report.document = Value(report.rows);
  return report;
}

}  // namespace tidemark::cli
