// The coordinator against every short history of three members: joins, syncs, commits, restarts, silence,
// failovers, and a log that refuses or loses a decision, in every order. After each step the log replays to
// the same image (World), and what the Witness knows holds: generations only grow, each has one owner, no
// commit of a fenced member or an old generation takes effect. In the end everybody parked is answered, and
// left in peace the group settles.
#include <catch2/catch.hpp>
#include <vector>

#include "agent.h"

namespace tidemark::coordinator::testing {

namespace {

constexpr int kOperations = 10;

struct History {
  World world;
  Witness witness;
  std::vector<Agent> agents = {{"alice", false}, {"bob", false}, {"sid", true}};

  explicit History(const GroupSettings& settings) : world(settings) {}

  void run(int operation) {
    switch (operation) {
      case 0:
      case 1:
      case 2: agents[static_cast<size_t>(operation)].step(world, witness); break;
      case 3: agents[2].restart(); break;
      case 4: agents[0].leave(world); break;
      case 5: agents[0].restart(); break;
      case 6: world.pass_to_next_deadline(); break;
      case 7: world.fail_over(); break;
      case 8: world.set_fate(Fate::refused); break;
      case 9: world.set_fate(Fate::lost_with_the_leader); break;
      default: FAIL("no such operation");
    }
    witness.check_log(world);
    if (operation != 8 && operation != 9) probe();
  }

  // Commits that have been on their way for long arrive now; not in this history, where they would keep
  // alive who sent them.
  void probe() const {
    std::optional<World> elsewhere;
    for (const Agent& agent : agents) {
      for (const Identity& past : agent.past()) {
        if (!elsewhere) elsewhere.emplace(world);
        Agent::commit_as(*elsewhere, witness, past);
      }
    }
  }

  // Everybody who waits gets an answer, with nobody doing anything.
  void drain() {
    for (int deadlines = 0; world.parked() > 0; ++deadlines) {
      MUST(deadlines < 30);
      MUST(world.pass_to_next_deadline());
    }
    witness.check_log(world);
  }

  void settle() {
    for (int round = 0; round < 25; ++round) {
      for (Agent& agent : agents) agent.step(world, witness);
      world.pass_ms(1'000);
    }
    for (const Agent& agent : agents) {
      MUST(agent.is_member());
      MUST(world.group("g").member(agent.id()) != nullptr);
    }
    MUST(world.group("g").state == GroupState::stable);
    witness.check_log(world);
  }
};

GroupSettings model_settings() {
  GroupSettings settings;
  settings.group_initial_rebalance_delay_ms = 0;
  return settings;
}

class Exploration {
 public:
  explicit Exploration(int length) : length_(length) {}

  void explore(const History& before, int depth = 0) {
    if (depth == length_) return end(before);
    for (int operation = 0; operation < kOperations; ++operation) {
      path_[static_cast<size_t>(depth)] = operation;
      History after = before;
      after.run(operation);
      explore(after, depth + 1);
    }
  }
  [[nodiscard]] int histories() const { return histories_; }

 private:
  void end(const History& history) {
    ++histories_;
    History rest = history;
    rest.drain();
    // Settling takes as long as some hundred steps.
    if (histories_ % 97 == 0) {
      History peace = history;
      peace.settle();
    }
  }

  int length_;
  int histories_ = 0;
  std::array<int, 8> path_{};
};

// The prefixes from which histories start, as operations.
History after(const std::vector<int>& operations) {
  History history(model_settings());
  for (const int operation : operations) history.run(operation);
  return history;
}

#ifdef __SANITIZE_ADDRESS__
constexpr int kLength = 4;  // an instrumented build takes a minute for five
#else
constexpr int kLength = 5;
#endif

}  // namespace

TEST_CASE("every history of a new group keeps the group's promises") {
  Exploration exploration(kLength);
  exploration.explore(after({}));
  CHECK(exploration.histories() > 0);
}

TEST_CASE("every history from a stable group of a dynamic and a static member keeps the group's promises") {
  History start = after({0, 0, 2, 6, 0, 0, 2, 2, 0, 2});
  start.settle();
  Exploration exploration(kLength - 1);
  exploration.explore(start);
  CHECK(exploration.histories() > 0);
}

TEST_CASE("every history from the middle of a rebalance keeps the group's promises") {
  History start = after({});
  start.settle();
  start.run(5);  // alice starts anew, and asks for an id
  start.run(0);
  start.run(0);
  REQUIRE(start.world.group("g").state == GroupState::preparing_rebalance);
  Exploration(kLength - 1).explore(start);
  start.run(1);  // bob and sid hear of it, and join
  start.run(1);
  start.run(2);
  start.run(2);
  start.run(6);
  REQUIRE(start.world.group("g").state == GroupState::completing_rebalance);
  Exploration(kLength - 1).explore(start);
}

}  // namespace tidemark::coordinator::testing
