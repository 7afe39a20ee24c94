#include "tests/simulation/sim_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/invariant.h"

namespace tidemark::simulation {

using runtime::Endpoint;
using runtime::MonoTime;
using runtime::Scheduler;
using runtime::Signal;
using runtime::Task;

namespace network_detail {

// One direction, named after its receiver.
struct Pipe {
  std::deque<std::byte> readable;
  struct Piece {
    std::vector<std::byte> bytes;
    bool last = false;  // the sender has finished
  };
  std::deque<Piece> in_flight;
  size_t in_flight_bytes = 0;
  MonoTime last_arrival{};
  MonoTime stalled_until{};
  bool finished = false;  // all that was sent has arrived, and no more will
};

// The end of a connection that a process holds; gone when the process let go of it.
struct End {
  explicit End(Scheduler& home) : readable(home), writable(home) {}
  Signal readable;
  Signal writable;
  bool closed = false;
};

struct Connection {
  std::array<Endpoint, 2> address;
  std::array<Pipe, 2> to;  // to end 0, to end 1
  std::array<End*, 2> end{};
  bool reset = false;
  bool silent = false;    // nothing arrives any more, and nobody is told
  std::string lost_host;  // lost power: it answers with a reset once it is up again

  void wake(size_t side) const {
    if (end[side] == nullptr) return;
    end[side]->readable.notify_all();
    end[side]->writable.notify_all();
  }
  void tear() {
    reset = true;
    wake(0);
    wake(1);
  }
};

// Where a listener takes its connections.
struct Door {
  explicit Door(Scheduler& h) : home(h), arrived(h) {}
  Scheduler& home;
  Signal arrived;
  std::deque<std::unique_ptr<runtime::Stream>> waiting;
  bool closed = false;
};

}  // namespace network_detail

using network_detail::Connection;
using network_detail::Door;
using network_detail::End;
using network_detail::Pipe;

class SimNetwork::StreamEnd final : public runtime::Stream {
 public:
  StreamEnd(SimNetwork& network, std::shared_ptr<Connection> connection, size_t side, Scheduler& home)
      : network_(network), connection_(std::move(connection)), side_(side), end_(home) {
    connection_->end[side_] = &end_;
  }
  ~StreamEnd() override {
    close();
    connection_->end[side_] = nullptr;
  }
  StreamEnd(const StreamEnd&) = delete;
  StreamEnd& operator=(const StreamEnd&) = delete;

  Task<Result<size_t>> read_some(std::span<std::byte> buffer) override {
    Pipe& pipe = connection_->to[side_];
    for (;;) {
      if (closed_) co_return gone("closed here");
      if (connection_->reset) co_return gone("reset by peer");
      if (!pipe.readable.empty()) break;
      if (pipe.finished) co_return size_t{0};
      co_await end_.readable.wait();
    }
    // As much as a kernel might have at hand: any part of it.
    const size_t there = std::min(buffer.size(), pipe.readable.size());
    const size_t count = network_.random_.chance(0.8) ? there : 1 + network_.random_.below(there);
    std::copy_n(pipe.readable.begin(), count, buffer.begin());
    pipe.readable.erase(pipe.readable.begin(), pipe.readable.begin() + static_cast<ptrdiff_t>(count));
    network_.loop_.after(network_.delay(), [connection = connection_, peer = 1 - side_] {
      if (connection->end[peer] != nullptr) connection->end[peer]->writable.notify_all();
    });
    co_return count;
  }

  Task<Result<void>> write(std::span<const std::span<const std::byte>> parts) override {
    Pipe& pipe = connection_->to[1 - side_];
    for (std::span<const std::byte> part : parts) {
      while (!part.empty()) {
        if (closed_ || finished_) co_return gone("closed here");
        if (connection_->reset) co_return gone("reset by peer");
        const size_t taken = pipe.readable.size() + pipe.in_flight_bytes;
        if (taken >= kPipeBytes) {
          ++network_.counts_.backpressure;
          co_await end_.writable.wait();
          continue;
        }
        const size_t count = std::min({part.size(), kPipeBytes - taken, kMaxPiece});
        send(std::vector<std::byte>(part.begin(), part.begin() + static_cast<ptrdiff_t>(count)), false);
        part = part.subspan(count);
      }
    }
    co_return Result<void>();
  }

  void close() override {
    if (std::exchange(closed_, true)) return;
    end_.closed = true;
    connection_->wake(side_);
    finish_sending();
  }
  void finish_sending() {
    if (!finished_) send({}, true);
  }
  [[nodiscard]] Endpoint local() const override { return connection_->address[side_]; }
  [[nodiscard]] Endpoint remote() const override { return connection_->address[1 - side_]; }

