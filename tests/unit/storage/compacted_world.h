// A compacted log in a world that can crash, with a few keys, all that was ever appended to it, and what a
// consumer may see of that.
#pragma once

#include "storage/log_cleaner.h"
#include "tests/unit/compaction/test_log.h"
#include "tests/unit/storage/hostile_world.h"

namespace tidemark::storage {

using Records = std::map<Offset, std::pair<std::string, std::optional<std::string>>>;  // key, value

// The last one of a range may be cut off.
inline std::span<const std::byte> whole_batches(std::span<const std::byte> bytes) {
  size_t whole = 0;
  while (bytes.size() - whole >= protocol::kBatchHeaderBytes) {
    const auto header = protocol::parse_batch_header(bytes.subspan(whole));
    REQUIRE(header.has_value());
    if (whole + header->size_in_bytes() > bytes.size()) break;
    whole += header->size_in_bytes();
  }
  return bytes.first(whole);
}

struct CompactedWorld : HostileWorld {
  explicit CompactedWorld(uint64_t seed = 1) : HostileWorld(seed) {
    settings.segment_bytes = 1500;
    settings.index_interval_bytes = 200;
    settings.compact_policy = true;
    settings.delete_policy = false;
    settings.delete_retention_ms = 0;
    settings.file_delete_delay_ms = 60'000;
    start();
    finish_replay();
    log = create("c-0");
  }

  void restart() {
    log = nullptr;
    files.changes_left = UINT64_MAX;
    start();
    finish_replay();
    log = logs.at("c-0");
  }

  void keep_derived() { derived = std::make_unique<simulation::SimStoreContent>(disk, counters); }
  void switch_to_caching() {
    settings.write_caching = true;
    REQUIRE(run(log->change_settings(settings)).has_value());
  }

  // Batches of five keys; every seventh record is a tombstone.
  void fill(int batches) {
    for (int i = 0; i < batches; ++i) {
      protocol::BatchBuilder builder(protocol::BatchOptions{});
      for (int k = 0; k < 5; ++k) {
        const int64_t n = written++;
        const std::string key = fmt::format("key-{}", random.below(12));
        std::optional<std::string> value = fmt::format("value-{}-{}", n, std::string(random.below(60), 'x'));
        if (n % 7 == 6) value.reset();
        builder.add(1000 + n, as_bytes(key),
                    value ? protocol::NullableBytes(as_bytes(*value)) : protocol::NullableBytes());
        all[log->end() + k] = {key, value};
      }
      const auto bytes = builder.build();
      REQUIRE(bytes.has_value());
      auto buffer = runtime::Buffer::allocate(bytes->size());
      std::copy(bytes->begin(), bytes->end(), buffer->bytes().begin());
      add(*log, runtime::BufferSlice::whole(buffer));
    }
    REQUIRE(run(log->wait_counted(log->end())));
    settle();
  }

  Result<CleaningStats> clean_all() {
    LogCleaner cleaner(LogCleanerOptions(), *store, random, [] { return std::vector<CleanCandidate>(); });
    auto out = std::make_shared<std::optional<Result<CleaningStats>>>();
    spawn(cleaner.clean({log, log->counted()}), out);
    for (int i = 0; i < 100'000 && !*out && time.step(); ++i) {
    }
    if (!*out) return fail(Error::io("it hangs"));
    return **out;
  }

  // As a consumer does, in pieces of `max_bytes`.
  Records read_from(Offset from, uint32_t max_bytes = 1 << 20) {
    Records seen;
    while (from < log->end()) {
      auto range = run(log->locate(from, log->end(), max_bytes, true));
      INFO((range ? "" : range.error().message()));
      REQUIRE(range.has_value());
      if (range->bytes == 0) break;  // a truncation has left a gap at the end
      const auto bytes = run(log->read_whole(*range));
      INFO((bytes ? "" : bytes.error().message()));
      REQUIRE(bytes.has_value());
      const Offset before = from;
      for (const SeenBatch& batch : read_batches(whole_batches(*bytes))) {
        REQUIRE(batch.header.last_offset() >= from);
        for (const SeenRecord& r : batch.records)
          if (r.offset >= from) seen[r.offset] = {r.key.value_or(""), r.value};
        from = batch.header.next_offset();
      }
      REQUIRE(from > before);
    }
    return seen;
  }

  // Everything there was appended so, and the newest record of each key is there, but for tombstones.
  void check(const Records& seen) {
    std::map<std::string, Offset> last;
    for (const auto& [offset, record] : all) last[record.first] = offset;
    for (const auto& [offset, record] : seen) REQUIRE((all.at(offset) == record));
    for (const auto& [key, offset] : last) {
      INFO(key << " at " << offset.value);
      REQUIRE((seen.contains(offset) || !all.at(offset).second));
    }
    // A tombstone goes only with what it deletes.
    std::map<std::string, std::optional<std::string>> table;
    for (const auto& [offset, record] : seen) table[record.first] = record.second;
    for (const auto& [key, offset] : last) {
      INFO(key);
      REQUIRE((table.contains(key) ? table.at(key) : std::nullopt) == all.at(offset).second);
    }
  }

  std::shared_ptr<Log> log;
  Records all;
  int64_t written = 0;
};

}  // namespace tidemark::storage
