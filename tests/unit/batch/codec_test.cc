#include <lz4frame.h>
#include <snappy.h>
#include <zstd.h>

#include <catch2/catch.hpp>

#include "protocol/batch/big_endian.h"
#include "protocol/batch/xerial.h"
#include "tests/unit/batch/batch_bytes.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

Result<Bytes> opened(CompressionType codec, const Bytes& payload, size_t most = kMaxDecompressedBytes) {
  Decompressor decompressor;
  return decompress(codec, payload, decompressor, most);
}
bool opens_to(CompressionType codec, const Bytes& payload, const Bytes& expected) {
  const auto result = opened(codec, payload);
  return result && *result == expected;
}
bool is_corrupt(CompressionType codec, const Bytes& payload) {
  const auto result = opened(codec, payload);
  return !result && result.error().code() == ErrorCode::CORRUPT_MESSAGE;
}

Bytes raw_snappy(const Bytes& plain) {
  std::string out;
  snappy::Compress(reinterpret_cast<const char*>(plain.data()), plain.size(), &out);
  return bytes_of(out);
}

struct Lz4Shape {
  LZ4F_blockMode_t mode = LZ4F_blockIndependent;
  LZ4F_blockSizeID_t block = LZ4F_max64KB;
  bool content_size = false;
  bool content_checksum = false;
  bool block_checksum = false;
};
Bytes lz4_frame(const Bytes& plain, Lz4Shape shape) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = shape.mode;
  preferences.frameInfo.blockSizeID = shape.block;
  preferences.frameInfo.contentSize = shape.content_size ? plain.size() : 0;
  preferences.frameInfo.contentChecksumFlag =
      shape.content_checksum ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
  preferences.frameInfo.blockChecksumFlag =
      shape.block_checksum ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
  // Not LZ4F_compressFrame, which alters these wishes for small inputs.
  Bytes out(LZ4F_compressBound(plain.size(), &preferences) + 64);
  LZ4F_cctx* context = nullptr;
  LZ4F_createCompressionContext(&context, LZ4F_VERSION);
  size_t size = LZ4F_compressBegin(context, out.data(), out.size(), &preferences);
  size +=
      LZ4F_compressUpdate(context, out.data() + size, out.size() - size, plain.data(), plain.size(), nullptr);
  size += LZ4F_compressEnd(context, out.data() + size, out.size() - size, nullptr);
  LZ4F_freeCompressionContext(context);
  out.resize(size);
  return out;
}

// `size` zero bytes, compressed piece by piece.
Bytes bomb(CompressionType codec, size_t size) {
  Compressor compressor;
  Bytes out;
  const Bytes zeros(1 << 20);
  compressor.start(codec, std::nullopt, std::nullopt);
  for (; size > 0; size -= std::min(size, zeros.size()))
    compressor.write(std::span(zeros).first(std::min(size, zeros.size())), out);
  compressor.finish(out);
  return out;
}

}  // namespace

