// Reads topics as a member of a consumer group (group.id among the client's settings): the group says which
// partitions, and remembers how far each was read. One thread at a time; heartbeats go on while it works, for
// at most max.poll.interval.ms from poll() to poll().
//
// What poll() has returned counts as read with the next call. With enable.auto.commit (true by default) what
// was read is committed every auto.commit.interval.ms, before partitions are given up, and at close().
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tidemark/client.h"
#include "tidemark/consumer.h"
#include "tidemark/record.h"

namespace tidemark_client {

using PartitionPlace = std::pair<std::string, int32_t>;      // topic, partition
using PartitionOffsets = std::map<PartitionPlace, int64_t>;  // of the next record to be read

// Called out of poll(). They may call commit() and seek(), and not poll().
struct RebalanceListener {
  std::function<void(const std::vector<PartitionPlace>&)> on_assigned = {};
  // These go to others once the call has returned.
  std::function<void(const std::vector<PartitionPlace>&)> on_revoked = {};
  // These may be read by others already: a commit would be refused. Without it on_revoked is called.
  std::function<void(const std::vector<PartitionPlace>&)> on_lost = {};
};

class GroupConsumer {
 public:
  // Joins with the first poll(). Where nothing is committed reading begins as auto.offset.reset says.
  // REQUIRES: group.id.
  GroupConsumer(const Client& client, std::vector<std::string> topics, RebalanceListener listener = {});
  // close(), for at most five seconds.
  ~GroupConsumer();
  GroupConsumer(GroupConsumer&&) noexcept;
  GroupConsumer& operator=(GroupConsumer&&) noexcept;

  // Up to `at_most` next records, each partition's in order; fewer as soon as there are some, none if none
  // came in time. Errors as in Consumer::poll(); OFFSET_OUT_OF_RANGE also where nothing is committed and
  // auto.offset.reset is none: seek() says where to begin. FENCED_INSTANCE_ID, GROUP_AUTHORIZATION_FAILED,
  // INVALID_GROUP_ID and the like are the end: they come again.
  Answer<std::vector<Record>> poll(std::chrono::milliseconds timeout, size_t at_most = 500);

  // Of all that was returned so far; or of these. UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION: the group has gone
  // on without this member. REBALANCE_IN_PROGRESS: try again after poll().
  Status commit();
  Status commit(const PartitionOffsets& offsets);
  // REQUIRES: an assigned partition; else nothing happens.
  void seek(const std::string& topic, int32_t partition, Start start);
  [[nodiscard]] std::vector<PartitionPlace> assignment() const;

  // Commits with enable.auto.commit, and leaves the group, unless group.instance.id makes this a static
  // member. Nothing may be polled after.
  void close(std::chrono::milliseconds timeout);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark_client
