// Reads of a log while it changes under them.
#include "tests/unit/storage/compacted_world.h"

namespace tidemark::storage {
namespace {

struct ReadWorld : CompactedWorld {
  explicit ReadWorld(size_t tail_bytes, int segment_bytes) {
    settings.compact_policy = false;
    settings.segment_bytes = segment_bytes;
    options.tail_cache_bytes = tail_bytes;
    kill();
    restart();
  }
  // Not waited for. One batch.
  Offset put(int64_t timestamp) { return put_batch({timestamp}); }
  Offset put_batch(std::initializer_list<int64_t> timestamps) {
    protocol::BatchBuilder builder(protocol::BatchOptions{});
    for (const int64_t t : timestamps) builder.add(t, as_bytes("key"), as_bytes("value"));
    const auto bytes = builder.build();
    REQUIRE(bytes.has_value());
    auto buffer = runtime::Buffer::allocate(bytes->size());
    std::copy(bytes->begin(), bytes->end(), buffer->bytes().begin());
    return add(*log, runtime::BufferSlice::whole(buffer));
  }
  void put_all(std::initializer_list<int64_t> timestamps) {
    for (const int64_t t : timestamps) put(t);
    REQUIRE(run(log->wait_counted(log->end())));
    settle();
  }
  // The first batches of many in several segments, with no record of them in the journal.
  std::pair<LogRange, std::vector<std::byte>> fill_and_read() {
    fill(30);
    REQUIRE(run(store->settle()).has_value());
    const auto range = run(log->locate(Offset(0), log->end(), 1'000, true));
    REQUIRE(range.has_value());
    const auto content = run(log->read_whole(*range));
    REQUIRE(content.has_value());
    return {*range, *content};
  }
  // Its timestamp and offset; -1 twice: none.
  std::pair<int64_t, int64_t> greatest() {
    const auto found = run(log->find_max_timestamp(log->counted()));
    REQUIRE(found.has_value());
    return *found ? std::pair((*found)->timestamp, (*found)->offset.value)
                  : std::pair<int64_t, int64_t>(-1, -1);
  }
};

using Found = std::pair<int64_t, int64_t>;

}  // namespace

TEST_CASE("the greatest timestamp is that of a record that may be read, whatever is on its way") {
  const size_t tail_bytes = GENERATE(0, 1 << 20);
  const int segment_bytes = GENERATE(200, 1 << 20);
  INFO("tail of " << tail_bytes << " bytes, segments of " << segment_bytes);
  ReadWorld world(tail_bytes, segment_bytes);
  CHECK(world.greatest() == Found(-1, -1));
  world.put_all({2'000, 2'001, 2'005, 2'003, 2'005, 2'004});
  CHECK(world.greatest() == Found(2'005, 2));
  world.journal.hold();
  for (const int64_t t : {2'004, 9'000, 2'006, 9'001, 9'001}) world.put(t);
  CHECK(world.greatest() == Found(2'005, 2));
  world.journal.release();
  world.settle();
  CHECK(world.greatest() == Found(9'001, 9));
  world.kill();
  world.restart();
  CHECK(world.greatest() == Found(9'001, 9));
}

TEST_CASE("the greatest timestamp is not that of a deleted record whose segment is there") {
  const size_t tail_bytes = GENERATE(0, 1 << 20);
  const int segment_bytes = GENERATE(300, 1 << 20);
  INFO("tail of " << tail_bytes << " bytes, segments of " << segment_bytes);
  ReadWorld world(tail_bytes, segment_bytes);
  world.put_all({2'000, 9'000, 3'000, 2'001, 2'002, 3'000, 2'003});
  for (const Found& left : {Found(9'000, 1), Found(3'000, 2), Found(3'000, 5), Found(2'003, 6)}) {
    REQUIRE(world.run(world.log->trim(Offset(left.second))).has_value());
    for (int i = 0; i < 2; ++i) {
      CHECK(world.greatest() == left);
      world.kill();
      world.restart();
    }
  }
  REQUIRE(world.run(world.log->trim(world.log->end())).has_value());
  CHECK(world.greatest() == Found(-1, -1));
}

TEST_CASE("the greatest timestamp is found where a start cuts through its batch, and beyond all others") {
  const size_t tail_bytes = GENERATE(0, 1 << 20);
  INFO("tail of " << tail_bytes << " bytes");
  ReadWorld world(tail_bytes, 300);
  world.put_batch({2'000, 2'000, 9'000, 2'001, 2'000});
  REQUIRE(world.run(world.log->wait_counted(world.log->end())));
  world.settle();
  REQUIRE(world.run(world.log->trim(Offset(3))).has_value());
  CHECK(world.greatest() == Found(2'001, 3));
  world.journal.hold();
  world.put_batch({5'000, 5'000, 5'000, 5'000, 5'000});
  CHECK(world.greatest() == Found(2'001, 3));
  world.journal.release();
  world.settle();
  world.put_all({INT64_MAX, 7'000, INT64_MAX, 8'000});
  CHECK(world.greatest() == Found(INT64_MAX, 10));
}

TEST_CASE("a read that waits for the disk while its segment is deleted goes on in what it was") {
  ReadWorld world(0, 1'500);
  const auto [range, content] = world.fill_and_read();
  world.read.hold();
  const auto reading = world.begin(world.log->read_whole(range));
  REQUIRE(world.run(world.log->trim(world.log->end())).has_value());
  world.settle();
  world.read.release();
  world.settle();
  REQUIRE(reading->has_value());
  REQUIRE((*reading)->has_value());
  CHECK(***reading == content);
}

TEST_CASE("who reads a segment while it is deleted goes on in what it was") {
  const bool renamed = GENERATE(true, false);
  INFO((renamed ? "its file has its new name" : "its file is to be renamed"));
  ReadWorld world(0, 1'500);
  const auto [range, content] = world.fill_and_read();
  const auto piece = world.run(world.log->read(range, 100));
  REQUIRE(piece.has_value());
  if (!renamed) world.write.hold();
  REQUIRE(world.run(world.log->trim(world.log->end())).has_value());
  world.settle();
  const auto rest = world.run(world.log->read_whole(piece->rest));
  REQUIRE(rest.has_value());
  CHECK(std::equal(rest->begin(), rest->end(), content.begin() + 100, content.end()));
  world.write.release();
  world.time.run_until(world.time.mono() + std::chrono::milliseconds(61'000));
  const auto late = world.run(world.log->read_whole(range));
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code() == ErrorCode::OFFSET_OUT_OF_RANGE);
  CHECK_FALSE(world.log->offline());
}

}  // namespace tidemark::storage