 private:
  Unexpected gone(const char* how) const {
    return fail(Error::closed(fmt::format("connection from {}:{} to {}:{}: {}", local().host, local().port,
                                          remote().host, remote().port, how)));
  }

  void send(std::vector<std::byte> bytes, bool last) {
    finished_ = finished_ || last;
    if (connection_->reset) return;
    Pipe& pipe = connection_->to[1 - side_];
    if (network_.strikes(network_.faults.silences, network_.counts_.silenced)) connection_->silent = true;
    if (connection_->silent) {
      pipe.in_flight_bytes += bytes.size();
      const std::string& lost = connection_->lost_host;
      if (!lost.empty() && local().host != lost && network_.is_up(lost))
        network_.loop_.after(network_.delay(), [connection = connection_] { connection->tear(); });
      return;
    }
    const MonoTime now = network_.time_.mono();
    if (network_.strikes(network_.faults.stalls, network_.counts_.stalled)) {
      pipe.stalled_until = now + runtime::Duration(network_.random_.below(
                                     static_cast<uint64_t>(network_.faults.longest_stall.count())));
    }
    const bool reset = network_.strikes(network_.faults.resets, network_.counts_.reset);
    pipe.in_flight_bytes += bytes.size();
    pipe.in_flight.push_back({std::move(bytes), last});
    pipe.last_arrival = std::max({pipe.last_arrival, now + network_.delay(), pipe.stalled_until,
                                  network_.open_again(*connection_, 1 - side_)});
    network_.loop_.at(pipe.last_arrival,
                      [connection = connection_, to = 1 - side_, reset] { arrive(*connection, to, reset); });
  }

  static bool held_by_none(const Connection& connection, size_t side) {
    return connection.end[side] == nullptr || connection.end[side]->closed;
  }

  // The events of one pipe carry its pieces in order, whichever of two at one time runs first.
  static void arrive(Connection& connection, size_t to, bool reset) {
    if (connection.reset) return;
    // What a host sent before it lost power is on its way all the same.
    const std::string& lost = connection.lost_host;
    if (connection.silent && (lost.empty() || connection.address[to].host == lost)) return;
    Pipe& pipe = connection.to[to];
    Pipe::Piece piece = std::move(pipe.in_flight.front());
    pipe.in_flight.pop_front();
    pipe.in_flight_bytes -= piece.bytes.size();
    // Bytes for an end that nobody holds are answered with a reset, as TCP does.
    if (reset || (held_by_none(connection, to) && !piece.bytes.empty())) {
      connection.tear();
      return;
    }
    pipe.readable.insert(pipe.readable.end(), piece.bytes.begin(), piece.bytes.end());
    pipe.finished = pipe.finished || piece.last;
    if (connection.end[to] != nullptr) connection.end[to]->readable.notify_all();
  }

  SimNetwork& network_;
  const std::shared_ptr<Connection> connection_;
  const size_t side_;
  End end_;
  bool closed_ = false;
  bool finished_ = false;
};

class SimNetwork::DoorListener final : public runtime::Listener {
 public:
  DoorListener(Endpoint at, std::shared_ptr<Door> door) : at_(std::move(at)), door_(std::move(door)) {}
  ~DoorListener() override { close(); }
  DoorListener(const DoorListener&) = delete;
  DoorListener& operator=(const DoorListener&) = delete;

  Task<Result<std::unique_ptr<runtime::Stream>>> accept() override {
    const std::shared_ptr<Door> door = door_;
    while (door->waiting.empty() && !door->closed) co_await door->arrived.wait();
    if (door->closed) co_return fail(Error::closed("the listener is closed"));
    std::unique_ptr<runtime::Stream> stream = std::move(door->waiting.front());
    door->waiting.pop_front();
    co_return stream;
  }
  void close() override {
    door_->closed = true;
    door_->waiting.clear();
    door_->arrived.notify_all();
  }
  [[nodiscard]] Endpoint local() const override { return at_; }

 private:
  const Endpoint at_;
  const std::shared_ptr<Door> door_;
};

class SimNetwork::HostConnector final : public runtime::Connector {
 public:
  HostConnector(SimNetwork& network, std::string host, Scheduler& home)
      : network_(network), host_(std::move(host)), home_(home) {}

