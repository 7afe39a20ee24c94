// What every Stream, Listener and Connector promise.
#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/runtime/tcp.h"
#include "tests/simulation/sim_network.h"
#include "tests/unit/seams/asio_loop.h"

using namespace tidemark;
using namespace tidemark::runtime;
using namespace std::chrono_literals;

namespace {

struct Subject {
  virtual ~Subject() = default;
  virtual Scheduler& loop() = 0;
  virtual std::unique_ptr<Listener> listen() = 0;
  virtual Connector& connector() = 0;
  virtual void run_until(const std::function<bool()>& ready) = 0;
};

struct SimulatedSubject final : Subject {
  Scheduler& loop() override { return loop_; }
  std::unique_ptr<Listener> listen() override { return network_.listen({"server", 0}, loop_); }
  Connector& connector() override { return *connector_; }
  void run_until(const std::function<bool()>& ready) override {
    while (!ready()) REQUIRE(time_.step());
  }
  simulation::VirtualTime time_{7};
  simulation::FaultCounters counters_;
  simulation::SimNetwork network_{time_, 7, counters_};
  simulation::VirtualScheduler loop_{time_};
  std::unique_ptr<Connector> connector_ = network_.connector("client", loop_);
};

struct TcpSubject final : Subject {
  Scheduler& loop() override { return loop_.scheduler(); }
  std::unique_ptr<Listener> listen() override {
    broker::AsioScheduler* const shards[] = {&loop_.scheduler()};
    auto listeners = broker::listen_tcp({"127.0.0.1", 0}, shards);
    REQUIRE(listeners);
    return std::move(listeners->front());
  }
  Connector& connector() override { return connector_; }
  void run_until(const std::function<bool()>& ready) override { loop_.run_until(ready); }
  AsioLoop loop_;
  broker::TcpConnector connector_{loop_.scheduler()};
};

struct Version {
  const char* name;
  std::function<std::unique_ptr<Subject>()> make;
};

const std::vector<Version>& versions() {
  static const std::vector<Version> all{
      {"simulated", [] { return std::make_unique<SimulatedSubject>(); }},
      {"tcp", [] { return std::make_unique<TcpSubject>(); }},
  };
  return all;
}

std::unique_ptr<Subject> each_version() {
  const auto index = GENERATE(range(size_t{0}, versions().size()));
  UNSCOPED_INFO("version " << versions()[index].name);
  return versions()[index].make();
}

using StreamPtr = std::unique_ptr<Stream>;

Task<void> accept_into(Listener& listener, StreamPtr& out, std::string& error) {
  auto accepted = co_await listener.accept();
  if (accepted) {
    out = std::move(*accepted);
  } else {
    error = accepted.error().kind() == ErrorKind::closed ? "closed" : accepted.error().message();
  }
}

Task<void> connect_into(Connector& connector, Endpoint to, MonoTime deadline, StreamPtr& out,
                        std::optional<Error>& error) {
  auto connected = co_await connector.connect(to, deadline);
  if (connected) {
    out = std::move(*connected);
  } else {
    error = connected.error();
  }
}

// Ends with "." for a clean end and "!" for an error.
Task<void> read_into(Stream& stream, std::string& out, size_t most) {
  while (out.size() < most) {
    std::array<std::byte, 1000> buffer;
    const size_t room = std::min(buffer.size(), most - out.size());
    auto n = co_await stream.read_some(std::span(buffer).first(room));
    if (!n) {
      out += n.error().kind() == ErrorKind::closed ? "!" : "?";
      co_return;
    }
    if (*n == 0) {
      out += ".";
      co_return;
    }
    out.append(reinterpret_cast<const char*>(buffer.data()), *n);
  }
}

Task<void> write_all(Stream& stream, std::string text, std::string& state) {
  state = "writing";
  const std::string_view whole(text);
  std::vector<std::span<const std::byte>> parts;
  for (size_t at = 0; at < whole.size(); at += 1777)
    parts.push_back(std::as_bytes(std::span(whole.substr(at, 1777))));
  parts.emplace_back();
  auto written = co_await stream.write(parts);
  state = written ? "written" : written.error().kind() == ErrorKind::closed ? "closed" : "failed";
}

struct Pair {
  explicit Pair(Subject& s) : subject(s), listener(s.listen()) {
    std::string refused;
    std::optional<Error> error;
    scope.spawn(accept_into(*listener, server, refused));
    scope.spawn(connect_into(s.connector(), listener->local(), s.loop().mono() + 5s, client, error));
    s.run_until([&] { return (server && client) || error; });
    REQUIRE(client);
  }
  Subject& subject;
  std::unique_ptr<Listener> listener;
  StreamPtr client;
  StreamPtr server;
  TaskScope scope;
};

std::string numbers(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::to_string(i) + ",";
  return text;
}

}  // namespace

