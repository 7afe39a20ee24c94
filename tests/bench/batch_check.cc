// bench-batch-check [RECORD_BYTES [BATCH_BYTES]]: what the produce check costs a record, by codec, and what
// building and recompressing cost. A micro benchmark by hand, not a test: figures depend on the machine.
#include <chrono>
#include <cstdlib>

#include "protocol/batch/builder.h"
#include "protocol/batch/crc32c.h"
#include "protocol/batch/produce_check.h"
#include "protocol/batch/recompress.h"
#include "protocol/invariant.h"

namespace {

using namespace tidemark;
using namespace tidemark::protocol;
using Bytes = std::vector<std::byte>;

// Runs `work` for about half a second; nanoseconds a run, the best of several stretches.
template <class Work>
double measured_ns(Work&& work) {
  using Clock = std::chrono::steady_clock;
  double best = 1e18;
  const auto end = Clock::now() + std::chrono::milliseconds(500);
  while (Clock::now() < end) {
    constexpr int kRuns = 5;
    const auto start = Clock::now();
    for (int i = 0; i < kRuns; ++i) work();
    const double ns = std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kRuns;
    best = std::min(best, ns);
  }
  return best;
}

// Values like log lines: they compress three to five times.
Bytes value(size_t size, uint64_t seed) {
  Bytes out;
  uint64_t state = 88172645463325252ULL + seed;
  while (out.size() < size) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    const std::string line =
        fmt::format("level=info user={} path=/api/v1/items status=200 ", state % 100'000);
    for (const char c : line) out.push_back(static_cast<std::byte>(c));
  }
  out.resize(size);
  return out;
}

Bytes build(size_t record_bytes, size_t batch_bytes, CompressionType codec) {
  BatchBuilder builder({.codec = codec});
  for (uint64_t i = 0; builder.uncompressed_bytes() < batch_bytes; ++i) {
    const Bytes bytes = value(record_bytes, i * 7919);
    builder.add(1'700'000'000'000 + static_cast<int64_t>(i), std::nullopt, std::span<const std::byte>(bytes));
  }
  return *builder.build();
}

}  // namespace

int main(int argc, char** argv) {
  const size_t record_bytes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  const size_t batch_bytes = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : size_t{1} << 20;
  ProduceLimits limits;
  limits.max_message_bytes = INT32_MAX;
  limits.now_ms = 1'700'000'000'000;
  ProduceChecker checker;
  Compressor compressor;
  for (const auto codec : {CompressionType::none, CompressionType::gzip, CompressionType::snappy,
                           CompressionType::lz4, CompressionType::zstd}) {
    const Bytes batch = build(record_bytes, batch_bytes, codec);
    const double records = read_batch_header(batch).record_count;
    const double check = measured_ns([&] {
      const auto result = checker.check(batch, limits);
      INVARIANT(result, "the batch does not pass: {}", result.error().message());
    });
    const double crc = measured_ns([&] { INVARIANT(batch_crc_holds(batch), "the CRC does not hold"); });
    const double recompression = measured_ns([&] {
      const auto result = recompress(batch, CompressionType::lz4, std::nullopt, INT32_MAX,
                                     checker.decompressor(), compressor);
      INVARIANT(result, "{}", result.error().message());
    });
    fmt::print(
        "{:7} {:8} bytes {:6} records: check {:6.2f} ns/record (CRC {:5.2f}), {:7.3f} ms; to lz4 {:7.3f} "
        "ms\n",
        codec_name(codec), batch.size(), records, check / records, crc / records, check / 1e6,
        recompression / 1e6);
  }
  return 0;
}
