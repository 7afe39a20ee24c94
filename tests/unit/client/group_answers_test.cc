// What coordinators' answers mean, and what a member's assignment says.
#include <catch2/catch.hpp>

#include "client/core/consumer_protocol.h"
#include "client/core/group_answers.h"
#include "protocol/encoder.h"
#include "protocol/messages/consumer_protocol_assignment.h"

using namespace tidemark;
using namespace tidemark::client;

namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

}  // namespace

TEST_CASE("what follows from a coordinator's error") {
  const auto step = [](ErrorCode code) { return next_step(Error(code, ""), true); };
  CHECK(step(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) == NextStep::ask_again);
  CHECK(step(ErrorCode::NOT_COORDINATOR) == NextStep::find_again);
  CHECK(step(ErrorCode::COORDINATOR_NOT_AVAILABLE) == NextStep::find_again);
  CHECK(step(ErrorCode::GROUP_ID_NOT_FOUND) == NextStep::take);
  CHECK(step(ErrorCode::UNKNOWN_MEMBER_ID) == NextStep::take);
  const Error unsure = Error::closed("gone").mark_possibly_persisted();
  CHECK(next_step(unsure, true) == NextStep::find_again);
  CHECK(next_step(unsure, false) == NextStep::take);
  CHECK(next_step(Error::closed("never sent"), false) == NextStep::find_again);
}

TEST_CASE("an assignment is read in every version, newer ones too") {
  CHECK(read_assignment({})->empty());  // a member that waits for its first
  const std::vector<std::byte> topic_1_and_0 = bytes_of(
      {0,    7,    0,    0,    0, 1, 0, 1, 't', 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0,  // two partitions
       0xFF, 0xFF, 0xFF, 0xFF,                                                       // no user data
       1,    2,    3});  // what version 7 has added
  const auto read = read_assignment(topic_1_and_0);
  REQUIRE(read.has_value());
  CHECK(*read == std::vector<TopicPartition>{{"t", PartitionId(0)}, {"t", PartitionId(1)}});
  CHECK_FALSE(read_assignment(bytes_of({0, 0, 0, 0, 0, 9})));
  CHECK_FALSE(read_assignment(bytes_of({0xFF, 0xFF})));
}

TEST_CASE("a group that is dead is none, whatever version says so") {
  protocol::DescribeGroupsResponse::DescribedGroup answer;
  answer.group_id = "readers";
  answer.group_state = "Dead";
  CHECK(read_group(answer).error().code() == ErrorCode::GROUP_ID_NOT_FOUND);
  answer.error_code = static_cast<int16_t>(ErrorCode::GROUP_ID_NOT_FOUND);
  answer.error_message = "Group readers not found.";
  CHECK(read_group(answer).error().message() == "there is no group readers");
  answer.error_code = static_cast<int16_t>(ErrorCode::GROUP_AUTHORIZATION_FAILED);
  CHECK(read_group(answer).error().code() == ErrorCode::GROUP_AUTHORIZATION_FAILED);
}

TEST_CASE("only the consumer protocol's assignments are read") {
  const auto garbage = bytes_of({9});
  protocol::DescribeGroupsResponse::DescribedGroup answer;
  answer.group_id = "workers";
  answer.group_state = "Stable";
  answer.protocol_type = "connect";
  auto& member = answer.members.emplace_back();
  member.member_id = "m";
  member.member_assignment = garbage;
  REQUIRE(read_group(answer));
  CHECK(read_group(answer)->members.front().assigned.empty());
  answer.protocol_type = "consumer";
  CHECK_FALSE(read_group(answer));
}

TEST_CASE("coordinators by key, and those that an answer leaves out") {
  protocol::FindCoordinatorResponse answer;
  {
    auto& added = answer.coordinators.emplace_back();
    added.key = "a";
    added.node_id = 3;
    added.host = "h";
    added.port = 9;
  }
  {
    auto& added = answer.coordinators.emplace_back();
    added.key = "b";
    added.node_id = -1;
    added.error_code = static_cast<int16_t>(ErrorCode::COORDINATOR_NOT_AVAILABLE);
  }
  const auto found = read_coordinators(answer, kFindCoordinatorsBatched, {"a", "b", "c"});
  CHECK(found.at("a")->id == BrokerId(3));
  CHECK(found.at("b").error().code() == ErrorCode::COORDINATOR_NOT_AVAILABLE);
  CHECK(found.at("c").error().code() == ErrorCode::UNKNOWN_SERVER_ERROR);
  protocol::FindCoordinatorResponse single;
  single.node_id = 4;
  CHECK(read_coordinators(single, 3, {"a"}).at("a")->id == BrokerId(4));
}

TEST_CASE("a partition without a committed offset is left out of them") {
  protocol::OffsetFetchResponse answer;
  auto& topic = answer.topics.emplace_back();
  topic.name = "t";
  {
    auto& added = topic.partitions.emplace_back();
    added.partition_index = 0;
    added.committed_offset = 5;
    added.metadata = "mine";
  }
  {
    auto& added = topic.partitions.emplace_back();
    added.partition_index = 1;
    added.committed_offset = -1;
  }
  {
    auto& added = topic.partitions.emplace_back();
    added.partition_index = 2;
    added.committed_offset = -1;
    added.error_code = static_cast<int16_t>(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
  }
  const auto groups = read_committed(answer, kOffsetFetchBatched - 1, "g");
  const auto& offsets = *groups.at("g");
  CHECK(offsets.size() == 2);
  CHECK(offsets.at({"t", PartitionId(0)})->offset == Offset(5));
  CHECK(offsets.at({"t", PartitionId(0)})->metadata == "mine");
  CHECK_FALSE(offsets.at({"t", PartitionId(2)}));
}
