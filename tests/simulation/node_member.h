// A client of the node world that belongs to groups: it joins, is assigned partitions and assigns them, shows
// that it lives, commits and asks what is committed, deletes offsets and groups; and it forgets to leave,
// sleeps for too long, comes back with old ids and generations, and commits where it has no right to. In some
// seeds it is a static member (KIP-345): then whoever it was before its last restart goes on beside it.
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

  // The world is healed: it commits, and goes on until its group has settled.
  runtime::Task<void> insist();

 private:
  runtime::Task<void> operate() override;
  // False: not yet.
  runtime::Task<bool> find_coordinator();
  runtime::Task<void> join();
  runtime::Task<void> sync(std::vector<std::string> members);
  runtime::Task<void> heartbeat();
  runtime::Task<void> leave();
  // Whether the broker names just those as members of the group, in no rebalance.
  runtime::Task<bool> is_described_as_settled();

  // node_member_offsets.cc
  runtime::Task<bool> commit(bool as_member);
  runtime::Task<void> fetch();
  runtime::Task<void> delete_offset();
  runtime::Task<void> delete_group();

  // node_member_zombie.cc: as what it was before its restart, which its instance's name has passed from
  runtime::Task<void> haunt();
  void take_haunting(const char* what, ErrorCode error);

  void forget();
  // An answer that only a member in the log's generation hears, to what was asked at `sent`; `is_renewed`:
  // and that renews its session, while no rebalance is under way which it may have missed to join.
  void heard(runtime::MonoTime sent, bool is_renewed);
  // Its time is not up: also who was heard of just before a crash is a member for as long once more.
  [[nodiscard]] bool must_be_known() const;
  // The instance's name may have passed from it, to an answer that never came.
  [[nodiscard]] bool may_be_replaced() const { return !is_in_log_ || asked_to_replace_in_ >= given_in_; }
  // What an error says of its own membership. A violation where nothing excuses it.
  void take(const char* what, ErrorCode error);
  [[nodiscard]] int16_t version(int16_t least, int16_t least_of_static, int16_t most);
  [[nodiscard]] std::optional<std::string_view> instance() const {
    return instance_.empty() ? std::nullopt : std::optional<std::string_view>(instance_);
  }

  std::string host_;
  std::string group_;
  std::string instance_;  // empty: it is a dynamic member
  std::string member_;    // empty: none
  int32_t generation_ = -1;
  std::vector<int32_t> partitions_;
  bool assigned_ = false;
  bool is_zombie_ = false;
  bool is_in_log_ = false;            // its id: it was synced
  uint64_t given_in_ = 0;             // the life that gave it its id
  uint64_t asked_to_replace_in_ = 0;  // the last life that was asked for another id without an answer
  uint64_t loaded_in_ = 0;            // the last life whose coordinator is known to have loaded the group
  uint64_t incarnation_ = 0;          // of the group, when it joined
  runtime::Duration patience_{};      // that the group has with it, at least
  // Its last sign of life of which the answer told that it counts, and to whom.
  std::optional<std::pair<runtime::MonoTime, uint64_t>> heard_;
  bool may_have_left_ = false;  // with this id
  std::string old_member_;
  int32_t old_generation_ = -1;
  bool found_ = false;
  bool insists_ = false;
};

}  // namespace tidemark::simulation
