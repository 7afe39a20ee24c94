// The server on real sockets and threads: four shards, blocking clients. Kept clean under ThreadSanitizer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include "broker/runtime/shard_thread.h"
#include "broker/runtime/system_clock.h"
#include "broker/runtime/tcp.h"
#include "tests/unit/broker/server_world.h"

using namespace tidemark;
using namespace tidemark::broker;
using namespace tidemark::broker::test;

namespace {

constexpr size_t kShards = 4;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kPatience = 20;
#else
constexpr int kPatience = 1;
#endif

class NoLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::span<const LogField>) override {}
};

// A node's server without the node.
class SocketServer {
 public:
  explicit SocketServer(const runtime::Endpoint& at, uint64_t memory_bytes = 64 << 20,
                        std::shared_ptr<AcceptLimit> limit = nullptr)
      : memory_(memory_bytes, kShards) {
    std::vector<AsioScheduler*> loops;
    for (size_t i = 0; i < kShards; ++i) {
      threads_.push_back(std::make_unique<ShardThread>(clock_, fmt::format("shard-{}", i)));
      loops.push_back(&threads_.back()->scheduler());
    }
    auto listeners = listen_tcp(at, loops, std::move(limit));
    REQUIRE(listeners);
    address = listeners->front()->local();
    for (size_t i = 0; i < kShards; ++i) {
      handlers_.push_back(std::make_unique<ScriptedHandler>(*loops[i]));
      servers_.push_back(std::make_unique<ShardServer>(i, *loops[i], *handlers_.back(),
                                                       ShardServer::Shared{memory_, limits, log_, counted},
                                                       ServerOptions{}));
      servers_.back()->serve(std::move((*listeners)[i]), "PLAINTEXT");
    }
    for (auto& thread : threads_) thread->start();
  }
  ~SocketServer() {
    for (auto& thread : threads_) thread->stop();
    servers_.clear();
  }
  // Connections by shard.
  std::vector<size_t> connections() {
    std::vector<size_t> counts;
    for (size_t i = 0; i < kShards; ++i) {
      std::promise<size_t> count;
      threads_[i]->scheduler().post([&, i] { count.set_value(servers_[i]->connections()); });
      counts.push_back(count.get_future().get());
    }
    return counts;
  }
  void drain() {
    std::vector<std::promise<void>> done(kShards);
    std::vector<std::unique_ptr<runtime::TaskScope>> scopes;
    for (size_t i = 0; i < kShards; ++i) {
      auto& scope = *scopes.emplace_back(std::make_unique<runtime::TaskScope>());
      threads_[i]->scheduler().post(
          [this, i, &scope, &done] { scope.spawn(drain_one(*servers_[i], done[i])); });
    }
    for (auto& one : done) one.get_future().get();
    for (auto& thread : threads_) thread->stop();
  }
  [[nodiscard]] uint64_t memory_used() const { return memory_.used(); }

  runtime::Endpoint address;
  Metrics metrics{kShards};
  ServerMetrics counted{metrics};
  ConnectionLimits limits;

 private:
  Task<void> drain_one(ShardServer& server, std::promise<void>& done) {
    auto draining = server.drain(clock_.mono() + 10s);
    co_await draining;
    done.set_value();
  }
  SystemClock clock_;
  NoLog log_;
  RequestMemory memory_;
  std::vector<std::unique_ptr<ShardThread>> threads_;
  std::vector<std::unique_ptr<ScriptedHandler>> handlers_;
  std::vector<std::unique_ptr<ShardServer>> servers_;
};

// A blocking IPv4 client.
class Socket {
 public:
  explicit Socket(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0;
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // Until that many answers are there, or the connection ends.
  std::vector<std::pair<int32_t, std::string>> receive(size_t answers) {
    std::string bytes;
    std::vector<char> buffer(65536);
    while (responses_in(bytes).size() < answers) {
      const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (n <= 0) break;
      bytes.append(buffer.data(), static_cast<size_t>(n));
    }
    return responses_in(bytes);
  }
  bool readable_within(std::chrono::milliseconds time) const {
    pollfd readable{fd_, POLLIN, 0};
    return ::poll(&readable, 1, static_cast<int>(time.count())) > 0;
  }
  bool connected = false;

 private:
  int fd_;
};

size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("four shards answer many clients at once, each in order") {
  SocketServer server({"127.0.0.1", 0});
  constexpr int kClients = 12;
  constexpr int32_t kRounds = 20;
  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      Socket socket(server.address.port);
      std::vector<int32_t> expected, got;
      bool holes_right = true;
      for (int32_t round = 0; round < kRounds; ++round) {
        const int32_t id = round * 4;
        const size_t bytes = 10'000 + static_cast<size_t>(c) * 30'000;
        socket.send(request_frame(id, "place 2", std::string(bytes, 'b')) + request_frame(id + 1, "now") +
                    request_frame(id + 2, "hole " + std::to_string(bytes)) + request_frame(id + 3, "none"));
        for (int32_t i = 0; i < 3; ++i) expected.push_back(id + i);
        for (auto& [answer, body] : socket.receive(3)) {
          got.push_back(answer);
          if (answer == id + 2) holes_right = holes_right && body == "[" + std::string(bytes, 'x') + "]";
        }
      }
      if (got == expected && holes_right) ++right;
    });
  }
  for (auto& client : clients) client.join();
  CHECK(right == kClients);
  CHECK(server.counted.opened.total() == kClients);
  CHECK(server.metrics.serialize().find("tidemark_connections_opened_total 12") != std::string::npos);
}

