// The group APIs' messages as questions to a coordinator, and its answers as messages: every field at its
// first version, and errors in their places, as genuine Kafka (4.3) has them.
#include "broker/api/group_messages.h"

#include <catch2/catch.hpp>

#include "broker/api/authorized_operations.h"
#include "protocol/message_codec.h"

namespace tidemark::broker {
namespace {

using coordinator::Bytes;

const Uuid kTideId = Uuid::from_halves(7, 1);
const Uuid kFoamId = Uuid::from_halves(7, 2);
const Uuid kNobodysId = Uuid::from_halves(9, 9);

// Topics "tide" with two partitions and "foam" with one.
ClusterView two_topics() {
  ClusterView view;
  auto image = std::make_shared<replication::MetadataImage>();
  const auto add = [&](const std::string& name, const Uuid& id, size_t partitions) {
    auto topic = std::make_shared<replication::TopicImage>();
    topic->name = name;
    topic->id = id;
    topic->partitions.assign(partitions, std::make_shared<replication::PartitionImage>());
    image->topics.set(name, topic);
    image->topics_by_id.set(id, topic);
    auto seen = std::make_shared<TopicView>();
    seen->image = topic;
    view.topics.set(id, seen);
  };
  add("tide", kTideId, 2);
  add("foam", kFoamId, 1);
  view.image = image;
  return view;
}

Bytes bytes(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

// What a client of that version reads. Its views point into `frame`.
template <class Message>
Message sent(const Message& message, int16_t version, std::vector<std::byte>& frame) {
  const auto encoded = protocol::encode_message(message, version);
  REQUIRE(encoded);
  frame = encoded->flatten();
  const auto decoded = protocol::decode_all<Message>(frame, version);
  REQUIRE(decoded);
  return *decoded;
}

int16_t number(ErrorCode error) { return static_cast<int16_t>(error); }

coordinator::OffsetFetchReply::Group fetched_group(std::string group) {
  coordinator::OffsetFetchReply::Group out;
  out.group = std::move(group);
  auto& topic = out.topics.emplace_back();
  topic.name = "tide";
  topic.id = kTideId;
  auto& partition = topic.partitions.emplace_back();
  partition.partition = PartitionId(1);
  partition.offset = Offset(42);
  partition.leader_epoch = LeaderEpoch(3);
  partition.metadata = "note";
  return out;
}

// Asks all of it and answers every partition with the number of its question.
coordinator::OffsetFetchReply::Group ask_all(const WantedOffsets& wanted, size_t& questions) {
  OffsetQuestions asking(wanted, true);
  coordinator::OffsetFetchReply::Group all;
  for (questions = 0; !asking.done(); ++questions) {
    const auto question = asking.next();
    CHECK(question.require_stable);
    REQUIRE(question.groups.size() == 1);
    CHECK(question.groups[0].group == wanted.group);
    CHECK(question.groups[0].topics.has_value() == !wanted.all);
    coordinator::OffsetFetchReply::Group answer;
    size_t partitions = 0;
    if (!wanted.all) {
      for (const auto& topic : *question.groups[0].topics) {
        auto& out = answer.topics.emplace_back();
        out.name = topic.name;
        out.id = topic.id;
        partitions += topic.partitions.size();
        for (const PartitionId partition : topic.partitions)
          out.partitions.push_back({.partition = partition, .metadata = {}});
      }
    }
    CHECK(partitions <= OffsetQuestions::kPartitionsPerQuestion);
    asking.add(std::move(answer), all);
  }
  return all;
}

}  // namespace

TEST_CASE("a JoinGroup is asked with everything that its version says") {
  protocol::JoinGroupRequest request;
  request.group_id = "g";
  request.session_timeout_ms = 10'000;
  request.rebalance_timeout_ms = 20'000;
  request.member_id = "m";
  request.protocol_type = "consumer";
  auto& protocol = request.protocols.emplace_back();
  protocol.name = "range";
  const Bytes metadata = bytes("meta");
  protocol.metadata = metadata;
  for (int16_t version = 0; version <= 9; ++version) {
    INFO(version);
    request.group_instance_id = std::nullopt;
    if (version >= 5) request.group_instance_id = "i";
    request.reason = "because";
    std::vector<std::byte> frame;
    const auto question = question_of(sent(request, version, frame), {"client", "127.0.0.1"}, version);
    CHECK(question.group == "g");
    CHECK(question.client_id == "client");
    CHECK(question.client_host == "/127.0.0.1");
    CHECK(question.member == "m");
    CHECK(question.instance == (version >= 5 ? std::optional<std::string>("i") : std::nullopt));
    CHECK(question.session_timeout_ms == 10'000);
    CHECK(question.rebalance_timeout_ms == (version >= 1 ? 20'000 : -1));
    CHECK(question.protocol_type == "consumer");
    CHECK(question.protocols == std::vector<coordinator::Protocol>{{"range", metadata}});
    CHECK(question.reason == (version >= 8 ? std::optional<std::string>("because") : std::nullopt));
    CHECK(question.member_id_required == (version >= 4));
    CHECK(question.can_skip_assignment == (version >= 9));
  }
}

TEST_CASE("a joined member hears of its generation in the words of its version") {
  coordinator::JoinReply reply;
  reply.generation = 5;
  reply.protocol_type = "consumer";
  reply.protocol = "range";
  reply.leader = reply.member = "m";
  reply.members.push_back({"m", "i", bytes("meta")});
  for (int16_t version = 0; version <= 9; ++version) {
    INFO(version);
    reply.skip_assignment = version >= 9;
    std::vector<std::byte> frame;
    const auto response = sent(response_of(reply, version), version, frame);
    CHECK(response.error_code == 0);
    CHECK(response.generation_id == 5);
    CHECK(response.protocol_type.has_value() == (version >= 7));
    CHECK(response.protocol_name == "range");
    CHECK(response.leader == "m");
    CHECK(response.skip_assignment == (version >= 9));
    CHECK(response.member_id == "m");
    REQUIRE(response.members.size() == 1);
    CHECK(response.members[0].member_id == "m");
    CHECK(response.members[0].group_instance_id.has_value() == (version >= 5));
    CHECK(response.members[0].metadata.size() == 4);
  }
}

TEST_CASE("a refused JoinGroup has no protocol: null from version 7 on, empty before") {
  coordinator::JoinReply reply;
  reply.error = ErrorCode::MEMBER_ID_REQUIRED;
  reply.member = "given";
  for (int16_t version = 0; version <= 9; ++version) {
    INFO(version);
    std::vector<std::byte> frame;
    const auto response = sent(response_of(reply, version), version, frame);
    CHECK(response.error_code == number(ErrorCode::MEMBER_ID_REQUIRED));
    CHECK(response.generation_id == -1);
    CHECK(response.protocol_name.has_value() == (version < 7));
    CHECK(response.protocol_name.value_or("").empty());
    CHECK(response.member_id == "given");
  }
  reply.protocol = "";
  CHECK_FALSE(response_of(reply, 7).protocol_name.has_value());
}

TEST_CASE("a SyncGroup brings assignments, and names its protocol from version 5 on") {
  protocol::SyncGroupRequest request;
  request.group_id = "g";
  request.generation_id = 5;
  request.member_id = "m";
  request.protocol_type = "consumer";
  request.protocol_name = "range";
  const Bytes share = bytes("share");
  auto& assigned = request.assignments.emplace_back();
  assigned.member_id = "n";
  assigned.assignment = share;
  coordinator::SyncReply reply;
  reply.protocol_type = "consumer";
  reply.protocol = "range";
  reply.assignment = share;
  for (int16_t version = 0; version <= 5; ++version) {
    INFO(version);
    request.group_instance_id = std::nullopt;
    if (version >= 3) request.group_instance_id = "i";
    std::vector<std::byte> frame;
    const auto question = question_of(sent(request, version, frame));
    CHECK(question.group == "g");
    CHECK(question.generation == 5);
    CHECK(question.member == "m");
    CHECK(question.instance.has_value() == (version >= 3));
    CHECK(question.protocol_type.has_value() == (version >= 5));
    CHECK(question.protocol.has_value() == (version >= 5));
    REQUIRE(question.assignments.size() == 1);
    CHECK(question.assignments[0].member == "n");
    CHECK(question.assignments[0].assignment == share);

    const auto response = sent(response_of(reply), version, frame);
    CHECK(response.error_code == 0);
    CHECK(response.protocol_type.has_value() == (version >= 5));
    CHECK(response.protocol_name.has_value() == (version >= 5));
    CHECK(response.assignment.size() == 5);
  }
  CHECK(names_protocol(request, 5));
  request.protocol_type = std::nullopt;
  CHECK_FALSE(names_protocol(request, 5));
  CHECK(names_protocol(request, 4));
  reply = coordinator::SyncReply();
  reply.error = ErrorCode::REBALANCE_IN_PROGRESS;
  CHECK(response_of(reply).error_code == number(ErrorCode::REBALANCE_IN_PROGRESS));
  CHECK(response_of(reply).assignment.empty());
}

TEST_CASE("a Heartbeat names a static member from version 3 on") {
  protocol::HeartbeatRequest request;
  request.group_id = "g";
  request.generation_id = 5;
  request.member_id = "m";
  for (int16_t version = 0; version <= 4; ++version) {
    INFO(version);
    request.group_instance_id = std::nullopt;
    if (version >= 3) request.group_instance_id = "i";
    std::vector<std::byte> frame;
    const auto question = question_of(sent(request, version, frame));
    CHECK(question.group == "g");
    CHECK(question.generation == 5);
    CHECK(question.member == "m");
    CHECK(question.instance.has_value() == (version >= 3));
    const auto response =
        sent(response_of(coordinator::HeartbeatReply{ErrorCode::ILLEGAL_GENERATION}), version, frame);
    CHECK(response.error_code == number(ErrorCode::ILLEGAL_GENERATION));
  }
}

TEST_CASE("one member leaves with its error at the top, several with an error each") {
  coordinator::LeaveReply reply;
  reply.members.push_back({"m", std::nullopt, ErrorCode::UNKNOWN_MEMBER_ID});
  for (int16_t version = 0; version <= 5; ++version) {
    INFO(version);
    protocol::LeaveGroupRequest request;
    request.group_id = "g";
    if (version < 3) {
      request.member_id = "m";
    } else {
      auto& member = request.members.emplace_back();
      member.member_id = "m";
      member.group_instance_id = "i";
      member.reason = "because";
    }
    std::vector<std::byte> frame;
    const auto question = question_of(sent(request, version, frame), version);
    CHECK(question.group == "g");
    REQUIRE(question.members.size() == 1);
    CHECK(question.members[0].member == "m");
    CHECK(question.members[0].instance.has_value() == (version >= 3));
    CHECK(question.members[0].reason.has_value() == (version >= 5));

    const auto response = sent(response_of(reply, version), version, frame);
    CHECK(response.error_code == (version < 3 ? number(ErrorCode::UNKNOWN_MEMBER_ID) : 0));
    REQUIRE(response.members.size() == (version < 3 ? 0 : 1));
    if (version >= 3) CHECK(response.members[0].error_code == number(ErrorCode::UNKNOWN_MEMBER_ID));

    coordinator::LeaveReply refused;
    refused.error = ErrorCode::NOT_COORDINATOR;
    CHECK(response_of(refused, version).error_code == number(ErrorCode::NOT_COORDINATOR));
    CHECK(response_of(refused, version).members.empty());
  }
  CHECK(question_of(protocol::LeaveGroupRequest(), 3).members.empty());
}

TEST_CASE("an OffsetCommit is asked with everything that its version says") {
  const ClusterView view = two_topics();
  for (int16_t version = 2; version <= 10; ++version) {
    INFO(version);
    protocol::OffsetCommitRequest request;
    request.group_id = "g";
    request.generation_id_or_member_epoch = 5;
    request.member_id = "m";
    if (version >= 7) request.group_instance_id = "i";
    request.retention_time_ms = 1'000;
    auto& topic = request.topics.emplace_back();
    topic.name = "tide";
    topic.topic_id = kTideId;
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = 1;
    partition.committed_offset = 42;
    partition.committed_leader_epoch = 3;
    partition.committed_metadata = "note";
    std::vector<std::byte> frame;
    const CommitPlan plan = plan_of(sent(request, version, frame), view, version);
    CHECK(plan.refused.empty());
    CHECK(plan.question.group == "g");
    CHECK(plan.question.generation == 5);
    CHECK(plan.question.member == "m");
    CHECK(plan.question.instance.has_value() == (version >= 7));
    CHECK(plan.question.retention_ms == (version <= 4 ? 1'000 : -1));
    CHECK(plan.question.knows_group_not_found == (version >= 9));
    REQUIRE(plan.question.topics.size() == 1);
    CHECK(plan.question.topics[0].name == "tide");
    CHECK(plan.question.topics[0].id == kTideId);
    REQUIRE(plan.question.topics[0].partitions.size() == 1);
    const auto& asked = plan.question.topics[0].partitions[0];
    CHECK(asked.partition == PartitionId(1));
    CHECK(asked.offset == Offset(42));
    CHECK(asked.leader_epoch == LeaderEpoch(version >= 6 ? 3 : -1));
    CHECK(asked.metadata == "note");

    coordinator::OffsetCommitReply reply;
    reply.topics.push_back({"tide", kTideId, {{PartitionId(1), ErrorCode::OFFSET_METADATA_TOO_LARGE}}});
    const auto response = sent(response_of(reply, version), version, frame);
    REQUIRE(response.topics.size() == 1);
    CHECK(response.topics[0].name == (version < 10 ? "tide" : ""));
    CHECK(response.topics[0].topic_id == (version < 10 ? Uuid() : kTideId));
    CHECK(response.topics[0].partitions.at(0).partition_index == 1);
    CHECK(response.topics[0].partitions[0].error_code == number(ErrorCode::OFFSET_METADATA_TOO_LARGE));
  }
}

TEST_CASE("offsets of what does not exist are refused without a coordinator, and answered first") {
  const ClusterView view = two_topics();
  for (const int16_t version : {9, 10}) {
    INFO(version);
    protocol::OffsetCommitRequest request;
    const auto add = [&](std::string_view name, const Uuid& id, std::vector<int32_t> partitions) {
      auto& topic = request.topics.emplace_back();
      topic.name = name;
      topic.topic_id = id;
      for (const int32_t index : partitions) topic.partitions.emplace_back().partition_index = index;
    };
    add("foam", kFoamId, {0});
    add("tide", kTideId, {0, 2, -1});
    add("gone", kNobodysId, {4, 5});
    CommitPlan plan = plan_of(request, view, version);
    REQUIRE(plan.question.topics.size() == 2);
    CHECK(plan.question.topics[1].partitions.size() == 1);
    coordinator::ReplyBody answered = coordinator::refusal(plan.question, ErrorCode::NONE);
    const auto merged =
        merge(std::move(plan.refused), std::get<coordinator::OffsetCommitReply>(std::move(answered)));
    const auto response = response_of(merged, version);
    REQUIRE(response.topics.size() == 3);
    const auto codes = [&](size_t topic) {
      std::vector<std::pair<int32_t, int16_t>> out;
      for (const auto& p : response.topics[topic].partitions)
        out.emplace_back(p.partition_index, p.error_code);
      return out;
    };
    const int16_t unknown = number(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    const int16_t gone = version < 10 ? unknown : number(ErrorCode::UNKNOWN_TOPIC_ID);
    CHECK(codes(0) == std::vector<std::pair<int32_t, int16_t>>{{2, unknown}, {-1, unknown}, {0, 0}});
    CHECK(codes(1) == std::vector<std::pair<int32_t, int16_t>>{{4, gone}, {5, gone}});
    CHECK(codes(2) == std::vector<std::pair<int32_t, int16_t>>{{0, 0}});
    if (version >= 10) CHECK(response.topics[1].topic_id == kNobodysId);
    if (version < 10) CHECK(response.topics[1].name == "gone");
  }
  protocol::OffsetCommitRequest nothing_known;
  nothing_known.topics.emplace_back().partitions.emplace_back();
  CHECK(plan_of(nothing_known, view, 10).question.topics.empty());
}

TEST_CASE("an OffsetFetch asks one group up to version 7, and any number from version 8 on") {
  const ClusterView view = two_topics();
  for (int16_t version = 1; version <= 10; ++version) {
    INFO(version);
    protocol::OffsetFetchRequest request;
    if (version < 8) {
      request.group_id = "g";
      auto& topic = request.topics->emplace_back();
      topic.name = "tide";
      topic.partition_indexes = {0, 7};
    } else {
      for (const std::string_view name : {"g", "g"}) {
        auto& group = request.groups.emplace_back();
        group.group_id = name;
        auto& topic = group.topics->emplace_back();
        topic.name = "tide";
        topic.topic_id = kTideId;
        topic.partition_indexes = {0, 7};
      }
    }
    request.require_stable = version >= 7;
    std::vector<std::byte> frame;
    const auto decoded = sent(request, version, frame);
    const auto wanted = wanted_offsets(decoded, view, version);
    REQUIRE(wanted.size() == (version < 8 ? 1 : 2));
    for (const WantedOffsets& group : wanted) {
      CHECK(group.group == "g");
      CHECK_FALSE(group.all);
      REQUIRE(group.topics.size() == 1);
      CHECK(group.topics[0].name == "tide");
      CHECK(group.topics[0].id == kTideId);
      CHECK(group.topics[0].partitions.size() == 2);
    }
    if (version == 1) continue;
    request.topics.reset();
    if (version >= 8) request.topics.emplace();
    for (auto& group : request.groups) group.topics.reset();
    const auto everything = sent(request, version, frame);
    for (const WantedOffsets& group : wanted_offsets(everything, view, version)) CHECK(group.all);
  }
}

TEST_CASE("fetched offsets are told in the form of their version") {
  coordinator::OffsetFetchReply reply;
  reply.groups.push_back(fetched_group("g"));
  for (int16_t version = 1; version <= 10; ++version) {
    INFO(version);
    std::vector<std::byte> frame;
    const auto response = sent(response_of(reply, version), version, frame);
    const auto check = [&](const auto& topic) {
      CHECK(topic.name == (version < 10 ? "tide" : ""));
      REQUIRE(topic.partitions.size() == 1);
      CHECK(topic.partitions[0].partition_index == 1);
      CHECK(topic.partitions[0].committed_offset == 42);
      CHECK(topic.partitions[0].committed_leader_epoch == (version >= 5 ? 3 : -1));
      CHECK(topic.partitions[0].metadata == "note");
      CHECK(topic.partitions[0].error_code == 0);
    };
    REQUIRE(response.topics.size() == (version < 8 ? 1 : 0));
    REQUIRE(response.groups.size() == (version < 8 ? 0 : 1));
    if (version < 8) {
      check(response.topics[0]);
    } else {
      CHECK(response.groups[0].group_id == "g");
      REQUIRE(response.groups[0].topics.size() == 1);
      check(response.groups[0].topics[0]);
      CHECK(response.groups[0].topics[0].topic_id == (version < 10 ? Uuid() : kTideId));
    }
  }
}

TEST_CASE("a group's error stands on the partitions, then at the top, then on the group") {
  const std::vector<int32_t> indexes{0, 3};
  const WantedOffsets wanted{"g", false, {{"tide", kTideId, indexes}}};
  for (int16_t version = 1; version <= 10; ++version) {
    INFO(version);
    coordinator::OffsetFetchReply reply;
    auto& group = reply.groups.emplace_back();
    group.group = "g";
    group.error = ErrorCode::NOT_COORDINATOR;
    if (version == 1) put_error_on_partitions(wanted, group);
    std::vector<std::byte> frame;
    const auto response = sent(response_of(reply, version), version, frame);
    const int16_t error = number(ErrorCode::NOT_COORDINATOR);
    CHECK(response.error_code == (version >= 2 && version < 8 ? error : 0));
    if (version >= 8) CHECK(response.groups.at(0).error_code == error);
    if (version > 1) {
      CHECK(response.topics.empty());
      continue;
    }
    REQUIRE(response.topics.size() == 1);
    REQUIRE(response.topics[0].partitions.size() == 2);
    CHECK(response.topics[0].partitions[1].partition_index == 3);
    CHECK(response.topics[0].partitions[1].committed_offset == -1);
    CHECK(response.topics[0].partitions[1].metadata == "");
    CHECK(response.topics[0].partitions[1].error_code == error);
  }
}

TEST_CASE("an id that nobody knows is answered behind the topics that are known") {
  const ClusterView view = two_topics();
  protocol::OffsetFetchRequest request;
  auto& asked = request.groups.emplace_back();
  asked.group_id = "g";
  for (const Uuid& id : {kNobodysId, kFoamId}) {
    auto& topic = asked.topics->emplace_back();
    topic.topic_id = id;
    topic.partition_indexes = {0};
  }
  const auto wanted = wanted_offsets(request, view, 10);
  size_t questions = 0;
  auto group = ask_all(wanted.at(0), questions);
  CHECK(questions == 1);
  REQUIRE(group.topics.size() == 1);
  add_unknown(wanted[0].topics[0], group);
  coordinator::OffsetFetchReply reply;
  reply.groups.push_back(std::move(group));
  const auto response = response_of(reply, 10);
  const auto& topics = response.groups.at(0).topics;
  REQUIRE(topics.size() == 2);
  CHECK(topics[0].topic_id == kFoamId);
  CHECK(topics[1].topic_id == kNobodysId);
  CHECK(topics[1].partitions.at(0).error_code == number(ErrorCode::UNKNOWN_TOPIC_ID));
  CHECK(topics[1].partitions[0].committed_offset == -1);
  CHECK(topics[1].partitions[0].committed_leader_epoch == -1);
  CHECK(topics[1].partitions[0].metadata == "");
}

TEST_CASE("a topic that is no more is left out where topics are told by id") {
  const ClusterView view = two_topics();
  coordinator::OffsetFetchReply::Group group;
  group.topics.push_back({"foam", {}, {}});
  group.topics.push_back({"gone", kNobodysId, {}});
  fill_topic_ids(group, view);
  REQUIRE(group.topics.size() == 1);
  CHECK(group.topics[0].name == "foam");
  CHECK(group.topics[0].id == kFoamId);
}

TEST_CASE("many partitions are asked in pieces, and answered as if they had not been") {
  constexpr auto kPiece = static_cast<int32_t>(OffsetQuestions::kPartitionsPerQuestion);
  const auto indexes = [](int32_t count) {
    std::vector<int32_t> out;
    for (int32_t i = 0; i < count; ++i) out.push_back(i);
    return out;
  };
  size_t questions = 0;
  for (const int32_t first : {0, 1, kPiece - 1, kPiece, kPiece + 1, 3 * kPiece}) {
    for (const int32_t second : {0, 1, kPiece, 2 * kPiece + 7}) {
      INFO(first << " " << second);
      const auto a = indexes(first), b = indexes(second), c = indexes(2);
      // The one in the middle and the last are unknown.
      const WantedOffsets wanted{"g",
                                 false,
                                 {{"tide", kTideId, a},
                                  {"", kNobodysId, c},
                                  {"foam", kFoamId, b},
                                  {"tide", kTideId, c},
                                  {"", kNobodysId, c}}};
      const auto group = ask_all(wanted, questions);
      REQUIRE(group.topics.size() == 3);
      CHECK(group.topics[1].name == "foam");
      const auto check = [](const auto& topic, const std::vector<int32_t>& asked) {
        std::vector<int32_t> answered;
        for (const auto& partition : topic.partitions) answered.push_back(partition.partition.value);
        CHECK(answered == asked);
      };
      check(group.topics[0], a);
      check(group.topics[1], b);
      check(group.topics[2], c);
      CHECK(questions <= static_cast<size_t>((first + second + 5) / kPiece + 1));
    }
  }
  // The group's own error has to be heard of.
  CHECK(ask_all({"g", false, {}}, questions).topics.empty());
  CHECK(questions == 1);
  CHECK(ask_all({"g", true, {}}, questions).topics.empty());
  CHECK(questions == 1);
}

TEST_CASE("an OffsetDelete asks for what exists, and always for the group's error") {
  const ClusterView view = two_topics();
  protocol::OffsetDeleteRequest request;
  request.group_id = "g";
  const auto add = [&](std::string_view name, std::vector<int32_t> partitions) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    for (const int32_t index : partitions) topic.partitions.emplace_back().partition_index = index;
  };
  add("foam", {0});
  add("gone", {0});
  add("tide", {1, 2});
  std::vector<std::byte> frame;
  const auto decoded = sent(request, 0, frame);
  OffsetDeletePlan plan = plan_of(decoded, view);
  CHECK(plan.question.group == "g");
  REQUIRE(plan.question.topics.size() == 2);
  CHECK(plan.question.topics[1].partitions == std::vector{PartitionId(1)});

  coordinator::OffsetDeleteReply refused;
  refused.error = ErrorCode::NON_EMPTY_GROUP;
  const auto nothing = merge(plan.refused, refused);
  CHECK(response_of(nothing).error_code == number(ErrorCode::NON_EMPTY_GROUP));
  CHECK(response_of(nothing).topics.empty());

  coordinator::OffsetDeleteReply deleted;
  deleted.topics.push_back({"foam", {{PartitionId(0), ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC}}});
  deleted.topics.push_back({"tide", {{PartitionId(1), ErrorCode::NONE}}});
  const auto merged = merge(plan.refused, deleted);
  const auto response = sent(response_of(merged), 0, frame);
  CHECK(response.error_code == 0);
  REQUIRE(response.topics.size() == 3);
  CHECK(response.topics[0].name == "gone");
  CHECK(response.topics[0].partitions.at(0).error_code == number(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
  CHECK(response.topics[1].name == "tide");
  REQUIRE(response.topics[1].partitions.size() == 2);
  CHECK(response.topics[1].partitions[0].partition_index == 2);
  CHECK(response.topics[1].partitions[0].error_code == number(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
  CHECK(response.topics[1].partitions[1].error_code == 0);
  CHECK(response.topics[2].name == "foam");
  CHECK(response.topics[2].partitions.at(0).error_code == number(ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC));
}

TEST_CASE("groups are listed with states from version 4 on, and with types from version 5 on") {
  for (int16_t version = 0; version <= 5; ++version) {
    INFO(version);
    protocol::ListGroupsRequest request;
    if (version >= 4) request.states_filter = {"Stable"};
    if (version >= 5) request.types_filter = {"classic"};
    std::vector<std::byte> frame;
    const auto question = question_of(sent(request, version, frame));
    CHECK(question.states.size() == (version >= 4 ? 1 : 0));
    CHECK(question.types.size() == (version >= 5 ? 1 : 0));
    coordinator::ListGroupsReply reply;
    reply.groups.push_back({"g", "consumer", "Stable", "classic"});
    const auto response = sent(response_of(reply), version, frame);
    REQUIRE(response.groups.size() == 1);
    CHECK(response.groups[0].group_id == "g");
    CHECK(response.groups[0].protocol_type == "consumer");
    CHECK(response.groups[0].group_state == (version >= 4 ? "Stable" : ""));
    CHECK(response.groups[0].group_type == (version >= 5 ? "classic" : ""));
  }
}

TEST_CASE("who does not coordinate has no groups, and who still loads spoils the list") {
  coordinator::ListGroupsReply one, other, stranger, loading;
  one.groups.push_back({"a", "", "Empty", "classic"});
  other.groups.push_back({"b", "", "Empty", "classic"});
  stranger.error = ErrorCode::NOT_COORDINATOR;
  loading.error = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
  one.next = "a";
  coordinator::ListGroupsReply all;
  CHECK(add(one, all));
  CHECK_FALSE(add(stranger, all));
  CHECK_FALSE(add(other, all));
  CHECK(all.error == ErrorCode::NONE);
  REQUIRE(all.groups.size() == 2);
  CHECK(all.groups[1].group == "b");
  CHECK(bytes_of(all) > bytes_of(one));
  coordinator::ListGroupsReply spoiled = all;
  CHECK_FALSE(add(loading, spoiled));
  CHECK(spoiled.error == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
  CHECK(spoiled.groups.empty());
  CHECK(response_of(spoiled).error_code == number(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
}

TEST_CASE("a group is described in the words of the version") {
  coordinator::DescribeGroupsReply reply;
  auto& stable = reply.groups.emplace_back();
  stable.group = "g";
  stable.state = "Stable";
  stable.protocol_type = "consumer";
  stable.protocol = "range";
  stable.members.push_back({"m", "i", "client", "/127.0.0.1", bytes("meta"), bytes("share")});
  auto& missing = reply.groups.emplace_back();
  missing.group = "gone";
  missing.state = "Dead";
  missing.error = ErrorCode::GROUP_ID_NOT_FOUND;
  missing.message = "Group gone not found.";
  for (int16_t version = 0; version <= 6; ++version) {
    INFO(version);
    std::vector<std::byte> frame;
    const auto response = sent(response_of(reply, version >= 3, version), version, frame);
    REQUIRE(response.groups.size() == 2);
    const auto& group = response.groups[0];
    CHECK(group.error_code == 0);
    CHECK_FALSE(group.error_message.has_value());
    CHECK(group.group_id == "g");
    CHECK(group.group_state == "Stable");
    CHECK(group.protocol_type == "consumer");
    CHECK(group.protocol_data == "range");
    CHECK(group.authorized_operations == (version >= 3 ? 3400 : INT32_MIN));
    REQUIRE(group.members.size() == 1);
    CHECK(group.members[0].member_id == "m");
    CHECK(group.members[0].group_instance_id.has_value() == (version >= 4));
    CHECK(group.members[0].client_id == "client");
    CHECK(group.members[0].client_host == "/127.0.0.1");
    CHECK(group.members[0].member_metadata.size() == 4);
    CHECK(group.members[0].member_assignment.size() == 5);
    CHECK(response.groups[1].error_code == number(ErrorCode::GROUP_ID_NOT_FOUND));
    CHECK(response.groups[1].error_message.has_value() == (version >= 6));
    CHECK(response.groups[1].authorized_operations == INT32_MIN);
  }
  CHECK(response_of(reply, false, 6).groups[0].authorized_operations == INT32_MIN);
  CHECK(bytes_of(reply.groups[0]) > bytes_of(reply.groups[1]));
}

TEST_CASE("a group's rebalances go to who asks for them, from version 5 on") {
  protocol::DescribeGroupsRequest request;
  request.groups = {"g"};
  request.wants_rebalances = true;
  coordinator::DescribeGroupsReply reply;
  auto& group = reply.groups.emplace_back();
  group.group = "g";
  const uint64_t bare = bytes_of(group);
  auto& told = group.rebalances.emplace();
  told.loop = coordinator::RebalanceLoop{6, 1'000};
  coordinator::Rebalance rebalance;
  rebalance.cause = coordinator::RebalanceCause::timeout;
  rebalance.reason = "nobody heard of m";
  rebalance.outcome = coordinator::RebalanceOutcome::stable;
  rebalance.started_ms = 2'000;
  rebalance.joining_ms = 30;
  rebalance.assigning_ms = 4;
  rebalance.generation = 7;
  rebalance.members = 2;
  for (const char* member : {"a", "b", "c", "d", "e"}) rebalance.changes.timed_out.add(member);
  told.recent.push_back(rebalance);
  CHECK(bytes_of(group) > bare + sizeof rebalance);
  for (int16_t version = 0; version <= 6; ++version) {
    INFO(version);
    std::vector<std::byte> frame;
    CHECK(sent(request, version, frame).wants_rebalances == (version >= 5));
    const auto response = sent(response_of(reply, false, version), version, frame);
    const auto& report = response.groups.at(0).rebalances;
    REQUIRE(report.has_value() == (version >= 5));
    if (!report) continue;
    CHECK(report->loop_rebalances == 6);
    CHECK(report->loop_since_ms == 1'000);
    REQUIRE(report->recent.size() == 1);
    const auto& one = report->recent[0];
    CHECK(one.cause == "timeout");
    CHECK(one.reason == "nobody heard of m");
    CHECK(one.outcome == "stable");
    CHECK(one.started_ms == 2'000);
    CHECK(one.joining_ms == 30);
    CHECK(one.assigning_ms == 4);
    CHECK(one.generation == 7);
    CHECK(one.members == 2);
    REQUIRE(one.changes.size() == 1);
    CHECK(one.changes[0].kind == "timed out");
    CHECK(one.changes[0].count == 5);
    CHECK(one.changes[0].member_ids.size() == coordinator::kMaxNamesKept);
  }
  // Without them, the bytes are Kafka's.
  std::vector<std::byte> with, without, plain;
  (void)sent(response_of(reply, false, 6), 6, with);
  group.rebalances.reset();
  (void)sent(response_of(reply, false, 6), 6, without);
  CHECK(with.size() > without.size());
  protocol::DescribeGroupsRequest silent;
  silent.groups = {"g"};
  (void)sent(request, 6, with);
  (void)sent(silent, 6, plain);
  CHECK(with.size() == plain.size() + 4);  // the tag in two bytes, a size, a byte
}

TEST_CASE("a group is deleted once, however often it is named") {
  protocol::DeleteGroupsRequest request;
  request.groups_names = {"b", "a", "b"};
  for (int16_t version = 0; version <= 2; ++version) {
    INFO(version);
    std::vector<std::byte> frame;
    const auto decoded = sent(request, version, frame);
    CHECK(distinct_groups(decoded) == std::vector<std::string_view>{"b", "a"});
    coordinator::DeleteGroupsReply reply;
    reply.results.push_back({"b", ErrorCode::NON_EMPTY_GROUP});
    reply.results.push_back({"a", ErrorCode::NONE});
    std::vector<std::byte> answer;
    const auto response = sent(response_of(reply), version, answer);
    REQUIRE(response.results.size() == 2);
    CHECK(response.results[0].group_id == "b");
    CHECK(response.results[0].error_code == number(ErrorCode::NON_EMPTY_GROUP));
    CHECK(response.results[1].error_code == 0);
  }
}

}  // namespace tidemark::broker
