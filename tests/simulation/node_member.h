// A client of the node world that belongs to groups: it joins, is assigned partitions and assigns them, shows
// that it lives, commits and asks what is committed; and it forgets to leave, sleeps for too long, comes back
// with old ids and generations, and commits where it has no right to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/node_client.h"

namespace tidemark::simulation {

// The topic that members commit for: made by whoever comes first, never deleted.
inline constexpr const char* kGroupsTopic = "read-by-groups";
inline constexpr int32_t kGroupsPartitions = 3;

class NodeMember final : public NodeClient {
 public:
  NodeMember(NodeRun& run, const std::string& host);

  // The world is healed: it comes into a generation of its group, and commits.
  runtime::Task<void> insist();

 private:
  runtime::Task<void> operate() override;
  // False: not yet.
  runtime::Task<bool> find_coordinator();
  runtime::Task<void> join();
  runtime::Task<void> sync(std::vector<std::string> members);
  runtime::Task<void> heartbeat();
  runtime::Task<void> leave();
  runtime::Task<bool> commit(bool as_member);
  runtime::Task<void> fetch();
  void forget();
  // An answer that only a member in the log's generation hears, to what was asked at `sent`; `is_stable`: and
  // only while no rebalance is under way, which it may have missed to join.
  void heard(runtime::MonoTime sent, bool is_stable);
  // Whoever was heard of just before a crash is a member until its time has passed once more.
  void judge_unknown(const char* what);
  // What an error says of its own membership. A violation where nothing excuses it.
  void take(const char* what, ErrorCode error);

  std::string group_;
  std::string member_;  // empty: none
  int32_t generation_ = -1;
  bool assigned_ = false;
  bool is_zombie_ = false;
  uint64_t incarnation_ = 0;      // of the group, when it joined
  runtime::Duration patience_{};  // that the group has with it, at least
  // Its last sign of life of which the answer told that it counts, and to whom.
  std::optional<std::pair<runtime::MonoTime, uint64_t>> heard_;
  std::string old_member_;
  int32_t old_generation_ = -1;
  bool found_ = false;
  bool insists_ = false;
};

}  // namespace tidemark::simulation
