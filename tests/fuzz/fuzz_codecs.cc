// Compressed payloads: the first byte is the codec, the rest what it should open. It opens within its bounds
// or not at all; what opens survives the way back; our snappy agrees with the library; and what opens is read
// as metrics that a client pushed, which come like this.
#include <snappy.h>

#include "broker/telemetry/otlp.h"
#include "protocol/batch/codec.h"
#include "protocol/batch/xerial.h"
#include "protocol/invariant.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

constexpr size_t kMostOpened = size_t{1} << 20;
// Beyond that, a block may copy from farther back than we look.
constexpr size_t kSameAsLibrary = size_t{64} << 10;
using Bytes = std::vector<std::byte>;

void compare_with_library(const Bytes& payload, const Result<Bytes>& ours) {
  if (payload.empty() || is_xerial(payload)) return;
  if (decompressed_bound(CompressionType::snappy, payload) > kSameAsLibrary) return;
  std::string expected;
  const bool valid =
      snappy::Uncompress(reinterpret_cast<const char*>(payload.data()), payload.size(), &expected);
  INVARIANT(valid == ours.has_value(), "the library says {}", valid);
  const auto* bytes = reinterpret_cast<const std::byte*>(expected.data());
  INVARIANT(!valid || std::equal(ours->begin(), ours->end(), bytes, bytes + expected.size()), "other bytes");
}

// Also what is opened before damage shows: a shard decides by the bound whether it checks a batch itself.
void check_bound(CompressionType codec, const Bytes& payload, uint64_t bound, Decompressor& decompressor) {
  decompressor.start(codec, payload, kMostOpened);
  uint64_t opened = 0;
  for (auto piece = decompressor.next(); piece && !piece->empty(); piece = decompressor.next())
    opened += piece->size();
  INVARIANT(opened <= bound, "{} bytes opened, the bound is {}", opened, bound);
}

void read_as_metrics(const Bytes& opened) {
  const auto* begin = reinterpret_cast<const char*>(opened.data());
  const auto inside = [&](std::string_view text) {
    return text.empty() || (text.data() >= begin && text.data() + text.size() <= begin + opened.size());
  };
  (void)broker::read_otlp(opened, [&](const broker::OtlpPoint& point) -> Result<void> {
    INVARIANT(inside(point.metric), "a name from elsewhere");
    for (const broker::OtlpAttributes* attributes : {point.of_client, &point.attributes}) {
      INVARIANT(attributes->size() <= broker::OtlpPoint::kMaxAttributes, "{} attributes", attributes->size());
      for (const auto& [key, value] : *attributes) INVARIANT(inside(key), "a key from elsewhere");
    }
    return {};
  }).has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || data[0] > 4) return -1;
  const auto codec = static_cast<CompressionType>(data[0]);
  const Bytes payload(reinterpret_cast<const std::byte*>(data) + 1,
                      reinterpret_cast<const std::byte*>(data) + size);
  Decompressor decompressor;
  const uint64_t bound = decompressed_bound(codec, payload);
  check_bound(codec, payload, bound, decompressor);
  const auto opened = decompress(codec, payload, decompressor, kMostOpened);
  if (codec == CompressionType::snappy) compare_with_library(payload, opened);
  if (!opened) return 0;
  read_as_metrics(*opened);
  INVARIANT(opened->size() <= kMostOpened, "{} bytes", opened->size());
  const Bytes again = compress(codec, std::nullopt, *opened);
  const auto reopened = decompress(codec, again, decompressor, kMostOpened);
  INVARIANT(reopened && *reopened == *opened, "{}: the way back gives other bytes", codec_name(codec));
  INVARIANT(opened->size() <= decompressed_bound(codec, again), "the bound of our own payload");
  return 0;
}
