#include "tests/simulation/node_reader.h"

#include <algorithm>

#include "protocol/batch/batch_iterator.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"

namespace tidemark::simulation {

using protocol::FetchRequest;
using protocol::FetchResponse;
using runtime::Task;

namespace {

constexpr int64_t kLatest = -1;
constexpr int64_t kEarliest = -2;

// What a keyed record is, as its producer made it.
struct KeyedContent {
  uint64_t identity = 0;
  int32_t key = -1;
  bool tombstone = false;
};

uint64_t number(std::span<const std::byte> bytes) {
  uint64_t result = 0;
  for (const std::byte byte : bytes) result = result << 8 | static_cast<uint64_t>(byte);
  return result;
}

std::optional<KeyedContent> content_of(const protocol::RecordView& record) {
  std::optional<uint64_t> identity;
  for (const auto& header : record.headers)
    if (header.key == "i" && header.value && header.value->size() == 8) identity = number(*header.value);
  if (!identity || !record.key || record.key->size() != 4) return std::nullopt;
  return KeyedContent{*identity, static_cast<int32_t>(number(*record.key)), !record.value};
}

// Every record of a batch carries the batch's identity: in a header, or in its value's first bytes.
std::optional<uint64_t> identity_of(const protocol::BatchView& batch) {
  const auto opened = protocol::OpenBatch::open(batch);
  if (!opened) return std::nullopt;
  auto records = opened->records();
  const auto first = records.next();
  if (!first || !*first) return std::nullopt;
  if (const auto keyed = content_of(**first)) return keyed->identity;
  if (!(*first)->value || (*first)->value->size() < 8) return std::nullopt;
  return number((*first)->value->first(8));
}

Verdict judge_record(const SentBatch& batch, const protocol::RecordView& record, const KeyedContent& content,
                     size_t index) {
  const auto wrong = [&](std::string_view what) {
    return fmt::format("batch #{}: the {} of the record at {} is not what was sent", batch.identity, what,
                       record.offset);
  };
  if (index >= batch.keys.size() || content.identity != batch.identity) return wrong("batch");
  if (content.key != batch.keys[index]) return wrong("key");
  if (content.tombstone != batch.tombstones[index]) return wrong("value");
  if (record.timestamp != batch.timestamp_ms) return wrong("time");
  if (content.tombstone) return std::nullopt;
  const auto filled = record.value->subspan(std::min<size_t>(8, record.value->size()));
  const auto fill = static_cast<std::byte>(batch.identity * 31 + index);
  const bool is_same = record.value->size() == std::max<size_t>(batch.value_bytes, 8) &&
                       number(record.value->first(8)) == batch.identity &&
                       std::all_of(filled.begin(), filled.end(), [&](std::byte b) { return b == fill; });
  return is_same ? Verdict() : wrong("value");
}

}  // namespace

NodeReader::Wish NodeReader::wish(const TopicPtr& topic, PartitionId partition, Offset from) {
  return {topic, partition, from, topic->partition(partition).view(), version_of(*topic), topic->gone};
}

Verdict NodeReader::judge_batch(const Wish& w, std::span<const std::byte> bytes, Offset base,
                                LeaderEpoch epoch) {
  const std::string& name = w.model().name();
  const protocol::BatchView view{protocol::read_batch_header(bytes), bytes};
  if (!protocol::batch_crc_holds(bytes)) return fmt::format("{}: the batch at {} is damaged", name, base);
  if (w.topic->compacts) return judge_compacted(w, view);
  const auto identity = identity_of(view);
  SentBatch* batch = identity ? run_.cluster.batch(*identity) : nullptr;
  if (batch == nullptr) return fmt::format("{}: nobody ever sent the batch at {}", name, base);
  if (batch->crc != view.header.crc || batch->records != view.header.record_count)
    return fmt::format("{}: batch #{} at {} is not what was sent", name, *identity, base);
  if (auto wrong = judge_place(w, *batch, base)) return wrong;
  return w.model().read(*batch, base, epoch);
}

Verdict NodeReader::judge_place(const Wish& w, const SentBatch& batch, Offset base) const {
  if (batch.partition == w.partition && ClusterModel::belongs(batch, *w.topic)) return std::nullopt;
  return fmt::format("{}: batch #{} at {} was sent to {}-{} ({})", w.model().name(), batch.identity, base,
                     batch.topic, batch.partition, batch.topic_id);
}

Verdict NodeReader::judge_compacted(const Wish& w, const protocol::BatchView& view) {
  const std::string& name = w.model().name();
  const Offset base = view.header.base_offset;
  if (view.header.record_count == 0) {
    run_.counters.count("node: read a batch without records");
    return w.model().read_empty(base, view.header.last_offset());
  }
  const auto unreadable = [&] { return fmt::format("{}: the batch at {} cannot be read", name, base); };
  const auto opened = protocol::OpenBatch::open(view);
  if (!opened) return unreadable();
  auto records = opened->records();
  SentBatch* batch = nullptr;
  int32_t found = 0;
  while (true) {
    const auto record = records.next();
    if (!record) return unreadable();
    if (!*record) break;
    const auto content = content_of(**record);
    if (batch == nullptr && content) batch = run_.cluster.batch(content->identity);
    if (!content || batch == nullptr)
      return fmt::format("{}: nobody ever sent the record at {}", name, (*record)->offset);
    if (auto wrong = judge_record(*batch, **record, *content, static_cast<size_t>((*record)->offset - base)))
      return wrong;
    ++found;
    run_.note("  {} at {} of #{}: key {}{}", name, (*record)->offset, content->identity, content->key,
              content->tombstone ? ", deleted" : "");
    if (table_) (*table_)[content->key] = {(*record)->offset, content->tombstone};
  }
  if (batch == nullptr || view.header.last_offset() != base + (batch->records - 1))
    return fmt::format("{}: the batch at {} ends elsewhere than it did", name, base);
  if (found < batch->records)
    run_.counters.count("node: records compacted away", static_cast<uint64_t>(batch->records - found));
  if (auto wrong = judge_place(w, *batch, base)) return wrong;
  return w.model().read(*batch, base, view.header.leader_epoch);
}

Offset NodeReader::judge_records(const Wish& w, std::span<const std::byte> records, Offset high_watermark) {
  const std::string& name = w.model().name();
  protocol::BatchIterator batches(records);
  Offset next = w.from;
  bool any = false;
  while (!run_.violation) {
    const auto batch = batches.next();
    if (!batch) {
      run_.violate(fmt::format("{}: a fetch from {} cannot be read at {}: {}", name, w.from, next,
                               batch.error().message()));
      break;
    }
    if (!*batch) break;
    const auto& header = (*batch)->header;
    const bool follows = w.topic->compacts ? (any ? header.base_offset >= next : header.last_offset() >= next)
                         : any             ? header.base_offset == next
                                           : header.base_offset <= next && header.last_offset() >= next;
    if (!follows) {
      run_.violate(fmt::format("{}: a fetch from {} goes on with the batch {} to {} where {} is next", name,
                               w.from, header.base_offset, header.last_offset(), next));
      break;
    }
    if (header.last_offset() >= high_watermark) {
      run_.violate(fmt::format("{}: a fetch returns the batch {} to {}, above the high watermark {}", name,
                               header.base_offset, header.last_offset(), high_watermark));
      break;
    }
    run_.judge(judge_batch(w, (*batch)->bytes, header.base_offset, header.leader_epoch));
    next = header.next_offset();
    any = true;
  }
  if (!any && !records.empty() && !run_.violation)
    run_.violate(fmt::format("{}: a fetch from {} returns less than a batch", name, w.from));
  if (any) w.model().was_read(next);
  return next;
}

Offset NodeReader::judge_fetched(const Wish& w, const FetchResponse::PartitionData& data, int16_t version,
                                 bool must_return) {
  PartitionModel& model = w.model();
  const auto code = static_cast<ErrorCode>(data.error_code);
  if (code == ErrorCode::NONE || code == ErrorCode::OFFSET_OUT_OF_RANGE) run_.judge(model.served(life()));
  if (w.gone && code == ErrorCode::NONE) {
    run_.violate(fmt::format("{}: is deleted, and answers a fetch", model.name()));
    return w.from;
  }
  if (code == ErrorCode::OFFSET_OUT_OF_RANGE) {
    run_.counters.count("node: fetch out of range");
    if (w.from >= model.start_limit() && w.from <= w.view.certain_end && w.from >= Offset(0))
      run_.violate(fmt::format("{}: a fetch from {} is out of range ({} to {}), with {} certain",
                               model.name(), w.from, data.log_start_offset, data.high_watermark,
                               w.view.certain_end));
    return model.start();
  }
  if (code != ErrorCode::NONE) {
    // Clients of before KAFKA_STORAGE_ERROR are told this one instead.
    const bool is_disk = version < 6 && code == ErrorCode::NOT_LEADER_OR_FOLLOWER;
    if (!excuses(*w.topic, w.partition, w.version, is_disk ? ErrorCode::KAFKA_STORAGE_ERROR : code))
      run_.violate(fmt::format("{}: a fetch is answered with {}", model.name(), error_name(code)));
    return w.from;
  }
  run_.note("fetched {} from {}: {} bytes, high watermark {}, start {}", model.name(), w.from,
            data.records.size(), data.high_watermark, data.log_start_offset);
  const Offset high_watermark(data.high_watermark);
  run_.judge(model.saw_high_watermark(high_watermark, w.view));
  if (data.log_start_offset >= 0) run_.judge(model.saw_start(Offset(data.log_start_offset), w.view));
  const Offset next = judge_records(w, data.records.bytes(), high_watermark);
  if (must_return && data.records.bytes().empty() && w.from < high_watermark)
    run_.violate(fmt::format("{}: a fetch from {} returns nothing, below the high watermark {}", model.name(),
                             w.from, high_watermark));
  return next;
}

Task<std::optional<Offset>> NodeReader::fetch_one(TopicPtr topic, PartitionId partition, Offset from,
                                                  int32_t max_bytes, int16_t version) {
  FetchRequest request;
  request.max_wait_ms = run_.random.chance(0.5) ? 0 : static_cast<int32_t>(run_.random.below(500));
  request.min_bytes = one_of({0, 1, 1, 4'000});
  request.max_bytes = max_bytes;
  auto& wanted = request.topics.emplace_back();
  if (version >= 13) {
    wanted.topic_id = topic->id;
  } else {
    wanted.topic = topic->name;
  }
  auto& p = wanted.partitions.emplace_back();
  p.partition = partition.value;
  p.fetch_offset = from.value;
  p.partition_max_bytes = max_bytes;
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return std::nullopt;
  // By name one can only ask for what has the name now.
  if (version < 13 && run_.cluster.name(topic->name).topic != topic) co_return std::nullopt;
  const Wish mine = wish(topic, partition, from);
  auto asking = ask<FetchResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return std::nullopt;
  // By name, another topic may have answered.
  if (version < 13 && version_of(*topic) != mine.version) co_return std::nullopt;
  const auto& body = reply->body;
  if (body.error_code != 0 || body.responses.size() != 1 || body.responses[0].partitions.size() != 1) {
    run_.violate(fmt::format("{}: a fetch is answered with {} and {} topics", mine.model().name(),
                             error_name(static_cast<ErrorCode>(body.error_code)), body.responses.size()));
    co_return std::nullopt;
  }
  run_.count(version >= 13 ? "node: fetched by topic id" : "node: fetched by topic name");
  co_return judge_fetched(mine, body.responses[0].partitions[0], version, true);
}

Task<std::optional<Offset>> NodeReader::list_offset(TopicPtr topic, PartitionId partition,
                                                    int64_t timestamp) {
  protocol::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic->name;
  auto& p = wanted.partitions.emplace_back();
  p.partition_index = partition.value;
  p.timestamp = timestamp;
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return std::nullopt;
  if (run_.cluster.name(topic->name).topic != topic) co_return std::nullopt;
  const Wish mine = wish(topic, partition, Offset(0));
  const auto version = static_cast<int16_t>(run_.random.between(1, 10));
  auto asking = ask<protocol::ListOffsetsResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply || version_of(*topic) != mine.version) co_return std::nullopt;
  PartitionModel& model = mine.model();
  const auto& body = reply->body;
  if (body.topics.size() != 1 || body.topics[0].partitions.size() != 1) {
    run_.violate(fmt::format("{}: ListOffsets leaves it out", model.name()));
    co_return std::nullopt;
  }
  const auto& answer = body.topics[0].partitions[0];
  if (const auto code = static_cast<ErrorCode>(answer.error_code); code != ErrorCode::NONE) {
    if (!excuses(*topic, partition, mine.version, code))
      run_.violate(fmt::format("{}: ListOffsets is answered with {}", model.name(), error_name(code)));
    co_return std::nullopt;
  }
  run_.judge(model.served(life()));
  const Offset offset(answer.offset);
  if (timestamp == kLatest) {
    run_.judge(model.saw_high_watermark(offset, mine.view));
    if (version >= 4) run_.judge(model.saw_leader(LeaderEpoch(answer.leader_epoch), life()));
  } else if (timestamp == kEarliest) {
    run_.judge(model.saw_start(offset, mine.view));
  } else {
    run_.judge(model.found_by_time(timestamp, offset, answer.timestamp, mine.view));
  }
  run_.count(timestamp < 0 ? "node: asked for an end of a log" : "node: searched by time");
  co_return offset;
}

}  // namespace tidemark::simulation
