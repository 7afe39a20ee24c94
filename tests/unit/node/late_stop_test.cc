// A stop waits ten seconds for its connections. What a disk still holds up then goes on behind it: its end is
// waited for, and a store is never left half changed.
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {
namespace {

using std::chrono::seconds;

protocol::DeleteRecordsRequest trim_of(std::string_view topic) {
  protocol::DeleteRecordsRequest request;
  request.timeout_ms = 60'000;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic;
  auto& partition = wanted.partitions.emplace_back();
  partition.offset = -1;
  return request;
}

// Stops `steps` events into what `begin` asks for, on a disk that hangs until the connections are given up.
template <class Begin>
void check_stop(size_t shards, int steps, Begin begin) {
  INFO(shards << " shards, stopped " << steps << " events into it");
  OneBroker world;
  world.options.shards = shards;
  world.start();
  REQUIRE(world.create_topic("ebb", 2) == ErrorCode::NONE);
  for (int32_t p = 0; p < 2; ++p) REQUIRE(world.produce("ebb", p, 100) == ErrorCode::NONE);
  world.time.run_until(world.time.mono() + seconds(5));
  begin(world);
  for (int i = 0; i < steps; ++i) REQUIRE(world.time.step());
  world.disk.faults.slowness = OneBroker::kHangs;
  world.broker->stop();
  world.time.run_until(world.time.mono() + seconds(11));
  world.disk.heal();
  const auto deadline = world.time.mono() + seconds(3'600);
  while (!world.broker->stopped() && !world.broker->stop_failure() && world.time.mono() < deadline)
    REQUIRE(world.time.step());
  // Without a clean mark where the disk took longer than a stop waits: the next start replays.
  const auto& failure = world.broker->stop_failure();
  INFO((failure ? failure->message() : "it hangs"));
  REQUIRE((world.broker->stopped() || (failure && failure->kind() == ErrorKind::timeout)));
  world.crash(CrashKind::kill);
  world.start();
  const ErrorCode made = world.create_topic("ebb", 2);
  CHECK((made == ErrorCode::TOPIC_ALREADY_EXISTS || made == ErrorCode::NONE));
  for (int32_t p = 0; p < 2; ++p) CHECK(world.produce("ebb", p, 100) == ErrorCode::NONE);
}

constexpr int kMostSteps = 160;

}  // namespace

TEST_CASE("a stop waits for topics that are being made and deleted behind it") {
  for (const size_t shards : {1, 2}) {
    for (int steps = 0; steps < kMostSteps; steps += 4) {
      check_stop(shards, steps, [](OneBroker& world) { world.begin_create_topic("tide"); });
      check_stop(shards, steps, [](OneBroker& world) { world.begin_delete_topic("ebb"); });
    }
  }
}

TEST_CASE("a stop waits for records that are being deleted behind it") {
  for (const size_t shards : {1, 2}) {
    for (int steps = 0; steps < kMostSteps; steps += 4) {
      check_stop(shards, steps,
                 [](OneBroker& world) { world.begin<protocol::DeleteRecordsResponse>(trim_of("ebb"), 2); });
    }
  }
}

}  // namespace tidemark::simulation
