// One entry function for each API that is served; each in its file, which opens with the versions and what is
// special. Called on the connection's shard. An Error closes the connection (request_handler.h).
#pragma once

#include "broker/api/services.h"

namespace tidemark::broker {

runtime::Task<Result<Response>> handle_produce(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_fetch(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_list_offsets(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_offset_for_leader_epoch(ApiServices& services,
                                                               RequestContext& request);
runtime::Task<Result<Response>> handle_delete_records(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_init_producer_id(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_metadata(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_api_versions(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_create_topics(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_delete_topics(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_create_partitions(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_describe_cluster(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_describe_topic_partitions(ApiServices& services,
                                                                 RequestContext& request);
runtime::Task<Result<Response>> handle_describe_configs(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_alter_configs(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_incremental_alter_configs(ApiServices& services,
                                                                 RequestContext& request);
runtime::Task<Result<Response>> handle_list_config_resources(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_describe_log_dirs(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_describe_quorum(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_get_telemetry_subscriptions(ApiServices& services,
                                                                   RequestContext& request);
runtime::Task<Result<Response>> handle_push_telemetry(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_alter_partition_reassignments(ApiServices& services,
                                                                     RequestContext& request);
runtime::Task<Result<Response>> handle_list_partition_reassignments(ApiServices& services,
                                                                    RequestContext& request);
runtime::Task<Result<Response>> handle_elect_leaders(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_unregister_broker(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_update_features(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_describe_producers(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_find_coordinator(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_join_group(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_sync_group(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_heartbeat(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_leave_group(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_offset_commit(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_offset_fetch(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_offset_delete(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_list_groups(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_describe_groups(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_delete_groups(ApiServices& services, RequestContext& request);

runtime::Task<Result<Response>> handle_describe_client_quotas(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_alter_client_quotas(ApiServices& services, RequestContext& request);
runtime::Task<Result<Response>> handle_describe_user_scram_credentials(ApiServices& services,
                                                                       RequestContext& request);

// The dispatcher of one shard.
class ApiHandler final : public RequestHandler {
 public:
  explicit ApiHandler(ApiServices services) : services_(services) {}
  runtime::Task<Result<Response>> handle(RequestContext& request) override;
  [[nodiscard]] bool counts_work(const RequestContext& request) const override {
    return services_.quotas.counts_work(request);
  }
  void answered(RequestContext& request, runtime::Duration stretch) override {
    services_.quotas.worked_on(request, stretch);
  }

 private:
  ApiServices services_;
};

}  // namespace tidemark::broker