  Task<Result<std::unique_ptr<runtime::Stream>>> connect(Endpoint to, MonoTime deadline) override {
    MonoTime there = home_.mono() + network_.delay() + network_.delay();
    there = std::max({there, network_.cut_off_until(host_), network_.cut_off_until(to.host)});
    const MonoTime until = std::min(there, deadline);
    co_await runtime::sleep_until(home_, until);
    const std::string name = fmt::format("{}:{}", to.host, to.port);
    if (deadline < there) co_return fail(Error::timeout(fmt::format("no answer from {}", name)));
    std::vector<std::shared_ptr<Door>> open;
    if (const auto it = network_.doors_.find(to); it != network_.doors_.end()) {
      for (const auto& weak : it->second) {
        auto door = weak.lock();
        if (door && !door->closed && door->waiting.size() < kMaxBacklog) open.push_back(std::move(door));
      }
    }
    if (open.empty()) {
      ++network_.counts_.refused;
      co_return fail(Error::closed(fmt::format("{} refuses the connection", name)));
    }
    Door& door = *open[network_.random_.below(open.size())];
    auto connection = std::make_shared<Connection>();
    connection->address = {Endpoint{host_, network_.next_port_++}, to};
    if (network_.next_port_ == 0) network_.next_port_ = 20'000;
    std::erase_if(network_.connections_, [](const auto& weak) { return weak.expired(); });
    network_.connections_.push_back(connection);
    std::unique_ptr<runtime::Stream> mine = std::make_unique<StreamEnd>(network_, connection, 0, home_);
    door.waiting.push_back(std::make_unique<StreamEnd>(network_, connection, 1, door.home));
    door.arrived.notify_all();
    co_return mine;
  }

 private:
  SimNetwork& network_;
  const std::string host_;
  Scheduler& home_;
};

SimNetwork::SimNetwork(VirtualTime& time, uint64_t seed, FaultCounters& c)
    : time_(time),
      loop_(time),
      random_(seed),
      counts_{c.declare("network: stalled"),           c.declare("network: connection reset"),
              c.declare("network: connection silent"), c.declare("network: connection refused"),
              c.declare("network: host cut off"),      c.declare("network: host cut off one way"),
              c.declare("network: writer waited")} {}

SimNetwork::~SimNetwork() = default;

std::unique_ptr<runtime::Listener> SimNetwork::listen(Endpoint at, Scheduler& home) {
  if (at.port == 0) at.port = next_port_++;
  auto door = std::make_shared<Door>(home);
  auto& doors = doors_[at];
  std::erase_if(doors, [](const auto& weak) { return weak.expired(); });
  doors.push_back(door);
  return std::make_unique<DoorListener>(std::move(at), std::move(door));
}

std::unique_ptr<runtime::Connector> SimNetwork::connector(std::string host, Scheduler& home) {
  return std::make_unique<HostConnector>(*this, std::move(host), home);
}

runtime::Duration SimNetwork::delay() {
  return runtime::Duration(random_.between(faults.least_delay.count(), faults.most_delay.count()));
}

bool SimNetwork::strikes(double rate, uint64_t& counter) {
  if (rate <= 0 || !random_.chance(rate)) return false;
  ++counter;
  return true;
}

MonoTime SimNetwork::until(const CutOffs& cuts, const std::string& host) {
  const auto it = cuts.find(host);
  return it == cuts.end() ? MonoTime{} : it->second;
}

MonoTime SimNetwork::open_again(const Connection& connection, size_t to) const {
  return std::max(until(deaf_, connection.address[to].host), until(mute_, connection.address[1 - to].host));
}

MonoTime SimNetwork::cut_off_until(const std::string& host) const {
  return std::max(until(deaf_, host), until(mute_, host));
}

bool SimNetwork::is_up(const std::string& host) const {
  return std::any_of(doors_.begin(), doors_.end(), [&](const auto& entry) {
    return entry.first.host == host &&
           std::any_of(entry.second.begin(), entry.second.end(), [](const auto& weak) {
             const auto door = weak.lock();
             return door && !door->closed;
           });
  });
}

void SimNetwork::finish_sending(runtime::Stream& stream) {
  auto* end = dynamic_cast<StreamEnd*>(&stream);
  INVARIANT(end != nullptr, "not a stream of this network");
  end->finish_sending();
}

void SimNetwork::cut_off(const std::string& host, MonoTime until, Way way) {
  ++(way == Way::both ? counts_.cut_off : counts_.cut_off_one_way);
  const auto cut = [&](CutOffs& cuts) { cuts[host] = std::max(cuts[host], until); };
  if (way != Way::from_host) cut(deaf_);
  if (way != Way::to_host) cut(mute_);
}

void SimNetwork::power_lost(const std::string& host) {
  for (const auto& weak : connections_) {
    const auto connection = weak.lock();
    if (!connection || connection->reset) continue;
    if (connection->address[0].host != host && connection->address[1].host != host) continue;
    connection->silent = true;
    connection->lost_host = host;
  }
}

}  // namespace tidemark::simulation