TEST_CASE("every codec gives back what it was given, at any size") {
  for (const auto codec : kAllCodecs) {
    for (const size_t size :
         {0, 1, 2, 100, 32'767, 32'768, 32'769, 65'535, 65'536, 65'537, 131'073, 1'000'000}) {
      for (const Bytes& plain : {prose(size), noise(size), Bytes(size)}) {
        const Bytes payload = compress(codec, std::nullopt, plain);
        if (!opens_to(codec, payload, plain)) FAIL(codec_name(codec) << " of " << size);
        CHECK(decompressed_bound(codec, payload) >= plain.size());
      }
    }
  }
}

TEST_CASE("every codec takes every level of Kafka's range and no other") {
  const Bytes plain = prose(20'000);
  for (const auto codec : {CompressionType::gzip, CompressionType::lz4, CompressionType::zstd}) {
    const LevelRange range = *level_range(codec);
    for (const int level :
         {range.lowest, range.lowest + 1, range.standard, range.highest - 1, range.highest}) {
      REQUIRE(is_valid_level(codec, level));
      CHECK(opens_to(codec, compress(codec, level, plain), plain));
    }
    CHECK_FALSE(is_valid_level(codec, range.highest + 1));
    CHECK_FALSE(is_valid_level(codec, range.lowest - 1));
  }
  CHECK_FALSE(is_valid_level(CompressionType::gzip, -2));
  CHECK_FALSE(level_range(CompressionType::snappy));
  CHECK(compress(CompressionType::gzip, 9, plain).size() < compress(CompressionType::gzip, 1, plain).size());
  CHECK(compress(CompressionType::zstd, 19, plain).size() <
        compress(CompressionType::zstd, -50, plain).size());
  CHECK(compress(CompressionType::lz4, 17, plain).size() < compress(CompressionType::lz4, 9, plain).size());
}

TEST_CASE("one decompressor opens payloads of all codecs in turn, also after failures") {
  Decompressor decompressor;
  const Bytes plain = prose(100'000);
  for (int round = 0; round < 3; ++round) {
    for (const auto codec : kRealCodecs) {
      const Bytes payload = compress(codec, std::nullopt, plain);
      CHECK(*decompress(codec, payload, decompressor) == plain);
      CHECK(decompress(codec, payload, decompressor, 70'000).error().code() == ErrorCode::MESSAGE_TOO_LARGE);
      const Bytes half(payload.begin(), payload.begin() + static_cast<long>(payload.size() / 2));
      CHECK(decompress(codec, half, decompressor).error().code() == ErrorCode::CORRUPT_MESSAGE);
      decompressor.start(codec, payload);
      REQUIRE(decompressor.next());  // abandoned half-way
    }
  }
}

TEST_CASE("pieces are never larger than a window and a few bytes") {
  const Bytes plain = prose(1'000'000);
  for (const auto codec : kRealCodecs) {
    for (const Bytes& payload : {compress(codec, std::nullopt, plain),
                                 codec == CompressionType::snappy ? raw_snappy(plain) : Bytes()}) {
      if (payload.empty()) continue;
      Decompressor decompressor;
      decompressor.start(codec, payload);
      size_t sum = 0;
      for (auto piece = decompressor.next(); piece && !piece->empty(); piece = decompressor.next()) {
        CHECK(piece->size() <= kDecompressWindowBytes + 64);
        sum += piece->size();
      }
      CHECK(sum == plain.size());
    }
  }
}

TEST_CASE("no prefix of a compressed payload opens") {
  const Bytes plain = prose(3000);
  for (const auto codec : kRealCodecs) {
    const Bytes payload = compress(codec, std::nullopt, plain);
    for (size_t size = 0; size < payload.size(); ++size) {
      const Bytes prefix(payload.begin(), payload.begin() + static_cast<long>(size));
      const auto result = opened(codec, prefix);
      // Snappy's framing has no end mark: what ends between blocks is a shorter payload.
      if (codec == CompressionType::snappy && (size == 0 || size == kXerialHeaderBytes)) continue;
      if (result) FAIL(codec_name(codec) << " opens from " << size << " bytes");
      CHECK(result.error().code() == ErrorCode::CORRUPT_MESSAGE);
    }
  }
}

TEST_CASE("bytes behind the end of a payload are an error") {
  const Bytes plain = prose(3000);
  for (const auto codec : kRealCodecs)
    CHECK(is_corrupt(codec, joined({compress(codec, std::nullopt, plain), bytes_of({1, 2, 3, 4, 5, 6})})));
}

TEST_CASE("gzip members and zstd frames may follow each other") {
  const Bytes a = prose(70'000);
  const Bytes b = prose(100, 2);
  for (const auto codec : {CompressionType::gzip, CompressionType::zstd}) {
    const Bytes payload = joined({compress(codec, std::nullopt, a), compress(codec, std::nullopt, b),
                                  compress(codec, std::nullopt, {})});
    CHECK(opens_to(codec, payload, joined({a, b})));
    CHECK(decompressed_bound(codec, payload) >= a.size() + b.size());
  }
}

TEST_CASE("a gzip payload whose checksum or length is wrong is corrupt, and so is zlib's framing") {
  Bytes payload = compress(CompressionType::gzip, std::nullopt, prose(1000));
  for (size_t back = 1; back <= 8; ++back) {
    Bytes wrong = payload;
    wrong[wrong.size() - back] ^= std::byte{1};
    CHECK(is_corrupt(CompressionType::gzip, wrong));
  }
  CHECK(is_corrupt(CompressionType::gzip, bytes_of({0x78, 0x9c, 0x03, 0, 0, 0, 0, 1})));
}

TEST_CASE("a compression bomb is stopped at the bound, by every codec") {
  for (const auto codec : kRealCodecs) {
    const Bytes payload = bomb(codec, 64 << 20);
    CHECK(payload.size() < (4 << 20));
    const auto result = opened(codec, payload, 1 << 20);
    REQUIRE_FALSE(result);
    CHECK(result.error().code() == ErrorCode::MESSAGE_TOO_LARGE);
    CHECK(decompressed_bound(codec, payload) >= (64 << 20));
  }
}

TEST_CASE("snappy opens raw blocks as librdkafka sends them") {
  for (const size_t size : {1, 59, 60, 61, 255, 256, 257, 65'535, 65'536, 65'537, 200'000, 1'000'000}) {
    for (const Bytes& plain : {prose(size), noise(size), Bytes(size)}) {
      const Bytes payload = raw_snappy(plain);
      if (!opens_to(CompressionType::snappy, payload, plain)) FAIL(size << " bytes");
      CHECK(decompressed_bound(CompressionType::snappy, payload) == plain.size());
    }
  }
}

TEST_CASE("xerial streams may be concatenated, have empty blocks, and blocks of any size") {
  const Bytes a = prose(100'000);
  const Bytes b = prose(10, 2);
  const auto block = [](const Bytes& plain) {
    Bytes size(4);
    const Bytes packed = raw_snappy(plain);
    store_big_endian<int32_t>(size.data(), static_cast<int32_t>(packed.size()));
    return joined({size, packed});
  };
  const Bytes header = bytes_of({0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1});
  CHECK(opens_to(CompressionType::snappy, joined({header, block(a), block(b)}), joined({a, b})));
  CHECK(opens_to(CompressionType::snappy, joined({header, block(a), header, block(b)}), joined({a, b})));
  CHECK(opens_to(CompressionType::snappy, joined({header, block({}), bytes_of({0, 0, 0, 0}), block(b)}), b));
  // An estimate that stopped at the empty block would let a bomb hide behind it.
  const Bytes behind_empty = joined({header, bytes_of({0, 0, 0, 0}), block(a)});
  CHECK(decompressed_bound(CompressionType::snappy, behind_empty) == a.size());
  CHECK(opens_to(CompressionType::snappy, header, {}));
  CHECK(is_corrupt(CompressionType::snappy, joined({header, bytes_of({0xFF, 0xFF, 0xFF, 0xFF, 0})})));
  CHECK(is_corrupt(CompressionType::snappy, joined({header, bytes_of({0, 0, 0, 9, 0})})));
  CHECK(is_corrupt(CompressionType::snappy, joined({header, block(a), bytes_of({0, 0})})));
  // What Java writes: blocks of 32 KiB.
  const Bytes ours = compress(CompressionType::snappy, std::nullopt, a);
  CHECK(Bytes(ours.begin(), ours.begin() + 16) == header);
  CHECK(load_big_endian<int32_t>(ours.data() + 16) > 0);
}

TEST_CASE("snappy blocks that lie are corrupt") {
  const auto corrupt = [](std::initializer_list<int> bytes) {
    return is_corrupt(CompressionType::snappy, bytes_of(bytes));
  };
  CHECK(opens_to(CompressionType::snappy, bytes_of({5, 0, 'a', 1, 1}), bytes_of("aaaaa")));
  CHECK(corrupt({0x80}));                             // no end of the size
  CHECK(corrupt({0xFF, 0xFF, 0xFF, 0xFF, 0x7F}));     // a size of more than 32 bits
  CHECK(corrupt({0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0}));  // 4 GiB are not there (and never allocated)
  CHECK(corrupt({5, 0, 'a'}));                        // opens to less
  CHECK(corrupt({1, 4, 'a', 'b'}));                   // opens to more by a literal
  CHECK(corrupt({2, 0, 'a', 1, 1}));                  // opens to more by a copy
  CHECK(corrupt({5, 0, 'a', 1, 0}));                  // offset 0
  CHECK(corrupt({5, 0, 'a', 1, 2}));                  // from before the block
  CHECK(corrupt({5, 0, 'a', 1}));                     // a copy that is cut off
  CHECK(corrupt({3, 8, 'a', 'b'}));                   // a literal that is cut off
  CHECK(corrupt({3, 0xF0}));                          // a literal's length that is cut off
  CHECK(corrupt({3, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 'a'}));
}

TEST_CASE("our snappy and the library agree on damaged blocks") {
  Noise random;
  int good = 0;
  int bad = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes payload = raw_snappy(prose(1 + random.below(600), random.next()));
    for (uint64_t i = 0, n = random.below(4); i < n; ++i)
      payload[random.below(payload.size())] = static_cast<std::byte>(random.next());
    if (random.below(4) == 0) payload.resize(random.below(payload.size() + 1));
    if (payload.empty()) continue;  // for us an empty payload
    // The library would allocate what a damaged size says.
    if (decompressed_bound(CompressionType::snappy, payload) > 100'000) continue;
    std::string expected;
    const bool valid =
        snappy::Uncompress(reinterpret_cast<const char*>(payload.data()), payload.size(), &expected);
    const auto result = opened(CompressionType::snappy, payload);
    if (valid != result.has_value()) FAIL("round " << round << ": the library says " << valid);
    if (valid && *result != bytes_of(expected)) FAIL("round " << round << ": other bytes");
    valid ? ++good : ++bad;
  }
  CHECK(good > 1000);
  CHECK(bad > 1000);
}

TEST_CASE("lz4 frames open with every feature that clients use") {
  for (const size_t size : {1, 1000, 300'000}) {
    const Bytes plain = prose(size);
    for (const auto block : {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB}) {
      for (int features = 0; features < 8; ++features) {
        const Lz4Shape shape{LZ4F_blockIndependent, block, (features & 1) != 0, (features & 2) != 0,
                             (features & 4) != 0};
        const Bytes payload = lz4_frame(plain, shape);
        CHECK(opens_to(CompressionType::lz4, payload, plain));
        CHECK(decompressed_bound(CompressionType::lz4, payload) >= size);
        CHECK(decompression_memory(CompressionType::lz4, payload) <= (8 << 20));
      }
    }
  }
}

TEST_CASE("lz4 frames that Java's consumers cannot read are refused") {
  const Bytes plain = prose(200'000);
  CHECK(is_corrupt(CompressionType::lz4, lz4_frame(plain, {.mode = LZ4F_blockLinked})));
  CHECK(is_corrupt(CompressionType::lz4,
                   bytes_of({0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4})));            // skippable
  CHECK(is_corrupt(CompressionType::lz4, bytes_of({0x02, 0x21, 0x4C, 0x18, 0, 0, 0, 0})));  // legacy
}

TEST_CASE("lz4 checksums are checked") {
  const Bytes plain = prose(1000);
  Bytes content = lz4_frame(plain, {.content_checksum = true});
  content.back() ^= std::byte{1};
  CHECK(is_corrupt(CompressionType::lz4, content));
  Bytes header = lz4_frame(plain, {});
  header[6] ^= std::byte{1};
  CHECK(is_corrupt(CompressionType::lz4, header));
  Bytes block = lz4_frame(plain, {.block_checksum = true});
  block[block.size() - 5] ^= std::byte{1};
  CHECK(is_corrupt(CompressionType::lz4, block));
}

TEST_CASE("damage at the end of a payload does not hide what it opens to before") {
  for (const auto codec : kRealCodecs) {
    const Bytes payload = bomb(codec, 4 << 20);
    const Bytes damaged(payload.begin(), payload.end() - 3);
    CHECK(decompressed_bound(codec, damaged) >= (4 << 20) - kXerialBlockBytes);
    CHECK(decompressed_bound(codec, joined({payload, bytes_of({1, 2, 3})})) >= (4 << 20));
  }
}

TEST_CASE("a zstd frame may need a window of 128 MiB and no more") {
  // Magic, a header without sizes, a window descriptor, one raw last block of one byte.
  const auto frame = [](int window_log) {
    return bytes_of({0x28, 0xB5, 0x2F, 0xFD, 0x00, (window_log - 10) << 3, 0x09, 0, 0, 'x'});
  };
  CHECK(opens_to(CompressionType::zstd, frame(27), bytes_of("x")));
  CHECK(decompression_memory(CompressionType::zstd, frame(27)) >= (128 << 20));
  CHECK(decompression_memory(CompressionType::zstd, frame(20)) < (2 << 20));
  CHECK(is_corrupt(CompressionType::zstd, frame(28)));
}

TEST_CASE("damaged payloads end in an error or in bytes within the bound, whatever the damage") {
  Noise random;
  for (const auto codec : kRealCodecs) {
    const Bytes payload = compress(codec, std::nullopt, prose(5000));
    int refused = 0;
    for (int round = 0; round < 3000; ++round) {
      Bytes damaged = payload;
      for (uint64_t i = 0, n = 1 + random.below(3); i < n; ++i)
        damaged[random.below(damaged.size())] = static_cast<std::byte>(random.next());
      const uint64_t bound = decompressed_bound(codec, damaged);
      const auto result = opened(codec, damaged, 1 << 20);
      if (!result) {
        ++refused;
      } else if (result->size() > std::min<uint64_t>(bound, 1 << 20)) {
        FAIL(codec_name(codec) << " opened to " << result->size() << ", the bound was " << bound);
      }
    }
    CHECK(refused > 100);
  }
}
