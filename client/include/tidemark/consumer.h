// Reads partitions that it is assigned, from where its caller says; positions are the caller's to keep
// (consumer groups come with a later release). Fetches ahead while the caller works. One thread at a time.
#pragma once

#include <chrono>

#include "tidemark/client.h"
#include "tidemark/record.h"

namespace tidemark_client {

// Where reading begins.
class Start {
 public:
  static Start earliest() { return {Kind::earliest, 0}; }
  static Start latest() { return {Kind::latest, 0}; }
  static Start at(int64_t offset) { return {Kind::offset, offset}; }
  // The first record that is not older; the end where all are.
  static Start at_time(int64_t ms_since_epoch) { return {Kind::time, ms_since_epoch}; }

  enum class Kind { earliest, latest, offset, time };
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] int64_t number() const { return number_; }

 private:
  Start(Kind kind, int64_t number) : kind_(kind), number_(number) {}
  Kind kind_;
  int64_t number_;
};

class Consumer {
 public:
  explicit Consumer(const Client& client);
  ~Consumer();
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;

  // Reads the partition from there on; again, if it is assigned already.
  void assign(const std::string& topic, int32_t partition, Start start);
  void unassign(const std::string& topic, int32_t partition);

  // Up to `at_most` next records, each partition's in order; fewer as soon as there are some, none if none
  // came in time. An error names its partition, comes once, and then it is tried again: OFFSET_OUT_OF_RANGE
  // unless auto.offset.reset says how to go on. Leaders that move and connections that break are no errors.
  Answer<std::vector<Record>> poll(std::chrono::milliseconds timeout, size_t at_most = 500);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark_client
