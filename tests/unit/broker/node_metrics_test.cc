// What is counted of responses, and gauges whose series come and go.
#include "broker/node_metrics.h"

#include <catch2/catch.hpp>

#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/elect_leaders_response.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/leave_group_response.h"
#include "protocol/messages/list_offsets_response.h"
#include "protocol/messages/offset_fetch_response.h"
#include "protocol/messages/produce_response.h"

namespace tidemark::broker {
namespace {

template <class Body>
std::vector<int16_t> errors_of(const Body& body) {
  std::vector<int16_t> codes;
  for_each_error(body, [&](int16_t code) { codes.push_back(code); });
  return codes;
}

}  // namespace

TEST_CASE("errors are found wherever a response has them") {
  protocol::FetchResponse fetch;
  fetch.error_code = 70;
  fetch.responses.emplace_back().partitions.emplace_back().error_code = 1;
  fetch.responses.emplace_back().partitions.emplace_back().error_code = 3;
  CHECK(errors_of(fetch) == std::vector<int16_t>{70, 1, 3});
  protocol::ProduceResponse produce;
  produce.responses.emplace_back().partition_responses.emplace_back().error_code = 10;
  CHECK(errors_of(produce) == std::vector<int16_t>{10});
  protocol::ListOffsetsResponse offsets;
  offsets.topics.emplace_back().partitions.emplace_back().error_code = 6;
  CHECK(errors_of(offsets) == std::vector<int16_t>{6});
  protocol::CreateTopicsResponse created;
  created.topics.emplace_back().error_code = 36;
  CHECK(errors_of(created) == std::vector<int16_t>{36});
  protocol::OffsetFetchResponse committed;
  auto& group = committed.groups.emplace_back();
  group.error_code = 16;
  group.topics.emplace_back().partitions.emplace_back().error_code = 3;
  CHECK(errors_of(committed) == std::vector<int16_t>{0, 16, 3});
  protocol::LeaveGroupResponse left;
  left.members.emplace_back().error_code = 25;
  CHECK(errors_of(left) == std::vector<int16_t>{0, 25});
  protocol::ElectLeadersResponse elected;
  elected.replica_election_results.emplace_back().partition_result.emplace_back().error_code = 84;
  CHECK(errors_of(elected) == std::vector<int16_t>{0, 84});
}

TEST_CASE("errors are counted by their names, success and unknown codes not at all") {
  Metrics metrics(2);
  NodeMetrics node(metrics, 2);
  using protocol::ApiKey;
  node.count_error(0, ApiKey::Fetch, 3);
  node.count_error(1, ApiKey::Fetch, 3);
  node.count_error(1, ApiKey::Produce, 3);
  node.count_error(1, ApiKey::Metadata, -1);
  for (const int code : {0, -2, 9'999, -32'768, 32'767})
    node.count_error(0, ApiKey::Fetch, static_cast<int16_t>(code));
  const std::string text = metrics.serialize();
  const std::string name = "tidemark_response_errors_total";
  CHECK(text.find(name + "{api=\"Fetch\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"} 2") != text.npos);
  CHECK(text.find(name + "{api=\"Produce\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"} 1") != text.npos);
  CHECK(text.find(name + "{api=\"(others)\",error=\"UNKNOWN_SERVER_ERROR\"} 1") != text.npos);
  CHECK(text.find("error=\"NONE\"") == text.npos);
}

TEST_CASE("a gauge's series are those that its reader names at that moment") {
  Metrics metrics(1);
  std::vector<std::pair<MetricLabels, double>> now{{{{"topic", "a"}}, 1}};
  metrics.gauges("sizes", "Sizes", [&] { return now; });
  CHECK(metrics.serialize().find("sizes{topic=\"a\"} 1") != std::string::npos);
  now = {{{{"topic", "b"}}, 2}};
  const std::string text = metrics.serialize();
  CHECK(text.find("topic=\"a\"") == text.npos);
  CHECK(text.find("sizes{topic=\"b\"} 2") != text.npos);
}

}  // namespace tidemark::broker
