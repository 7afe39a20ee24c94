// A member's life in a group, question by question and answer by answer.
#include "client/core/membership.h"

#include <catch2/catch.hpp>

#include "client/core/consumer_protocol.h"

using namespace tidemark;
using namespace tidemark::client;
using namespace std::chrono_literals;
using runtime::MonoTime;
using Ask = Membership::Ask;
using Kind = Membership::Change::Kind;
using Partitions = std::vector<TopicPartition>;

namespace {

GroupOptions options() {
  GroupOptions options;
  options.id = "readers";
  return options;
}

Partitions of(std::initializer_list<int32_t> ids) {
  Partitions all;
  for (const int32_t id : ids) all.push_back({"tide", PartitionId(id)});
  return all;
}

// A coordinator that says yes.
struct Talk {
  explicit Talk(GroupOptions given = options()) : member(std::move(given)) { member.subscribe({"tide"}); }

  void join(int32_t generation, std::string_view protocol = "range", std::string_view leader = "somebody") {
    REQUIRE(member.due(now) == Ask::join);
    (void)member.join_request();
    protocol::JoinGroupResponse answer;
    answer.generation_id = generation;
    answer.protocol_name = protocol;
    answer.leader = leader;
    answer.member_id = "m";
    member.joined(answer);
  }
  void sync(const Partitions& given) {
    REQUIRE(member.due(now) == Ask::sync);
    (void)member.sync_request({});
    const auto bytes = write_assignment(given);
    member.synced(ErrorCode::NONE, bytes, now);
  }
  void refuse_join(ErrorCode code) {
    REQUIRE(member.due(now) == Ask::join);
    (void)member.join_request();
    protocol::JoinGroupResponse answer;
    answer.error_code = static_cast<int16_t>(code);
    answer.member_id = code == ErrorCode::MEMBER_ID_REQUIRED ? "m" : "";
    member.joined(answer);
  }
  void hear(ErrorCode code) {
    now += 3s;
    REQUIRE(member.due(now) == Ask::heartbeat);
    member.heard(code, now);
  }
  void expect(Kind kind, const Partitions& partitions) {
    const auto change = member.take_change();
    REQUIRE(change.has_value());
    CHECK(change->kind == kind);
    CHECK(change->partitions == partitions);
  }
  // In the group, with these.
  void settle(const Partitions& given, std::string_view protocol = "range") {
    member.owner_is_alive(now);
    join(1, protocol);
    sync(given);
    expect(Kind::assigned, given);
    REQUIRE(member.due(now) == Ask::nothing);
  }

  Membership member;
  MonoTime now{1000s};
};

GroupOptions cooperative() {
  GroupOptions given = options();
  given.assignors = {Assignor::cooperative_sticky};
  return given;
}

}  // namespace

TEST_CASE("nothing is asked before the owner polls") {
  Talk talk;
  CHECK(talk.member.due(talk.now) == Ask::nothing);
  CHECK(talk.member.next_event(talk.now) == runtime::kNever);
  talk.member.owner_is_alive(talk.now);
  CHECK(talk.member.due(talk.now) == Ask::join);
}

TEST_CASE("a new member joins twice, the second time with the name that it was given") {
  Talk talk;
  talk.member.owner_is_alive(talk.now);
  talk.refuse_join(ErrorCode::MEMBER_ID_REQUIRED);
  REQUIRE(talk.member.due(talk.now) == Ask::join);
  CHECK(talk.member.join_request().member_id == "m");
}

