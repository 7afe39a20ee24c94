// GroupAdmin on the simulated network: coordinators that move, load, and are lost; and which partitions their
// leaders do not serve, coordinators among them.
#include <catch2/catch.hpp>

#include "client/core/group_admin.h"
#include "client/core/partition_survey.h"
#include "protocol/messages/delete_groups_request.h"
#include "protocol/messages/delete_groups_response.h"
#include "protocol/messages/describe_groups_request.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/list_groups_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_fetch_request.h"
#include "tests/unit/client/fake_broker.h"

using namespace tidemark;
using namespace tidemark::client;
using namespace tidemark::client::testing;
using namespace std::chrono_literals;
using protocol::ApiKey;
using runtime::Task;

namespace {

// Answers for the coordinator of every group. `troubles` are the codes of the next answers that carry one.
struct Coordinator {
  explicit Coordinator(FakeBroker& broker) {
    broker.more_apis = {{ApiKey::OffsetCommit, {2, 10}},   {ApiKey::OffsetFetch, {1, 10}},
                        {ApiKey::FindCoordinator, {0, 6}}, {ApiKey::DescribeGroups, {0, 6}},
                        {ApiKey::ListGroups, {0, 5}},      {ApiKey::DeleteGroups, {0, 2}}};
    broker.answer_more = [this](const protocol::RequestHeader& header, protocol::Decoder& in) {
      return answer(header, in);
    };
  }

  int16_t next_trouble() {
    if (troubles.empty()) return 0;
    const ErrorCode code = troubles.front();
    troubles.erase(troubles.begin());
    return static_cast<int16_t>(code);
  }

  std::vector<std::byte> answer(const protocol::RequestHeader& header, protocol::Decoder& in) {
    const int16_t version = header.request_api_version;
    const int32_t id = header.correlation_id;
    switch (ApiKey(header.request_api_key)) {
      case ApiKey::FindCoordinator: {
        const auto request = protocol::FindCoordinatorRequest::decode(in, version);
        protocol::FindCoordinatorResponse response;
        if (version < kFindCoordinatorsBatched) {
          response.node_id = 1;
          response.host = "broker";
          response.port = 9092;
        }
        for (const std::string_view key : request->coordinator_keys) {
          auto& added = response.coordinators.emplace_back();
          added.key = key;
          added.node_id = 1;
          added.host = "broker";
          added.port = 9092;
        }
        return frame_of(id, response, version);
      }
      case ApiKey::DescribeGroups: {
        const auto request = protocol::DescribeGroupsRequest::decode(in, version);
        protocol::DescribeGroupsResponse response;
        for (const std::string_view group : request->groups) {
          auto& described = response.groups.emplace_back();
          described.group_id = group;
          described.error_code = next_trouble();
          described.group_state = group == "nobody" ? "Dead" : "Empty";
        }
        return frame_of(id, response, version);
      }
      case ApiKey::ListGroups: {
        protocol::ListGroupsResponse response;
        response.error_code = next_trouble();
        {
          auto& added = response.groups.emplace_back();
          added.group_id = "readers";
          added.protocol_type = "";
          added.group_state = "Empty";
          added.group_type = "classic";
        }
        return frame_of(id, response, version);
      }
      case ApiKey::DeleteGroups: {
        const auto request = protocol::DeleteGroupsRequest::decode(in, version);
        ++deletions;
        if (drops_answers) return {};
        protocol::DeleteGroupsResponse response;
        for (const std::string_view group : request->groups_names) {
          auto& added = response.results.emplace_back();
          added.group_id = group;
          added.error_code = next_trouble();
        }
        return frame_of(id, response, version);
      }
      case ApiKey::OffsetCommit: {
        const auto request = protocol::OffsetCommitRequest::decode(in, version);
        protocol::OffsetCommitResponse response;
        const int16_t code = next_trouble();
        for (const auto& topic : request->topics) {
          auto& answered = response.topics.emplace_back();
          answered.name = topic.name;
          for (const auto& each : topic.partitions) {
            {
              auto& added = answered.partitions.emplace_back();
              added.partition_index = each.partition_index;
              added.error_code = code;
            }
            if (code == 0) offsets[{std::string(topic.name), each.partition_index}] = each.committed_offset;
          }
        }
        return frame_of(id, response, version);
      }
      case ApiKey::OffsetFetch: {
        protocol::OffsetFetchResponse response;
        const auto fill = [&](auto& topics) {
          for (const auto& [place, offset] : offsets) {
            auto& topic = topics.emplace_back();
            topic.name = place.first;
            {
              auto& added = topic.partitions.emplace_back();
              added.partition_index = place.second;
              added.committed_offset = offset;
            }
          }
        };
        if (version < kOffsetFetchBatched) {
          fill(response.topics);
        } else {
          auto& group = response.groups.emplace_back();
          group.group_id = "readers";
          fill(group.topics);
        }
        return frame_of(id, response, version);
      }
      default: return {};
    }
  }

