#include <catch2/catch.hpp>

#include <vector>

#include "storage/retention.h"

using namespace tidemark;
using namespace tidemark::storage;
using namespace std::chrono_literals;
using runtime::WallTime;

namespace {

constexpr int64_t kNowMs = 1'000'000;
constexpr WallTime kNow{std::chrono::milliseconds(kNowMs)};
constexpr Offset kAll{1'000'000};

// Ten records and 100 bytes each; ages in ms, appended when their records say.
std::vector<SegmentFacts> segments(std::initializer_list<int64_t> ages) {
  std::vector<SegmentFacts> result;
  int64_t offset = 0;
  for (int64_t age : ages) {
    result.push_back(
        {Offset(offset), Offset(offset + 10), 100, kNowMs - age, kNow - std::chrono::milliseconds(age)});
    offset += 10;
  }
  return result;
}

Retained decide(const std::vector<SegmentFacts>& log, RetentionLimits limits, Offset start = Offset(0),
                Offset high_watermark = kAll) {
  return decide_retention(log, limits, start, high_watermark, kNow);
}

}  // namespace

TEST_CASE("without limits nothing goes") {
  const auto kept = decide(segments({900, 500, 1}), {});
  CHECK(kept.delete_count == 0);
  CHECK(kept.reason == DeletionReason::none);
  CHECK(decide({}, {.retention_ms = 0, .retention_bytes = 0}).delete_count == 0);
}

TEST_CASE("segments go once their newest record is older than retention.ms") {
  const auto log = segments({900, 500, 200, 1});
  CHECK(decide(log, {.retention_ms = 500}).delete_count == 1);
  CHECK(decide(log, {.retention_ms = 499}).delete_count == 2);
  CHECK(decide(log, {.retention_ms = 499}).reason == DeletionReason::time);
  CHECK(decide(log, {.retention_ms = 1}).delete_count == 3);
  CHECK(!decide(log, {.retention_ms = 1}).roll_first);
  const auto all = decide(log, {.retention_ms = 0});
  CHECK(all.delete_count == 4);
  CHECK(all.roll_first);
  // Only a prefix: an old segment behind a young one stays.
  CHECK(decide(segments({900, 1, 900, 1}), {.retention_ms = 500}).delete_count == 1);
}

TEST_CASE("a timestamp in the future does not keep a segment beyond its append's age") {
  auto log = segments({900, 100});
  log[0].max_timestamp_ms = kNowMs + 1'000'000'000;
  CHECK(decide(log, {.retention_ms = 500}).delete_count == 1);
  log[0].last_append = kNow;
  CHECK(decide(log, {.retention_ms = 500}).delete_count == 0);
}

TEST_CASE("old records expire by their own time, and records without one by their append") {
  auto log = segments({900, 100});
  log[0].last_append = kNow;
  CHECK(decide(log, {.retention_ms = 500}).delete_count == 1);
  log[0].max_timestamp_ms = -1;
  CHECK(decide(log, {.retention_ms = 500}).delete_count == 0);
  log[0].last_append = kNow - 501ms;
  CHECK(decide(log, {.retention_ms = 500}).delete_count == 1);
}

TEST_CASE("segments go while the rest still has retention.bytes") {
  const auto log = segments({4, 3, 2, 1});
  CHECK(decide(log, {.retention_bytes = 400}).delete_count == 0);
  CHECK(decide(log, {.retention_bytes = 301}).delete_count == 0);
  CHECK(decide(log, {.retention_bytes = 300}).delete_count == 1);
  CHECK(decide(log, {.retention_bytes = 199}).delete_count == 2);
  CHECK(decide(log, {.retention_bytes = 199}).reason == DeletionReason::size);
  CHECK(decide(log, {.retention_bytes = 0}).roll_first);
  CHECK(decide(log, {.retention_bytes = 5000}).delete_count == 0);
  // What size leaves may still have expired.
  const auto both = decide(segments({900, 800, 700, 1}), {.retention_ms = 750, .retention_bytes = 300});
  CHECK(both.delete_count == 2);
  CHECK(both.reason == DeletionReason::time);
}

