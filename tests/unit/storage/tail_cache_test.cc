// The tail cache, by hand and against a list that never evicts.
#include <catch2/catch.hpp>

#include <random>
#include <set>

#include "storage/tail_cache.h"
#include "tests/unit/storage/raw_batch.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

constexpr size_t kBatchSize = 81;

// A buffer of `size` bytes whose first bytes are batches of two records each, from `offset`.
runtime::BufferSlice batches(int64_t offset, int count, size_t size = 0) {
  std::vector<std::byte> bytes;
  for (int i = 0; i < count; ++i)
    append_to(bytes, RawBatch{.base_offset = offset + i * 2, .records = 2}.encode());
  REQUIRE(bytes.size() == kBatchSize * static_cast<size_t>(count));
  auto buffer = runtime::Buffer::allocate(std::max(size, bytes.size()));
  std::copy(bytes.begin(), bytes.end(), buffer->bytes().begin());
  return runtime::BufferSlice::whole(buffer).sub(0, bytes.size());
}

TailAppend append_of(int64_t offset, int count, uint64_t position = 0, size_t size = 0) {
  return {Offset(offset), Offset(offset + count * 2 - 1), Offset(0), position, batches(offset, count, size)};
}

std::vector<int64_t> offsets_of(const TailRead& read) {
  std::vector<int64_t> result;
  for (const auto& slice : read.slices)
    for (size_t at = 0; at < slice.size();) {
      const auto header = *protocol::parse_batch_header(slice.bytes.subspan(at));
      result.push_back(header.base_offset.value);
      at += header.size_in_bytes();
    }
  return result;
}

using Offsets = std::vector<int64_t>;
constexpr LogId kLog{1};
constexpr Offset kNoLimit{INT64_MAX};

}  // namespace

TEST_CASE("a read starts at the batch of its offset and ends at the limit and at the bytes") {
  TailCache cache(1 << 20);
  cache.append(kLog, append_of(10, 3, 1000));
  cache.append(kLog, append_of(16, 2, 1000 + 3 * kBatchSize));
  CHECK(offsets_of(cache.read(kLog, Offset(10), kNoLimit, 1 << 20)) == Offsets{10, 12, 14, 16, 18});
  const TailRead middle = cache.read(kLog, Offset(13), kNoLimit, 1 << 20);
  CHECK(offsets_of(middle) == Offsets{12, 14, 16, 18});
  CHECK(middle.base_offset == Offset(12));
  CHECK(middle.next_offset == Offset(20));
  CHECK(middle.position == 1000 + kBatchSize);
  CHECK(middle.bytes == 4 * kBatchSize);
  CHECK(offsets_of(cache.read(kLog, Offset(10), Offset(14), 1 << 20)) == Offsets{10, 12});
  CHECK(offsets_of(cache.read(kLog, Offset(10), Offset(15), 1 << 20)) == Offsets{10, 12});
  CHECK(offsets_of(cache.read(kLog, Offset(14), Offset(15), 1 << 20)).empty());
  CHECK(offsets_of(cache.read(kLog, Offset(12), kNoLimit, 2 * kBatchSize)) == Offsets{12, 14});
  CHECK(offsets_of(cache.read(kLog, Offset(12), kNoLimit, 3 * kBatchSize)) == Offsets{12, 14, 16});
  CHECK(offsets_of(cache.read(kLog, Offset(12), kNoLimit, 1)) == Offsets{12});
  for (int64_t miss : {0, 9, 20, 100})
    CHECK(cache.read(kLog, Offset(miss), kNoLimit, 1 << 20).slices.empty());
  CHECK(cache.read(LogId(2), Offset(10), kNoLimit, 1 << 20).slices.empty());
}

TEST_CASE("a buffer counts once, stays while any append of it is unwritten, and leaves all logs together") {
  TailCache cache(1000);
  auto shared = runtime::Buffer::allocate(800);
  const auto one = batches(0, 1);
  const auto two = batches(0, 1);
  std::copy(one.bytes.begin(), one.bytes.end(), shared->bytes().begin());
  std::copy(two.bytes.begin(), two.bytes.end(), shared->bytes().begin() + kBatchSize);
  const auto whole = runtime::BufferSlice::whole(shared);
  cache.append(LogId(1), {Offset(0), Offset(1), Offset(0), 0, whole.sub(0, kBatchSize)});
  cache.append(LogId(2), {Offset(0), Offset(1), Offset(0), 0, whole.sub(kBatchSize, kBatchSize)});
  CHECK(cache.bytes() == 800);
  CHECK(cache.pinned_bytes() == 800);
  cache.append(LogId(3), append_of(0, 1, 0, 900));
  CHECK(cache.bytes() == 1700);  // over the bound, and all of it pinned
  cache.mark_written(LogId(1), Offset(2));
  CHECK(cache.bytes() == 1700);
  CHECK(cache.pinned_bytes() == 1700);
  cache.mark_written(LogId(2), Offset(2));
  CHECK(cache.bytes() == 900);
  CHECK(cache.buffers() == 1);
  CHECK(cache.evicted_buffers() == 1);
  CHECK(!cache.holds(LogId(1), Offset(0)));
  CHECK(!cache.holds(LogId(2), Offset(0)));
  CHECK(cache.holds(LogId(3), Offset(1)));
}