  std::vector<ErrorCode> troubles;
  bool drops_answers = false;
  int deletions = 0;
  std::map<std::pair<std::string, int32_t>, int64_t> offsets;
};

struct World {
  explicit World(uint64_t seed)
      : time(seed),
        network(time, seed, counters),
        broker_loop(time),
        client_loop(time),
        broker(network, broker_loop, 1),
        coordinator(broker),
        random(seed),
        connector(network.connector("client", client_loop)),
        cluster(client_loop, *connector, random, options()),
        groups(cluster) {}

  static ClusterOptions options() {
    ClusterOptions options;
    options.bootstrap = {{"broker", 9092}};
    options.api_timeout_ms = 20'000;
    return options;
  }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> value;
    runtime::TaskScope scope;
    auto body = [](Task<T> t, std::optional<T>& out) -> Task<void> { out.emplace(co_await t); };
    scope.spawn(body(std::move(task), value));
    const runtime::MonoTime end = time.mono() + 600s;
    while (!value && time.mono() < end && time.step()) {
    }
    REQUIRE(value.has_value());
    return std::move(*value);
  }
  int asked(ApiKey api) { return broker.requests[static_cast<int16_t>(api)]; }

  simulation::VirtualTime time;
  simulation::FaultCounters counters;
  simulation::SimNetwork network;
  simulation::VirtualScheduler broker_loop;
  simulation::VirtualScheduler client_loop;
  FakeBroker broker;
  Coordinator coordinator;
  runtime::SeededRandom random;
  std::unique_ptr<runtime::Connector> connector;
  Cluster cluster;
  GroupAdmin groups;
};

}  // namespace

TEST_CASE("groups are asked about at once, and their coordinator is remembered") {
  World world(1);
  const auto described = world.run(world.groups.describe({"a", "b", "nobody"}));
  REQUIRE(described.has_value());
  CHECK(described->at("a")->coordinator.id == BrokerId(1));
  CHECK(described->at("b")->state == "Empty");
  CHECK(described->at("nobody").error().code() == ErrorCode::GROUP_ID_NOT_FOUND);
  CHECK(world.asked(ApiKey::FindCoordinator) == 1);
  CHECK(world.asked(ApiKey::DescribeGroups) == 1);
  CHECK(world.run(world.groups.describe({"a"})).has_value());
  CHECK(world.asked(ApiKey::FindCoordinator) == 1);
}

TEST_CASE("an older broker finds one coordinator at a time") {
  World world(2);
  world.broker.more_apis[ApiKey::FindCoordinator] = {0, 3};
  CHECK(world.run(world.groups.describe({"a", "b"}))->size() == 2);
  CHECK(world.asked(ApiKey::FindCoordinator) == 2);
}

TEST_CASE("a coordinator that moved is found again, one that loads is waited for") {
  World world(3);
  world.coordinator.troubles = {ErrorCode::NOT_COORDINATOR, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
                                ErrorCode::COORDINATOR_LOAD_IN_PROGRESS};
  CHECK(world.run(world.groups.describe({"a"}))->at("a").has_value());
  CHECK(world.asked(ApiKey::FindCoordinator) == 2);
  CHECK(world.asked(ApiKey::DescribeGroups) == 4);
}

