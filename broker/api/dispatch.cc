// Which function answers which API. An API that the table of served ones lists and this switch does not is a
// bug of ours.
#include <fmt/format.h>

#include "broker/api/handlers.h"

namespace tidemark::broker {

using protocol::ApiKey;
using runtime::Task;

Task<Result<Response>> ApiHandler::handle(RequestContext& request) {
  request.metrics = services_.metrics;
  request.quotas = &services_.quotas;
  request.memory = &services_.element_memory;
  switch (static_cast<ApiKey>(request.header.request_api_key)) {
    case ApiKey::Produce: return handle_produce(services_, request);
    case ApiKey::Fetch: return handle_fetch(services_, request);
    case ApiKey::ListOffsets: return handle_list_offsets(services_, request);
    case ApiKey::Metadata: return handle_metadata(services_, request);
    case ApiKey::OffsetCommit: return handle_offset_commit(services_, request);
    case ApiKey::OffsetFetch: return handle_offset_fetch(services_, request);
    case ApiKey::FindCoordinator: return handle_find_coordinator(services_, request);
    case ApiKey::JoinGroup: return handle_join_group(services_, request);
    case ApiKey::Heartbeat: return handle_heartbeat(services_, request);
    case ApiKey::LeaveGroup: return handle_leave_group(services_, request);
    case ApiKey::SyncGroup: return handle_sync_group(services_, request);
    case ApiKey::DescribeGroups: return handle_describe_groups(services_, request);
    case ApiKey::ListGroups: return handle_list_groups(services_, request);
    case ApiKey::ApiVersions: return handle_api_versions(services_, request);
    case ApiKey::CreateTopics: return handle_create_topics(services_, request);
    case ApiKey::DeleteTopics: return handle_delete_topics(services_, request);
    case ApiKey::DeleteRecords: return handle_delete_records(services_, request);
    case ApiKey::InitProducerId: return handle_init_producer_id(services_, request);
    case ApiKey::OffsetForLeaderEpoch: return handle_offset_for_leader_epoch(services_, request);
    case ApiKey::DescribeConfigs: return handle_describe_configs(services_, request);
    case ApiKey::AlterConfigs: return handle_alter_configs(services_, request);
    case ApiKey::DescribeLogDirs: return handle_describe_log_dirs(services_, request);
    case ApiKey::CreatePartitions: return handle_create_partitions(services_, request);
    case ApiKey::DeleteGroups: return handle_delete_groups(services_, request);
    case ApiKey::ElectLeaders: return handle_elect_leaders(services_, request);
    case ApiKey::IncrementalAlterConfigs: return handle_incremental_alter_configs(services_, request);
    case ApiKey::AlterPartitionReassignments: return handle_alter_partition_reassignments(services_, request);
    case ApiKey::ListPartitionReassignments: return handle_list_partition_reassignments(services_, request);
    case ApiKey::OffsetDelete: return handle_offset_delete(services_, request);
    case ApiKey::DescribeClientQuotas: return handle_describe_client_quotas(services_, request);
    case ApiKey::AlterClientQuotas: return handle_alter_client_quotas(services_, request);
    case ApiKey::DescribeUserScramCredentials:
      return handle_describe_user_scram_credentials(services_, request);
    case ApiKey::DescribeQuorum: return handle_describe_quorum(services_, request);
    case ApiKey::UpdateFeatures: return handle_update_features(services_, request);
    case ApiKey::DescribeCluster: return handle_describe_cluster(services_, request);
    case ApiKey::DescribeProducers: return handle_describe_producers(services_, request);
    case ApiKey::UnregisterBroker: return handle_unregister_broker(services_, request);
    case ApiKey::GetTelemetrySubscriptions: return handle_get_telemetry_subscriptions(services_, request);
    case ApiKey::PushTelemetry: return handle_push_telemetry(services_, request);
    case ApiKey::ListConfigResources: return handle_list_config_resources(services_, request);
    case ApiKey::DescribeTopicPartitions: return handle_describe_topic_partitions(services_, request);
    default: INVARIANT(false, "API {} is served, and nothing answers it", request.header.request_api_key);
  }
}

}  // namespace tidemark::broker