TEST_CASE("a connection knows both its addresses and carries bytes both ways in order") {
  auto subject = each_version();
  Pair pair(*subject);
  CHECK(pair.client->remote() == pair.listener->local());
  CHECK(pair.server->local() == pair.listener->local());
  CHECK(pair.server->remote() == pair.client->local());
  const std::string there = numbers(50'000);
  const std::string back = numbers(70'000);
  std::string got_there, got_back, sent_there, sent_back;
  pair.scope.spawn(read_into(*pair.server, got_there, there.size()));
  pair.scope.spawn(read_into(*pair.client, got_back, back.size()));
  pair.scope.spawn(write_all(*pair.client, there, sent_there));
  pair.scope.spawn(write_all(*pair.server, back, sent_back));
  subject->run_until([&] { return got_there.size() == there.size() && got_back.size() == back.size(); });
  subject->run_until([&] { return sent_there != "writing" && sent_back != "writing"; });
  CHECK(got_there == there);
  CHECK(got_back == back);
  CHECK(sent_there == "written");
  CHECK(sent_back == "written");
}

TEST_CASE("a writer waits for a reader who does not read") {
  auto subject = each_version();
  Pair pair(*subject);
  const std::string text(8 << 20, 'x');
  std::string state, got;
  pair.scope.spawn(write_all(*pair.client, text, state));
  bool later = false;
  subject->loop().after(100ms, [&] { later = true; });
  subject->run_until([&] { return later; });
  CHECK(state == "writing");
  pair.scope.spawn(read_into(*pair.server, got, text.size()));
  subject->run_until([&] { return got.size() == text.size() && state != "writing"; });
  CHECK(state == "written");
}

TEST_CASE("closing ends what waits here with an error, and the peer reads to the end of what was sent") {
  auto subject = each_version();
  Pair pair(*subject);
  std::string state, mine, theirs;
  pair.scope.spawn(read_into(*pair.client, mine, 10));
  pair.scope.spawn(write_all(*pair.client, "last words", state));
  subject->run_until([&] { return state == "written"; });
  pair.client->close();
  pair.client->close();
  pair.scope.spawn(read_into(*pair.server, theirs, 100));
  subject->run_until([&] { return !mine.empty() && theirs.ends_with('.'); });
  CHECK(mine == "!");
  CHECK(theirs == "last words.");
  pair.scope.spawn(write_all(*pair.client, "more", state));
  subject->run_until([&] { return state != "writing"; });
  CHECK(state == "closed");
}

TEST_CASE("a stream that is dropped ends its connection, and writing to it fails in the end") {
  auto subject = each_version();
  Pair pair(*subject);
  pair.server.reset();
  std::string got;
  pair.scope.spawn(read_into(*pair.client, got, 10));
  subject->run_until([&] { return !got.empty(); });
  CHECK((got == "." || got == "!"));
  std::string state;
  for (int i = 0; i < 100 && state != "closed"; ++i) {
    pair.scope.spawn(write_all(*pair.client, std::string(1000, 'x'), state));
    bool later = false;
    subject->loop().after(5ms, [&] { later = true; });
    subject->run_until([&] { return later && state != "writing"; });
  }
  CHECK(state == "closed");
}

TEST_CASE("a closed listener accepts nothing, and nobody can connect to it") {
  auto subject = each_version();
  auto listener = subject->listen();
  const Endpoint address = listener->local();
  CHECK(address.port != 0);
  TaskScope scope;
  StreamPtr stream;
  std::string refused;
  std::optional<Error> error;
  scope.spawn(accept_into(*listener, stream, refused));
  subject->loop().post([&] { listener->close(); });
  subject->run_until([&] { return !refused.empty(); });
  CHECK(refused == "closed");
  scope.spawn(connect_into(subject->connector(), address, subject->loop().mono() + 5s, stream, error));
  subject->run_until([&] { return error.has_value(); });
  CHECK(error->kind() == ErrorKind::closed);
}

namespace {

struct World {
  simulation::VirtualTime time{7};
  simulation::FaultCounters counters;
  simulation::SimNetwork network{time, 7, counters};
  simulation::VirtualScheduler loop{time};
  std::unique_ptr<Listener> listener = network.listen({"server", 9092}, loop);
  std::unique_ptr<Connector> connector = network.connector("client", loop);
  StreamPtr client, server;
  std::string refused;
  std::optional<Error> error;
  TaskScope scope;

  void connect() {
    scope.spawn(accept_into(*listener, server, refused));
    scope.spawn(connect_into(*connector, listener->local(), time.mono() + 5s, client, error));
    time.run_until(time.mono() + 1s);
  }
};

}  // namespace

TEST_CASE("a half-closed connection still carries the answer") {
  World world;
  world.connect();
  REQUIRE(world.client);
  simulation::SimNetwork::finish_sending(*world.client);
  std::string request, answer, state;
  world.scope.spawn(read_into(*world.server, request, 10));
  world.scope.spawn(write_all(*world.server, "answer", state));
  world.scope.spawn(read_into(*world.client, answer, 6));
  world.time.run();
  CHECK(request == ".");
  CHECK(answer == "answer");
}

TEST_CASE("a reset reaches both ends, a stall only delays") {
  World world;
  world.connect();
  std::string got, back, state;
  world.network.faults.stalls = 1;
  world.scope.spawn(read_into(*world.server, got, 6));
  world.scope.spawn(write_all(*world.client, "frames", state));
  const MonoTime before = world.time.mono();
  world.time.run();
  CHECK(got == "frames");
  CHECK(world.time.mono() - before > 1ms);
  CHECK(world.counters["network: stalled"] > 0);
  world.network.faults.resets = 1;
  got.clear();
  world.scope.spawn(read_into(*world.server, got, 6));
  world.scope.spawn(read_into(*world.client, back, 6));
  world.scope.spawn(write_all(*world.client, "more", state));
  world.time.run();
  CHECK(got == "!");
  CHECK(back == "!");
  CHECK(world.counters["network: connection reset"] == 1);
}

TEST_CASE("a host that is cut off is heard later, and a connection that went silent never") {
  World world;
  world.connect();
  std::string got, state;
  const MonoTime until = world.time.mono() + 3s;
  world.network.cut_off("server", until);
  world.scope.spawn(read_into(*world.server, got, 4));
  world.scope.spawn(write_all(*world.client, "late", state));
  world.time.run_until(until - 1ms);
  CHECK(got.empty());
  world.time.run();
  CHECK(got == "late");
  world.network.faults.silences = 1;
  got.clear();
  world.scope.spawn(read_into(*world.server, got, 4));
  world.scope.spawn(write_all(*world.client, "lost", state));
  world.time.run();
  CHECK(got.empty());
  CHECK(state == "written");
}

TEST_CASE("after a power loss the peer hears nothing until it sends to the host that is up again") {
  World world;
  world.connect();
  std::string back, state;
  world.scope.spawn(read_into(*world.client, back, 4));
  world.network.power_lost("server");
  world.server.reset();
  world.listener.reset();
  world.scope.spawn(write_all(*world.client, "anybody?", state));
  world.time.run();
  CHECK(back.empty());
  world.listener = world.network.listen({"server", 9092}, world.loop);
  world.scope.spawn(write_all(*world.client, "anybody?", state));
  world.time.run();
  CHECK(back == "!");
}
