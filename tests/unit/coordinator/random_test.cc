// Long random histories of several groups: members of all kinds, simple consumers, tools, deleted topics,
// expiry, failovers and a log that refuses. What World checks after each call (replays, nobody forgotten) is
// what is tested; what the replies say is the model's business.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <functional>

#include "members.h"

namespace tidemark::coordinator::testing {

namespace {

class Chaos {
 public:
  explicit Chaos(uint64_t seed) : random_(seed), world_(settings(), seed) {}

  void run(int steps) {
    const std::vector<std::function<void()>> operations = {
        [&] { join(); },
        [&] { join(); },
        [&] { join(); },
        [&] { sync(); },
        [&] { sync(); },
        [&] { commit(); },
        [&] { leave(); },
        [&] { inspect(); },
        [&] { world_.pass_ms(random_.between(0, 8'000)); },
        [&] { world_.pass_to_next_deadline(); },
        [&] { beat(); },
        [&] { rare(); },
    };
    for (int step = 0; step < steps; ++step) operations[random_.below(operations.size())]();
    for (int deadlines = 0; world_.parked() > 0; ++deadlines) {
      MUST(deadlines < 200);
      MUST(world_.pass_to_next_deadline());
    }
  }
  [[nodiscard]] size_t records() const { return world_.log().size(); }

 private:
  static GroupSettings settings() {
    GroupSettings settings;
    settings.group_initial_rebalance_delay_ms = 500;
    settings.group_max_size = 4;
    settings.offsets_retention_ms = 40'000;
    settings.offsets_retention_check_interval_ms = 15'000;
    settings.max_record_bytes = 600;
    return settings;
  }

  std::string group() { return fmt::format("g{}", random_.below(3)); }
  std::string topic() { return random_.chance(0.5) ? "orders" : "users"; }
  // A member of the group, somebody whose id is pending, or nobody.
  std::string member(const std::string& id) {
    const auto found = world_.coordinator().groups().find(id);
    if (found == world_.coordinator().groups().end() || random_.chance(0.05)) return "nobody";
    const Group& running = found->second;
    std::vector<std::string> ids;
    for (const auto& [member_id, m] : running.members()) ids.push_back(member_id);
    for (const auto& [member_id, deadline] : running.pending) ids.push_back(member_id);
    return ids.empty() ? "nobody" : ids[random_.below(ids.size())];
  }
  int32_t generation(const std::string& id) {
    const auto found = world_.coordinator().groups().find(id);
    const int32_t now = found != world_.coordinator().groups().end() ? found->second.generation : 0;
    return random_.chance(0.1) ? now - 1 : now;
  }
  std::optional<std::string> instance(const std::string& id, const std::string& of) {
    const auto found = world_.coordinator().groups().find(id);
    if (found == world_.coordinator().groups().end()) return std::nullopt;
    const Member* known = found->second.member(of);
    return known != nullptr ? known->instance : std::nullopt;
  }

  void join() {
    JoinRequest request = join_request("c", "", {topic()});
    request.group = group();
    request.protocols.push_back({"sticky", subscription({topic()})});
    if (random_.chance(0.3)) std::swap(request.protocols[0], request.protocols[1]);
    if (random_.chance(0.1)) request.protocols.pop_back();
    if (random_.chance(0.03)) request.protocol_type = "connect";
    if (random_.chance(0.05)) request.protocols[0].metadata = bytes("unreadable");
    request.rebalance_timeout_ms = static_cast<int32_t>(random_.between(5'000, 20'000));
    request.member_id_required = random_.chance(0.7);
    request.can_skip_assignment = random_.chance(0.5);
    if (random_.chance(0.6)) {
      request.member = member(request.group);
      request.instance = instance(request.group, request.member);
    }
    if (random_.chance(0.25)) request.instance = fmt::format("i{}", random_.below(2));
    if (request.instance && random_.chance(0.5)) request.member.clear();
    world_.send(request);
  }
  void sync() {
    const std::string id = group();
    SyncRequest request = sync_request(member(id), generation(id));
    request.group = id;
    request.instance = instance(id, request.member);
    const size_t size = random_.chance(0.1) ? 400 : 10;
    request.assignments = {{member(id), Bytes(size)}, {member(id), bytes("x")}, {"nobody", bytes("y")}};
    world_.send(request);
  }
  void beat() {
    const std::string id = group();
    HeartbeatRequest request = heartbeat_request(member(id), generation(id));
    request.group = id;
    world_.send(request);
  }
  void commit() {
    const std::string id = group();
    OffsetCommitRequest request = commit_request(member(id), generation(id), random_.between(0, 99));
    request.group = random_.chance(0.2) ? "simple" : id;
    if (random_.chance(0.3)) request.generation = -1, request.member.clear();
    if (random_.chance(0.1)) request.retention_ms = 5'000;
    request.topics[0].name = topic();
    if (random_.chance(0.3)) request.topics[0].id = Uuid::from_halves(1, random_.below(2));
    world_.send(request);
  }
  void leave() {
    LeaveRequest request;
    request.group = group();
    request.members = {{member(request.group), std::nullopt, std::nullopt}};
    if (random_.chance(0.3)) request.members.push_back({"", "i0", "asked to"});
    world_.send(request);
  }
  void inspect() {
    world_.send(ListGroupsRequest());
    world_.send(DescribeGroupsRequest{{"g0", "g1", "none"}, true, true});
    OffsetFetchRequest fetch;
    fetch.groups = {{"g0", std::nullopt}, {"g1", {{{"orders", {}, {PartitionId(0)}}}}}};
    world_.send(fetch);
  }
  void rare() {
    switch (random_.below(7)) {
      case 0: return world_.fail_over();
      case 1: return world_.set_fate(Fate::refused);
      case 2: return world_.set_fate(Fate::lost_with_the_leader);
      case 3: return world_.delete_topic(topic(), Uuid::from_halves(1, random_.below(2)));
      case 4: world_.send(DeleteGroupsRequest{{group(), "simple"}}); return;
      case 5: world_.send(OffsetDeleteRequest{group(), {{topic(), {PartitionId(0)}}}}); return;
      default: return world_.pass_ms(30'000);
    }
  }

  runtime::SeededRandom random_;
  World world_;
};

}  // namespace

TEST_CASE("long random histories of several groups replay to what runs, and forget nobody") {
  size_t records = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    Chaos chaos(seed);
    chaos.run(400);
    records += chaos.records();
  }
  CHECK(records > 2'000);
}

}  // namespace tidemark::coordinator::testing
