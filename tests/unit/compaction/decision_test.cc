#include "storage/compaction/decision.h"

#include <catch2/catch.hpp>

using namespace tidemark;
using namespace tidemark::storage;
using namespace std::chrono_literals;
using runtime::WallTime;

namespace {

constexpr int64_t kNowMs = 1'000'000;
constexpr WallTime kNow{std::chrono::milliseconds(kNowMs)};

// Ten records and 100 bytes each; ages in ms, appended when their records say. The last one is active.
struct Log {
  std::vector<CleanableSegment> segments;
  CleanableLog facts;

  Log(std::initializer_list<int64_t> ages) {
    int64_t offset = 0;
    for (const int64_t age : ages) {
      CleanableSegment segment;
      segment.facts = {Offset(offset), Offset(offset + 10), 100, kNowMs - age,
                       kNow - std::chrono::milliseconds(age)};
      segment.first_timestamp_ms = kNowMs - age - 5;
      segments.push_back(segment);
      offset += 10;
    }
    facts = {segments, Offset(0), Offset(offset), std::nullopt, Offset(offset)};
  }
};

CleaningDecision decide(const Log& log, const CleaningSettings& settings = {}) {
  CleanableLog facts = log.facts;
  facts.segments = log.segments;
  return decide_cleaning(facts, settings, kNow);
}

}  // namespace

TEST_CASE("a log that was never cleaned is dirty up to its active segment") {
  const CleaningDecision all = decide(Log{4, 3, 2, 1});
  CHECK(all.reason == CleaningReason::dirty_ratio);
  CHECK(all.first_dirty == Offset(0));
  CHECK(all.end == Offset(30));
  CHECK(all.clean_bytes == 0);
  CHECK(all.cleanable_bytes == 300);
  CHECK(all.dirty_ratio() == 1);
  CHECK(decide(Log{1}).reason == CleaningReason::none);
  CHECK(decide(Log{1}).end == Offset(0));
  Log nothing{};
  CHECK(decide(nothing).reason == CleaningReason::none);
}

TEST_CASE("a log is cleaned when more than min.cleanable.dirty.ratio of it is dirty") {
  Log log{5, 4, 3, 2, 1};
  log.facts.cleaned_to = Offset(20);
  const CleaningDecision half = decide(log);
  CHECK(half.reason == CleaningReason::none);
  CHECK(half.dirty_ratio() == 0.5);
  CHECK(half.first_dirty == Offset(20));
  CHECK(half.end == Offset(40));
  CHECK(decide(log, {.min_cleanable_dirty_ratio = 0.49}).reason == CleaningReason::dirty_ratio);
  log.facts.cleaned_to = Offset(40);
  CHECK(decide(log, {.min_cleanable_dirty_ratio = 0}).reason == CleaningReason::none);
  CHECK(decide(log).end == Offset(40));
  // In the middle of a segment: that one is dirty, and counts once.
  log.facts.cleaned_to = Offset(25);
  CHECK(decide(log).first_dirty == Offset(25));
  CHECK(decide(log).cleanable_bytes == 200);
  CHECK(decide(log).clean_bytes == 200);
  log.facts.cleaned_to = Offset(45);  // in the active one, which has been rolled into since
  CHECK(decide(log).first_dirty == Offset(45));
  CHECK(decide(log).end == Offset(45));
  CHECK(decide(log).reason == CleaningReason::none);
}

TEST_CASE("nothing at or above the limit is cleaned, and no part of a segment") {
  Log log{5, 4, 3, 2, 1};
  const auto end_for = [&](int64_t limit) {
    log.facts.limit = Offset(limit);
    return decide(log).end;
  };
  CHECK(end_for(50) == Offset(40));
  CHECK(end_for(40) == Offset(40));
  CHECK(end_for(39) == Offset(30));
  CHECK(end_for(30) == Offset(30));
  CHECK(end_for(29) == Offset(20));
  CHECK(end_for(10) == Offset(10));
  CHECK(end_for(9) == Offset(0));
  CHECK(decide(log).reason == CleaningReason::none);
}

TEST_CASE("records younger than min.compaction.lag.ms hold back their segment and all behind it") {
  Log log{500, 400, 100, 300, 1};
  CHECK(decide(log, {.min_compaction_lag_ms = 99}).end == Offset(40));
  CHECK(decide(log, {.min_compaction_lag_ms = 100}).end == Offset(40));
  CHECK(decide(log, {.min_compaction_lag_ms = 101}).end == Offset(20));
  CHECK(decide(log, {.min_compaction_lag_ms = 501}).reason == CleaningReason::none);
  // What is clean already is not asked again.
  log.facts.cleaned_to = Offset(30);
  CHECK(decide(log, {.min_compaction_lag_ms = 101}).end == Offset(40));
  // A time in the future counts as its append's, and no time as well.
  log.facts.cleaned_to.reset();
  log.segments[1].facts.max_timestamp_ms = kNowMs + 1'000'000;
  CHECK(decide(log, {.min_compaction_lag_ms = 200}).end == Offset(20));
  log.segments[1].facts.max_timestamp_ms = -1;
  CHECK(decide(log, {.min_compaction_lag_ms = 401}).end == Offset(10));
}

