// Which partition coordinates a group: values that Java's String.hashCode() gives.
#include "broker/coordinator/placement.h"

#include <catch2/catch.hpp>

using namespace tidemark;
using namespace tidemark::coordinator;

TEST_CASE("a group's partition is that of Java's hash of its id") {
  constexpr int32_t kAll = INT32_MAX;  // the hash itself, but for INT32_MAX
  CHECK(partition_of_group("", kAll) == PartitionId(0));
  CHECK(partition_of_group("a", kAll) == PartitionId(97));
  CHECK(partition_of_group("group", kAll) == PartitionId(98629247));
  CHECK(partition_of_group("group", 50) == PartitionId(98629247 % 50));
  // "polygenelubricants" is the classic whose hash is INT32_MIN: without its sign bit, 0.
  CHECK(partition_of_group("polygenelubricants", 50) == PartitionId(0));
  // Negative hashes lose the sign bit: "console-consumer-1" and the like.
  CHECK(partition_of_group("zzzzzzzz", kAll) == PartitionId(static_cast<int32_t>([] {
          uint32_t hash = 0;
          for (int i = 0; i < 8; ++i) hash = 31 * hash + 'z';
          return hash & 0x7FFFFFFF;
        }())));
  // UTF-16 units: one for U+00E9, two for U+1F600.
  CHECK(partition_of_group("\xC3\xA9", kAll) == PartitionId(0xE9));
  CHECK(partition_of_group("\xF0\x9F\x98\x80", kAll) == PartitionId(31 * 0xD83D + 0xDE00));
}