TEST_CASE("nothing at or above the high watermark goes, nor an empty active segment") {
  const auto log = segments({900, 900, 900});
  CHECK(decide(log, {.retention_ms = 1}, Offset(0), Offset(20)).delete_count == 2);
  CHECK(decide(log, {.retention_ms = 1}, Offset(0), Offset(19)).delete_count == 1);
  auto rolled = log;
  rolled.push_back({Offset(30), Offset(30), 0, -1, kNow - 900ms});
  const auto kept = decide(rolled, {.retention_ms = 1});
  CHECK(kept.delete_count == 3);
  CHECK(!kept.roll_first);
}

TEST_CASE("segments wholly below the log's start go whatever the limits") {
  const auto log = segments({3, 2, 1});
  CHECK(decide(log, {}, Offset(9)).delete_count == 0);
  CHECK(decide(log, {}, Offset(10)).delete_count == 1);
  CHECK(decide(log, {}, Offset(30)).delete_count == 2);
  CHECK(decide(log, {}, Offset(30)).reason == DeletionReason::log_start);
  CHECK(decide(log, {}, Offset(30), Offset(10)).delete_count == 1);
}

TEST_CASE("an append rolls for size, time, full indexes and distant offsets") {
  const ActiveSegment active{Offset(100), 900, false, 5000, kNow - 10s};
  const RollLimits limits{1000, 600, 100};
  const NextAppend next{100, Offset(110), 5500};
  CHECK(decide_roll(active, next, limits, kNow) == RollReason::none);
  CHECK(decide_roll(active, {101, Offset(110), 5500}, limits, kNow) == RollReason::size);
  CHECK(decide_roll(active, {5000, Offset(110), 5500}, limits, kNow) == RollReason::size);
  CHECK(decide_roll(active, {100, Offset(110), 5501}, limits, kNow) == RollReason::time);
  CHECK(decide_roll(active, {100, Offset(100) + INT32_MAX, 5500}, limits, kNow) == RollReason::none);
  CHECK(decide_roll(active, {100, Offset(101) + INT32_MAX, 5500}, limits, kNow) == RollReason::offsets);
  ActiveSegment full = active;
  full.indexes_full = true;
  CHECK(decide_roll(full, next, limits, kNow) == RollReason::index);
}

TEST_CASE("records without timestamps roll by the clock, and an empty segment only for its offsets") {
  ActiveSegment active{Offset(0), 10, false, std::nullopt, kNow - 500ms};
  const RollLimits limits{1000, 600, 100};
  CHECK(decide_roll(active, {10, Offset(1), -1}, limits, kNow) == RollReason::none);
  CHECK(decide_roll(active, {10, Offset(1), -1}, limits, kNow + 1ms) == RollReason::time);
  active.first_timestamp_ms = -1;
  CHECK(decide_roll(active, {10, Offset(1), -1}, limits, kNow + 1ms) == RollReason::time);
  active.size_bytes = 0;
  active.indexes_full = true;
  CHECK(decide_roll(active, {5000, Offset(1), -1}, limits, kNow + 1h) == RollReason::none);
  CHECK(decide_roll(active, {10, Offset(1) + INT32_MAX, -1}, limits, kNow) == RollReason::offsets);
}

TEST_CASE("a segment's roll jitter is drawn evenly within its bound, and always the same") {
  CHECK(draw_roll_jitter(1, Offset(0), 0) == 0);
  int64_t low = 0;
  for (uint64_t log = 1; log <= 100; ++log) {
    for (int64_t base = 0; base < 10; ++base) {
      const int64_t drawn = draw_roll_jitter(log, Offset(base), 1000);
      CHECK((drawn >= 0 && drawn <= 1000));
      CHECK(drawn == draw_roll_jitter(log, Offset(base), 1000));
      low += drawn < 500 ? 1 : 0;
    }
  }
  CHECK((low > 430 && low < 570));
  CHECK(draw_roll_jitter(7, Offset(3), INT64_MAX) >= 0);
}
