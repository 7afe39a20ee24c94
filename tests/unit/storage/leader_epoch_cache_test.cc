// The epoch cache against a naive model: a log that knows the epoch of each of its records.
#include <catch2/catch.hpp>

#include <random>

#include "storage/leader_epoch_cache.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

struct EpochLog {
  int64_t start = 0;
  std::vector<int32_t> epochs;  // of each record from `start`

  [[nodiscard]] int64_t end() const { return start + static_cast<int64_t>(epochs.size()); }
  [[nodiscard]] int32_t latest() const { return epochs.empty() ? -1 : epochs.back(); }
  // KIP-101: the largest epoch at or below the requested one, and the offset behind its last record.
  [[nodiscard]] EpochEnd end_offset_for(int32_t requested) const {
    if (requested < 0 || requested > latest()) return {};
    for (size_t i = epochs.size(); i > 0; --i)
      if (epochs[i - 1] <= requested)
        return {LeaderEpoch(epochs[i - 1]), Offset(start + static_cast<int64_t>(i))};
    return {LeaderEpoch(requested), Offset(start)};
  }
};

std::vector<EpochEntry> to_vector(const LeaderEpochCache& cache) {
  return {cache.entries().begin(), cache.entries().end()};
}

}  // namespace

TEST_CASE("the epoch cache says of every epoch and offset what the records say") {
  std::mt19937_64 random(11);
  for (int round = 0; round < 2000; ++round) {
    EpochLog log;
    LeaderEpochCache cache;
    int32_t epoch = 0;
    for (int step = 0; step < 20; ++step) {
      switch (random() % 5) {
        case 0: epoch += static_cast<int32_t>(random() % 3); break;
        case 1:
        case 2: {
          epoch = std::max(epoch, log.latest());
          cache.assign(LeaderEpoch(epoch), Offset(log.end()));
          log.epochs.insert(log.epochs.end(), 1 + random() % 3, epoch);
          break;
        }
        case 3: {
          const size_t keep = random() % (log.epochs.size() + 1);
          log.epochs.resize(keep);
          cache.truncate_from_end(Offset(log.end()));
          break;
        }
        case 4: {
          // The log's start stays below its end: Kafka keeps an entry at the end of an emptied log.
          if (log.epochs.size() < 2) break;
          const size_t gone = random() % log.epochs.size();
          log.start += static_cast<int64_t>(gone);
          log.epochs.erase(log.epochs.begin(), log.epochs.begin() + static_cast<std::ptrdiff_t>(gone));
          cache.truncate_from_start(Offset(log.start));
          break;
        }
      }
      for (int32_t requested = -1; requested < epoch + 3; ++requested) {
        INFO("round " << round << " step " << step << " epoch " << requested);
        REQUIRE(cache.end_offset_for(LeaderEpoch(requested), Offset(log.end())) ==
                log.end_offset_for(requested));
      }
      for (int64_t offset = log.start; offset < log.end(); ++offset)
        REQUIRE(cache.epoch_for_offset(Offset(offset)) ==
                LeaderEpoch(log.epochs[static_cast<size_t>(offset - log.start)]));
      if (!log.epochs.empty()) {
        REQUIRE(cache.latest()->epoch.value == log.latest());
        REQUIRE(cache.earliest()->start_offset.value == log.start);
        REQUIRE(cache.epoch_for_offset(Offset(log.start - 1)) == std::nullopt);
      } else {
        REQUIRE(cache.entries().empty());
      }
      const auto again = parse_leader_epoch_checkpoint(encode_leader_epoch_checkpoint(cache));
      REQUIRE(again);
      REQUIRE(*again == cache);
    }
  }
}

TEST_CASE("an assignment removes what it contradicts, and nothing else changes the cache") {
  LeaderEpochCache cache;
  CHECK(cache.assign(LeaderEpoch(1), Offset(0)));
  CHECK(cache.assign(LeaderEpoch(3), Offset(10)));
  CHECK(!cache.assign(LeaderEpoch(3), Offset(15)));
  CHECK(!cache.assign(LeaderEpoch(-1), Offset(15)));
  CHECK(cache.assign(LeaderEpoch(4), Offset(10)));  // nothing was written in epoch 3
  CHECK(to_vector(cache) ==
        std::vector<EpochEntry>{{LeaderEpoch(1), Offset(0)}, {LeaderEpoch(4), Offset(10)}});
  CHECK(cache.assign(LeaderEpoch(2), Offset(5)));
  CHECK(to_vector(cache) ==
        std::vector<EpochEntry>{{LeaderEpoch(1), Offset(0)}, {LeaderEpoch(2), Offset(5)}});
}

TEST_CASE("a log that starts at its end keeps its latest epoch there") {
  LeaderEpochCache cache;
  cache.assign(LeaderEpoch(2), Offset(0));
  cache.assign(LeaderEpoch(5), Offset(7));
  cache.truncate_from_start(Offset(9));
  CHECK(to_vector(cache) == std::vector<EpochEntry>{{LeaderEpoch(5), Offset(9)}});
  CHECK(cache.end_offset_for(LeaderEpoch(2), Offset(9)) == EpochEnd{LeaderEpoch(2), Offset(9)});
}

TEST_CASE("the checkpoint is Kafka's text, and anything else is damage") {
  LeaderEpochCache cache;
  cache.assign(LeaderEpoch(0), Offset(0));
  cache.assign(LeaderEpoch(7), Offset(12345678901));
  CHECK(encode_leader_epoch_checkpoint(cache) == "0\n2\n0 0\n7 12345678901\n");
  CHECK(parse_leader_epoch_checkpoint("")->entries().empty());
  CHECK(parse_leader_epoch_checkpoint("0\n0\n")->entries().empty());
  for (const char* bad : {"1\n0\n", "x", "0\nx\n", "0\n2\n0 0\n", "0\n1\n0 0\n7 9\n", "0\n1\n0\n",
                          "0\n1\n0 x\n", "0\n1\n-1 0\n", "0\n1\n0 -1\n", "0\n2\n1 5\n1 6\n",
                          "0\n2\n1 5\n2 5\n", "0\n1\n99999999999 0\n", "0\n1\n0 0 0\n", "0\n-1\n"}) {
    INFO(bad);
    const auto parsed = parse_leader_epoch_checkpoint(bad);
    REQUIRE(!parsed);
    CHECK(parsed.error().kind() == ErrorKind::corruption);
  }
}