TEST_CASE("a coordinator that never gets ready is given up in time, by its error") {
  World world(4);
  world.coordinator.troubles.assign(10'000, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
  const runtime::MonoTime began = world.time.mono();
  const auto described = world.run(world.groups.describe({"a"}));
  CHECK(described->at("a").error().code() == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
  CHECK(world.time.mono() - began >= 20s);
  CHECK(world.time.mono() - began < 25s);
}

TEST_CASE("a deletion that may have arrived is not sent twice") {
  World world(5);
  world.coordinator.drops_answers = true;
  const auto removed = world.run(world.groups.remove({"a"}));
  REQUIRE(removed.has_value());
  CHECK(removed->front().error->possibly_persisted());
  CHECK(world.coordinator.deletions == 1);
}

TEST_CASE("offsets are committed and read back by topic name, in every shape of the answer") {
  for (const int16_t newest : {10, 7, 2}) {
    World world(6);
    world.broker.more_apis[ApiKey::OffsetFetch] = {1, newest};
    world.coordinator.troubles = {ErrorCode::NOT_COORDINATOR};  // told with each partition
    GroupAdmin::Offsets offsets{{{"tide", PartitionId(0)}, {Offset(7), kNoLeaderEpoch, ""}},
                                {{"tide", PartitionId(2)}, {Offset(9), kNoLeaderEpoch, ""}}};
    const auto committed = world.run(world.groups.commit("readers", offsets));
    REQUIRE(committed.has_value());
    CHECK(committed->size() == 2);
    CHECK(world.broker.versions[8] == kOffsetsByTopicName);
    const auto read = world.run(world.groups.committed("readers"));
    REQUIRE(read.has_value());
    CHECK(read->at({"tide", PartitionId(2)})->offset == Offset(9));
    CHECK(world.broker.versions[9] == std::min(newest, kOffsetsByTopicName));
  }
}

TEST_CASE("groups are listed from brokers that are done loading, and versions that know less") {
  World world(7);
  world.coordinator.troubles = {ErrorCode::COORDINATOR_LOAD_IN_PROGRESS};
  const auto listed = world.run(world.groups.list({}));
  REQUIRE(listed.has_value());
  CHECK(listed->groups.front().state == "Empty");
  CHECK(listed->failed.empty());

  World older(8);
  older.broker.more_apis[ApiKey::ListGroups] = {0, 3};
  CHECK(older.run(older.groups.list({}))->groups.front().state.empty());
  const auto filtered = older.run(older.groups.list({"Empty"}));
  REQUIRE_FALSE(filtered.has_value());
  CHECK(filtered.error().code() == ErrorCode::UNSUPPORTED_VERSION);
}

TEST_CASE("a broker without groups says so") {
  World world(9);
  world.broker.more_apis.clear();
  const auto described = world.run(world.groups.describe({"a"}));
  REQUIRE_FALSE(described.has_value());
  CHECK(described.error().message() == "the broker does not serve FindCoordinator");
}

TEST_CASE("a partition that its leader does not serve is found in the last piece too") {
  World world(11);
  for (int i = 0; i < 2'500; ++i) world.broker.add_partition();
  CHECK(world.run(survey_partitions(world.cluster))->unserved.empty());
  CHECK(world.asked(ApiKey::ListOffsets) == 3);
  CHECK(world.asked(ApiKey::DescribeGroups) == 0);  // none of them is of groups
  world.broker.end_errors = {{0, ErrorCode::KAFKA_STORAGE_ERROR}, {2'500, ErrorCode::KAFKA_STORAGE_ERROR}};
  const auto survey = world.run(survey_partitions(world.cluster));
  REQUIRE(survey.has_value());
  CHECK(survey->unknown.empty());
  REQUIRE(survey->unserved.size() == 2);
  const Unserved& last = survey->unserved.at({"tide", PartitionId(2'500)});
  CHECK((last.leader == BrokerId(1) && last.error == ErrorCode::KAFKA_STORAGE_ERROR));
  CHECK(world.asked(ApiKey::ListOffsets) == 7);  // a second look at those two alone
}

TEST_CASE("a leader that moves while it is asked is no fault") {
  World world(12);
  world.broker.end_errors = {{0, ErrorCode::NOT_LEADER_OR_FOLLOWER}};
  runtime::TaskScope scope;
  auto moving = [](World& w) -> Task<void> {
    auto pause = runtime::sleep_for(w.client_loop, 500ms);
    co_await pause;
    w.broker.end_errors.clear();
  };
  scope.spawn(moving(world));
  CHECK(world.run(survey_partitions(world.cluster))->unserved.empty());
  CHECK(world.asked(ApiKey::ListOffsets) == 2);
}

TEST_CASE("a partition of groups whose log is there and whose coordinator is not") {
  World world(13);
  world.broker.topic_name = kOffsetsTopic;
  world.broker.add_partition();
  CHECK(world.run(survey_partitions(world.cluster))->unserved.empty());
  CHECK(world.broker.versions[static_cast<int16_t>(ApiKey::DescribeGroups)] == 5);
  // Names are asked for in the order of their partitions: the second, and then again it alone.
  world.coordinator.troubles = {ErrorCode::NONE, ErrorCode::NOT_COORDINATOR, ErrorCode::NOT_COORDINATOR};
  const auto survey = world.run(survey_partitions(world.cluster, std::string(kOffsetsTopic)));
  REQUIRE(survey->unserved.size() == 1);
  CHECK(survey->unserved.at({"__consumer_offsets", PartitionId(1)}).error == ErrorCode::NOT_COORDINATOR);
  world.coordinator.troubles = {ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
                                ErrorCode::GROUP_AUTHORIZATION_FAILED};
  CHECK(world.run(survey_partitions(world.cluster))->unserved.empty());
}

TEST_CASE("a broker that does not tell of its partitions is named with the reason") {
  World world(14);
  world.broker.topic_name = kOffsetsTopic;
  world.broker.more_apis.erase(ApiKey::DescribeGroups);
  const auto survey = world.run(survey_partitions(world.cluster));
  REQUIRE(survey->unknown.size() == 1);
  CHECK(survey->unknown.at(BrokerId(1)).code() == ErrorCode::UNSUPPORTED_VERSION);
}

TEST_CASE("each partition of groups has a name that belongs there") {
  // As Java's String.hashCode() has it, and so a genuine broker.
  CHECK(groups_of_partitions(4).at(PartitionId(0)) == "tidemark-survey-1");
  CHECK(groups_of_partitions(50).at(PartitionId(0)) == "tidemark-survey-50");
  for (const int32_t partitions : {1, 4, 50, 1'000})
    CHECK(groups_of_partitions(partitions).size() == static_cast<size_t>(partitions));
}
