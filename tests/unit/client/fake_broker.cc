#include "tests/unit/client/fake_broker.h"

#include "protocol/batch/batch_iterator.h"
#include "protocol/messages/api_versions_response.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/init_producer_id_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"
#include "protocol/messages/offset_for_leader_epoch_request.h"
#include "protocol/messages/offset_for_leader_epoch_response.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"

namespace tidemark::client::testing {
namespace {

using protocol::ApiKey;
using runtime::Task;

const Uuid kTopicId = Uuid::from_halves(11, 12);

std::string text_of(const protocol::NullableBytes& bytes) {
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : "";
}

}  // namespace

FakeBroker::FakeBroker(simulation::SimNetwork& network, simulation::VirtualScheduler& loop,
                       int32_t partitions)
    : listener_(network.listen({"broker", 9092}, loop)) {
  for (int32_t i = 0; i < partitions; ++i) logs_[i];
  scope_.spawn(accept_all());
}

Task<void> FakeBroker::accept_all() {
  for (;;) {
    Task<Result<std::unique_ptr<runtime::Stream>>> accepting = listener_->accept();
    auto stream = co_await accepting;
    if (!stream) co_return;
    scope_.spawn(serve(std::move(*stream)));
  }
}

Task<bool> FakeBroker::fill(runtime::Stream& stream, std::span<std::byte> out) {
  while (!out.empty()) {
    Task<Result<size_t>> reading = stream.read_some(out);
    const Result<size_t> got = co_await reading;
    if (!got || *got == 0) co_return false;
    out = out.subspan(*got);
  }
  co_return true;
}

Task<void> FakeBroker::serve(std::unique_ptr<runtime::Stream> stream) {
  for (;;) {
    std::array<std::byte, 4> length{};
    Task<bool> reading_length = fill(*stream, length);
    const bool has_length = co_await reading_length;
    if (!has_length) co_return;
    protocol::Decoder in(length);
    std::vector<std::byte> frame(static_cast<size_t>(in.read_int32()));
    Task<bool> reading = fill(*stream, frame);
    const bool whole = co_await reading;
    if (!whole) co_return;
    const std::vector<std::byte> response = answer(frame);
    if (response.empty()) {
      stream->close();
      co_return;
    }
    const std::span<const std::byte> part(response);
    Task<Result<void>> writing = stream->write(std::span(&part, 1));
    const Result<void> written = co_await writing;
    if (!written) co_return;
  }
}

ErrorCode FakeBroker::append(Log& log, std::span<const std::byte> records, int64_t& base) {
  protocol::BatchIterator batches(records);
  const auto batch = batches.next();
  if (!batch || !*batch || !protocol::batch_crc_holds((*batch)->bytes)) return ErrorCode::CORRUPT_MESSAGE;
  const protocol::BatchHeader& header = (*batch)->header;
  if (header.is_idempotent()) {
    const auto found = log.last.find(header.producer_id.value);
    const bool fresh = found == log.last.end() || found->second.first < header.producer_epoch.value;
    if (!fresh && header.base_sequence <= found->second.second) return ErrorCode::DUPLICATE_SEQUENCE_NUMBER;
    if (header.base_sequence != (fresh ? 0 : found->second.second + 1))
      return ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
    log.last[header.producer_id.value] = {header.producer_epoch.value, header.last_sequence()};
  }
  const size_t at = log.bytes.size();
  log.bytes.insert(log.bytes.end(), (*batch)->bytes.begin(), (*batch)->bytes.end());
  protocol::set_base_offset(std::span(log.bytes).subspan(at), Offset(log.end));
  protocol::set_leader_epoch(std::span(log.bytes).subspan(at), LeaderEpoch(log.epoch()));
  base = log.end;
  log.end += header.record_count;
  return ErrorCode::NONE;
}

std::vector<std::byte> FakeBroker::answer(std::span<const std::byte> frame) {
  protocol::Decoder in(frame);
  const auto header = protocol::decode_request_header(in);
  if (!header) return {};
  const int16_t version = header->request_api_version;
  const int32_t id = header->correlation_id;
  ++requests[header->request_api_key];
  versions[header->request_api_key] = version;
  switch (ApiKey(header->request_api_key)) {
    case ApiKey::ApiVersions: {
      protocol::ApiVersionsResponse response;
      for (const auto& [key, min, max] : {std::tuple{0, 3, 13},
                                          {1, 4, 17},
                                          {2, 1, 8},
                                          {3, 0, 13},
                                          {18, 0, 4},
                                          {22, 0, 5},
                                          {23, 2, newest_epoch_ends}}) {
        if (max < 0) continue;
        auto& api = response.api_keys.emplace_back();
        api.api_key = static_cast<int16_t>(key);
        api.min_version = static_cast<int16_t>(min);
        api.max_version = key == 18 ? newest_api_versions : static_cast<int16_t>(max);
      }
      for (const auto& [key, range] : more_apis) {
        auto& api = response.api_keys.emplace_back();
        api.api_key = static_cast<int16_t>(key);
        api.min_version = range.min;
        api.max_version = range.max;
      }
      const bool refused = version > newest_api_versions;
      if (refused) response.error_code = static_cast<int16_t>(ErrorCode::UNSUPPORTED_VERSION);
      return frame_of(id, response, refused ? int16_t{0} : version);
    }
    case ApiKey::Metadata: {
      const auto request = protocol::MetadataRequest::decode(in, version);
      if (!request) return {};
      last_metadata_may_create = request->allow_auto_topic_creation;
      protocol::MetadataResponse response;
      auto& node = response.brokers.emplace_back();
      node.node_id = 1;
      node.host = "broker";
      node.port = 9092;
      auto& topic = response.topics.emplace_back();
      topic.name = topic_name;
      topic.topic_id = kTopicId;
      for (const auto& [index, log] : logs_) {
        auto& partition = topic.partitions.emplace_back();
        partition.partition_index = index;
        partition.leader_id = 1;
        partition.leader_epoch = log.epoch();
      }
      return frame_of(id, response, version);
    }
    case ApiKey::InitProducerId: {
      protocol::InitProducerIdResponse response;
      response.producer_id = 1000 + requests[header->request_api_key];
      return frame_of(id, response, version);
    }
    case ApiKey::Produce: {
      const auto request = protocol::ProduceRequest::decode(in, version);
      if (!request) return {};
      protocol::ProduceResponse response;
      const bool refuse = answers_not_leader > 0 && answers_not_leader-- > 0;
      for (const auto& topic : request->topic_data) {
        auto& answered = response.responses.emplace_back();
        answered.name = topic.name;
        answered.topic_id = topic.topic_id;
        for (const auto& data : topic.partition_data) {
          auto& partition = answered.partition_responses.emplace_back();
          partition.index = data.index;
          const ErrorCode code = refuse
                                     ? ErrorCode::NOT_LEADER_OR_FOLLOWER
                                     : append(logs_[data.index], data.records.bytes(), partition.base_offset);
          partition.error_code = static_cast<int16_t>(code);
        }
      }
      if (drops_answers > 0 && drops_answers-- > 0) return {};
      return frame_of(id, response, version);
    }
    case ApiKey::Fetch: return answer_fetch(in, version, id);
    case ApiKey::OffsetForLeaderEpoch: return answer_ends(in, version, id);
    case ApiKey::ListOffsets: {
      const auto request = protocol::ListOffsetsRequest::decode(in, version);
      if (!request) return {};
      protocol::ListOffsetsResponse response;
      for (const auto& topic : request->topics) {
        auto& answered = response.topics.emplace_back();
        answered.name = topic.name;
        for (const auto& wanted : topic.partitions) {
          auto& partition = answered.partitions.emplace_back();
          partition.partition_index = wanted.partition_index;
          const auto refused = end_errors.find(wanted.partition_index);
          if (refused != end_errors.end()) partition.error_code = static_cast<int16_t>(refused->second);
          if (refused != end_errors.end()) continue;
          const Log& log = logs_[wanted.partition_index];
          partition.leader_epoch = log.epoch();
          partition.error_code = static_cast<int16_t>(judge_epoch(log, wanted.current_leader_epoch));
          if (partition.error_code != 0) continue;
          partition.offset = wanted.timestamp == -2 ? log.start : wanted.timestamp == -1 ? log.end : -1;
        }
      }
      return frame_of(id, response, version);
    }
    default: return answer_more ? answer_more(*header, in) : std::vector<std::byte>();
  }
}

void FakeBroker::begin_epoch(int32_t partition, int64_t end) {
  Log& log = logs_[partition];
  const int32_t epoch = log.epoch() + 1;
  if (end < log.end) {
    protocol::BatchIterator batches(log.bytes);
    size_t kept = 0;
    for (auto batch = batches.next(); batch && *batch && (*batch)->header.next_offset().value <= end;
         batch = batches.next()) {
      kept = batches.whole_bytes();
    }
    log.bytes.resize(kept);
    log.end = end;
    log.last.clear();
    std::erase_if(log.epochs, [&](const auto& each) { return each.first > 0 && each.second >= end; });
  }
  log.epochs[epoch] = log.end;
}

ErrorCode FakeBroker::judge_epoch(const Log& log, int32_t epoch) {
  if (epoch >= 0 && unknown_epochs > 0 && unknown_epochs-- > 0) return ErrorCode::UNKNOWN_LEADER_EPOCH;
  if (epoch >= 0 && epoch < log.epoch()) return ErrorCode::FENCED_LEADER_EPOCH;
  return epoch > log.epoch() ? ErrorCode::UNKNOWN_LEADER_EPOCH : ErrorCode::NONE;
}

std::vector<std::byte> FakeBroker::answer_ends(protocol::Decoder& in, int16_t version, int32_t id) {
  const auto request = protocol::OffsetForLeaderEpochRequest::decode(in, version);
  if (!request) return {};
  protocol::OffsetForLeaderEpochResponse response;
  for (const auto& topic : request->topics) {
    auto& answered = response.topics.emplace_back();
    answered.topic = topic.topic;
    for (const auto& wanted : topic.partitions) {
      const Log& log = logs_[wanted.partition];
      auto& partition = answered.partitions.emplace_back();
      partition.partition = wanted.partition;
      partition.error_code = static_cast<int16_t>(judge_epoch(log, wanted.current_leader_epoch));
      if (partition.error_code != 0 || wanted.leader_epoch > log.epoch()) continue;
      const auto next = log.epochs.upper_bound(wanted.leader_epoch);
      partition.leader_epoch = std::prev(next)->first;
      partition.end_offset = next == log.epochs.end() ? log.end : next->second;
    }
  }
  return frame_of(id, response, version);
}

std::vector<std::byte> FakeBroker::answer_fetch(protocol::Decoder& in, int16_t version, int32_t id) {
  const auto request = protocol::FetchRequest::decode(in, version);
  if (!request) return {};
  protocol::FetchResponse response;
  size_t named = 0;
  for (const auto& topic : request->topics) named += topic.partitions.size();
  fetched.push_back(named);
  Session asked;
  int32_t session = 0;
  if (request->session_epoch > 0) {
    const auto found = sessions_.find(request->session_id);
    if (found == sessions_.end() || found->second.epoch != request->session_epoch) {
      response.error_code =
          static_cast<int16_t>(found == sessions_.end() ? ErrorCode::FETCH_SESSION_ID_NOT_FOUND
                                                        : ErrorCode::INVALID_FETCH_SESSION_EPOCH);
      return frame_of(id, response, version);
    }
    asked = found->second;
    session = found->first;
  } else {
    sessions_.erase(request->session_id);
    if (keeps_sessions && request->session_epoch == 0) session = ++last_session_;
  }
  ++asked.epoch;
  for (const auto& topic : request->forgotten_topics_data) {
    for (const int32_t partition : topic.partitions) asked.wishes.erase(partition);
  }
  for (const auto& topic : request->topics) {
    for (const auto& wanted : topic.partitions)
      asked.wishes[wanted.partition] = {wanted.fetch_offset, wanted.current_leader_epoch};
  }
  if (session != 0) sessions_[session] = asked;
  response.session_id = session;
  auto& answered = response.responses.emplace_back();
  answered.topic = "tide";
  answered.topic_id = kTopicId;
  const bool refuse = refuses_fetches > 0 && refuses_fetches-- > 0;
  for (const auto& [index, wish] : asked.wishes) {
    const Log& log = logs_[index];
    const int64_t offset = wish.offset;
    protocol::FetchResponse::PartitionData partition;
    partition.partition_index = index;
    partition.high_watermark = log.end;
    if (offset > log.end || offset < log.start)
      partition.error_code = static_cast<int16_t>(ErrorCode::OFFSET_OUT_OF_RANGE);
    const ErrorCode epoch = judge_epoch(log, wish.leader_epoch);
    if (epoch != ErrorCode::NONE) partition.error_code = static_cast<int16_t>(epoch);
    if (refuse) partition.error_code = static_cast<int16_t>(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    protocol::BatchIterator batches(log.bytes);
    std::span<const std::byte> rest = log.bytes;
    for (auto batch = batches.next(); batch && *batch; batch = batches.next()) {
      if ((*batch)->header.last_offset().value >= offset) break;
      rest = std::span(log.bytes).subspan(batches.whole_bytes());
    }
    if (partition.error_code == 0) partition.records = protocol::Records(rest);
    const bool new_to_tell = partition.error_code != 0 || !rest.empty() || request->session_epoch <= 0;
    if (new_to_tell) answered.partitions.push_back(partition);
  }
  return frame_of(id, response, version);
}

std::vector<FakeBroker::Record> FakeBroker::records(int32_t partition) const {
  std::vector<Record> all;
  protocol::BatchIterator batches(logs_.at(partition).bytes);
  for (auto batch = batches.next(); batch && *batch; batch = batches.next()) {
    const auto open = protocol::OpenBatch::open(**batch);
    INVARIANT(open.has_value(), "{}", open.error().to_string());
    protocol::RecordIterator records = open->records();
    for (auto record = records.next(); record && *record; record = records.next())
      all.push_back({text_of((*record)->key), text_of((*record)->value)});
  }
  return all;
}

}  // namespace tidemark::client::testing
