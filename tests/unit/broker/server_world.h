// A ShardServer on virtual time with clients on the simulated network, and a handler whose behaviour each
// request chooses by its client id: what the server's tests share.
#pragma once

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "broker/server/shard_server.h"
#include "tests/simulation/sim_network.h"

namespace tidemark::broker::test {

using namespace std::chrono_literals;
using runtime::Task;

inline void append_integer(std::string& out, auto value) {
  for (int shift = static_cast<int>(sizeof(value)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift));
  }
}

// A request frame with header version 1. `client_id` tells the handler what to do.
inline std::string request_frame(int32_t correlation_id, const std::string& client_id,
                                 const std::string& body = "", int16_t key = 3, int16_t version = 4) {
  std::string content;
  append_integer(content, key);
  append_integer(content, version);
  append_integer(content, correlation_id);
  append_integer(content, static_cast<int16_t>(client_id.size()));
  content += client_id + body;
  std::string frame;
  append_integer(frame, static_cast<int32_t>(content.size()));
  return frame + content;
}

inline int32_t read_int32(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<uint8_t>(c);
  return static_cast<int32_t>(value);
}

// Correlation id -> what follows it, in order of arrival; cuts `bytes` as far as it goes.
inline std::vector<std::pair<int32_t, std::string>> responses_in(std::string_view bytes) {
  std::vector<std::pair<int32_t, std::string>> found;
  while (bytes.size() >= 4) {
    const auto size = static_cast<size_t>(read_int32(bytes));
    if (bytes.size() < 4 + size) break;
    found.emplace_back(read_int32(bytes.substr(4)), std::string(bytes.substr(8, size - 4)));
    bytes.remove_prefix(4 + size);
  }
  return found;
}

inline std::vector<int32_t> ids_in(std::string_view bytes) {
  std::vector<int32_t> ids;
  for (const auto& [id, body] : responses_in(bytes)) ids.push_back(id);
  return ids;
}

inline protocol::EncodedMessage encode_text(int32_t correlation_id, std::string_view text, size_t hole = 0) {
  std::string frame;
  append_integer(frame, static_cast<int32_t>(4 + text.size() + hole));
  append_integer(frame, correlation_id);
  frame += text;
  protocol::EncodedMessage message;
  message.bytes.resize(frame.size());
  std::memcpy(message.bytes.data(), frame.data(), frame.size());
  message.wire_bytes = frame.size() + hole;
  return message;
}

