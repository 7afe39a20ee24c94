// A client of the node world: a host with one connection to the broker at a time, made with the project's own
// client core, over which it speaks the protocol message by message. It outlives the broker's processes; it
// knows which life it is connected to, or does not use the connection.
#pragma once

#include <memory>
#include <string>

#include "client/core/connection.h"
#include "tests/simulation/node_run.h"

namespace tidemark::simulation {

class NodeClient {
 public:
  NodeClient(NodeRun& run, const std::string& host);
  virtual ~NodeClient();
  NodeClient(const NodeClient&) = delete;
  NodeClient& operator=(const NodeClient&) = delete;

  // Does one operation after another until finish().
  void begin();
  void finish() { finishing_ = true; }
  [[nodiscard]] bool idle() const { return !running_; }

 protected:
  // One operation; called again and again.
  virtual runtime::Task<void> operate() = 0;

  // False: the broker is not there. After true, connection() serves life().
  runtime::Task<bool> connect();
  [[nodiscard]] const std::shared_ptr<client::Connection>& connection() const { return connection_; }
  [[nodiscard]] uint64_t life() const { return life_; }
  void disconnect() { connection_.reset(); }

  // Connects if need be, and asks. Nothing: there is no answer; reached() says whether the broker may have
  // done it all the same.
  template <class Response, class Request>
  runtime::Task<std::optional<client::Reply<Response>>> ask(const Request& request, int16_t version) {
    reached_ = false;
    auto connecting = connect();
    const bool connected = co_await connecting;
    if (!connected) co_return std::nullopt;
    const auto through = connection_;
    auto calling = through->template call<Request, Response>(request, version);
    auto reply = co_await calling;
    if (!reply) {
      reached_ = true;
      if (connection_ == through) disconnect();
      co_return std::nullopt;
    }
    co_return std::optional<client::Reply<Response>>(std::move(*reply));
  }
  [[nodiscard]] bool reached() const { return reached_; }

  runtime::Task<void> pause(runtime::Duration mean);
  [[nodiscard]] bool over() const { return finishing_ || run_.violation.has_value(); }
  [[nodiscard]] int64_t now_ms() { return runtime::unix_ms(loop_.clock().wall()); }

  // An answer that is under way when its process dies arrives all the same, and knows that one's disk.
  [[nodiscard]] bool storage_may_fail() const {
    return life_ != run_.life || run_.disk_may_fail || run_.disk_may_be_full || run_.stopping;
  }

  // A topic that is thought to be there, and now and then one that is gone; nullptr: none.
  TopicPtr some_topic(bool may_be_gone = false);
  // Whether an error that says so is right about a topic that had `version` when it was asked.
  bool excuses(const TopicModel& topic, PartitionId partition, uint64_t version, ErrorCode code);
  [[nodiscard]] uint64_t version_of(const TopicModel& topic) { return run_.cluster.name(topic.name).version; }

  template <class T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + run_.random.below(values.size()));
  }

  NodeRun& run_;
  VirtualScheduler loop_;
  runtime::TaskScope scope_;  // after loop_, so that it goes first

 private:
  runtime::Task<void> work();

  std::unique_ptr<runtime::Connector> connector_;
  std::shared_ptr<client::Connection> connection_;
  uint64_t life_ = 0;
  bool reached_ = false;
  bool finishing_ = false;
  bool running_ = false;
};

}  // namespace tidemark::simulation