TEST_CASE("what a reader holds outlives eviction") {
  TailCache cache(100);
  cache.append(kLog, append_of(0, 1, 0, 90));
  const TailRead read = cache.read(kLog, Offset(0), kNoLimit, 1000);
  cache.mark_written(kLog, Offset(2));
  cache.set_max_bytes(0);
  CHECK(cache.bytes() == 0);
  CHECK(cache.buffers() == 0);
  CHECK(offsets_of(read) == Offsets{0});
}

TEST_CASE("the first pinned append says from where the file may not be read") {
  TailCache cache(1 << 20);
  CHECK(cache.first_pinned(kLog) == kNoOffset);
  cache.append(kLog, append_of(0, 2));
  cache.append(kLog, append_of(4, 1));
  CHECK(cache.first_pinned(kLog) == Offset(0));
  cache.mark_written(kLog, Offset(3));  // not all of the first append
  CHECK(cache.first_pinned(kLog) == Offset(0));
  cache.mark_written(kLog, Offset(4));
  CHECK(cache.first_pinned(kLog) == Offset(4));
  cache.mark_written(kLog, Offset(6));
  CHECK(cache.first_pinned(kLog) == kNoOffset);
  CHECK(cache.pinned_bytes() == 0);
}

TEST_CASE("truncation drops what was cut, pinned or not, and cuts an append at a batch") {
  TailCache cache(1 << 20);
  cache.append(kLog, append_of(0, 1));
  cache.append(kLog, append_of(2, 3));
  cache.append(kLog, append_of(8, 1));
  cache.truncate(kLog, Offset(6));
  CHECK(offsets_of(cache.read(kLog, Offset(0), kNoLimit, 1 << 20)) == Offsets{0, 2, 4});
  CHECK(!cache.holds(kLog, Offset(6)));
  CHECK(cache.buffers() == 2);
  cache.append(kLog, append_of(6, 1));
  CHECK(offsets_of(cache.read(kLog, Offset(4), kNoLimit, 1 << 20)) == Offsets{4, 6});
  cache.mark_written(kLog, Offset(8));
  CHECK(cache.pinned_bytes() == 0);
  cache.truncate(kLog, Offset(2));
  cache.append(kLog, append_of(2, 1));
  CHECK(cache.first_pinned(kLog) == Offset(2));
  cache.erase(kLog);
  CHECK(cache.bytes() == 0);
  CHECK(cache.pinned_bytes() == 0);
  CHECK(cache.buffers() == 0);
}

TEST_CASE("whatever happens, a read gives what the log holds, and unwritten appends are always there") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 200; ++round) {
    const uint64_t limit = 200 + random() % 3000;
    TailCache cache(limit);
    struct Log {
      int64_t end = 0;
      int64_t written = 0;
      std::set<int64_t> boundaries{0};
    };
    std::array<Log, 3> logs;
    for (int step = 0; step < 150; ++step) {
      const size_t which = random() % logs.size();
      Log& log = logs[which];
      const LogId id(which + 1);
      switch (random() % 8) {
        case 0:
        case 1:
        case 2: {
          const int count = 1 + static_cast<int>(random() % 3);
          cache.append(id, append_of(log.end, count, 0, random() % 400));
          log.end += count * 2;
          log.boundaries.insert(log.end);
          break;
        }
        case 3:
        case 4:
        case 5: {
          auto at = log.boundaries.lower_bound(log.written);
          for (size_t n = random() % 4; n > 0 && std::next(at) != log.boundaries.end(); --n) ++at;
          log.written = std::max(log.written, *at);
          cache.mark_written(id, Offset(log.written));
          break;
        }
        case 6: {
          if (random() % 4 != 0) break;
          const int64_t end = static_cast<int64_t>(random() % static_cast<uint64_t>(log.end / 2 + 1)) * 2;
          cache.truncate(id, Offset(end));
          log.end = end;
          log.written = std::min(log.written, end);
          log.boundaries.erase(log.boundaries.upper_bound(end), log.boundaries.end());
          log.boundaries.insert(end);
          break;
        }
        default: {
          const Offset from(static_cast<int64_t>(random() % static_cast<uint64_t>(log.end + 3)));
          const Offset until(static_cast<int64_t>(random() % static_cast<uint64_t>(log.end + 3)));
          const uint64_t most = random() % 500;
          const TailRead read = cache.read(id, from, until, most);
          const Offsets got = offsets_of(read);
          for (size_t i = 0; i < got.size(); ++i) {
            REQUIRE(got[i] == from.value / 2 * 2 + static_cast<int64_t>(i) * 2);
            REQUIRE(got[i] + 1 < until.value);
            REQUIRE(got[i] < log.end);
          }
          if (!got.empty()) {
            REQUIRE(read.base_offset.value == got.front());
            REQUIRE(read.next_offset.value == got.back() + 2);
            REQUIRE((got.size() == 1 || read.bytes <= most));
          }
        }
      }
      for (size_t i = 0; i < logs.size(); ++i) {
        for (int64_t offset = logs[i].written; offset < logs[i].end; ++offset)
          REQUIRE(cache.holds(LogId(i + 1), Offset(offset)));
        REQUIRE(!cache.holds(LogId(i + 1), Offset(logs[i].end)));
      }
      REQUIRE(cache.pinned_bytes() <= cache.bytes());
      REQUIRE((cache.bytes() <= limit || cache.bytes() == cache.pinned_bytes()));
    }
    for (size_t i = 0; i < logs.size(); ++i) cache.erase(LogId(i + 1));
    REQUIRE(cache.bytes() == 0);
    REQUIRE(cache.pinned_bytes() == 0);
    REQUIRE(cache.buffers() == 0);
  }
}
