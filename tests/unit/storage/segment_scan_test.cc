#include <catch2/catch.hpp>

#include <random>

#include "storage/format/segment_scan.h"
#include "tests/unit/storage/memory_file.h"
#include "tests/unit/storage/raw_batch.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

struct Log {
  MemoryFile file;
  std::vector<uint64_t> starts;
  std::vector<RawBatch> batches;

  void add(RawBatch batch) {
    starts.push_back(file.bytes.size());
    batches.push_back(batch);
    append_to(file.bytes, batch.encode());
  }
  static Log of(std::initializer_list<size_t> payloads) {
    Log log;
    int64_t offset = 100;
    for (size_t payload : payloads) {
      log.add({.base_offset = offset, .records = 3, .epoch = 2, .payload_bytes = payload});
      offset += 3;
    }
    return log;
  }
};

struct Seen {
  std::vector<int64_t> offsets;
  std::vector<uint64_t> positions;
  std::vector<std::byte> bytes;
};

ScanResult scan(File& file, ScanOptions options, Seen* seen = nullptr) {
  auto result = scan_segment(file, options, [&](const ScannedBatch& b) {
    if (seen != nullptr) {
      seen->offsets.push_back(b.header.base_offset.value);
      seen->positions.push_back(b.position);
      seen->bytes.insert(seen->bytes.end(), b.bytes.begin(), b.bytes.end());
    }
    return true;
  });
  REQUIRE(result);
  return *result;
}

}  // namespace

TEST_CASE("a scan visits every batch and ends cleanly where the file does") {
  for (bool whole : {false, true}) {
    for (bool crc : {false, true}) {
      Log log = Log::of({20, 5000, 100, 9000, 4096 - 61, 4096, 1});
      Seen seen;
      ScanOptions options{
          .first_offset = Offset(100), .check_crc = crc, .whole_batches = whole, .window_bytes = 4096};
      const ScanResult result = scan(log.file, options, &seen);
      CHECK(result.end == ScanEnd::clean);
      CHECK(result.position == log.file.bytes.size());
      CHECK(result.next_offset == Offset(121));
      CHECK(result.last_epoch == LeaderEpoch(2));
      CHECK(seen.positions == log.starts);
      if (whole) CHECK(seen.bytes == log.file.bytes);
      CHECK(log.file.reads <= 16);
    }
  }
}

TEST_CASE("an empty file is a clean end, and a scan may start and stop anywhere") {
  MemoryFile empty;
  CHECK(scan(empty, {.first_offset = Offset(7)}).end == ScanEnd::clean);
  CHECK(scan(empty, {.first_offset = Offset(7)}).next_offset == Offset(7));
  CHECK(scan(empty, {}).next_offset == std::nullopt);
  CHECK(scan(empty, {.from = 10}).end == ScanEnd::torn);
  Log log = Log::of({20, 30, 40, 50});
  Seen seen;
  const ScanResult part = scan(log.file, {.from = log.starts[1], .to = log.starts[3]}, &seen);
  CHECK(part.end == ScanEnd::clean);
  CHECK(part.position == log.starts[3]);
  CHECK(seen.offsets == std::vector<int64_t>{103, 106});
  auto stopped =
      scan_segment(log.file, {}, [](const ScannedBatch& b) { return b.header.base_offset < Offset(103); });
  REQUIRE(stopped);
  CHECK(stopped->end == ScanEnd::stopped);
  CHECK(stopped->position == log.starts[2]);
}

TEST_CASE("a file that is cut anywhere ends torn behind its last whole batch") {
  const Log log = Log::of({20, 6000, 30});
  for (size_t size = 0; size <= log.file.bytes.size(); ++size) {
    MemoryFile cut(log.file.bytes);
    cut.bytes.resize(size);
    const ScanResult result = scan(cut, {.first_offset = Offset(100), .window_bytes = 4096});
    uint64_t whole = 0;
    for (size_t i = 0; i < log.starts.size(); ++i) {
      const uint64_t end = i + 1 < log.starts.size() ? log.starts[i + 1] : log.file.bytes.size();
      if (end <= size) whole = end;
    }
    REQUIRE(result.position == whole);
    REQUIRE(result.end == (whole == size ? ScanEnd::clean : ScanEnd::torn));
    REQUIRE(result.reason.empty() == (result.end == ScanEnd::clean));
  }
}

TEST_CASE("any flipped bit ends the scan before the batch that it struck") {
  const Log log = Log::of({20, 40, 20});
  for (size_t at = 0; at < log.file.bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      MemoryFile flipped(log.file.bytes);
      flipped.bytes[at] ^= static_cast<std::byte>(1 << bit);
      size_t struck = 0;
      while (struck + 1 < log.starts.size() && log.starts[struck + 1] <= at) ++struck;
      const size_t within = at - log.starts[struck];
      const ScanResult result = scan(flipped, {.first_offset = Offset(100), .min_epoch = LeaderEpoch(2)});
      if (within >= 12 && within < 16) {
        // A higher leader epoch is no contradiction by itself: the epoch lies outside of the checksum.
        REQUIRE(result.position >= log.starts[struck]);
        continue;
      }
      REQUIRE(result.position == log.starts[struck]);
      REQUIRE(result.end != ScanEnd::clean);
    }
  }
}

TEST_CASE("gaps, repeated offsets and falling epochs are corruption") {
  auto second = [](RawBatch batch, Offset gaps_below) {
    Log log;
    log.add({.base_offset = 10, .records = 2, .epoch = 5});
    log.add(batch);
    return scan(log.file, {.gaps_below = gaps_below}).end;
  };
  CHECK(second({.base_offset = 12, .epoch = 5}, Offset(0)) == ScanEnd::clean);
  CHECK(second({.base_offset = 13, .epoch = 5}, Offset(0)) == ScanEnd::corrupt);
  CHECK(second({.base_offset = 13, .epoch = 5}, kGapsAnywhere) == ScanEnd::clean);
  CHECK(second({.base_offset = 13, .epoch = 5}, Offset(13)) == ScanEnd::clean);
  CHECK(second({.base_offset = 13, .epoch = 5}, Offset(12)) == ScanEnd::corrupt);
  CHECK(second({.base_offset = 11, .epoch = 5}, kGapsAnywhere) == ScanEnd::corrupt);
  CHECK(second({.base_offset = 12, .epoch = 4}, kGapsAnywhere) == ScanEnd::corrupt);
  CHECK(second({.base_offset = -12, .epoch = 5}, kGapsAnywhere) == ScanEnd::corrupt);
  CHECK(second({.base_offset = INT64_MAX, .epoch = 5}, kGapsAnywhere) == ScanEnd::corrupt);
  Log log = Log::of({20});
  CHECK(scan(log.file, {.first_offset = Offset(99)}).end == ScanEnd::corrupt);
  CHECK(scan(log.file, {.min_epoch = LeaderEpoch(3)}).end == ScanEnd::corrupt);
}

TEST_CASE("a tail of zeros and an older message format are corruption, a failing disk is an Error") {
  Log log = Log::of({20, 20});
  log.file.bytes.resize(log.file.bytes.size() + 4096);
  CHECK(scan(log.file, {}).end == ScanEnd::corrupt);
  Log old = Log::of({20});
  old.file.bytes[protocol::kBatchMagicAt] = std::byte{1};
  CHECK(scan(old.file, {}).end == ScanEnd::corrupt);
  log.file.fail_reads = true;
  const auto failed = scan_segment(log.file, {}, [](const ScannedBatch&) { return true; });
  REQUIRE(!failed);
  CHECK(failed.error().kind() == ErrorKind::io);
}
