// What a store keeps in memory is bounded in whole buffers, however little of them is used.
#include <array>

#include "tests/unit/storage/hostile_world.h"

namespace tidemark::storage {

namespace {

constexpr size_t kFrameBytes = 20'000;

// A frame that its request has paid for, and a batch somewhere in it.
struct Frame {
  explicit Frame(runtime::ByteBudget& budget)
      : buffer(runtime::Buffer::allocate(kFrameBytes, runtime::Charge::take(budget, kFrameBytes))) {}
  runtime::BufferSlice batch(size_t at) const {
    const auto encoded = RawBatch{}.encode();
    const auto slice = runtime::BufferSlice::whole(buffer).sub(at, encoded.size());
    std::copy(encoded.begin(), encoded.end(), slice.bytes.begin());
    return slice;
  }
  std::shared_ptr<runtime::Buffer> buffer;
};

}  // namespace

TEST_CASE("a small batch in a large frame counts with its whole frame until a segment holds it") {
  HostileWorld world;
  world.options.max_unwritten_bytes = kFrameBytes;
  world.start();
  auto log = world.create("tide-0");
  world.append(*log, 1, 10);
  world.settle();
  runtime::ByteBudget budget(10 * kFrameBytes);
  world.journal.hold();
  world.add(*log, Frame(budget).batch(100));
  CHECK(world.store->unwritten_bytes() == kFrameBytes);
  CHECK(budget.used() == 0);
  auto room = world.begin(log->make_room(100, 1000));
  CHECK(!room->has_value());
  world.journal.release();
  world.settle();
  CHECK(room->has_value());
  CHECK(world.store->unwritten_bytes() == 0);
}

TEST_CASE("a frame that goes over the bound of what is unwritten stays paid for by its request") {
  HostileWorld world;
  world.options.max_unwritten_bytes = kFrameBytes + 1;
  world.start();
  auto log = world.create("tide-0");
  runtime::ByteBudget budget(10 * kFrameBytes);
  world.append(*log, 1, 10);
  world.settle();
  world.journal.hold();
  world.add(*log, Frame(budget).batch(0));
  world.add(*log, Frame(budget).batch(0));
  CHECK(budget.used() == kFrameBytes);
  world.journal.release();
  world.settle();
  CHECK(budget.used() == 0);
  CHECK(world.store->tail_bytes() > 2 * kFrameBytes);
}

TEST_CASE("the batches of many partitions in one frame count it once") {
  HostileWorld world;
  world.options.max_unwritten_bytes = 2 * kFrameBytes;
  world.start();
  const std::array logs{world.create("a-0"), world.create("b-0"), world.create("c-0")};
  for (const auto& log : logs) world.append(*log, 1, 10);
  world.settle();
  runtime::ByteBudget budget(10 * kFrameBytes);
  world.journal.hold();
  const Frame frame(budget);
  for (size_t i = 0; i < logs.size(); ++i) world.add(*logs[i], frame.batch(i * 1000));
  CHECK(world.store->unwritten_bytes() == kFrameBytes);
  CHECK(budget.used() == 0);
  world.journal.release();
  world.settle();
  CHECK(world.store->unwritten_bytes() == 0);
  for (const auto& log : logs) CHECK(world.readable(*log) == 2);
}

TEST_CASE("deleted logs leave nothing in the queue for eviction, and it goes on in order") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto kept = world.create("kept-0");
  for (int i = 0; i < 5; ++i) world.append(*kept, 1, 10);
  for (int round = 0; round < 20; ++round) {
    auto gone = world.create("gone-0");
    for (int i = 0; i < 10; ++i) world.append(*gone, 1, 10);
    world.logs.erase("gone-0");
    REQUIRE(world.run(world.store->erase(gone)).has_value());
  }
  CHECK(world.store->evictable_appends() == 5);
}

}  // namespace tidemark::storage