// Gives `bytes` letters, and counts what is held of it.
class LetterSource final : public ByteSource {
 public:
  LetterSource(runtime::Scheduler& loop, size_t fail_after, size_t& largest)
      : loop_(loop), left_(fail_after), largest_(largest) {}
  Task<Result<runtime::BufferSlice>> next(size_t max_bytes) override {
    auto read = runtime::sleep_for(loop_, 50us);
    co_await read;
    if (left_ == 0) co_return fail(Error::io("the disk has gone"));
    const size_t bytes = std::min({max_bytes, left_, size_t{100'000}});
    left_ -= bytes;
    largest_ = std::max(largest_, bytes);
    auto buffer = runtime::Buffer::allocate(bytes);
    std::memset(buffer->bytes().data(), 'x', bytes);
    co_return runtime::BufferSlice::whole(std::move(buffer));
  }

 private:
  runtime::Scheduler& loop_;
  size_t left_;
  size_t& largest_;
};

// Client ids: "now", "sleep MS", "place MS" (lets the next start, then sleeps), "park" (until hurried), "join
// MS" (waits for others, and holds the order), "none", "throttle MS", "fail", "address", "large BYTES", "hole
// BYTES", "cut BYTES" (the source fails after half of them).
class ScriptedHandler final : public RequestHandler {
 public:
  explicit ScriptedHandler(runtime::Scheduler& loop) : loop_(loop) {}

  Task<Result<Response>> handle(RequestContext& request) override {
    const std::string script(request.header.client_id.value_or(""));
    const std::string verb = script.substr(0, script.find(' '));
    const size_t argument = script.size() > verb.size() ? std::stoul(script.substr(verb.size() + 1)) : 0;
    const int32_t id = request.header.correlation_id;
    started.push_back(id);
    if (verb == "fail") co_return fail(ErrorCode::INVALID_REQUEST, "as asked");
    if (verb == "none") {
      request.throttle.at_least(QuotaKind::produce, throttle_unanswered);
      co_return Response::none();
    }
    if (verb == "throttle")
      request.throttle.at_least(QuotaKind::produce, std::chrono::milliseconds(argument));
    if (verb == "place" || verb == "park") request.release_order();
    if (verb == "join") request.park();
    if (verb == "sleep" || verb == "place" || verb == "join") {
      auto sleeping = runtime::sleep_for(loop_, std::chrono::milliseconds(argument));
      co_await sleeping;
    }
    if (verb == "park") {
      runtime::OneShot<bool> woken(loop_);
      request.on_hurry([resolver = woken.resolver()]() mutable { resolver.set(true); });
      auto waiting = woken.wait();
      co_await waiting;
    }
    ended.push_back(id);
    if (verb == "hole" || verb == "cut") {
      Response response{encode_text(id, "[]", argument), {}, {}};
      response.frame.holes.push_back({9, argument, 0, {}});
      response.sources.push_back(
          std::make_unique<LetterSource>(loop_, verb == "cut" ? argument / 2 : argument, largest_piece));
      co_return response;
    }
    std::string text = verb == "large" ? std::string(argument, 'x') : verb;
    if (request.unsupported_api_versions) text = "unsupported";
    if (verb == "address") {
      const auto& [host, port] = request.connection.local;
      text = fmt::format("{}:{} {}", host, port, request.connection.remote.host);
    }
    co_return Response::of(encode_text(id, text));
  }

  std::vector<int32_t> started;
  std::vector<int32_t> ended;
  size_t largest_piece = 0;
  runtime::Duration throttle_unanswered{};  // of "none"

 private:
  runtime::Scheduler& loop_;
};

class CollectedLog final : public Log {
 public:
  void write(LogLevel, std::string_view event, std::span<const LogField> fields) override {
    lines.push_back(format_event(LogFormat::text, event, fields));
  }
  std::vector<std::string> lines;
};

struct Client {
  std::unique_ptr<runtime::Stream> stream;
  std::string received;
  bool ended = false;  // the server closed
  bool reading = true;
};

struct ServerWorld {
  explicit ServerWorld(ServerOptions o = {}, uint64_t memory_bytes = 64 << 20)
      : memory(memory_bytes, 1), server(0, loop, handler, {memory, limits, log, counted}, o) {
    auto listener = network.listen({"server", 9092}, loop);
    at = listener->local();
    server.serve(std::move(listener), "PLAINTEXT");
  }
  ~ServerWorld() { scope.destroy_all(); }

  Client& connect(const std::string& host = "client") {
    Client& client = *clients.emplace_back(std::make_unique<Client>());
    connectors.push_back(network.connector(host, loop));
    scope.spawn(run_client(*connectors.back(), client));
    run(5ms);
    return client;
  }
  void send(Client& client, std::string bytes) {
    REQUIRE(client.stream);
    scope.spawn(write_all(*client.stream, std::move(bytes)));
  }
  void run(runtime::Duration time_span) { time.run_until(time.mono() + time_span); }
  void start_drain(runtime::Duration within) { scope.spawn(run_drain(time.mono() + within)); }

  Task<void> run_drain(runtime::MonoTime deadline) {
    auto draining = server.drain(deadline);
    co_await draining;
    drained = true;
  }
  Task<void> run_client(runtime::Connector& connector, Client& client) {
    auto connecting = connector.connect(at, time.mono() + 5s);
    auto stream = co_await connecting;
    if (!stream) {
      client.ended = true;
      co_return;
    }
    client.stream = std::move(*stream);
    std::vector<std::byte> buffer(4096);
    for (;;) {
      while (!client.reading) {
        auto pause = runtime::sleep_for(loop, 1ms);
        co_await pause;
      }
      auto reading = client.stream->read_some(buffer);
      auto count = co_await reading;
      if (!count || *count == 0) break;
      client.received.append(reinterpret_cast<const char*>(buffer.data()), *count);
    }
    client.ended = true;
  }
  static Task<void> write_all(runtime::Stream& stream, std::string bytes) {
    const std::array parts{std::as_bytes(std::span(bytes))};
    auto writing = stream.write(parts);
    (void)co_await writing;
  }

  simulation::VirtualTime time{11};
  simulation::FaultCounters faults;
  simulation::SimNetwork network{time, 11, faults};
  simulation::VirtualScheduler loop{time};
  Metrics metrics{1};
  ServerMetrics counted{metrics};
  CollectedLog log;
  ConnectionLimits limits;
  RequestMemory memory;
  ScriptedHandler handler{loop};
  ShardServer server;
  runtime::Endpoint at;
  bool drained = false;
  std::vector<std::unique_ptr<runtime::Connector>> connectors;
  std::vector<std::unique_ptr<Client>> clients;
  runtime::TaskScope scope;
};

}  // namespace tidemark::broker::test
