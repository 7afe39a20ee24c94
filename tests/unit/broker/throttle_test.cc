// Clients over their quotas: their connections pause, and nobody else does.
#include "server_world.h"

namespace tidemark::broker::test {

TEST_CASE("a throttled request is answered at once, and the next one is read when the pause is over") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "throttle 1000"));
  world.run(5ms);
  CHECK(ids_in(client.received) == std::vector{1});
  world.send(client, request_frame(2, "now"));
  world.run(980ms);
  CHECK(world.handler.started == std::vector{1});
  CHECK(world.memory.used() == 0);
  world.run(50ms);
  CHECK(ids_in(client.received) == std::vector{1, 2});
  const size_t kind = index_of(QuotaKind::produce);
  CHECK(world.counted.throttled[kind]->total() == 1);
  CHECK(world.counted.throttle_seconds[kind]->total().sum == Approx(1));
}

TEST_CASE("a pause holds up no other connection") {
  ServerWorld world;
  Client& throttled = world.connect();
  Client& other = world.connect();
  world.send(throttled, request_frame(1, "throttle 10000") + request_frame(2, "now"));
  world.run(5ms);
  world.send(other, request_frame(3, "now"));
  world.run(5ms);
  CHECK(ids_in(other.received) == std::vector{3});
}

TEST_CASE("what was read before a pause is still served, so that the pause holds no memory") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "sleep 10"));
  world.run(1ms);
  world.send(client,
             request_frame(2, "throttle 500") + request_frame(3, "throttle 800") + request_frame(4, "now"));
  world.run(20ms);
  CHECK(ids_in(client.received) ==
        std::vector{1, 2, 3, 4});  // all of them were read while the first one slept
  CHECK(world.memory.used() == 0);
  world.send(client, request_frame(5, "now"));
  world.run(700ms);
  CHECK(world.handler.started == std::vector{1, 2, 3, 4});  // the longest of the pauses counts
  world.run(150ms);
  CHECK(world.handler.started == std::vector{1, 2, 3, 4, 5});
}

TEST_CASE(
    "after a pause requests are read one at a time for a while, so that the next pause holds back the next") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "throttle 100"));
  world.run(5ms);
  world.send(client, request_frame(2, "throttle 1000") + request_frame(3, "now") + request_frame(4, "now"));
  world.run(500ms);
  CHECK(world.handler.started == std::vector{1, 2});
  world.run(1s);
  CHECK(ids_in(client.received) == std::vector{1, 2, 3, 4});
}

TEST_CASE("a request without an answer throttles too") {
  ServerWorld world;
  Client& client = world.connect();
  world.handler.throttle_unanswered = 300ms;
  world.send(client, request_frame(1, "none"));
  world.run(5ms);
  world.send(client, request_frame(2, "now"));
  world.run(200ms);
  CHECK(world.handler.started == std::vector{1});
  world.run(150ms);
  CHECK(ids_in(client.received) == std::vector{2});
}

TEST_CASE("a throttled client that goes is noticed at once") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "throttle 100000"));
  world.run(5ms);
  client.stream->close();
  world.run(200ms);
  CHECK(world.server.connections() == 0);
}

TEST_CASE("a pause is no idleness") {
  ServerOptions options;
  options.max_idle = 1s;
  ServerWorld world(options);
  Client& client = world.connect();
  world.send(client, request_frame(1, "throttle 3000"));
  world.run(3500ms);
  CHECK(world.server.connections() == 1);
  world.run(1500ms);
  CHECK(world.server.connections() == 0);
}

TEST_CASE(
    "a throttled client that has sent more and gone keeps its place for an idle time, not for its pause") {
  ServerOptions options;
  options.max_idle = 1s;
  ServerWorld world(options);
  Client& client = world.connect();
  world.send(client, request_frame(1, "throttle 100000000"));
  world.run(5ms);
  world.send(client, request_frame(2, "now"));
  world.run(5ms);
  client.stream->close();
  world.run(2500ms);
  CHECK(world.server.connections() == 0);
}

TEST_CASE("a node that stops waits for no pause") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "throttle 100000"));
  world.run(5ms);
  world.send(client, request_frame(2, "now"));
  world.run(5ms);
  world.start_drain(10s);
  world.run(50ms);
  CHECK(world.drained);
  CHECK(client.ended);
}

TEST_CASE("a connection that comes too early is held unread for its pause, and closed") {
  ServerWorld world;
  runtime::Duration pause = 500ms;
  std::vector<std::string> asked;
  world.server.set_connection_quota([&](const std::string& address) {
    asked.push_back(address);
    return pause;
  });
  Client& early = world.connect("greedy");
  world.send(early, request_frame(1, "now"));
  world.run(400ms);
  CHECK_FALSE(early.ended);
  CHECK(world.handler.started.empty());
  CHECK(world.server.connections() == 0);
  CHECK(world.limits.total() == 1);
  world.run(150ms);
  CHECK(early.ended);
  CHECK(world.limits.total() == 0);
  CHECK(world.counted.throttled[index_of(QuotaKind::connection)]->total() == 1);
  pause = {};
  Client& welcome = world.connect("greedy");
  world.send(welcome, request_frame(2, "now"));
  world.run(5ms);
  CHECK(ids_in(welcome.received) == std::vector{2});
  CHECK(asked.size() == 2);
}

TEST_CASE("a node that stops waits for no connection that it turns away") {
  ServerWorld world;
  world.server.set_connection_quota([](const std::string&) { return runtime::Duration(1h); });
  (void)world.connect();
  world.start_drain(10s);
  world.run(50ms);
  CHECK(world.drained);
}

}  // namespace tidemark::broker::test
