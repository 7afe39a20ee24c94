#include "protocol/batch/batch_iterator.h"
#include "protocol/batch/builder.h"
#include "protocol/batch/produce_check.h"
#include "protocol/batch/recompress.h"
#include "tests/vectors/vector_check.h"

namespace tidemark::vectors {
namespace {

using nlohmann::json;
using namespace protocol;

Result<void> wrong(const std::string& what) { return fail(ErrorCode::CORRUPT_MESSAGE, what); }

template <class T, class U>
Result<void> expect_equal(std::string_view what, const T& seen, const U& expected) {
  if (seen == expected) return {};
  return wrong(fmt::format("{}: {} expected, {} decoded", what, expected, seen));
}

json nullable_hex(NullableBytes bytes) { return bytes ? json(to_hex(*bytes)) : json(nullptr); }

Result<void> expect_json(const std::string& what, const json& seen, const json& expected) {
  if (seen == expected) return {};
  return wrong(fmt::format("{}: {} expected, {} decoded", what, expected.dump(), seen.dump()));
}

json headers_json(const RecordView& record) {
  json headers = json::array();
  for (const RecordHeader& header : record.headers)
    headers.push_back(json::array({std::string(header.key), nullable_hex(header.value)}));
  return headers;
}

Result<void> check_header(const json& line, const BatchHeader& header) {
  const bool append_time = header.timestamp_type() == TimestampType::log_append_time;
  TRY(expect_equal("codec", codec_name(header.codec()), line.at("codec").get<std::string>()));
  TRY(expect_equal("timestamp_type", append_time ? "LogAppendTime" : "CreateTime",
                   line.at("timestamp_type").get<std::string>()));
  TRY(expect_equal("base_offset", header.base_offset.value, line.at("base_offset").get<int64_t>()));
  TRY(expect_equal("last_offset", header.last_offset().value, line.at("last_offset").get<int64_t>()));
  TRY(expect_equal("leader_epoch", header.leader_epoch.value, line.at("leader_epoch").get<int32_t>()));
  TRY(expect_equal("producer_id", header.producer_id.value, line.at("producer_id").get<int64_t>()));
  TRY(expect_equal("producer_epoch", header.producer_epoch.value, line.at("producer_epoch").get<int16_t>()));
  TRY(expect_equal("base_sequence", header.base_sequence, line.at("base_sequence").get<int32_t>()));
  TRY(expect_equal("transactional", header.is_transactional(), line.at("transactional").get<bool>()));
  TRY(expect_equal("control", header.is_control(), line.at("control").get<bool>()));
  return expect_equal("max_timestamp", header.max_timestamp, line.at("max_timestamp").get<int64_t>());
}

Result<void> check_records(const json& expected, const OpenBatch& open) {
  RecordIterator records = open.records();
  for (size_t i = 0; i < expected.size(); ++i) {
    TRY_ASSIGN(const auto record, records.next());
    if (!record) return wrong(fmt::format("{} records expected, {} decoded", expected.size(), i));
    const auto name = [&](const char* field) { return fmt::format("record {}: {}", i, field); };
    TRY(expect_json(name("offset"), record->offset.value, expected[i].at("offset")));
    TRY(expect_json(name("timestamp"), record->timestamp, expected[i].at("timestamp")));
    TRY(expect_json(name("key"), nullable_hex(record->key), expected[i].at("key")));
    TRY(expect_json(name("value"), nullable_hex(record->value), expected[i].at("value")));
    TRY(expect_json(name("headers"), headers_json(*record), expected[i].at("headers")));
  }
  TRY_ASSIGN(const auto more, records.next());
  if (more) return wrong("more records decoded than expected");
  return {};
}

BatchOptions options_of(const BatchHeader& header) {
  BatchOptions options;
  options.base_offset = header.base_offset;
  options.leader_epoch = header.leader_epoch;
  options.codec = header.codec();
  if (header.timestamp_type() == TimestampType::log_append_time)
    options.log_append_time = header.max_timestamp;
  options.producer_id = header.producer_id;
  options.producer_epoch = header.producer_epoch;
  options.base_sequence = header.base_sequence;
  options.transactional = header.is_transactional();
  options.control = header.is_control();
  if (header.has_delete_horizon()) options.delete_horizon_ms = header.base_timestamp;
  return options;
}

// The same records through our builder.
Result<std::vector<std::byte>> rebuild(const BatchView& batch, const OpenBatch& open) {
  BatchBuilder builder(options_of(batch.header));
  RecordIterator records = open.records();
  std::vector<RecordHeader> headers;
  while (true) {
    TRY_ASSIGN(const auto record, records.next());
    if (!record) break;
    headers.clear();
    for (const RecordHeader& header : record->headers) headers.push_back(header);
    builder.add_at(record->offset, record->create_timestamp, record->key, record->value, headers);
  }
  builder.set_last_offset(batch.header.last_offset());
  return builder.build();
}

// Our own header and CRC around the given payload.
Result<void> check_header_encoding(const BatchView& batch) {
  std::vector<std::byte> again(batch.bytes.begin(), batch.bytes.end());
  std::fill_n(again.begin(), kBatchHeaderBytes, std::byte{0xEE});
  write_batch_header(again, batch.header);
  if (std::equal(again.begin(), again.end(), batch.bytes.begin())) return {};
  return wrong(fmt::format("the header encodes to {}", to_hex(std::span(again).first(kBatchHeaderBytes))));
}

Result<void> check_rebuilt(const json& line, const BatchView& batch, const OpenBatch& open) {
  if (batch.header.record_count == 0) return {};
  TRY_ASSIGN(const auto bytes, rebuild(batch, open));
  const bool same = std::equal(bytes.begin(), bytes.end(), batch.bytes.begin(), batch.bytes.end());
  if (same) return {};
  if (batch.header.codec() == CompressionType::none)
    return wrong(fmt::format("the records encode to {} and not {}", to_hex(bytes), to_hex(batch.bytes)));
  TRY_ASSIGN(const auto view, BatchIterator(bytes).next());
  if (!view || !batch_crc_holds(view->bytes)) return wrong("rebuilt, it is no whole batch with its CRC");
  TRY(check_header(line, view->header));
  TRY_ASSIGN(const auto reopened, OpenBatch::open(*view));
  if (!std::equal(reopened.payload().begin(), reopened.payload().end(), open.payload().begin(),
                  open.payload().end()))
    return wrong("rebuilt, it opens to another payload");
  return check_records(line.at("records"), reopened);
}

// As a producer would send it, the batch passes the produce check, which finds the same sequences and times.
Result<void> check_as_produced(const BatchView& batch) {
  // Compaction leaves gaps and empty batches; control batches are the broker's own.
  if (batch.header.is_control() || batch.header.record_count != batch.header.last_offset_delta + 1) return {};
  BatchHeader sent = batch.header;
  sent.base_offset = Offset(0);
  sent.attributes = static_cast<int16_t>(sent.attributes & ~kBatchLogAppendTimeBit);
  std::vector<std::byte> bytes(batch.bytes.begin(), batch.bytes.end());
  write_batch_header(bytes, sent);
  ProduceLimits limits;
  limits.max_message_bytes = INT32_MAX;
  limits.timestamp_after_max_ms = INT64_MAX;
  TRY_ASSIGN(const auto check, check_produce_batches(bytes, limits));
  TRY(expect_equal("the check's last sequence", check.last_sequence, batch.header.last_sequence()));
  TRY(expect_equal("the check's size", check.batch_bytes, batch.bytes.size()));
  if (batch.header.timestamp_type() == TimestampType::log_append_time) return {};
  return expect_equal("the check's maximum timestamp", check.max_timestamp, batch.header.max_timestamp);
}

// Through every codec, the payload stays what it was.
Result<void> check_recompressed(const BatchView& batch, const OpenBatch& open) {
  Decompressor decompressor;
  Compressor compressor;
  for (const auto codec : {CompressionType::none, CompressionType::gzip, CompressionType::snappy,
                           CompressionType::lz4, CompressionType::zstd}) {
    TRY_ASSIGN(const auto bytes,
               recompress(batch.bytes, codec, std::nullopt, INT32_MAX, decompressor, compressor));
    TRY_ASSIGN(const auto view, BatchIterator(bytes).next());
    if (!view || !batch_crc_holds(view->bytes))
      return wrong("recompressed, it is no whole batch with its CRC");
    TRY_ASSIGN(const auto reopened, OpenBatch::open(*view, decompressor));
    if (!std::equal(reopened.payload().begin(), reopened.payload().end(), open.payload().begin(),
                    open.payload().end()))
      return wrong(fmt::format("recompressed by {}, it opens to another payload", codec_name(codec)));
  }
  return {};
}

}  // namespace

Result<void> check_batch_vector(const json& line) {
  TRY_ASSIGN(const auto bytes, parse_hex(line.at("hex").get<std::string>()));
  BatchIterator batches(bytes);
  TRY_ASSIGN(const auto batch, batches.next());
  if (!batch) return wrong("there is no whole batch");
  if (batches.whole_bytes() != bytes.size()) return wrong("there are bytes behind the batch");
  if (!batch_crc_holds(batch->bytes)) return wrong("the CRC is wrong");
  TRY(check_header(line, batch->header));
  TRY(check_header_encoding(*batch));
  TRY_ASSIGN(const auto open, OpenBatch::open(*batch));
  TRY(check_records(line.at("records"), open));
  TRY(check_rebuilt(line, *batch, open));
  TRY(check_as_produced(*batch));
  return check_recompressed(*batch, open);
}

}  // namespace tidemark::vectors