TEST_CASE("few connections are spread evenly over the shards, and places are given back") {
  SocketServer server({"127.0.0.1", 0});
  std::vector<std::unique_ptr<Socket>> sockets;
  const auto open = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      Socket& socket = *sockets.emplace_back(std::make_unique<Socket>(server.address.port));
      REQUIRE(socket.connected);
      REQUIRE(socket.send(request_frame(1, "now")));
      REQUIRE(socket.receive(1).size() == 1);
    }
  };
  open(8);
  CHECK(server.connections() == std::vector<size_t>{2, 2, 2, 2});
  sockets.clear();
  while (server.limits.total() > 0) std::this_thread::yield();
  open(4);
  CHECK(server.connections() == std::vector<size_t>{1, 1, 1, 1});
}

TEST_CASE("connections beyond the limit of what is accepted wait until one goes") {
  const auto limit = std::make_shared<AcceptLimit>(2);
  SocketServer server({"127.0.0.1", 0}, 64 << 20, limit);
  std::vector<std::unique_ptr<Socket>> sockets;
  for (int i = 0; i < 3; ++i) {
    sockets.push_back(std::make_unique<Socket>(server.address.port));
    REQUIRE(sockets.back()->send(request_frame(1, "now")));
  }
  CHECK(sockets[0]->receive(1).size() == 1);
  CHECK(sockets[1]->receive(1).size() == 1);
  CHECK(!sockets[2]->readable_within(200ms));
  CHECK(limit->open == 2);
  sockets.erase(sockets.begin());
  CHECK(sockets[1]->receive(1).size() == 1);
}

TEST_CASE("a client of a dual-stack listener is known by its IPv4 address") {
  SocketServer server({"", 0});
  Socket socket(server.address.port);
  REQUIRE(socket.send(request_frame(1, "address")));
  const auto answers = socket.receive(1);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].second == fmt::format("127.0.0.1:{} 127.0.0.1", server.address.port));
}

TEST_CASE("a drain on real sockets answers what is parked and ends the connections") {
  SocketServer server({"127.0.0.1", 0});
  std::vector<std::unique_ptr<Socket>> sockets;
  for (int i = 0; i < 8; ++i) {
    Socket& socket = *sockets.emplace_back(std::make_unique<Socket>(server.address.port));
    REQUIRE(socket.send(request_frame(1, "now") + request_frame(2, "park") + request_frame(3, "park")));
    REQUIRE(socket.receive(1).size() == 1);
  }
  server.drain();
  for (auto& socket : sockets) {
    const auto answers = socket->receive(3);  // and then the end
    REQUIRE(answers.size() == 2);
    CHECK(answers[1].first == 3);
  }
  Socket late(server.address.port);
  CHECK(late.receive(1).empty());
}

TEST_CASE("a port in use is an error that names it") {
  SocketServer server({"127.0.0.1", 0});
  SystemClock clock;
  AsioScheduler loop(clock);
  AsioScheduler* const loops[] = {&loop};
  const auto second = listen_tcp(server.address, loops);
  REQUIRE_FALSE(second);
  CHECK(second.error().message() == fmt::format("127.0.0.1:{}: Address already in use", server.address.port));
}

TEST_CASE("150 connections that announce 90 MB cost no memory, and an honest client is served") {
  SocketServer server({"127.0.0.1", 0}, 512 << 20);
  std::string announced;
  append_integer(announced, int32_t{90'000'000});
  const size_t before = resident_bytes();
  std::vector<std::unique_ptr<Socket>> attackers;
  for (int i = 0; i < 150; ++i) {
    Socket& socket = *attackers.emplace_back(std::make_unique<Socket>(server.address.port));
    // Half of them send enough to be given memory.
    REQUIRE(socket.send(i % 2 == 0 ? announced : announced + std::string(6000, 'a')));
  }
  Socket honest(server.address.port);
  REQUIRE(honest.send(request_frame(1, "now", std::string(1 << 20, 'h'))));
  const auto sent = std::chrono::steady_clock::now();
  CHECK(honest.receive(1).size() == 1);
  CHECK(std::chrono::steady_clock::now() - sent < 1s * kPatience);
  CHECK(resident_bytes() < before + (size_t{100} << 20));
}
