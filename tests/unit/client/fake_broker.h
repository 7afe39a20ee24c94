// A broker that fits on a page, on the simulated network: one node, one log a partition, duplicates found by
// sequence. It answers in order, as brokers do, and can be told to misbehave.
#pragma once

#include <map>

#include "protocol/runtime/stream.h"
#include "tests/simulation/sim_network.h"

namespace tidemark::client::testing {

class FakeBroker {
 public:
  FakeBroker(simulation::SimNetwork& network, simulation::VirtualScheduler& loop, int32_t partitions);

  // What a partition holds, in order.
  struct Record {
    std::string key;
    std::string value;
  };
  [[nodiscard]] std::vector<Record> records(int32_t partition) const;

  // Behaviour.
  int16_t newest_api_versions = 4;      // older: our first question is refused, in version 0
  int answers_not_leader = 0;           // so many produce requests are refused for want of leadership
  int drops_answers = 0;                // so many produce requests are carried out, and the connection cut
  std::map<int16_t, int> requests;      // by API key, as they came
  std::map<int16_t, int16_t> versions;  // the last version of each

 private:
  struct Log {
    std::vector<std::byte> bytes;
    int64_t end = 0;
    std::map<int64_t, std::pair<int16_t, int32_t>> last;  // producer id to epoch and last sequence
  };
  runtime::Task<void> accept_all();
  runtime::Task<void> serve(std::unique_ptr<runtime::Stream> stream);
  runtime::Task<bool> fill(runtime::Stream& stream, std::span<std::byte> out);
  // The answer's frame; empty: none, and the connection ends.
  std::vector<std::byte> answer(std::span<const std::byte> frame);
  ErrorCode append(Log& log, std::span<const std::byte> records, int64_t& base);

  std::unique_ptr<runtime::Listener> listener_;
  std::map<int32_t, Log> logs_;
  runtime::TaskScope scope_;
};

}  // namespace tidemark::client::testing
