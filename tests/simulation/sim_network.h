// The Stream, Listener and Connector seams in memory. A connection is two pipes with a bounded buffer each;
// bytes arrive in order, in pieces, after drawn delays. Faults: a pipe that stalls half-way through whatever
// it carries, a connection reset, one that goes silent, a host that is cut off for a while, or one way only.
// The network outlives the processes; their ends go with them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/runtime/stream.h"
#include "tests/simulation/fault_counters.h"
#include "tests/simulation/virtual_time.h"

namespace tidemark::simulation {

struct NetworkFaults {
  runtime::Duration least_delay = std::chrono::microseconds(20);
  runtime::Duration most_delay = std::chrono::microseconds(400);
  double stalls = 0;  // per piece sent: the pipe stops for up to longest_stall
  runtime::Duration longest_stall = std::chrono::seconds(5);
  double resets = 0;    // per piece sent
  double silences = 0;  // per piece sent: the connection dies without a word
};

namespace network_detail {
struct Connection;
struct Door;
}  // namespace network_detail

class SimNetwork {
 public:
  static constexpr size_t kPipeBytes = 32 << 10;
  static constexpr size_t kMaxPiece = 4 << 10;
  static constexpr size_t kMaxBacklog = 128;  // connections that nobody has accepted yet, per listener

  SimNetwork(VirtualTime& time, uint64_t seed, FaultCounters& counters);
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  NetworkFaults faults;

  // Several listeners may share an address, one per loop; each connection goes to one of them, drawn. Port 0
  // takes a free one. Error: never; a host is whatever the caller says.
  std::unique_ptr<runtime::Listener> listen(runtime::Endpoint at, runtime::Scheduler& home);
  std::unique_ptr<runtime::Connector> connector(std::string host, runtime::Scheduler& home);

  // Half-close: the peer reads to the end, and may go on sending. REQUIRES: a stream of this network.
  static void finish_sending(runtime::Stream& stream);
  // Nothing that goes this way arrives before `until`, and no connection is made.
  enum class Way : uint8_t { both, to_host, from_host };
  void cut_off(const std::string& host, runtime::MonoTime until, Way way = Way::both);
  // The host lost power: its connections end without a word, and the peers hear of it when they next send to
  // it while it is up again, or never. Call it before the process's streams are destroyed.
  void power_lost(const std::string& host);

 private:
  friend struct network_detail::Connection;
  class StreamEnd;
  class DoorListener;
  class HostConnector;

  runtime::Duration delay();
  bool strikes(double rate, uint64_t& counter);
  [[nodiscard]] runtime::MonoTime cut_off_until(const std::string& host) const;  // either way
  [[nodiscard]] bool is_up(const std::string& host) const;
  [[nodiscard]] runtime::MonoTime open_again(const network_detail::Connection& connection, size_t to) const;

  VirtualTime& time_;
  VirtualScheduler loop_;
  runtime::SeededRandom random_;
  std::map<runtime::Endpoint, std::vector<std::weak_ptr<network_detail::Door>>> doors_;
  using CutOffs = std::map<std::string, runtime::MonoTime>;
  static runtime::MonoTime until(const CutOffs& cuts, const std::string& host);
  CutOffs deaf_, mute_;  // until when nothing arrives at a host, or from it
  std::vector<std::weak_ptr<network_detail::Connection>> connections_;
  uint16_t next_port_ = 20'000;

  struct Counts {
    uint64_t& stalled;
    uint64_t& reset;
    uint64_t& silenced;
    uint64_t& refused;
    uint64_t& cut_off;
    uint64_t& cut_off_one_way;
    uint64_t& backpressure;
  };
  Counts counts_;
};

}  // namespace tidemark::simulation
