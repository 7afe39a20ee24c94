// A broker that fits on a page, on the simulated network: one node, one log a partition, duplicates found by
// sequence. It answers in order, as brokers do, and can be told to misbehave.
#pragma once

#include <functional>
#include <map>

#include "protocol/frame.h"
#include "protocol/runtime/stream.h"
#include "tests/simulation/sim_network.h"

namespace tidemark::client::testing {

template <class Response>
std::vector<std::byte> frame_of(int32_t correlation_id, const Response& response, int16_t version) {
  auto encoded = protocol::encode_response_frame(correlation_id, response, version);
  INVARIANT(encoded.has_value(), "{}", encoded.error().to_string());
  return encoded->flatten();
}

class FakeBroker {
 public:
  FakeBroker(simulation::SimNetwork& network, simulation::VirtualScheduler& loop, int32_t partitions);

  // What a partition holds, in order.
  struct Record {
    std::string key;
    std::string value;
  };
  [[nodiscard]] std::vector<Record> records(int32_t partition) const;
  // Fetches of records below are out of range.
  void trim(int32_t partition, int64_t before) { logs_[partition].start = before; }
  void add_partition() { logs_[static_cast<int32_t>(logs_.size())]; }
  void forget_sessions() { sessions_.clear(); }
  [[nodiscard]] size_t open_sessions() const { return sessions_.size(); }
  // From here on a newer epoch, which begins at the partition's end or, if that is lower, at `end`: what lies
  // behind is cut off.
  void begin_epoch(int32_t partition, int64_t end = INT64_MAX);

  // Behaviour.
  int16_t newest_api_versions = 4;  // older: our first question is refused, in version 0
  int answers_not_leader = 0;       // so many produce requests are refused for want of leadership
  bool keeps_sessions = true;       // of fetches; forgetting one is forget_sessions()
  int refuses_fetches = 0;          // so many fetches are refused for want of leadership
  int unknown_epochs = 0;           // so many requests that name their epoch are told that it is too new
  int16_t newest_epoch_ends = 4;    // OffsetForLeaderEpoch's last version; -1: none is served
  std::string topic_name = "tide";  // as metadata has it
  std::map<int32_t, ErrorCode> end_errors;  // partitions that ListOffsets refuses
  int drops_answers = 0;  // so many produce requests are carried out, and the connection cut
  // APIs beyond those of a log: their versions, and what answers them (the answer's frame; empty: none, and
  // the connection ends).
  std::map<protocol::ApiKey, protocol::VersionRange> more_apis;
  std::function<std::vector<std::byte>(const protocol::RequestHeader&, protocol::Decoder&)> answer_more;
  std::map<int16_t, int> requests;        // by API key, as they came
  std::map<int16_t, int16_t> versions;    // the last version of each
  bool last_metadata_may_create = false;  // whether the last Metadata request asks for missing topics
  std::vector<size_t> fetched;            // partitions that each fetch request named

 private:
  struct Log {
    std::vector<std::byte> bytes;
    int64_t start = 0;
    int64_t end = 0;
    std::map<int32_t, int64_t> epochs{{0, 0}};  // to where each begins
    [[nodiscard]] int32_t epoch() const { return epochs.rbegin()->first; }
    std::map<int64_t, std::pair<int16_t, int32_t>> last;  // producer id to epoch and last sequence
  };
  runtime::Task<void> accept_all();
  runtime::Task<void> serve(std::unique_ptr<runtime::Stream> stream);
  runtime::Task<bool> fill(runtime::Stream& stream, std::span<std::byte> out);
  // The answer's frame; empty: none, and the connection ends.
  std::vector<std::byte> answer(std::span<const std::byte> frame);
  // What is wrong with the epoch that a request was sent under, if anything.
  ErrorCode judge_epoch(const Log& log, int32_t epoch);
  std::vector<std::byte> answer_ends(protocol::Decoder& in, int16_t version, int32_t id);
  std::vector<std::byte> answer_fetch(protocol::Decoder& in, int16_t version, int32_t id);
  ErrorCode append(Log& log, std::span<const std::byte> records, int64_t& base);

  std::unique_ptr<runtime::Listener> listener_;
  std::map<int32_t, Log> logs_;
  struct Session {
    int32_t epoch = 0;
    struct Wish {
      int64_t offset = 0;
      int32_t leader_epoch = -1;
    };
    std::map<int32_t, Wish> wishes;  // by partition
  };
  std::map<int32_t, Session> sessions_;
  int32_t last_session_ = 0;
  runtime::TaskScope scope_;
};

}  // namespace tidemark::client::testing