TEST_CASE("every strategy is offered, the dearest first") {
  Talk talk;
  talk.member.owner_is_alive(talk.now);
  const auto request = talk.member.join_request();
  REQUIRE(request.protocols.size() == 3);
  CHECK(request.protocols[0].name == "range");
  CHECK(request.protocols[2].name == "cooperative-sticky");
  CHECK(request.protocol_type == "consumer");
  CHECK(request.rebalance_timeout_ms == 300'000);
  CHECK(read_subscription(request.protocols[1].metadata)->topics.contains("tide"));
}

TEST_CASE("the leader divides what there is, and itself takes its share from the coordinator alone") {
  Talk talk;
  talk.member.owner_is_alive(talk.now);
  (void)talk.member.join_request();
  Subscriber other;
  other.topics = {"tide", "ebb"};
  const auto mine = write_subscription({"m", std::nullopt, {"tide"}, {}, -1});
  const auto others = write_subscription(other);
  const std::vector<std::byte> damaged(1);
  protocol::JoinGroupResponse answer;
  answer.generation_id = 4;
  answer.protocol_name = "roundrobin";
  answer.leader = answer.member_id = "m";
  const std::pair<std::string_view, std::span<const std::byte>> all[] = {
      {"m", mine}, {"other", others}, {"damaged", damaged}};
  for (const auto& [id, metadata] : all) {
    auto& each = answer.members.emplace_back();
    each.member_id = id;
    each.metadata = metadata;
  }
  talk.member.joined(answer);
  CHECK(talk.member.divides());
  CHECK(talk.member.topics() == std::set<std::string, std::less<>>{"ebb", "tide"});
  const auto request = talk.member.sync_request({{"tide", 3}, {"ebb", 1}});
  CHECK(request.generation_id == 4);
  std::map<std::string, Partitions> given;
  for (const auto& each : request.assignments)
    given[std::string(each.member_id)] = *read_assignment(each.assignment);
  CHECK(given.size() == 3);
  CHECK(given["damaged"].empty());
  CHECK(given["m"].size() + given["other"].size() == 4);
  CHECK_FALSE(talk.member.take_change().has_value());
}

TEST_CASE("a leader that finds everything as it was divides nothing (KIP-814)") {
  Talk talk;
  talk.member.owner_is_alive(talk.now);
  (void)talk.member.join_request();
  protocol::JoinGroupResponse answer;
  answer.leader = answer.member_id = "m";
  answer.protocol_name = "range";
  answer.skip_assignment = true;
  talk.member.joined(answer);
  CHECK_FALSE(talk.member.divides());
  CHECK(talk.member.leads());  // and goes on looking out for new partitions
  CHECK(talk.member.sync_request({{"tide", 3}}).assignments.empty());
}

TEST_CASE("before it joins again an eager member gives up everything, and is alive meanwhile") {
  Talk talk;
  talk.settle(of({0, 1}));
  talk.hear(ErrorCode::NONE);
  CHECK_FALSE(talk.member.take_change().has_value());
  talk.hear(ErrorCode::REBALANCE_IN_PROGRESS);
  CHECK(talk.member.due(talk.now) == Ask::nothing);
  talk.hear(ErrorCode::REBALANCE_IN_PROGRESS);  // its owner takes its time
  talk.expect(Kind::revoked, of({0, 1}));
  CHECK_FALSE(talk.member.take_change().has_value());
  CHECK(talk.member.holds({"tide", PartitionId(0)}));
  talk.hear(ErrorCode::REBALANCE_IN_PROGRESS);
  talk.member.gave_up();
  CHECK(talk.member.held().empty());
  talk.join(2);
  talk.sync(of({1}));
  talk.expect(Kind::assigned, of({1}));
}

TEST_CASE("a cooperative member goes on with what it keeps, and joins once more for what it gave up") {
  Talk talk(cooperative());
  talk.settle(of({0, 1, 2}), "cooperative-sticky");
  talk.hear(ErrorCode::REBALANCE_IN_PROGRESS);
  CHECK_FALSE(talk.member.take_change().has_value());
  REQUIRE(talk.member.due(talk.now) == Ask::join);
  CHECK(read_subscription(talk.member.join_request().protocols[0].metadata)->owned == of({0, 1, 2}));
  talk.join(2, "cooperative-sticky");
  talk.sync(of({1, 2}));
  talk.expect(Kind::revoked, of({0}));
  CHECK(talk.member.due(talk.now) == Ask::nothing);
  talk.member.gave_up();
  REQUIRE(talk.member.due(talk.now) == Ask::join);
  const auto said = read_subscription(talk.member.join_request().protocols[0].metadata);
  CHECK(said->owned == of({1, 2}));
  CHECK(said->generation == 2);
  talk.join(3, "cooperative-sticky");
  talk.sync(of({1, 2, 5}));
  talk.expect(Kind::assigned, of({5}));
  CHECK(talk.member.held().size() == 3);
}

TEST_CASE("who is not known any more has lost what it held, and comes back as somebody new") {
  Talk talk;
  talk.settle(of({0}));
  talk.hear(ErrorCode::UNKNOWN_MEMBER_ID);
  CHECK(talk.member.generation() == -1);
  CHECK(talk.member.due(talk.now) == Ask::nothing);  // until its owner has heard of it
  talk.expect(Kind::lost, of({0}));
  talk.member.gave_up();
  REQUIRE(talk.member.due(talk.now) == Ask::join);
  CHECK(talk.member.join_request().member_id.empty());
}

TEST_CASE("who has missed a generation comes back under its name") {
  Talk talk;
  talk.settle(of({0}));
  talk.hear(ErrorCode::ILLEGAL_GENERATION);
  talk.expect(Kind::lost, of({0}));
  talk.member.gave_up();
  CHECK(talk.member.join_request().member_id == "m");
}

TEST_CASE("what an owner was about to give up is lost where the group goes on without it") {
  Talk talk;
  talk.settle(of({0, 1}));
  talk.hear(ErrorCode::REBALANCE_IN_PROGRESS);
  SECTION("before it was told") {
    talk.hear(ErrorCode::UNKNOWN_MEMBER_ID);
    talk.expect(Kind::lost, of({0, 1}));
  }
  SECTION("while it does") {
    talk.expect(Kind::revoked, of({0, 1}));
    talk.hear(ErrorCode::UNKNOWN_MEMBER_ID);
    CHECK_FALSE(talk.member.take_change().has_value());
  }
  talk.member.gave_up();
  CHECK_FALSE(talk.member.take_change().has_value());
  CHECK(talk.member.due(talk.now) == Ask::join);
}

TEST_CASE("what was assigned and not taken before the next rebalance never was") {
  Talk talk;
  talk.member.owner_is_alive(talk.now);
  talk.join(1);
  talk.sync(of({0, 1}));
  talk.hear(ErrorCode::REBALANCE_IN_PROGRESS);
  CHECK_FALSE(talk.member.take_change().has_value());
  talk.join(2);
  talk.sync(of({1}));
  talk.expect(Kind::assigned, of({1}));
}

TEST_CASE("a rebalance that begins while it syncs sends it back to join") {
  Talk talk;
  talk.member.owner_is_alive(talk.now);
  talk.join(1);
  REQUIRE(talk.member.due(talk.now) == Ask::sync);
  talk.member.synced(ErrorCode::REBALANCE_IN_PROGRESS, {}, talk.now);
  CHECK(talk.member.join_request().member_id == "m");
}

TEST_CASE("an owner that does not come back leaves the group, and joins when it does") {
  Talk talk;
  talk.settle(of({0}));
  talk.now += 299s;
  CHECK(talk.member.next_event(talk.now) == talk.now + 1s);
  talk.now += 1s;
  REQUIRE(talk.member.due(talk.now) == Ask::leave);
  CHECK(talk.member.leave_request(5, "asleep").members.at(0).member_id == "m");
  CHECK(talk.member.leave_request(2, "asleep").member_id == "m");
  talk.member.left();
  CHECK(talk.member.due(talk.now) == Ask::nothing);
  CHECK(talk.member.next_event(talk.now) == runtime::kNever);
  talk.member.owner_is_alive(talk.now);
  talk.expect(Kind::lost, of({0}));
  talk.member.gave_up();
  CHECK(talk.member.due(talk.now) == Ask::join);
}

TEST_CASE("a static member never leaves, and another one of its name is the end of it") {
  GroupOptions given = options();
  given.instance_id = "first";
  Talk talk(given);
  talk.settle(of({0}));
  talk.now += 400s;
  CHECK(talk.member.due(talk.now) == Ask::nothing);
  talk.member.owner_is_alive(talk.now);
  REQUIRE(talk.member.due(talk.now) == Ask::heartbeat);
  talk.member.heard(ErrorCode::FENCED_INSTANCE_ID, talk.now);
  REQUIRE(talk.member.failure().has_value());
  CHECK(talk.member.failure()->code() == ErrorCode::FENCED_INSTANCE_ID);
  CHECK(talk.member.due(talk.now + 10s) == Ask::nothing);
  talk.expect(Kind::lost, of({0}));
}

TEST_CASE("a group that does not take it says why") {
  for (const ErrorCode code : {ErrorCode::INCONSISTENT_GROUP_PROTOCOL, ErrorCode::GROUP_MAX_SIZE_REACHED,
                               ErrorCode::GROUP_AUTHORIZATION_FAILED, ErrorCode::INVALID_SESSION_TIMEOUT}) {
    Talk talk;
    talk.member.owner_is_alive(talk.now);
    talk.refuse_join(code);
    REQUIRE(talk.member.failure().has_value());
    CHECK(talk.member.failure()->code() == code);
  }
}

TEST_CASE("another subscription, and other partitions of a topic, begin a rebalance") {
  Talk talk;
  talk.settle(of({0}));
  talk.member.subscribe({"tide"});
  CHECK_FALSE(talk.member.take_change().has_value());
  talk.member.subscribe({"tide", "ebb"});
  talk.expect(Kind::revoked, of({0}));
  talk.member.gave_up();
  talk.join(2);
  talk.sync(of({0}));
  talk.expect(Kind::assigned, of({0}));
  talk.member.rejoin("more partitions");
  talk.expect(Kind::revoked, of({0}));
  talk.member.gave_up();
  CHECK(talk.member.join_request().reason == "more partitions");
}

TEST_CASE("a refused commit tells of the end of the generation that it was sent in, and of no other") {
  Talk talk;
  talk.settle(of({0}));
  talk.member.commit_refused(ErrorCode::ILLEGAL_GENERATION, 0);
  CHECK(talk.member.generation() == 1);
  talk.member.commit_refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 1);
  CHECK(talk.member.generation() == 1);
  talk.member.commit_refused(ErrorCode::REBALANCE_IN_PROGRESS, 1);
  talk.expect(Kind::revoked, of({0}));
  talk.member.commit_refused(ErrorCode::UNKNOWN_MEMBER_ID, 1);
  CHECK(talk.member.generation() == -1);
}

