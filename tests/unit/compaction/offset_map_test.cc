#include "storage/compaction/offset_map.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "protocol/runtime/random.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
std::string key(uint64_t i) { return "key-" + std::to_string(i); }

}  // namespace

TEST_CASE("a key's digest is SipHash-2-4's, of 128 bits") {
  // The reference vectors: secret 00 01 .. 0f, input 00 01 .., both halves as they stand in memory.
  const DigestSecret secret{0x0706050403020100, 0x0F0E0D0C0B0A0908};
  std::vector<std::byte> input;
  const auto digest = [&](size_t size) {
    input.clear();
    for (size_t i = 0; i < size; ++i) input.push_back(static_cast<std::byte>(i));
    return digest_key(secret, input);
  };
  CHECK(digest(0) == KeyDigest{0xE6A825BA047F81A3, 0x930255C71472F66D});
  CHECK(digest(1) == KeyDigest{0x44AF996BD8C187DA, 0x45FC229B11597634});
  CHECK(digest(8) == KeyDigest{0x61F55862BAA9623B, 0xB49714F364E2830F});
  CHECK(digest(63) == KeyDigest{0x4A83502F77D15051, 0x7CBD3F979A063E50});
  CHECK(digest_key({1, 2}, bytes("a")) != digest_key({1, 3}, bytes("a")));
  CHECK(digest_key({1, 2}, bytes("")) != digest_key({1, 2}, bytes(std::string_view("\0", 1))));
}

TEST_CASE("the map takes as many keys as its load factor allows, and no byte more than it was given") {
  for (const size_t size : {48, 71, 240, 2400, 24'007}) {
    for (const double load : {0.01, 0.5, 0.9, 1.0}) {
      OffsetMap map(size, load, {3, 4});
      CHECK(map.memory_bytes() <= size);
      const size_t entries = size / OffsetMap::kEntryBytes;
      CHECK(map.capacity() >= 1);
      CHECK(map.capacity() < entries);
      const double most = std::min(load, OffsetMap::kMaxLoadFactor) * static_cast<double>(entries);
      CHECK(static_cast<double>(map.capacity()) <= std::max(1.0, most));
      CHECK(static_cast<double>(map.capacity()) > most - 1);
      for (size_t i = 0; i < map.capacity(); ++i)
        REQUIRE(map.put(bytes(key(i)), Offset(static_cast<int64_t>(i))));
      CHECK(map.size() == map.capacity());
      const Offset next(static_cast<int64_t>(map.capacity()));
      CHECK(!map.put(bytes("another"), next));
      CHECK(map.find(bytes("another")) == std::nullopt);
      CHECK(map.size() == map.capacity());
      // A key that it knows still moves.
      CHECK(map.put(bytes(key(0)), next));
      CHECK(map.find(bytes(key(0))) == next);
      for (size_t i = 1; i < map.capacity(); ++i)
        REQUIRE(map.find(bytes(key(i))) == Offset(static_cast<int64_t>(i)));
    }
  }
}

TEST_CASE("the map answers as a plain one does, also for offset 0 and the empty key") {
  runtime::SeededRandom random(5);
  OffsetMap map(24 * 1050, 0.95, {random.next(), random.next()});
  std::map<std::string, int64_t> model;
  for (int64_t offset = 0; offset < 20'000; ++offset) {
    const std::string k = offset % 50 == 0 ? "" : key(random.below(990));
    REQUIRE(map.put(bytes(k), Offset(offset)));
    model[k] = offset;
    const std::string asked = key(random.below(1200));
    const auto known = model.find(asked);
    REQUIRE(map.find(bytes(asked)) ==
            (known == model.end() ? std::nullopt : std::optional(Offset(known->second))));
  }
  CHECK(map.size() == model.size());
  for (const auto& [k, offset] : model) REQUIRE(map.find(bytes(k)) == Offset(offset));
}

TEST_CASE("a cleared map is empty, and takes another log") {
  OffsetMap map(24 * 10, 0.9, {1, 1});
  REQUIRE(map.put(bytes("a"), Offset(7)));
  map.advance_to(Offset(8));
  map.clear({2, 2});
  CHECK(map.size() == 0);
  CHECK(map.end() == Offset(0));
  CHECK(map.find(bytes("a")) == std::nullopt);
  REQUIRE(map.put(bytes("a"), Offset(0)));
  CHECK(map.find(bytes("a")) == Offset(0));
}
