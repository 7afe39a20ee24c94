// Produce (key 0), v3-13; 0-2 are advertised and refused (api_versions.cc). Topic ids from v13 (KIP-516).
// Each partition gets one batch, checked on the connection's shard, placed and journaled on the partition's.
// acks=all is answered when the high watermark has passed the batch, acks=1 when the leader's log counts it
// (durable; with write.caching, in its file): a killed leader must not take it along, and in a journal's
// group commit the page cache is hardly ahead of the disk. acks=0 is never answered.
#include <fmt/format.h>

#include <algorithm>

#include "broker/api/handlers.h"
#include "broker/api/produce_check.h"
#include "broker/coordinator/placement.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"

namespace tidemark::broker {

using protocol::ProduceRequest;
using protocol::ProduceResponse;
using runtime::Task;

namespace {

constexpr int16_t kFirstProduceWithTopicIds = 13;
constexpr int16_t kLeader = 1;
constexpr int16_t kAll = -1;
// Many small batches may open to much, one after the other on the shard.
constexpr uint64_t kMostAtOnce = 1 << 20;
constexpr uint64_t kItemCost = 512;                          // a partition, as bytes of a batch
constexpr std::string_view kAdminClient = "__admin_client";  // its client id is its right, as in Kafka

struct Item {
  size_t topic = 0;  // in the request
  size_t index = 0;  // of the partition in its topic
  TopicIdPartition id;
  Shard* shard = nullptr;
  CheckedBatch batch;
  ErrorCode error = ErrorCode::NONE;
  std::optional<std::string> message;
  std::vector<protocol::RecordError> record_errors;
  replication::Appended appended;
  bool done = false;
  size_t bytes = 0;
  int32_t records = 0;
};

struct Placement {
  size_t item = 0;
  ErrorCode error = ErrorCode::NONE;
  std::string message;
  replication::Appended appended;
};

// What one shard is asked to append. Shared with its task, which may outlive the request.
struct ShardWork {
  struct Append {
    size_t item = 0;
    TopicIdPartition id;
    runtime::BufferSlice batch;
    protocol::BatchHeader header;
    bool behind_refused = false;
  };
  std::vector<Append> appends;
  int16_t acks = 0;
};

Task<Placement> append_one(Shard& shard, ShardWork::Append append, int16_t acks) {
  Placement placement;
  placement.item = append.item;
  const auto partition = shard.partition(append.id);
  if (!partition) {
    placement.error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    co_return placement;
  }
  auto appending = partition->append(std::move(append.batch), append.header, append.behind_refused);
  auto appended = co_await appending;
  if (!appended) {
    placement.error = appended.error().code();
    placement.message = appended.error().message();
    co_return placement;
  }
  placement.appended = *appended;
  if (acks != 0) {
    auto waiting = acks == kAll ? partition->wait_high_watermark(appended->next_offset)
                                : partition->wait_leader(appended->next_offset);
    const bool reached = co_await waiting;
    if (!reached) {
      placement.error = ErrorCode::KAFKA_STORAGE_ERROR;
      placement.message = "the log went offline; the records may have been written";
    }
  }
  co_return placement;
}

struct Collected {
  std::vector<Placement> placements;
  size_t missing = 0;
};

Task<void> append_into(Shard& shard, ShardWork::Append append, int16_t acks,
                       std::shared_ptr<Collected> collected, std::shared_ptr<runtime::Signal> changed) {
  auto appending = append_one(shard, std::move(append), acks);
  auto placement = co_await appending;
  collected->placements.push_back(std::move(placement));
  if (--collected->missing == 0) changed->notify_all();
}

// All appends of one shard: their places are taken in the order given, then they are waited for together.
Task<std::vector<Placement>> append_on(Shard& shard, std::shared_ptr<ShardWork> work) {
  if (work->appends.size() == 1) {
    auto appending = append_one(shard, std::move(work->appends.front()), work->acks);
    std::vector<Placement> one;
    one.push_back(co_await appending);
    co_return one;
  }
  auto collected = std::make_shared<Collected>();
  auto changed = std::make_shared<runtime::Signal>(shard.loop());
  collected->missing = work->appends.size();
  collected->placements.reserve(work->appends.size());
  for (auto& append : work->appends)
    shard.tasks().spawn(append_into(shard, std::move(append), work->acks, collected, changed));
  while (collected->missing > 0) {
    auto waiting = changed->wait();
    co_await waiting;
  }
  co_return std::move(collected->placements);
}

// One request's state, shared with the tasks that wait for its shards: it may be answered by its deadline
// before them.
struct Produce {
  explicit Produce(runtime::Scheduler& loop) : changed(loop) {}
  std::vector<Item> items;
  runtime::Signal changed;
  size_t missing = 0;  // shards that have not answered
};

Task<void> collect(runtime::Scheduler& home, Shard& shard, std::shared_ptr<ShardWork> work,
                   std::shared_ptr<Produce> produce) {
  auto make = [target = &shard, work] { return append_on(*target, work); };
  auto calling = shard.call(home, std::move(make));
  auto placements = co_await calling;
  for (Placement& p : placements) {
    Item& item = produce->items[p.item];
    item.error = p.error;
    if (!p.message.empty()) item.message = std::move(p.message);
    item.appended = p.appended;
    item.done = true;
  }
  if (--produce->missing == 0) produce->changed.notify_all();
}

ProduceResponse::PartitionProduceResponse partition_response(Item& item, int32_t partition,
                                                             RequestContext& request,
                                                             protocol::Arena& arena) {
  ProduceResponse::PartitionProduceResponse response;
  response.index = partition;
  response.error_code = static_cast<int16_t>(item.error);
  if (item.error == ErrorCode::NONE) {
    response.base_offset = item.appended.base_offset.value;
    response.log_append_time_ms = item.appended.log_append_time_ms;
    response.log_start_offset = item.appended.log_start.value;
  } else {
    response.base_offset = -1;
    if (item.message && request.header.request_api_version >= 8)
      response.error_message = arena.copy(*item.message);
    for (const protocol::RecordError& e : item.record_errors) {
      auto& error = response.record_errors.emplace_back();
      error.batch_index = e.batch_index;
      if (!e.message.empty()) error.batch_index_error_message = arena.copy(e.message);
    }
  }
  return response;
}

// A duplicate was asked for, and adds nothing.
void count(NodeMetrics& metrics, size_t shard, const Item& item) {
  const bool appended = item.error == ErrorCode::NONE && !item.appended.duplicate;
  const auto records = appended ? static_cast<uint64_t>(item.records) : 0;
  const size_t bytes = item.error == ErrorCode::NONE && !appended ? 0 : item.bytes;
  if (appended) {
    metrics.produce_bytes.add(shard, bytes);
    metrics.produce_records.add(shard, records);
  }
  if (!item.id.topic_id.is_zero())
    metrics.traffic(shard, item.id.topic_id).count_produce(item.error, bytes, records);
}

// What no answer will tell.
void count_errors(const RequestContext& request, const std::vector<Item>& items) {
  if (request.metrics == nullptr) return;
  for (const Item& item : items) {
    request.metrics->count_error(request.connection.shard, protocol::ApiKey::Produce,
                                 static_cast<int16_t>(item.error));
  }
}

Task<Result<Response>> run(ApiServices& services, RequestContext& request) {
  runtime::Scheduler& loop = services.home.loop();
  auto decoded = decode_body<ProduceRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const ProduceRequest& body = *decoded;
  const int16_t version = request.header.request_api_version;
  const auto view = services.home.view();
  auto produce = std::make_shared<Produce>(loop);
  const bool acks_known = body.acks == 0 || body.acks == kLeader || body.acks == kAll;

  const int64_t now_ms = unix_ms(loop.clock().wall());
  size_t partitions = 0;
  for (const auto& topic_data : body.topic_data) partitions += topic_data.partition_data.size();
  produce->items.reserve(partitions);
  uint64_t stretch = 0;  // bytes that this loop has looked at since others could run
  for (size_t t = 0; t < body.topic_data.size(); ++t) {
    const auto& topic_data = body.topic_data[t];
    const TopicView* topic = version >= kFirstProduceWithTopicIds ? view->topic(topic_data.topic_id)
                                                                  : view->topic(topic_data.name);
    for (size_t p = 0; p < topic_data.partition_data.size(); ++p) {
      const auto& data = topic_data.partition_data[p];
      Item& item = produce->items.emplace_back();
      item.topic = t;
      item.index = p;
      if (!acks_known) {
        item.error = ErrorCode::INVALID_REQUIRED_ACKS;
      } else if (topic == nullptr) {
        item.error = version >= kFirstProduceWithTopicIds ? ErrorCode::UNKNOWN_TOPIC_ID
                                                          : ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      } else if (topic->image->partition(PartitionId(data.index)) == nullptr) {
        item.error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      } else if (topic->image->name == coordinator::kOffsetsTopic &&
                 request.header.client_id != kAdminClient) {
        item.error = ErrorCode::INVALID_TOPIC_EXCEPTION;
        item.message = fmt::format("Cannot append to internal topic {}", topic->image->name);
      } else {
        item.id = TopicIdPartition{topic->image->id, PartitionId(data.index)};
        item.shard = services.shard_of(*topic, PartitionId(data.index));
        if (item.shard == nullptr) {
          item.error = ErrorCode::KAFKA_STORAGE_ERROR;
          if (auto header = protocol::parse_batch_header(data.records.bytes()))
            services.home.refused_producers().add(item.id, *header, loop.mono());
        }
      }
      item.bytes = data.records.size();
      if (item.error == ErrorCode::NONE) {
        const bool for_groups = topic->image->name == coordinator::kOffsetsTopic;
        auto checking =
            check_batch(services, request, data.records, topic->config, version, now_ms, for_groups);
        auto checked = co_await checking;
        stretch += checked.opened_bytes;
        if (checked.error == ErrorCode::NONE && checked.header.is_transactional()) {
          item.error = body.transactional_id ? ErrorCode::INVALID_TXN_STATE
                                             : ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        } else if (checked.error == ErrorCode::NONE) {
          item.batch = std::move(checked);
        } else {
          item.error = checked.error;
          item.message = std::move(checked.message);
          item.record_errors = std::move(checked.record_errors);
        }
      }
      stretch += kItemCost;
      if (stretch < kMostAtOnce) continue;
      stretch = 0;
      auto breathing = runtime::let_others_run(loop);
      co_await breathing;
    }
  }

  std::vector<std::shared_ptr<ShardWork>> by_shard(services.shards.size());
  for (size_t i = 0; i < produce->items.size(); ++i) {
    Item& item = produce->items[i];
    if (item.error != ErrorCode::NONE) continue;
    auto& work = by_shard[item.shard->index()];
    if (!work) {
      work = std::make_shared<ShardWork>();
      work->acks = body.acks;
      work->appends.reserve(produce->items.size() - i);
    }
    item.bytes = item.batch.batch.size();
    item.records = item.batch.header.record_count;
    const protocol::BatchHeader& header = item.batch.header;
    const bool behind = services.home.refused_producers().holds_back(item.id, header, loop.mono());
    work->appends.push_back({i, item.id, std::move(item.batch.batch), header, behind});
  }
  for (const auto& work : by_shard) produce->missing += work ? 1 : 0;
  for (size_t s = 0; s < by_shard.size(); ++s) {
    if (by_shard[s]) services.home.tasks().spawn(collect(loop, *services.shards[s], by_shard[s], produce));
  }
  // What one loop posts to another arrives in order: every place is taken before those of the next request.
  request.release_order();

  const runtime::MonoTime deadline =
      request.arrived + std::chrono::milliseconds(std::max(body.timeout_ms, 1));
  while (produce->missing > 0 && loop.mono() < deadline) {
    auto waiting = produce->changed.wait_until(deadline);
    co_await waiting;
  }
  bool failed = false;
  for (Item& item : produce->items) {
    if (item.error == ErrorCode::NONE && !item.done) item.error = ErrorCode::REQUEST_TIMED_OUT;
    failed = failed || item.error != ErrorCode::NONE;
    if (services.metrics != nullptr) count(*services.metrics, services.home.index(), item);
  }
  services.quotas.charge(request, QuotaKind::produce, static_cast<double>(request.frame.bytes.size()));
  if (body.acks == 0) {
    // The only way to tell a client that does not listen: Kafka closes the connection, and so the client
    // looks again.
    if (failed) {
      count_errors(request, produce->items);
      co_return fail(ErrorCode::INVALID_REQUEST, "acks=0 and an error: closing the connection");
    }
    co_return Response::none();
  }
  protocol::Arena arena;
  ProduceResponse response;
  response.responses.resize(body.topic_data.size());
  for (size_t t = 0; t < body.topic_data.size(); ++t) {
    response.responses[t].name = body.topic_data[t].name;
    response.responses[t].topic_id = body.topic_data[t].topic_id;
  }
  for (Item& item : produce->items) {
    const int32_t partition = body.topic_data[item.topic].partition_data[item.index].index;
    response.responses[item.topic].partition_responses.push_back(
        partition_response(item, partition, request, arena));
  }
  co_return respond(request, response);
}

}  // namespace

Task<Result<Response>> handle_produce(ApiServices& services, RequestContext& request) {
  return run(services, request);
}

}  // namespace tidemark::broker
