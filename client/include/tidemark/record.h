// A record as an application has it: owned strings, bytes of any kind. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidemark_client {

struct Header {
  std::string key;
  std::optional<std::string> value{};
  bool operator==(const Header&) const = default;
};

struct Record {
  std::string topic;
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::vector<Header> headers{};
  // Sent: none is the partitioner's choice (by key, else in turns), and now. Received: always there.
  std::optional<int32_t> partition{};
  std::optional<int64_t> timestamp_ms{};  // since the Unix epoch
  // Received: its place in the partition. Sent: not looked at.
  int64_t offset = -1;
  // Received: the leader epoch that it was written under; -1 if the broker does not say. Sent: not looked at.
  int32_t leader_epoch = -1;
};

}  // namespace tidemark_client
