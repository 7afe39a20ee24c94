// A segment file: the first byte chooses the checks, the rest is the file. Whatever it holds, the scan keeps
// its promises, is the same with any window, and what is derived from it holds together.
#include "storage/format/segment_indexes.h"
#include "storage/format/segment_scan.h"
#include "storage/leader_epoch_cache.h"
#include "storage/producer_snapshot.h"
#include "tests/unit/storage/memory_file.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

ScanResult scan(MemoryFile& file, const ScanOptions& options, const ScanVisitor& visit) {
  auto result = scan_segment(file, options, visit);
  INVARIANT(result, "a scan in memory failed: {}", result.error().message());
  return *result;
}

void check_derived(MemoryFile& file, const ScanOptions& options, const ScanResult& whole) {
  constexpr runtime::WallTime kNow{std::chrono::milliseconds(1)};
  std::optional<SegmentIndexes> indexes;
  LeaderEpochCache epochs;
  ProducerState producers(8);
  scan(file, options, [&](const ScannedBatch& batch) {
    if (!indexes) indexes.emplace(batch.header.base_offset, 100);
    indexes->append(batch.header, batch.position);
    epochs.assign(batch.header.leader_epoch, batch.header.base_offset);
    const auto checked = producers.check(batch.header);
    if (checked && !*checked) producers.apply(batch.header, kNow);
    return true;
  });
  if (!indexes) return;
  indexes->seal();
  const Offset base = indexes->offsets().base();
  INVARIANT(OffsetIndex::parse(base, indexes->offsets().unwritten_bytes()), "our offset index is damaged");
  INVARIANT(TimeIndex::parse(base, indexes->times().unwritten_bytes()), "our time index is damaged");
  const auto checkpoint = parse_leader_epoch_checkpoint(encode_leader_epoch_checkpoint(epochs));
  INVARIANT(checkpoint && *checkpoint == epochs, "our epoch checkpoint is damaged");
  const auto snapshot = decode_producer_snapshot(
      encode_producer_snapshot({LogId(1), *whole.next_offset, LeaderEpoch(0)}, producers), kNow);
  INVARIANT(snapshot && snapshot->state.size() == producers.size(), "our producer snapshot is damaged");
  // From the newest index entry on, the scan sees the same end.
  ScanOptions resumed = options;
  resumed.from = indexes->resume_position();
  resumed.first_offset.reset();
  INVARIANT(scan(file, resumed, [](const ScannedBatch&) { return true; }).position == whole.position,
            "an index entry names no batch");
  INVARIANT(indexes->truncate_to(base), "a truncation of indexes in memory");
  INVARIANT(indexes->offsets().empty() && indexes->times().empty(), "entries of a cut batch");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return -1;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  MemoryFile file({bytes.begin(), bytes.end()});
  ScanOptions options;
  options.check_crc = (data[0] & 1) != 0;
  options.gaps_below = (data[0] & 2) != 0 ? Offset(0) : kGapsAnywhere;
  options.whole_batches = (data[0] & 4) != 0;
  options.window_bytes = 4096;
  uint64_t position = 0;
  Offset next(0);
  const ScanResult whole = scan(file, options, [&](const ScannedBatch& batch) {
    INVARIANT(batch.position == position, "a batch at {} instead of {}", batch.position, position);
    INVARIANT(batch.header.base_offset >= next, "offset {} below {}", batch.header.base_offset, next);
    INVARIANT(!options.whole_batches || batch.bytes.size() == batch.header.size_in_bytes(), "half a batch");
    INVARIANT(!options.whole_batches || std::equal(batch.bytes.begin(), batch.bytes.end(),
                                                   bytes.begin() + static_cast<std::ptrdiff_t>(position)),
              "other bytes than the file's");
    position += batch.header.size_in_bytes();
    next = batch.header.next_offset();
    return true;
  });
  INVARIANT(whole.position == position && position <= bytes.size(), "the end is {}", whole.position);
  INVARIANT((whole.end == ScanEnd::clean) == (position == bytes.size()), "an end without a reason");
  INVARIANT((whole.end == ScanEnd::clean) == whole.reason.empty(), "a reason without an end");
  ScanOptions large = options;
  large.window_bytes = kScanWindowBytes;
  large.to = position;
  const ScanResult prefix = scan(file, large, [](const ScannedBatch&) { return true; });
  INVARIANT(prefix.end == ScanEnd::clean && prefix.position == position,
            "the good part has an end of its own");
  check_derived(file, large, whole);
  return 0;
}
