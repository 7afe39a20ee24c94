// A member as a client library plays it, one step at a time, and what anybody outside can see of a group:
// the half of the model test that knows nothing of the coordinator's insides.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "world.h"

namespace tidemark::coordinator::testing {

// Who somebody was in a generation: enough to commit with.
struct Identity {
  std::string member;
  std::optional<std::string> instance;
  int32_t generation = -1;
};

// What is true of a group whoever watches: checked against the log and the replies alone.
class Witness {
 public:
  // A SyncGroup has been answered: each generation has one owner. (That the log says so is World's check.)
  void assigned(const Identity& who, const std::string& client, const Bytes& assignment);
  // A commit has been answered. Accepted: no later generation is recorded, nobody else has the identity, and
  // no assignment is being made. Refused: a static member whose name has passed on is told so.
  void committed(const World& world, const Identity& who, ErrorCode error) const;
  // Records never take a generation back, and give out each only once.
  void check_log(const World& world);

 private:
  std::map<int32_t, std::string> owners_;
  size_t checked_ = 0;
  std::optional<GroupMetadata> last_;
};

class Agent {
 public:
  Agent(std::string client, bool is_static) : client_(std::move(client)) {
    if (is_static) instance_ = client_;
  }

  // Reads the reply that it waits for, if it is there, and does what comes next: joins, syncs, commits and
  // heartbeats; or asks again, if it still waits.
  void step(World& world, Witness& witness);
  void leave(World& world);
  // Forgets all but its instance's name.
  void restart();
  // What somebody was tries to commit: it may be refused.
  static void commit_as(World& world, const Witness& witness, const Identity& who);
  // What it was in earlier generations: commits of that time may still be on their way.
  [[nodiscard]] const std::vector<Identity>& past() const { return past_; }

  [[nodiscard]] bool is_member() const { return phase_ == Phase::member; }
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  enum class Phase { out, joining, joined, syncing, member };

  void read_reply(const World& world, Witness& witness);
  void read(const JoinReply& reply);
  void read(const SyncReply& reply, Witness& witness);
  void become(std::string id, int32_t generation);
  void fall_out(ErrorCode error);
  void send_join(World& world);
  void send_sync(World& world);
  void work(World& world, Witness& witness);

  std::string client_;
  std::optional<std::string> instance_;
  std::string id_;
  int32_t generation_ = -1;
  Phase phase_ = Phase::out;
  bool skip_assignment_ = false;
  std::vector<std::string> members_;  // if it leads
  std::optional<RequestToken> token_;
  std::vector<Identity> past_;
};

}  // namespace tidemark::coordinator::testing
