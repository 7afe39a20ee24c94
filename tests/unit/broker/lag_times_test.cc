// Whose record's time is looked up on the disk, and what is known of the others.
#include "broker/lag_times.h"

#include <catch2/catch.hpp>

namespace tidemark::broker {
namespace {

// A partition of a group; all its records are on the disk, each an hour younger than the one before it.
struct Follower {
  LagTimes::Key key;
  int64_t committed = 0;
  size_t reads = 0;
  std::optional<LagTimes::Time> time;  // as the last look has it
};

Follower follower(const std::string& group, int64_t committed = 0) {
  return {{group, "orders", 0}, committed, 0, std::nullopt};
}

constexpr int64_t kHourMs = 3'600'000;

void look(LagTimes& times, std::vector<Follower>& followers, int64_t hour_ms = kHourMs) {
  DiskLooks looks;
  for (Follower& each : followers) {
    const Offset first(each.committed);
    LagTimes::Found found{first, false, std::nullopt};
    const LagTimes::Known known = times.known(each.key);
    found.asks_disk = known.lacks(first);
    if (found.asks_disk && known.may_read(first, looks)) {
      ++each.reads;
      found.time = LagTimes::Time{each.committed * hour_ms};
    }
    each.time = times.take(each.key, found);
  }
  times.end_look();
}

// So many that commit a newer record before every look.
std::vector<Follower> busy(size_t count) {
  std::vector<Follower> followers;
  for (size_t i = 0; i < count; ++i) followers.push_back(follower("busy-" + std::to_string(i)));
  return followers;
}

void move(std::vector<Follower>& followers) {
  for (Follower& each : followers) ++each.committed;
}

size_t reads_of(const std::vector<Follower>& followers) {
  size_t reads = 0;
  for (const Follower& each : followers) reads += each.reads;
  return reads;
}

}  // namespace

TEST_CASE("a time is looked up once while its record is the first, and again when another is") {
  LagTimes times;
  std::vector<Follower> one{follower("g", 5)};
  for (int i = 0; i < 10; ++i) look(times, one);
  CHECK(one[0].reads == 1);
  CHECK(one[0].time->ms == 5 * kHourMs);
  one[0].committed = 7;
  look(times, one);
  CHECK(one[0].reads == 2);
  CHECK(one[0].time->ms == 7 * kHourMs);
}

TEST_CASE("who has no time yet gets one in the same look, though many others move in every look") {
  LagTimes times;
  std::vector<Follower> followers = busy(500);
  for (int i = 0; i < 50; ++i) {
    look(times, followers);
    move(followers);
  }
  followers.push_back(follower("late", 3));
  look(times, followers);
  REQUIRE(followers.back().time);
  CHECK(followers.back().time->ms == 3 * kHourMs);
}

TEST_CASE(
    "those that move in every look are served by turns, and meanwhile have the time of an older record") {
  LagTimes times;
  constexpr size_t kCount = 500;
  constexpr size_t kTurn = 1 + kCount / (DiskLooks::kMost - DiskLooks::kForFirst);
  std::vector<Follower> followers = busy(kCount);
  for (int i = 0; i < 20; ++i) {
    look(times, followers);
    move(followers);
  }
  for (Follower& each : followers) each.reads = 0;
  for (size_t i = 0; i < 10 * kTurn; ++i) {
    const size_t before = reads_of(followers);
    look(times, followers);
    CHECK(reads_of(followers) - before <= DiskLooks::kMost);
    for (const Follower& each : followers) {
      REQUIRE(each.time);
      CHECK(*each.time->ms <= each.committed * kHourMs);
      CHECK(*each.time->ms >= (each.committed - static_cast<int64_t>(2 * kTurn)) * kHourMs);
    }
    move(followers);
  }
  for (const Follower& each : followers) CHECK(each.reads >= 9);
}

TEST_CASE(
    "after a reset to an older record there is no time until it has been looked up, and it goes first") {
  LagTimes times;
  std::vector<Follower> one{follower("g", 9)};
  look(times, one);
  const LagTimes::Known known = times.known(one[0].key);
  DiskLooks looks{1};
  CHECK_FALSE(known.may_read(Offset(10), looks));
  CHECK(known.may_read(Offset(4), looks));
  CHECK_FALSE(known.may_read(Offset(4), looks));
  CHECK_FALSE(times.take(one[0].key, {Offset(4), true, std::nullopt}));
  CHECK(times.take(one[0].key, {Offset(10), true, std::nullopt}));
}

TEST_CASE("a time is not believed for ever: compaction may have removed its record") {
  LagTimes times;
  std::vector<Follower> one{follower("g", 5)};
  for (uint64_t i = 0; i < LagTimes::kTrusted; ++i) look(times, one);
  CHECK(one[0].reads == 1);
  look(times, one, kHourMs + 1);
  CHECK(one[0].reads == 2);
  CHECK(one[0].time->ms == 5 * (kHourMs + 1));
}

TEST_CASE("a record without a time is not taken for one that nobody has looked up") {
  LagTimes times;
  const LagTimes::Key key{"g", "orders", 0};
  CHECK_FALSE(times.take(key, {Offset(5), true, std::nullopt}));
  const auto without = times.take(key, {Offset(5), true, LagTimes::Time{}});
  REQUIRE(without);
  CHECK_FALSE(without->ms);
  times.end_look();
  CHECK(times.take(key, {Offset(5), true, std::nullopt}));
  // It is looked up again by turns, as if it had an older one.
  CHECK(times.known(key).lacks(Offset(5)));
  DiskLooks looks{DiskLooks::kForFirst};
  CHECK_FALSE(times.known(key).may_read(Offset(5), looks));
}

TEST_CASE("what no look takes any more is forgotten") {
  LagTimes times;
  std::vector<Follower> one{follower("g", 5)};
  look(times, one);
  times.end_look();
  CHECK(times.known(one[0].key).offset == kNoOffset);
}

}  // namespace tidemark::broker
