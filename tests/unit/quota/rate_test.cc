// Rates over windows, shared by shards, and the bucket of topic changes.
#include "broker/quota/rate.h"

#include <catch2/catch.hpp>

#include "broker/quota/token_bucket.h"

namespace tidemark::broker {
namespace {

using namespace std::chrono_literals;
using runtime::Duration;
using runtime::MonoTime;

constexpr MonoTime kStart{1'000s};  // where a window of any whole number of seconds that is used here begins

}  // namespace

TEST_CASE("a rate is what the windows hold over the time that they cover") {
  const QuotaWindows windows(11, 1);
  SharedRate rate(windows, 1);
  rate.add(0, 1000, kStart);
  CHECK(rate.sum(kStart) == 1000);
  // Ten whole windows before it, empty ones: 100 a second.
  CHECK(rate.excess(100, kStart) == 0ms);
  CHECK(rate.excess(99, kStart) == 101ms);  // 1000 / 99 = 10.101 s
  // Half a window later the same is over half a second more.
  CHECK(rate.excess(100, kStart + 500ms) == 0ms);
  CHECK(rate.excess(50, kStart + 500ms) == 9500ms);
}

TEST_CASE("a client that was idle may use all windows but the current one at once, and waits for the rest") {
  const QuotaWindows windows(11, 1);
  SharedRate rate(windows, 1);
  rate.add(0, 10 * 512, kStart);
  CHECK(rate.excess(512, kStart) == 0ms);
  rate.add(0, 512, kStart);
  CHECK(rate.excess(512, kStart) == 1000ms);
  // The windows go on while it waits: as with Kafka it is throttled until the burst leaves them.
  CHECK(rate.excess(512, kStart + 999ms) == 1ms);
  CHECK(rate.excess(512, kStart + 1000ms) == 1000ms);
  CHECK(rate.excess(512, kStart + 11s) == 0ms);
}

TEST_CASE("what has left the windows counts no more") {
  const QuotaWindows windows(3, 2);
  SharedRate rate(windows, 1);
  rate.add(0, 5, kStart);
  rate.add(0, 7, kStart + 2s);
  CHECK(rate.sum(kStart + 5999ms) == 12);
  CHECK(rate.sum(kStart + 6s) == 7);
  CHECK(rate.sum(kStart + 8s) == 0);
  rate.add(0, 1, kStart + 6s);  // into the cell that held the 5
  CHECK(rate.sum(kStart + 6s) == 8);
  CHECK(rate.sum(kStart + 1h) == 0);
}

TEST_CASE("shards count together") {
  const QuotaWindows windows(11, 1);
  SharedRate rate(windows, 3);
  for (size_t shard = 0; shard < 3; ++shard) rate.add(shard, 1000, kStart);
  CHECK(rate.sum(kStart) == 3000);
  CHECK(rate.excess(100, kStart) == 20s);
  rate.add(1, -1000, kStart);
  CHECK(rate.sum(kStart) == 2000);
}

TEST_CASE("what is taken back in a later window than it was added in never makes a sum negative") {
  const QuotaWindows windows(2, 1);
  SharedRate rate(windows, 1);
  rate.add(0, 10, kStart);
  rate.add(0, -10, kStart + 1s);
  CHECK(rate.sum(kStart + 1s) == 0);
  CHECK(rate.sum(kStart + 2s) == 0);
}

TEST_CASE("a client that keeps to what it is told uses what it may, and no more") {
  const QuotaWindows windows(11, 1);
  SharedRate rate(windows, 1);
  constexpr double kLimit = 100'000;
  MonoTime now = kStart;
  double used = 0, used_at_first = 0;
  while (now < kStart + 120s) {
    rate.add(0, 16'384, now);
    used += 16'384;
    now += 5ms + rate.excess(kLimit, now);
    if (now < kStart + 20s) used_at_first = used;
  }
  CHECK((used - used_at_first) / 100 == Approx(kLimit).epsilon(0.05));
}

TEST_CASE("a single window is a whole one from its beginning") {
  const QuotaWindows windows(1, 1);
  SharedRate rate(windows, 1);
  rate.add(0, 100, kStart);
  CHECK(rate.excess(100, kStart) == 0ms);
  CHECK(rate.excess(50, kStart) == 1000ms);
}

TEST_CASE("any number of windows of any length is covered by a bounded number of cells") {
  const QuotaWindows many(3600, 1);
  CHECK(many.samples == QuotaWindows::kMaxSamples);
  CHECK(many.covered() == 1h);
  const QuotaWindows endless(INT32_MAX, INT32_MAX);
  CHECK(endless.covered() <= QuotaWindows::kLongest);
  SharedRate rate(endless, 1);
  rate.add(0, 1e18, kStart);
  CHECK(rate.excess(1, kStart) == std::chrono::milliseconds(INT32_MAX));
}

TEST_CASE("a limit without end is never exceeded") {
  CHECK(pause_for(1e300, std::numeric_limits<double>::infinity(), 1s) == 0ms);
}

// --- token bucket -----------------------------------------------------------------------------------------

TEST_CASE("a bucket begins full, lets one request through whole, and refuses until its debt is paid") {
  const QuotaWindows windows(11, 1);
  TokenBucket bucket;
  CHECK(bucket.take_strictly(11, 1, windows, kStart));
  CHECK(bucket.debt(1) == 0ms);
  CHECK(bucket.take_strictly(5, 1, windows, kStart));  // none is left, but none is missing yet
  CHECK(bucket.debt(1) == 5000ms);
  CHECK_FALSE(bucket.take_strictly(1, 1, windows, kStart + 1s));
  CHECK(bucket.debt(1) == 4000ms);
  CHECK(bucket.take_strictly(1, 1, windows, kStart + 5s));
  CHECK(bucket.full_at(1, windows) == kStart + 17s);
  CHECK(bucket.take_strictly(12, 1, windows, kStart + 1h));
  CHECK(bucket.debt(1) == 1000ms);  // it holds eleven, however long it was left alone
}

TEST_CASE("where a client cannot be refused it goes into debt as it likes") {
  const QuotaWindows windows(11, 1);
  TokenBucket bucket;
  bucket.take(560, 5, QuotaWindows(100, 1), kStart);
  CHECK(bucket.debt(5) == 12s);  // KIP-599's example
  bucket.take(5, 5, QuotaWindows(100, 1), kStart);
  CHECK(bucket.debt(5) == 13s);
}

}  // namespace tidemark::broker
