// The order and the limits of a connection's requests, on virtual time.
#include <numeric>

#include "tests/unit/broker/server_world.h"

using namespace tidemark;
using namespace tidemark::broker;
using namespace tidemark::broker::test;

TEST_CASE("requests sent at once start one after the other and are answered in order") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "sleep 30") + request_frame(2, "now") + request_frame(3, "sleep 5"));
  world.run(10ms);
  CHECK(world.handler.started == std::vector<int32_t>{1});
  world.run(1s);
  CHECK(world.handler.ended == std::vector<int32_t>{1, 2, 3});
  CHECK(ids_in(client.received) == std::vector<int32_t>{1, 2, 3});
  CHECK(responses_in(client.received)[1].second == "now");
}

TEST_CASE("a request that has its place lets the next one start, and answers still leave in order") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "place 50") + request_frame(2, "place 10") + request_frame(3, "now"));
  world.run(30ms);
  CHECK(world.handler.started == std::vector<int32_t>{1, 2, 3});
  CHECK(world.handler.ended == std::vector<int32_t>{3, 2});
  CHECK(client.received.empty());
  world.run(1s);
  CHECK(ids_in(client.received) == std::vector<int32_t>{1, 2, 3});
}

TEST_CASE("a request without an answer leaves no gap") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "none") + request_frame(2, "now") + request_frame(3, "none"));
  world.run(1s);
  CHECK(world.handler.started == std::vector<int32_t>{1, 2, 3});
  CHECK(ids_in(client.received) == std::vector<int32_t>{2});
}