TEST_CASE("what a commit is refused with while the next generation is on its way says nothing new") {
  Talk talk(cooperative());
  talk.settle(of({0}), "cooperative-sticky");
  CHECK(talk.member.is_settled());
  talk.hear(ErrorCode::REBALANCE_IN_PROGRESS);
  CHECK(talk.member.is_settled());  // it may commit until it joins
  (void)talk.member.join_request();
  CHECK_FALSE(talk.member.is_settled());
  talk.member.commit_refused(ErrorCode::ILLEGAL_GENERATION, 1);
  talk.member.retry(talk.now);
  CHECK(talk.member.is_settled());
  talk.join(2, "cooperative-sticky");
  CHECK_FALSE(talk.member.is_settled());
  talk.member.commit_refused(ErrorCode::REBALANCE_IN_PROGRESS, 2);
  talk.sync(of({0}));
  CHECK_FALSE(talk.member.take_change().has_value());
  CHECK(talk.member.due(talk.now) == Ask::nothing);
}

TEST_CASE("a cooperative member that is given nothing is told so") {
  Talk talk(cooperative());
  talk.settle({}, "cooperative-sticky");
}

TEST_CASE("an assignment that nobody can read ends the membership") {
  Talk talk;
  talk.member.owner_is_alive(talk.now);
  talk.join(1);
  const std::vector<std::byte> damaged(1);
  talk.member.synced(ErrorCode::NONE, damaged, talk.now);
  CHECK(talk.member.failure()->code() == ErrorCode::CORRUPT_MESSAGE);
}

TEST_CASE("a coordinator that cannot be had is asked the same again, in its time") {
  Talk talk;
  talk.member.owner_is_alive(talk.now);
  talk.member.retry(talk.now + 1s);
  CHECK(talk.member.due(talk.now) == Ask::nothing);
  CHECK(talk.member.next_event(talk.now) == talk.now + 1s);
  CHECK(talk.member.due(talk.now + 1s) == Ask::join);
}
