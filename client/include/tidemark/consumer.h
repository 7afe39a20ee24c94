// Reads partitions that it is assigned, from where its caller says; positions are the caller's to keep (a
// group keeps them for a GroupConsumer). Fetches ahead while the caller works. One thread at a time.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "tidemark/client.h"
#include "tidemark/record.h"

namespace tidemark_client {

// Where reading begins.
class Start {
 public:
  static Start earliest() { return {Kind::earliest, 0}; }
  static Start latest() { return {Kind::latest, 0}; }
  // With the leader epoch of the record before it, a log that was truncated since then is noticed.
  static Start at(int64_t offset, int32_t leader_epoch = -1) { return {Kind::offset, offset, leader_epoch}; }
  // The first record that is not older; the end where all are.
  static Start at_time(int64_t ms_since_epoch) { return {Kind::time, ms_since_epoch}; }

  enum class Kind { earliest, latest, offset, time };
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] int64_t number() const { return number_; }
  [[nodiscard]] int32_t leader_epoch() const { return leader_epoch_; }

 private:
  Start(Kind kind, int64_t number, int32_t leader_epoch = -1)
      : kind_(kind), number_(number), leader_epoch_(leader_epoch) {}
  Kind kind_;
  int64_t number_;
  int32_t leader_epoch_;
};

// Records that were read are not in the log any more: an unclean election, or a disk that was lost.
struct Truncation {
  std::string topic;
  int32_t partition = -1;
  int64_t position = -1;      // up to which it was read, ...
  int32_t leader_epoch = -1;  // ... and the epoch of the last record below
  // Where the log goes on otherwise; none if the leader cannot say.
  std::optional<int64_t> diverged{};
};

class Consumer {
 public:
  // Called out of poll(), before it returns what comes after the truncation.
  using OnTruncation = std::function<void(const Truncation&)>;
  explicit Consumer(const Client& client, OnTruncation on_truncation = {});
  // Ends what brokers keep of it; waits for their answers as long as they may hold a fetch
  // (fetch.max.wait.ms).
  ~Consumer();
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;

  // Reads the partition from there on; again, if it is assigned already.
  void assign(const std::string& topic, int32_t partition, Start start);
  void unassign(const std::string& topic, int32_t partition);

  // Up to `at_most` next records, each partition's in order; fewer as soon as there are some, none if none
  // came in time. An error names its partition, comes once, and then it is tried again: OFFSET_OUT_OF_RANGE
  // unless auto.offset.reset says how to go on. A truncated log is read on from where it diverged, or is
  // OFFSET_OUT_OF_RANGE too until it is assigned anew. Leaders that move and connections that break are no
  // errors.
  Answer<std::vector<Record>> poll(std::chrono::milliseconds timeout, size_t at_most = 500);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark_client