TEST_CASE("with as many requests in flight as allowed the connection is not read") {
  ServerOptions options;
  options.max_in_flight = 3;
  ServerWorld world(options);
  Client& client = world.connect();
  std::string many;
  for (int32_t i = 1; i <= 10; ++i) many += request_frame(i, "place 20");
  world.send(client, many);
  world.run(15ms);
  CHECK(world.handler.started == std::vector<int32_t>{1, 2, 3});
  world.run(1s);
  CHECK(ids_in(client.received) == std::vector<int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("a frame may come in any pieces") {
  ServerWorld world;
  Client& client = world.connect();
  const std::string body(20'000, 'b');
  const std::string frames = request_frame(1, "now", body) + request_frame(2, "now");
  for (size_t at = 0; at < frames.size();) {
    const size_t piece = at < 40 ? 1 : at < 8000 ? 1111 : 7777;
    world.send(client, frames.substr(at, piece));
    world.run(2ms);
    at += piece;
  }
  CHECK(ids_in(client.received) == std::vector<int32_t>{1, 2});
  CHECK(world.memory.used() == 0);
}

TEST_CASE("with as many requests waiting or in work as allowed no connection of the shard is read") {
  ServerOptions options;
  options.max_queued = 2;
  for (const bool limited : {false, true}) {
    ServerWorld world(limited ? options : ServerOptions{});
    Client& busy = world.connect();
    Client& other = world.connect();
    world.send(busy, request_frame(1, "sleep 100") + request_frame(2, "sleep 100"));
    world.run(20ms);
    world.send(other, request_frame(3, "now"));
    world.run(20ms);
    CHECK(ids_in(other.received).empty() == limited);
    world.run(100ms);  // the first of the two has been answered
    CHECK(ids_in(other.received) == std::vector<int32_t>{3});
    world.run(100ms);
    CHECK(ids_in(busy.received) == std::vector<int32_t>{1, 2});
  }
}

TEST_CASE(
    "a request that has its place holds nobody up, and a place comes back when its connection breaks off") {
  ServerOptions options;
  options.max_queued = 1;
  ServerWorld world(options);
  Client& parked = world.connect();
  Client& broken = world.connect();
  Client& other = world.connect();
  world.send(parked, request_frame(1, "park"));
  world.run(20ms);
  world.send(broken, request_frame(2, "fail"));
  world.run(20ms);
  CHECK(broken.ended);
  world.send(other, request_frame(3, "now"));
  world.run(20ms);
  CHECK(ids_in(other.received) == std::vector<int32_t>{3});
  CHECK(parked.received.empty());
}

TEST_CASE("what stands behind a request that waits for others holds up nobody else, and is not overdue") {
  ServerOptions options;
  options.max_queued = 2;
  options.max_queue_time = 10s;
  ServerWorld world(options);
  Client& joining = world.connect();
  Client& other = world.connect();
  world.send(joining, request_frame(1, "join 60000") + request_frame(2, "now") + request_frame(3, "now"));
  world.run(20ms);
  world.send(joining, request_frame(4, "now"));
  world.send(other, request_frame(5, "now"));
  world.run(20ms);
  CHECK(ids_in(other.received) == std::vector<int32_t>{5});
  CHECK(world.handler.started == std::vector<int32_t>{1, 5});
  world.run(61s);
  CHECK(ids_in(joining.received) == std::vector<int32_t>{1, 2, 3, 4});
  CHECK(world.log.lines.empty());
}

TEST_CASE("no request starts while its client does not take the answers before it") {
  ServerOptions options;
  options.max_queue_time = 10s;
  options.max_queued = 10;
  ServerWorld world(options);
  Client& client = world.connect();
  client.reading = false;
  std::string many;
  for (int32_t i = 1; i <= 40; ++i) many += request_frame(i, "large 700000");
  world.send(client, many);
  world.run(20s);
  // One may be on its way to the socket, and of those behind it two are more than may wait.
  CHECK(world.handler.started.size() <= 5);
  Client& other = world.connect();
  world.send(other, request_frame(99, "now"));
  world.run(20ms);
  CHECK(ids_in(other.received) == std::vector<int32_t>{99});
  client.reading = true;
  world.run(60s);
  CHECK(ids_in(client.received).size() == 40);
  CHECK(world.log.lines.empty());
}

TEST_CASE("half a frame is not a request, and its connection is closed when idle for too long") {
  ServerOptions options;
  options.max_idle = 10s;
  ServerWorld world(options);
  Client& half = world.connect();
  Client& busy = world.connect();
  Client& parked = world.connect();
  world.send(half, request_frame(1, "now").substr(0, 9));
  world.send(parked, request_frame(1, "sleep 30000"));
  for (int32_t i = 1; i <= 4; ++i) {
    world.send(busy, request_frame(i, "now"));
    world.run(4s);
  }
  CHECK(half.ended);
  CHECK_FALSE(busy.ended);
  CHECK_FALSE(parked.ended);
  CHECK(ids_in(busy.received).size() == 4);
  CHECK(world.counted.idle.total() == 1);
  world.run(15s);
  CHECK(ids_in(parked.received) == std::vector<int32_t>{1});
}

TEST_CASE("a length that is negative or too large closes the connection with one line") {
  ServerOptions options;
  options.max_frame_bytes = 1000;
  for (const int32_t length : {-1, 1001, INT32_MAX, INT32_MIN}) {
    ServerWorld world(options);
    Client& client = world.connect();
    std::string frame;
    append_integer(frame, length);
    world.send(client, request_frame(1, "sleep 20") + frame + "garbage");
    world.run(1s);
    // What came before is answered first.
    CHECK(ids_in(client.received) == std::vector<int32_t>{1});
    CHECK(client.ended);
    REQUIRE(world.log.lines.size() == 1);
    CHECK(world.log.lines[0].find("socket.request.max.bytes") != std::string::npos);
    CHECK(world.server.connections() == 0);
  }
}

TEST_CASE("a header that cannot be read, and a version that is not served, close the connection") {
  const std::vector<std::string> bad{
      request_frame(1, "now", "", 999),                                 // no such key
      request_frame(1, "now", "", 3, 99),                               // no such version
      request_frame(1, "now", "", 0, 2),                                // advertised and refused
      std::string("\0\0\0\3abc", 7),                                    // too short for a header
      std::string("\0\0\0\0", 4),                                       // nothing at all
      request_frame(1, "now").substr(0, 12) + std::string(10, '\x7f'),  // a client id beyond the frame
  };
  for (const std::string& frame : bad) {
    ServerWorld world;
    Client& client = world.connect();
    world.send(client, frame);
    world.run(1s);
    CHECK(client.ended);
    CHECK(client.received.empty());
    CHECK(world.log.lines.size() == 1);
    CHECK(world.counted.broken.total() == 1);
  }
}

TEST_CASE("an ApiVersions that is too new is handed on as version 0") {
  ServerWorld world;
  Client& client = world.connect();
  std::string request = request_frame(7, "x", std::string(5, '\0'), 18, 77);
  world.send(client, request);
  world.run(1s);
  REQUIRE(responses_in(client.received).size() == 1);
  CHECK(responses_in(client.received)[0].second == "unsupported");
}

TEST_CASE("lines that strangers cause are limited, and the rest is counted") {
  ServerWorld world;
  for (int i = 0; i < 40; ++i) {
    Client& client = world.connect();
    world.send(client, std::string("\xff\xff\xff\xff", 4));
  }
  world.run(1100ms);
  CHECK(world.log.lines.size() <= 2 * ShardServer::kLogLinesPerSecond);
  Client& last = world.connect();
  world.send(last, std::string("\xff\xff\xff\xff", 4));
  world.run(1s);
  CHECK(world.counted.broken.total() == 41);
  CHECK(world.log.lines.back().find("left_out=") != std::string::npos);
  CHECK(world.log.lines.back().find("left_out=0") == std::string::npos);
}

TEST_CASE("a request that fails closes the connection after the answers before it") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "place 20") + request_frame(2, "fail") + request_frame(3, "now"));
  world.run(1s);
  CHECK(ids_in(client.received) == std::vector<int32_t>{1});
  CHECK(client.ended);
  CHECK(world.log.lines.size() == 1);
}

