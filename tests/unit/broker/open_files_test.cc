// What the open files that a node is allowed are good for.
#include "broker/open_files.h"

#include <catch2/catch.hpp>

namespace tidemark::broker {

namespace {

config::NodeConfig with_connections(int32_t most) {
  config::NodeConfig config;
  config.listeners = {{"PLAINTEXT", {"broker", 9092}, std::nullopt}};
  config.broker.max_connections = most;
  return config;
}

}  // namespace

TEST_CASE("segments and connections never have more files than the limit leaves, nor less than they need") {
  for (const size_t shards : {1, 2, 16, 64}) {
    const auto config = with_connections(config::kNoConnectionLimit);
    const uint64_t needed = divide_open_files(0, config, shards).needed;
    const uint64_t wanted = divide_open_files(0, config, shards).wanted;
    CHECK(needed < wanted);
    for (const uint64_t limit : {needed, needed + 1, uint64_t{4096}, wanted, uint64_t{1} << 20}) {
      const OpenFiles files = divide_open_files(limit, config, shards);
      INFO(limit << " for " << shards);
      CHECK(files.segments + files.connections == limit - (needed - OpenFiles::kLeast));
      CHECK(files.segments >= OpenFiles::kLeast / 2);
      CHECK(files.connections >= OpenFiles::kLeast / 2);
      CHECK(files.segments <= OpenFiles::kMostSegments);
      CHECK((files.segments == OpenFiles::kMostSegments) == (limit >= wanted));
    }
  }
}

TEST_CASE("256 open files are enough for a small node") {
  const OpenFiles files = divide_open_files(256, with_connections(config::kNoConnectionLimit), 2);
  CHECK(files.needed <= 256);
  CHECK(files.segments >= 50);
}

TEST_CASE("the limit that is wanted counts the connections that were asked for") {
  const auto wanted = [](int32_t most) { return divide_open_files(0, with_connections(most), 2).wanted; };
  CHECK(wanted(100) == wanted(config::kNoConnectionLimit));
  CHECK(wanted(50'000) == wanted(40'000) + 10'000);
}

}  // namespace tidemark::broker
