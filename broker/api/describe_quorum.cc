// DescribeQuorum (key 55), v0-2 (KIP-595, KIP-836, KIP-853): the metadata log's leader, term and voters. A
// cluster of one is its own only voter.
#include "broker/api/handlers.h"
#include "broker/metadata_log.h"
#include "protocol/messages/describe_quorum_request.h"
#include "protocol/messages/describe_quorum_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

struct Quorum {
  LeaderEpoch term;
  Offset high_watermark;
  Offset end;
};

Task<Quorum> ask(MetadataService& metadata) {
  co_return Quorum{metadata.term(), metadata.log()->counted(), metadata.log()->end()};
}

}  // namespace

Task<Result<Response>> handle_describe_quorum(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DescribeQuorumRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  auto make = [metadata = &services.metadata] { return ask(*metadata); };
  auto calling = services.shards[0]->call(services.home.loop(), std::move(make));
  const Quorum quorum = co_await calling;
  const auto view = services.home.view();
  const BrokerId node = services.metadata.node();
  const int64_t wall = unix_ms(services.home.loop().clock().wall());

  protocol::Arena arena;
  protocol::DescribeQuorumResponse response;
  for (const auto& wanted : decoded->topics) {
    auto& topic = response.topics.emplace_back();
    topic.topic_name = wanted.topic_name;
    for (const auto& p : wanted.partitions) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = p.partition_index;
      if (wanted.topic_name != kClusterMetadataTopic || p.partition_index != 0) {
        partition.error_code = static_cast<int16_t>(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        continue;
      }
      partition.leader_id = node.value;
      partition.leader_epoch = quorum.term.value;
      partition.high_watermark = quorum.high_watermark.value;
      auto& voter = partition.current_voters.emplace_back();
      voter.replica_id = node.value;
      voter.log_end_offset = quorum.end.value;
      voter.last_fetch_timestamp = wall;
      voter.last_caught_up_timestamp = wall;
    }
  }
  if (request.header.request_api_version >= 2) {
    auto& out = response.nodes.emplace_back();
    out.node_id = node.value;
    auto& listener = out.listeners.emplace_back();
    listener.name = request.connection.listener;
    listener.host = request.connection.local.host;
    listener.port = request.connection.local.port;
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
