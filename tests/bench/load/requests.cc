#include "tests/bench/load/requests.h"

#include <fmt/format.h>

#include <cstring>
#include <stdexcept>
#include <thread>

#include "protocol/batch/builder.h"
#include "protocol/batch/crc32c.h"
#include "protocol/batch/record_iterator.h"
#include "protocol/messages/api_versions_request.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"
#include "tests/bench/load/codec.h"

namespace tidemark::bench {
namespace {

using namespace protocol;

constexpr int16_t kCreateTopicsVersion = 5;
constexpr int16_t kDeleteTopicsVersion = 4;
constexpr int16_t kProduceVersion = 9;
constexpr int16_t kFetchVersion = 12;
constexpr int kTimeoutMs = 60'000;

// Where the first record's mark begins; 0 where there is no room for one.
size_t first_value_at(std::span<const std::byte> batch) {
  RecordIterator records(read_batch_header(batch), batch.subspan(kBatchHeaderBytes));
  const auto record = records.next();
  if (!record || !*record || !(*record)->value || (*record)->value->size() < sizeof(uint64_t)) return 0;
  return static_cast<size_t>((*record)->value->data() - batch.data());
}

uint64_t mark_of(std::span<const std::byte> batch) {
  uint64_t mark = 0;
  if (const size_t at = first_value_at(batch)) std::memcpy(&mark, batch.data() + at, sizeof(mark));
  return mark;
}

int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void wait_for_partitions(Wire& wire, const std::string& topic, int32_t partitions) {
  const auto batch = build_batch({.record_bytes = 100, .records = 1}, 0);
  std::vector<int32_t> all(static_cast<size_t>(partitions));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
  const Frame frame = produce_frame(topic, 1, all, batch);
  for (int attempt = 0;; ++attempt) {
    const ErrorCode error = produce_error(wire.call(frame));
    if (error == ErrorCode::NONE) return;
    if (attempt == 20'000) throw std::runtime_error(fmt::format("topic {}: {}", topic, error_name(error)));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void wait_for_answer(const std::string& bootstrap, Nanos until) {
  const Frame frame = encode(ApiVersionsRequest(), 0);
  for (;;) {
    try {
      Wire wire(bootstrap);
      (void)wire.call(frame);
      return;
    } catch (const std::exception&) {
      if (now_ns() > until) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

void create_topic(const std::string& bootstrap, const std::string& topic, int32_t partitions,
                  const Settings& settings) {
  CreateTopicsRequest request;
  request.timeout_ms = kTimeoutMs;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic;
  wanted.num_partitions = partitions;
  wanted.replication_factor = 1;
  for (const auto& [key, value] : settings) {
    auto& config = wanted.configs.emplace_back();
    config.name = key;
    config.value = value;
  }
  Wire wire(bootstrap);
  const Frame frame = encode(request, kCreateTopicsVersion);
  const auto answer = wire.call(frame);
  const auto response = decode<CreateTopicsResponse>(answer, kCreateTopicsVersion);
  for (const auto& result : response.topics) {
    const auto error = static_cast<ErrorCode>(result.error_code);
    if (error == ErrorCode::NONE) continue;
    throw std::runtime_error(
        fmt::format("creating topic {}: {} {}", topic, error_name(error), result.error_message.value_or("")));
  }
  wait_for_partitions(wire, topic, partitions);
}

void delete_topic(const std::string& bootstrap, const std::string& topic) {
  DeleteTopicsRequest request;
  request.timeout_ms = kTimeoutMs;
  request.topic_names.push_back(topic);
  Wire wire(bootstrap);
  const Frame frame = encode(request, kDeleteTopicsVersion);
  const auto answer = wire.call(frame);
  const auto response = decode<DeleteTopicsResponse>(answer, kDeleteTopicsVersion);
  for (const auto& result : response.responses) {
    if (result.error_code == 0) continue;
    throw std::runtime_error(
        fmt::format("deleting topic {}: {}", topic, error_name(static_cast<ErrorCode>(result.error_code))));
  }
}

std::vector<std::byte> build_batch(const BatchShape& shape, uint64_t mark) {
  BatchBuilder builder({.codec = shape.codec});
  std::vector<std::byte> value;
  uint64_t state = 88172645463325252ULL + mark;
  const int64_t now = wall_ms();
  for (size_t i = 0; i < shape.records; ++i) {
    value.resize(sizeof(mark));
    std::memcpy(value.data(), &mark, sizeof(mark));
    while (value.size() < shape.record_bytes) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      const std::string line =
          fmt::format("level=info user={} path=/api/v1/items status=200 ", state % 100'000);
      for (const char c : line) value.push_back(static_cast<std::byte>(c));
    }
    value.resize(std::max(shape.record_bytes, sizeof(mark)));
    builder.add(now, std::nullopt, std::span<const std::byte>(value));
  }
  auto built = builder.build();
  if (!built) throw std::runtime_error(built.error().to_string());
  return std::move(*built);
}

void mark_batch(std::span<std::byte> batch, uint64_t mark) {
  const size_t at = first_value_at(batch);
  if (at == 0) throw std::runtime_error("a record is too small to be marked");
  std::memcpy(batch.data() + at, &mark, sizeof(mark));
  const uint32_t crc = __builtin_bswap32(crc32c(batch.subspan(kBatchAttributesAt)));
  std::memcpy(batch.data() + kBatchCrcAt, &crc, sizeof(crc));
}

Frame produce_frame(const std::string& topic, int16_t acks, std::span<const int32_t> partitions,
                    std::span<const std::byte> batch) {
  ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = kTimeoutMs;
  auto& data = request.topic_data.emplace_back();
  data.name = topic;
  for (const int32_t partition : partitions) {
    auto& part = data.partition_data.emplace_back();
    part.index = partition;
    part.records = Records(batch);
  }
  return encode(request, kProduceVersion);
}

ErrorCode produce_error(std::span<const std::byte> answer) {
  const auto response = decode<ProduceResponse>(answer, kProduceVersion);
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partition_responses) {
      if (partition.error_code != 0) return static_cast<ErrorCode>(partition.error_code);
    }
  }
  return response.responses.empty() ? ErrorCode::UNKNOWN_SERVER_ERROR : ErrorCode::NONE;
}

Frame fetch_frame(const std::string& topic, std::span<const int64_t> offsets) {
  FetchRequest request;
  request.max_wait_ms = 500;
  request.min_bytes = 1;
  request.max_bytes = 50 << 20;
  auto& wanted = request.topics.emplace_back();
  wanted.topic = topic;
  for (size_t i = 0; i < offsets.size(); ++i) {
    auto& part = wanted.partitions.emplace_back();
    part.partition = static_cast<int32_t>(i);
    part.fetch_offset = offsets[i];
    part.partition_max_bytes = 1 << 20;
  }
  return encode(request, kFetchVersion);
}

void read_fetch(std::span<const std::byte> answer, std::span<int64_t> offsets,
                const std::function<void(const ReadBatch&)>& seen) {
  const auto response = decode<FetchResponse>(answer, kFetchVersion);
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != 0)
        throw std::runtime_error(
            fmt::format("fetch: {}", error_name(static_cast<ErrorCode>(partition.error_code))));
      int64_t& next = offsets[static_cast<size_t>(partition.partition_index)];
      std::span<const std::byte> left = partition.records.bytes();
      while (left.size() >= kBatchHeaderBytes) {
        const BatchHeader header = read_batch_header(left);
        if (left.size() < header.size_in_bytes()) break;
        ReadBatch batch{.records = static_cast<size_t>(header.record_count), .bytes = header.size_in_bytes()};
        if (header.codec() == CompressionType::none) batch.mark = mark_of(left.first(batch.bytes));
        seen(batch);
        next = header.last_offset().value + 1;
        left = left.subspan(batch.bytes);
      }
    }
  }
}

}  // namespace tidemark::bench