TEST_CASE("requests that waited too long for their turn are dropped with their connection") {
  ServerOptions options;
  options.max_queue_time = 5s;
  ServerWorld world(options);
  Client& client = world.connect();
  world.send(client, request_frame(1, "sleep 6000") + request_frame(2, "now") + request_frame(3, "now"));
  world.run(10s);
  CHECK(world.handler.started == std::vector<int32_t>{1});
  CHECK(ids_in(client.received) == std::vector<int32_t>{1});
  CHECK(client.ended);
  CHECK(world.counted.overdue.total() == 2);
}

TEST_CASE("a large answer is sent in bounded pieces, also to a slow reader") {
  ServerWorld world;
  Client& client = world.connect();
  client.reading = false;
  constexpr size_t kBytes = 3'000'000;
  world.send(client, request_frame(1, "hole " + std::to_string(kBytes)) + request_frame(2, "now"));
  world.run(1s);
  client.reading = true;
  world.run(100s);
  const auto answers = responses_in(client.received);
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].second == "[" + std::string(kBytes, 'x') + "]");
  CHECK(world.handler.largest_piece == 100'000);
}

TEST_CASE("an answer whose source fails ends the connection") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "cut 400000") + request_frame(2, "now"));
  world.run(10s);
  CHECK(client.ended);
  CHECK(responses_in(client.received).empty());
  REQUIRE(world.log.lines.size() == 1);
  CHECK(world.log.lines[0].find("the disk has gone") != std::string::npos);
}

TEST_CASE("when the client goes, parked requests end, produces still run, the rest is dropped") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "park") + request_frame(2, "sleep 100") +
                         request_frame(3, "none", "", 0, 8) + request_frame(4, "now"));
  world.run(20ms);
  CHECK(world.handler.started == std::vector<int32_t>{1, 2});
  world.network.faults.resets = 1;
  world.send(client, "x");
  world.run(10s);
  CHECK(world.handler.started == std::vector<int32_t>{1, 2, 3});
  CHECK(world.handler.ended == std::vector<int32_t>{1, 2});
  CHECK(world.server.connections() == 0);
  CHECK(world.limits.total() == 0);
  CHECK(world.memory.used() == 0);
}

namespace {

double seconds_in(Metrics& metrics, const std::string& api, const std::string& stage) {
  return metrics.histogram("tidemark_request_stage_seconds", "", {}, {{"api", api}, {"stage", stage}})
      .total()
      .sum;
}

uint64_t counted_in(Metrics& metrics, const std::string& api, const std::string& stage) {
  const auto total =
      metrics.histogram("tidemark_request_stage_seconds", "", {}, {{"api", api}, {"stage", stage}}).total();
  return std::accumulate(total.buckets.begin(), total.buckets.end(), uint64_t{0});
}

}  // namespace

TEST_CASE("a request's time divides into waiting for its turn, working, waiting, and being sent") {
  ServerWorld world;
  Client& client = world.connect();
  // Fetch, and behind it others, of which the last has nothing to wait for.
  world.send(client, request_frame(1, "sleep 100", "", 1, 4) + request_frame(2, "place 200", "", 1, 4) +
                         request_frame(3, "now", "", 1, 4) + request_frame(4, "throttle 3000"));
  world.run(1s);
  CHECK(ids_in(client.received) == std::vector<int32_t>{1, 2, 3, 4});
  CHECK(seconds_in(world.metrics, "Fetch", "queue") == Approx(0.2).margin(0.01));
  CHECK(seconds_in(world.metrics, "Fetch", "local") == Approx(0.1).margin(0.01));
  CHECK(seconds_in(world.metrics, "Fetch", "remote") == Approx(0.2).margin(0.01));
  CHECK(seconds_in(world.metrics, "Fetch", "send") == Approx(0.2).margin(0.01));  // the third, behind another
  CHECK(seconds_in(world.metrics, "(others)", "throttle") == Approx(3));
  CHECK(seconds_in(world.metrics, "Fetch", "throttle") == 0);
  for (const std::string_view stage : kRequestStageNames) {
    CHECK(counted_in(world.metrics, "Fetch", std::string(stage)) == 3);
    CHECK(counted_in(world.metrics, "(others)", std::string(stage)) == 1);
  }
}

TEST_CASE("a client that has finished sending still gets its answers") {
  ServerWorld world;
  Client& client = world.connect();
  world.send(client, request_frame(1, "sleep 50") + request_frame(2, "park"));
  world.run(10ms);
  simulation::SimNetwork::finish_sending(*client.stream);
  world.run(1s);
  CHECK(ids_in(client.received) == std::vector<int32_t>{1, 2});
  CHECK(client.ended);
}
