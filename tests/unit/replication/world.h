// A controller and its log in memory: what the shell does for a controller, without disk or waiting. Every
// decision is appended, applied and checked against what must hold for every image.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "protocol/runtime/random.h"
#include "replication/controller/controller.h"
#include "replication/controller/features.h"
#include "replication/controller/records.h"

// A REQUIRE that costs nothing while it holds: for what is checked millions of times.
#define MUST(...)                           \
  do {                                      \
    if (!(__VA_ARGS__)) FAIL(#__VA_ARGS__); \
  } while (false)

namespace tidemark::replication::testing {

struct LogEntry {
  LeaderEpoch term;
  RecordList records;            // empty: a LeaderChange record
  std::vector<std::byte> batch;  // the same as the log has it
};

// Throws (through Catch) where an image could not be true.
void check_image(const MetadataImage& image);

class World {
 public:
  explicit World(uint64_t seed = 1, config::Properties settings = {})
      : random_(seed), controller_("cluster", BrokerId(1), std::move(settings), random_) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] const MetadataImage& image() const { return *controller_.image(); }
  Controller& controller() { return controller_; }
  runtime::Random& random() { return random_; }
  [[nodiscard]] const std::vector<LogEntry>& log() const { return log_; }

  // A new term of node `leader`, with its first records.
  void start_term(BrokerId leader = BrokerId(1));
  // Registers a new life of the broker, unfenced, and returns its epoch.
  BrokerEpoch start_broker(BrokerId id = BrokerId(1), BrokerRegistration request = {});
  // Appends and applies; gives the response back.
  template <class Response>
  Response commit(Decision<Response> decision) {
    if (!decision.records.empty()) append(std::move(decision.records));
    return std::move(decision.response);
  }
  ImageDelta append(RecordList records);

  CreatedTopic create(const NewTopic& topic);
  DeletedTopic remove(const std::string& name);
  GrownTopic grow(const std::string& topic, int32_t count);
  ApiError alter_topic(const std::string& topic, const std::string& key, std::optional<std::string> value);

  // The log's bytes.
  [[nodiscard]] std::vector<std::byte> bytes() const;
  // The image that they alone give, fed in pieces of `batches_at_once` batches.
  [[nodiscard]] std::shared_ptr<const MetadataImage> replay(size_t batches_at_once = SIZE_MAX) const;
  // The log's records as JSON, one a line.
  [[nodiscard]] std::string transcript() const;

 private:
  runtime::SeededRandom random_;
  Controller controller_;
  LeaderEpoch term_{0};
  std::vector<LogEntry> log_;
};

// A term and a broker: what a cluster of one is after its start.
struct ClusterOfOne : World {
  explicit ClusterOfOne(uint64_t seed = 1, config::Properties settings = {})
      : World(seed, std::move(settings)) {
    start_term();
    start_broker();
  }
};

// What this broker would say of itself.
BrokerRegistration registration_of(BrokerId id, const Uuid& incarnation);

}  // namespace tidemark::replication::testing
