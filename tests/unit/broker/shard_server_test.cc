// A shard's connections together: limits, memory, drain.
#include "tests/unit/broker/server_world.h"

using namespace tidemark;
using namespace tidemark::broker;
using namespace tidemark::broker::test;

TEST_CASE("connections are limited in all and by address, and places come back") {
  ServerOptions options;
  options.max_connections = 4;
  options.max_connections_per_address = 2;
  ServerWorld world(options);
  Client& a1 = world.connect("a");
  Client& a2 = world.connect("a");
  Client& a3 = world.connect("a");
  world.connect("b");
  world.connect("b");
  Client& c1 = world.connect("c");
  world.run(1s);
  CHECK_FALSE(a1.ended);
  CHECK_FALSE(a2.ended);
  CHECK(a3.ended);
  CHECK(c1.ended);
  CHECK(world.limits.total() == 4);
  CHECK(world.counted.refused.total() == 2);
  a1.stream->close();
  world.run(1s);
  Client& a4 = world.connect("a");
  world.run(1s);
  CHECK_FALSE(a4.ended);
}

TEST_CASE("connections are limited by the open files that are left for them") {
  ConnectionLimits limits(2);
  auto first = limits.take("10.0.0.1", UINT32_MAX, UINT32_MAX);
  const auto second = limits.take("10.0.0.2", UINT32_MAX, UINT32_MAX);
  REQUIRE((first && second));
  const auto refused = limits.take("10.0.0.3", UINT32_MAX, UINT32_MAX);
  REQUIRE(!refused);
  CHECK(refused.error().message().find("limit of open files") != std::string::npos);
  {
    const auto gone = std::move(*first);
  }
  CHECK(limits.take("10.0.0.3", UINT32_MAX, UINT32_MAX));
}

TEST_CASE("announced frames without bytes take no memory and hold nobody up") {
  ServerWorld world({}, 200 << 20);
  for (int i = 0; i < 150; ++i) {
    Client& client = world.connect("attacker");
    std::string length;
    append_integer(length, int32_t{90'000'000});
    world.send(client, length);
  }
  world.run(1s);
  CHECK(world.memory.used() == 0);
  Client& honest = world.connect();
  world.send(honest, request_frame(1, "now", std::string(1 << 20, 'h')));
  world.run(1s);
  CHECK(ids_in(honest.received) == std::vector<int32_t>{1});
  CHECK(world.server.connections() == 151);
}

TEST_CASE("large frames that make no progress give way when memory is short") {
  ServerWorld world({}, 200 << 20);
  std::vector<Client*> attackers;
  for (int i = 0; i < 10; ++i) {
    Client& client = *attackers.emplace_back(&world.connect("attacker"));
    std::string start;
    append_integer(start, int32_t{80'000'000});
    world.send(client, start + std::string(5000, 'a'));
  }
  world.run(200ms);
  // Two hold memory; the others wait for it.
  CHECK(world.memory.used() == 160'000'000);
  Client& honest = world.connect();
  world.send(honest, request_frame(1, "now"));
  world.run(50ms);
  CHECK(ids_in(honest.received) == std::vector<int32_t>{1});  // small frames have their own reserve
  world.send(honest, request_frame(2, "now", std::string(1 << 20, 'h')));
  world.run(10s);
  CHECK(ids_in(honest.received) == std::vector<int32_t>{1, 2});
  CHECK(world.counted.stalled.total() >= 8);
}

TEST_CASE("a large frame that comes slowly but steadily is not dropped") {
  ServerWorld world({}, 100 << 20);
  Client& slow = world.connect();
  Client& waiting = world.connect();
  const std::string frame = request_frame(1, "now", std::string(60 << 20, 's'));
  world.send(slow, frame.substr(0, 10'000));
  world.run(20ms);
  world.send(waiting, request_frame(2, "now", std::string(50 << 20, 'w')));
  size_t at = 10'000;
  for (int i = 0; i < 30; ++i) {
    world.send(slow, frame.substr(at, 50'000));
    at += 50'000;
    world.run(300ms);
  }
  CHECK_FALSE(slow.ended);
  CHECK(waiting.received.empty());
  world.send(slow, frame.substr(at));
  world.run(60s);
  CHECK(ids_in(slow.received) == std::vector<int32_t>{1});
  CHECK(ids_in(waiting.received) == std::vector<int32_t>{2});
  CHECK(world.memory.used() == 0);
}

TEST_CASE("memory is given by turns: the older and the smaller first, over all shards") {
  simulation::VirtualTime time(5);
  simulation::VirtualScheduler loop(time);
  RequestMemory memory(80'000'000, 2);
  Admission one(memory, 0, loop), two(memory, 1, loop);
  struct Grants {
    std::string order;
    std::vector<runtime::Charge> held;
  } grants;
  struct Take {
    static Task<void> run(Admission& admission, size_t bytes, char name, Grants& to) {
      auto waiting = admission.wait(bytes);
      runtime::Charge charge = co_await waiting;
      to.order.push_back(name);
      to.held.push_back(std::move(charge));
    }
  };
  runtime::TaskScope scope;
  runtime::Charge first = one.try_take(60'000'000);
  REQUIRE(first);
  scope.spawn(Take::run(two, 65'000'000, 'L', grants));
  scope.spawn(Take::run(one, 30'000'000, 'M', grants));
  time.run_until(time.mono() + 2s);
  CHECK(grants.order.empty());
  CHECK_FALSE(one.try_take(1'000'000));  // there would be room, but others wait
  CHECK(one.try_take(1'000));
  scope.spawn(Take::run(one, 1'000'000, 's', grants));
  time.run_until(time.mono() + 7s);
  CHECK(grants.order == "s");
  scope.spawn(Take::run(one, 1'000'000, 't', grants));  // nine seconds after L: its turn is later
  time.run_until(time.mono() + 1s);
  CHECK(grants.order == "s");
  first.release();
  time.run_until(time.mono() + 1s);
  CHECK(grants.order == "sM");
  grants.held.clear();
  time.run_until(time.mono() + 1s);
  CHECK(grants.order == "sMLt");
  CHECK_FALSE(memory.pressed());
}

TEST_CASE("a drain answers what is parked and in flight, reads no more, and closes") {
  ServerWorld world;
  Client& parked = world.connect();
  Client& busy = world.connect();
  Client& quiet = world.connect();
  Client& half = world.connect();
  world.send(parked, request_frame(1, "park") + request_frame(2, "park"));
  world.send(busy, request_frame(1, "sleep 100") + request_frame(2, "now"));
  world.send(half, request_frame(1, "now").substr(0, 10));
  world.run(20ms);
  world.start_drain(10s);
  world.run(5ms);
  world.send(busy, request_frame(3, "now"));
  world.run(1s);
  CHECK(world.drained);
  CHECK(ids_in(parked.received) == std::vector<int32_t>{1, 2});
  CHECK(ids_in(busy.received) == std::vector<int32_t>{1, 2});
  CHECK(parked.ended);
  CHECK(busy.ended);
  CHECK(quiet.ended);
  CHECK(half.ended);
  CHECK(world.limits.total() == 0);
  Client& late = world.connect();
  world.run(1s);
  CHECK(late.ended);
}

TEST_CASE("a drain cuts off what takes too long") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "sleep 60000"));
  world.run(20ms);
  world.start_drain(2s);
  world.run(1s);
  CHECK_FALSE(world.drained);
  world.run(1500ms);
  CHECK(world.drained);
  CHECK(client.ended);
  CHECK(world.handler.ended.empty());
}