TEST_CASE("records older than max.compaction.lag.ms are cleaned whatever the ratio") {
  Log log{5000, 4000, 3000, 200, 1};
  log.facts.cleaned_to = Offset(30);
  CleaningSettings settings{.min_cleanable_dirty_ratio = 0.9, .max_compaction_lag_ms = 205};
  CHECK(decide(log, settings).reason == CleaningReason::none);
  CHECK(decide(log, settings).overdue_ms == 0);
  settings.max_compaction_lag_ms = 200;
  CHECK(decide(log, settings).reason == CleaningReason::max_lag);
  CHECK(decide(log, settings).overdue_ms == 5);
  log.segments[3].first_timestamp_ms = 0;
  CHECK(decide(log, settings).reason == CleaningReason::none);
  // The active segment's age does not count, nor does what may not be cleaned.
  log.segments[3].first_timestamp_ms = 1;
  log.segments[4].first_timestamp_ms = 1;
  log.facts.cleaned_to = Offset(40);
  CHECK(decide(log, settings).reason == CleaningReason::none);
  log.facts.cleaned_to = Offset(30);
  log.facts.limit = Offset(39);
  CHECK(decide(log, settings).reason == CleaningReason::none);
}

TEST_CASE("a remembered place outside of the log is forgotten, and all of the log is dirty") {
  Log log{3, 2, 1};
  log.facts.cleaned_to = Offset(31);
  CHECK(decide(log).forget_cleaned_to);
  CHECK(decide(log).first_dirty == Offset(0));
  log.facts.log_start = Offset(12);
  log.facts.cleaned_to = Offset(11);
  CHECK(decide(log).forget_cleaned_to);
  CHECK(decide(log).first_dirty == Offset(12));
  log.facts.cleaned_to = Offset(12);
  CHECK(!decide(log).forget_cleaned_to);
}

TEST_CASE("neighbours are grouped up to the bounds of a segment, of its indexes and of its offsets") {
  const auto counts = [](const Log& log, Offset end, const CleaningSettings& settings) {
    std::vector<size_t> result;
    size_t next = 0;
    for (const SegmentGroup& group : group_segments(log.segments, end, settings)) {
      CHECK(group.first == next);
      next += group.count;
      result.push_back(group.count);
    }
    return result;
  };
  using Counts = std::vector<size_t>;
  Log log{5, 4, 3, 2, 1};
  CHECK(counts(log, Offset(50), {.segment_bytes = 1000}) == Counts{5});
  CHECK(counts(log, Offset(50), {.segment_bytes = 200}) == Counts{2, 2, 1});
  CHECK(counts(log, Offset(50), {.segment_bytes = 199}) == Counts{1, 1, 1, 1, 1});
  CHECK(counts(log, Offset(50), {.segment_bytes = 10}) == Counts{1, 1, 1, 1, 1});
  CHECK(counts(log, Offset(31), {}) == Counts{4});
  CHECK(counts(log, Offset(30), {}) == Counts{3});
  CHECK(counts(log, Offset(0), {}).empty());
  for (auto& segment : log.segments) segment.offset_index_bytes = 8;
  CHECK(counts(log, Offset(50), {.segment_index_bytes = 24}) == Counts{3, 2});
  for (auto& segment : log.segments) segment.time_index_bytes = 12;
  CHECK(counts(log, Offset(50), {.segment_index_bytes = 24}) == Counts{2, 2, 1});
  // Positions are of 31 bits too, whatever segment.bytes says.
  for (auto& segment : log.segments) segment.facts.size_bytes = uint64_t{1} << 30;
  CHECK(counts(log, Offset(50), {.segment_bytes = UINT64_MAX}) == Counts{1, 1, 1, 1, 1});

  Log wide{3, 2, 1};
  const auto place = [&](size_t i, Offset base, Offset next) {
    wide.segments[i].facts.base_offset = base;
    wide.segments[i].facts.next_offset = next;
  };
  place(0, Offset(5), Offset(10));
  place(1, Offset(10), Offset(5) + INT32_MAX + 1);
  place(2, Offset(5) + INT32_MAX + 1, Offset(6) + INT32_MAX + 1);
  CHECK(counts(wide, Offset(INT64_MAX), {}) == Counts{2, 1});
  // One without records has no offset to name.
  wide.segments[2].facts.size_bytes = 0;
  CHECK(counts(wide, Offset(INT64_MAX), {}) == Counts{3});
}
