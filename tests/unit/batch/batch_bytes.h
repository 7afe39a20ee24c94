// Bytes and batches for these tests.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/batch/builder.h"
#include "protocol/batch/produce_check.h"

namespace tidemark::protocol {

using Bytes = std::vector<std::byte>;

inline std::span<const std::byte> view(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline Bytes bytes_of(std::string_view text) { return {view(text).begin(), view(text).end()}; }
inline Bytes bytes_of(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}
inline Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}
inline std::string text(NullableBytes bytes) {
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : "(null)";
}

// xorshift: the same bytes on every run.
struct Noise {
  uint64_t state = 88172645463325252ULL;
  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
  }
  uint64_t below(uint64_t limit) { return next() % limit; }
};
inline Bytes noise(size_t size, uint64_t seed = 1) {
  Noise random{88172645463325252ULL ^ (seed * 0x9E3779B97F4A7C15ULL)};
  Bytes out(size);
  for (auto& byte : out) byte = static_cast<std::byte>(random.next() >> 24);
  return out;
}
// Compresses like text: words again and again, near and far.
inline Bytes prose(size_t size, uint64_t seed = 1) {
  Noise random{88172645463325252ULL ^ (seed * 0x9E3779B97F4A7C15ULL)};
  Bytes out;
  while (out.size() < size) {
    if (out.size() > 100 && random.below(3) != 0) {
      const size_t back =
          1 + random.below(std::min<size_t>(out.size(), random.below(8) == 0 ? 200'000 : 300));
      for (size_t i = 0, from = out.size() - back, n = 4 + random.below(70); i < n; ++i)
        out.push_back(out[from + i]);
    } else {
      for (size_t i = 0, n = 1 + random.below(90); i < n; ++i)
        out.push_back(static_cast<std::byte>('a' + random.below(26)));
    }
  }
  out.resize(size);
  return out;
}

inline constexpr CompressionType kAllCodecs[] = {CompressionType::none, CompressionType::gzip,
                                                 CompressionType::snappy, CompressionType::lz4,
                                                 CompressionType::zstd};
inline constexpr CompressionType kRealCodecs[] = {CompressionType::gzip, CompressionType::snappy,
                                                  CompressionType::lz4, CompressionType::zstd};

// A batch as a producer sends it: `count` records of a key and a value, timestamps 1000, 1001...
inline Bytes produced(int count, BatchOptions options = {}, size_t value_bytes = 20) {
  BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    const Bytes value = prose(value_bytes, static_cast<uint64_t>(i) + 1);
    builder.add(1000 + i, view("key"), std::span<const std::byte>(value));
  }
  return *builder.build();
}

// The batch with its header changed and signed again.
inline Bytes with_header(Bytes batch, const std::function<void(BatchHeader&)>& change) {
  BatchHeader header = read_batch_header(batch);
  change(header);
  write_batch_header(batch, header);
  return batch;
}

// A batch around any payload, sealed with a CRC that holds.
inline Bytes sealed(CompressionType codec, int32_t count, const Bytes& payload) {
  Bytes batch(kBatchHeaderBytes);
  batch.insert(batch.end(), payload.begin(), payload.end());
  BatchHeader header;
  header.attributes = static_cast<int16_t>(codec);
  header.batch_length = static_cast<int32_t>(batch.size() - kBatchLengthOverhead);
  header.record_count = count;
  header.last_offset_delta = count - 1;
  header.base_timestamp = header.max_timestamp = 1000;
  write_batch_header(batch, header);
  return batch;
}
// The same around a plain payload that is compressed here.
inline Bytes sealed_from_plain(CompressionType codec, int32_t count, const Bytes& plain) {
  return sealed(codec, count, compress(codec, std::nullopt, plain));
}

inline ProduceLimits limits_at(int64_t now_ms) {
  ProduceLimits limits;
  limits.now_ms = now_ms;
  return limits;
}
inline ErrorCode refusal(const Bytes& records, const ProduceLimits& limits = limits_at(2000)) {
  const auto result = check_produce_batches(records, limits);
  return result ? ErrorCode::NONE : result.error().code();
}

}  // namespace tidemark::protocol
