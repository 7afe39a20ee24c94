// HTTP for operators: parsing, routes, and what must not tie the server up.
#include "broker/observe/health.h"
#include "tests/unit/broker/server_world.h"

using namespace tidemark;
using namespace tidemark::broker;
using namespace tidemark::broker::test;

namespace {

// Work is done at once.
class PromptLane final : public runtime::Lane {
 public:
  void submit(runtime::Job work, runtime::Scheduler& home, runtime::Job done) override {
    work();
    home.post(std::move(done));
  }
  [[nodiscard]] size_t depth() const override { return 0; }
};

struct HttpWorld {
  HttpWorld() {
    metrics.counter("tidemark_things_total", "Things", {{"kind", "a"}}).add(1, 7);
    metrics.gauge("tidemark_level", "Level", [] { return 2.5; });
    add_health_routes(server, loop, lane, metrics, readiness);
    auto listener = network.listen({"server", 9644}, loop);
    at = listener->local();
    server.serve(std::move(listener));
  }
  ~HttpWorld() { scope.destroy_all(); }
  Client& connect() {
    Client& client = *clients.emplace_back(std::make_unique<Client>());
    scope.spawn(run_client(client));
    time.run_until(time.mono() + 10ms);
    return client;
  }
  Client& send(Client& client, std::string bytes) {
    scope.spawn(ServerWorld::write_all(*client.stream, std::move(bytes)));
    time.run_until(time.mono() + 100ms);
    return client;
  }
  std::string get(const std::string& path) {
    Client& client = send(connect(), "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(client.ended);
    return client.received;
  }
  Task<void> run_client(Client& client) {
    auto connecting = connector->connect(at, time.mono() + 5s);
    auto stream = co_await connecting;
    if (!stream) co_return;
    client.stream = std::move(*stream);
    std::vector<std::byte> buffer(1000);
    for (;;) {
      auto reading = client.stream->read_some(buffer);
      auto count = co_await reading;
      if (!count || *count == 0) break;
      client.received.append(reinterpret_cast<const char*>(buffer.data()), *count);
    }
    client.ended = true;
  }

  simulation::VirtualTime time{3};
  simulation::FaultCounters faults;
  simulation::SimNetwork network{time, 3, faults};
  simulation::VirtualScheduler loop{time};
  Metrics metrics{2};
  Readiness readiness;
  PromptLane lane;
  HttpServer server{loop};
  runtime::Endpoint at;
  std::unique_ptr<runtime::Connector> connector = network.connector("operator", loop);
  std::vector<std::unique_ptr<Client>> clients;
  runtime::TaskScope scope;
};

int refusal(std::string_view bytes) {
  const auto parsed = parse_http_request(bytes);
  const auto* refused = std::get_if<HttpRefusal>(&parsed);
  return refused != nullptr ? refused->status : 0;
}

}  // namespace

TEST_CASE("a request line and its headers are read, whatever their case") {
  const std::string text = "GET /metrics?x=1&y HTTP/1.1\r\nHOST: a\r\ncOnNection:  Close \r\n\r\nGET";
  const auto parsed = parse_http_request(text);
  const auto* whole = std::get_if<HttpParsed>(&parsed);
  REQUIRE(whole != nullptr);
  CHECK(whole->request.path == "/metrics");
  CHECK(whole->request.query == "x=1&y");
  CHECK_FALSE(whole->request.keep_alive);
  CHECK(whole->consumed == text.size() - 3);
  for (size_t part = 0; part < whole->consumed; ++part) {
    CHECK(std::holds_alternative<HttpIncomplete>(parse_http_request(text.substr(0, part))));
  }
}

TEST_CASE("what is not a plain GET or HEAD is refused by status") {
  CHECK(refusal("POST / HTTP/1.1\r\n\r\n") == 405);
  CHECK(refusal("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello") == 413);
  CHECK(refusal("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n") == 413);
  CHECK(refusal("GET / HTTP/2\r\n\r\n") == 505);
  CHECK(refusal("GET metrics HTTP/1.1\r\n\r\n") == 400);
  CHECK(refusal("GET\r\n\r\n") == 400);
  CHECK(refusal("\r\n\r\n") == 400);
  CHECK(refusal("GET / HTTP/1.1\r\nno colon\r\n\r\n") == 400);
  CHECK(refusal(std::string(kMaxHttpRequestBytes, 'a')) == 431);
}

TEST_CASE("metrics, health and readiness are served") {
  HttpWorld world;
  CHECK(world.get("/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
  const std::string metrics = world.get("/metrics");
  CHECK(metrics.find("# TYPE tidemark_things_total counter\ntidemark_things_total{kind=\"a\"} 7\n") !=
        std::string::npos);
  CHECK(metrics.find("tidemark_level 2.5\n") != std::string::npos);
  world.readiness.set_waiting_for("recovering logs: 3 of 10 partitions");
  const std::string waiting = world.get("/readyz");
  CHECK(waiting.starts_with("HTTP/1.1 503 "));
  CHECK(waiting.ends_with("\r\n\r\nrecovering logs: 3 of 10 partitions\n"));
  world.readiness.set_ready();
  CHECK(world.get("/readyz").starts_with("HTTP/1.1 200 "));
  std::string stalled = "journal 0 has been stalled for 7 s";
  world.readiness.watch([&] { return stalled; });
  CHECK(world.get("/readyz").ends_with("\r\n\r\njournal 0 has been stalled for 7 s\n"));
  stalled.clear();
  CHECK(world.get("/readyz").starts_with("HTTP/1.1 200 "));
  CHECK(world.get("/nothing").starts_with("HTTP/1.1 404 "));
}

TEST_CASE("a connection stays open for further requests, pipelined ones too, and HEAD has no body") {
  HttpWorld world;
  Client& client = world.connect();
  world.send(client, "GET /healthz HTTP/1.1\r\n\r\nHEAD /healthz HTTP/1.1\r\n\r\nGET /heal");
  world.send(client, "thz HTTP/1.1\r\n\r\n");
  CHECK_FALSE(client.ended);
  size_t answers = 0;
  for (size_t at = 0; (at = client.received.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++answers;
  CHECK(answers == 3);
  size_t bodies = 0;
  for (size_t at = 0; (at = client.received.find("\r\n\r\nok\n", at)) != std::string::npos; ++at) ++bodies;
  CHECK(bodies == 2);
}

TEST_CASE("a request that does not arrive in time ends, and too many connections are turned away") {
  HttpWorld world;
  std::vector<Client*> slow;
  for (size_t i = 0; i < HttpServer::kMaxConnections; ++i) slow.push_back(&world.connect());
  for (Client* client : slow) world.send(*client, "GET /hea");
  Client& refused = world.connect();
  world.time.run_until(world.time.mono() + 50ms);
  CHECK(refused.ended);
  CHECK(world.server.connections() == HttpServer::kMaxConnections);
  for (int second = 0; second < 15; ++second) {
    world.time.run_until(world.time.mono() + 1s);
    for (Client* client : slow) {
      if (!client->ended) world.send(*client, "x");  // a byte now and then is not progress
    }
  }
  CHECK(world.server.connections() == 0);
  CHECK(world.get("/healthz").starts_with("HTTP/1.1 200 "));
}
