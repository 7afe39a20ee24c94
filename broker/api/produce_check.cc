#include "broker/api/produce_check.h"

#include <algorithm>

#include "broker/coordinator/records.h"
#include "protocol/batch/batch_iterator.h"
#include "protocol/batch/recompress.h"

namespace tidemark::broker {

using protocol::CompressionType;
using runtime::Task;

namespace {

// What `compression.type` asks for; nullopt: whatever the producer chose.
std::optional<CompressionType> wanted_codec(const config::TopicConfig& config) {
  switch (config.compression_type) {
    case config::Compression::producer: return std::nullopt;
    case config::Compression::uncompressed: return CompressionType::none;
    case config::Compression::gzip: return CompressionType::gzip;
    case config::Compression::snappy: return CompressionType::snappy;
    case config::Compression::lz4: return CompressionType::lz4;
    case config::Compression::zstd: return CompressionType::zstd;
  }
  return std::nullopt;
}

std::optional<int> level_of(CompressionType codec, const config::TopicConfig& config) {
  switch (codec) {
    case CompressionType::gzip: return config.compression_gzip_level;
    case CompressionType::lz4: return config.compression_lz4_level;
    case CompressionType::zstd: return config.compression_zstd_level;
    case CompressionType::none:
    case CompressionType::snappy: return std::nullopt;
  }
  return std::nullopt;
}

bool is_readable_to_groups(std::span<const std::byte> bytes, protocol::Decompressor& decompressor) {
  protocol::BatchIterator batches(bytes);
  const auto batch = batches.next();
  if (!batch || !*batch) return false;
  constexpr size_t kMostOpened = 32 << 20;  // a record of a group has all its members
  const auto open = protocol::OpenBatch::open(**batch, decompressor, kMostOpened);
  if (!open) return false;
  auto records = open->records();
  while (true) {
    const auto record = records.next();
    if (!record) return false;
    if (!*record) return true;
    if ((*record)->key && !coordinator::decode_record(*(*record)->key, (*record)->value)) return false;
  }
}

// Pure work, on the shard or in a lane. The codecs' contexts and windows are kept from batch to batch, by
// thread: making them costs more than opening a small batch.
CheckedBatch check_here(runtime::BufferSlice records, const protocol::ProduceLimits& limits,
                        const config::TopicConfig& config, bool for_groups) {
  thread_local protocol::ProduceChecker checker;
  thread_local protocol::Compressor compressor;
  CheckedBatch result;
  auto checked = checker.check(records.bytes, limits);
  const auto refuse = [&](const Error& error) {
    result.error = error.code();
    result.message = error.message();
    result.record_errors = checker.record_errors();
    return std::move(result);
  };
  if (!checked) return refuse(checked.error());
  result.batch = records.sub(0, checked->batch_bytes);
  if (for_groups && !is_readable_to_groups(result.batch.bytes, checker.decompressor())) {
    result.error = ErrorCode::INVALID_RECORD;
    result.message = "A record is none of a group or of its offsets.";
    return result;
  }
  protocol::settle_timestamps(result.batch.bytes, *checked, limits);
  const auto codec = wanted_codec(config);
  if (codec && *codec != checked->header.codec()) {
    auto rewritten = protocol::recompress(result.batch.bytes, *codec, level_of(*codec, config),
                                          static_cast<size_t>(limits.max_message_bytes),
                                          checker.decompressor(), compressor, checked->payload_bytes);
    if (!rewritten) return refuse(rewritten.error());
    auto buffer = runtime::Buffer::allocate(rewritten->size());
    std::copy(rewritten->begin(), rewritten->end(), buffer->bytes().begin());
    result.batch = runtime::BufferSlice::whole(std::move(buffer));
  }
  auto header = protocol::parse_batch_header(result.batch.bytes);
  if (!header) return refuse(header.error());
  result.header = *header;
  return result;
}

}  // namespace

Task<CheckedBatch> check_batch(ApiServices& services, RequestContext& request, protocol::Records records,
                               const config::TopicConfig& config, int16_t produce_version, int64_t now_ms,
                               bool for_groups) {
  protocol::ProduceLimits limits;
  limits.produce_version = produce_version;
  limits.max_message_bytes = config.max_message_bytes;
  limits.timestamp_type = config.message_timestamp_type;
  limits.timestamp_before_max_ms = config.message_timestamp_before_max_ms;
  limits.timestamp_after_max_ms = config.message_timestamp_after_max_ms;
  limits.now_ms = now_ms;
  limits.compacted = config.cleanup_compact;
  // The records are a view into the frame; its own bytes are what is appended.
  const auto bytes = records.bytes();
  const size_t from = bytes.empty() ? 0 : static_cast<size_t>(bytes.data() - request.frame.bytes.data());
  const runtime::BufferSlice slice = request.frame.sub(from, bytes.size());
  const auto codec = wanted_codec(config);
  const protocol::CheckCost cost = protocol::estimated_cost(bytes);
  const bool cheap = !cost.wants_lane() && !for_groups && (!codec || *codec == CompressionType::none);
  if (cheap) {
    CheckedBatch checked = check_here(slice, limits, config, false);
    checked.opened_bytes = cost.opened_bytes;
    co_return checked;
  }
  auto work = [slice, limits, config, for_groups, clock = &services.home.loop().clock()] {
    const runtime::MonoTime began = clock->mono();
    CheckedBatch checked = check_here(slice, limits, config, for_groups);
    checked.took = clock->mono() - began;
    return checked;
  };
  auto checking = runtime::on_lane(services.compression, services.home.loop(), std::move(work));
  auto checked = co_await checking;
  request.worked += checked.took;
  co_return checked;
}

}  // namespace tidemark::broker
