// Logs, their journal and their recovery, on a real folder and virtual time.
#include <catch2/catch.hpp>

#include <filesystem>

#include "protocol/batch/crc32c.h"
#include "storage/data_folder.h"
#include "storage/log_store.h"
#include "storage/posix/posix_file_system.h"
#include "tests/simulation/virtual_time.h"

using namespace tidemark;
using namespace tidemark::storage;
using namespace std::chrono_literals;
using runtime::BufferSlice;
using runtime::Task;
using simulation::VirtualScheduler;
using simulation::VirtualTime;

namespace {

// A lane whose work is done when it is given.
class InlineLane final : public runtime::Lane {
 public:
  void submit(runtime::Job work, runtime::Scheduler& home, runtime::Job done) override {
    work();
    home.post(std::move(done));
  }
  [[nodiscard]] size_t depth() const override { return 0; }
};

template <class T>
void put(std::vector<std::byte>& out, size_t at, T value) {
  for (size_t i = 0; i < sizeof value; ++i)
    out[at + i] = static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * (sizeof value - 1 - i)));
}

// A well-formed batch of `count` records whose payload is `bytes` of filler: the log looks at headers alone.
BufferSlice make_batch(int count, size_t bytes, int64_t timestamp, int64_t producer = -1,
                       int32_t sequence = -1) {
  std::vector<std::byte> b(protocol::kBatchHeaderBytes + bytes, static_cast<std::byte>(count));
  put<int64_t>(b, protocol::kBatchBaseOffsetAt, 0);
  put<int32_t>(b, protocol::kBatchLengthAt, static_cast<int32_t>(b.size() - protocol::kBatchLengthOverhead));
  put<int32_t>(b, protocol::kBatchLeaderEpochAt, 0);
  put<int8_t>(b, protocol::kBatchMagicAt, 2);
  put<int16_t>(b, protocol::kBatchAttributesAt, 0);
  put<int32_t>(b, protocol::kBatchLastOffsetDeltaAt, count - 1);
  put<int64_t>(b, protocol::kBatchBaseTimestampAt, timestamp);
  put<int64_t>(b, protocol::kBatchMaxTimestampAt, timestamp);
  put<int64_t>(b, protocol::kBatchProducerIdAt, producer);
  put<int16_t>(b, protocol::kBatchProducerEpochAt, producer < 0 ? int16_t{-1} : int16_t{0});
  put<int32_t>(b, protocol::kBatchBaseSequenceAt, sequence);
  put<int32_t>(b, protocol::kBatchRecordCountAt, count);
  put<uint32_t>(b, protocol::kBatchCrcAt,
                protocol::crc32c(std::span<const std::byte>(b).subspan(protocol::kBatchAttributesAt)));
  auto buffer = runtime::Buffer::allocate(b.size());
  std::copy(b.begin(), b.end(), buffer->bytes().begin());
  return BufferSlice::whole(std::move(buffer));
}

// One node's storage: a folder, a store, and what a restart makes of them.
struct World {
  explicit World(std::string name) : folder("/tmp/tidemark-test-" + name) {
    std::filesystem::remove_all(folder);
  }
  ~World() {
    store.reset();
    data.reset();
    std::filesystem::remove_all(folder);
  }

  void start() {
    DataFolderOptions options;
    options.path = folder;
    options.node = BrokerId(1);
    auto opened = DataFolder::open(options, files, {}, random);
    INFO((opened ? "" : opened.error().message()));
    REQUIRE(opened.has_value());
    data = std::move(*opened);
    LogStoreOptions store_options;
    store_options.folder = folder;
    store_options.journal.generation = data->identity().generation;
    store_options.journal.floor = data->floor();
    store_options.journal.folder = data->journal_folder();
    store_options.journal.first_stretch_bytes = 64 << 10;
    store_options.journal.stretch_bytes = 64 << 10;
    store_options.journal.max_bytes = 256 << 10;
    store_options.checkpoint_bytes = 32 << 10;
    store_options.bypass_bytes = 16 << 10;
    store_options.tail_cache_bytes = tail_cache_bytes;
    store =
        std::make_unique<LogStore>(store_options, loop, FolderLanes{lane, lane, lane, lane, lane, lane, lane},
                                   files, data->cache(), nullptr);
    REQUIRE(run(store->start(data->old_journal_files())).has_value());
    logs.clear();
    for (const auto& [id, replayed] : data->replay().logs) {
      RecoveryStats stats;
      auto recovered = data->recover(replayed, {}, loop.clock().wall(), stats);
      REQUIRE(recovered.has_value());
      auto log = store->adopt(std::move(*recovered), settings);
      logs[log->folder_name()] = log;
    }
    Result<bool> finished = false;
    while (finished && !*finished) finished = data->finish_replay();
    REQUIRE(finished.has_value());
    store->allow_checkpoints();
    time.run_until(time.mono() + 10ms);
  }
  // The process is killed: nothing in memory survives, everything written to files does.
  void kill() {
    logs.clear();
    loop.drop_events();
    store.reset();
    data.reset();
  }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    scope.spawn(await_into(std::move(task), result));
    for (int i = 0; i < 100'000 && !result && time.step(); ++i) {
    }
    REQUIRE(result.has_value());
    return std::move(*result);
  }
  template <class T>
  static Task<void> await_into(Task<T> task, std::optional<T>& out) {
    out.emplace(co_await task);
  }

  std::shared_ptr<Log> create(const std::string& name) {
    auto made = run(store->create(name, random.uuid(), PartitionId(0), settings));
    REQUIRE(made.has_value());
    return *made;
  }
  Offset append(Log& log, int count, size_t bytes, bool wait = true) {
    REQUIRE(run(log.make_room(bytes + protocol::kBatchHeaderBytes, 1000)).has_value());
    auto batch = make_batch(count, bytes, 1000 + log.end().value);
    auto header = protocol::parse_batch_header(batch.bytes);
    const Offset base = log.append(batch, *header, LeaderEpoch(epoch));
    if (wait) REQUIRE(run(log.wait_counted(log.end())));
    return base;
  }
  // Every batch from `from` to the end, as (base offset, records).
  std::vector<std::pair<int64_t, int>> contents(Log& log, Offset from) {
    std::vector<std::pair<int64_t, int>> result;
    while (from < log.counted()) {
      auto range = run(log.locate(from, log.counted(), 1 << 20, true));
      INFO((range ? "" : range.error().message()));
      REQUIRE(range.has_value());
      REQUIRE(range->bytes > 0);
      std::vector<std::byte> bytes;
      while (range->bytes > 0) {
        auto piece = run(log.read(*range, range->bytes));
        REQUIRE(piece.has_value());
        bytes.insert(bytes.end(), piece->bytes.bytes.begin(), piece->bytes.bytes.end());
        range = piece->rest;
      }
      std::span<const std::byte> rest = bytes;
      const Offset before = from;
      while (rest.size() >= protocol::kBatchHeaderBytes) {
        auto header = protocol::parse_batch_header(rest);
        REQUIRE(header.has_value());
        if (header->size_in_bytes() > rest.size()) break;
        CHECK(protocol::batch_crc_holds(rest.first(header->size_in_bytes())));
        result.emplace_back(header->base_offset.value, header->record_count);
        from = header->next_offset();
        rest = rest.subspan(header->size_in_bytes());
      }
      REQUIRE(from > before);
    }
    return result;
  }

  std::string folder;
  PosixFileSystem files;
  VirtualTime time{42};
  VirtualScheduler loop{time};
  InlineLane lane;
  runtime::SeededRandom random{7};
  LogSettings settings;
  uint64_t tail_cache_bytes = 1 << 20;
  int epoch = 1;
  std::unique_ptr<DataFolder> data;
  std::unique_ptr<LogStore> store;
  std::map<std::string, std::shared_ptr<Log>> logs;
  runtime::TaskScope scope;
};

}  // namespace

TEST_CASE("what was appended is read back, from memory and from the file") {
  for (const uint64_t cache : {uint64_t{1} << 20, uint64_t{0}}) {
    World world("read");
    world.tail_cache_bytes = cache;
    world.start();
    auto log = world.create("t-0");
    std::vector<std::pair<int64_t, int>> expected;
    for (int i = 1; i <= 100; ++i) expected.emplace_back(world.append(*log, i % 5 + 1, 500).value, i % 5 + 1);
    world.time.run_until(world.time.mono() + 1s);
    CHECK(log->in_memory(Offset(0)) == (cache > 0));
    CHECK(world.contents(*log, Offset(0)) == expected);
    CHECK(world.contents(*log, Offset(expected[50].first + 0)).size() == 50);
  }
}

TEST_CASE("a killed process finds every acknowledged record again, with and without a checkpoint between") {
  World world("kill");
  world.start();
  world.create("a-0");
  world.create("b-1");
  std::map<std::string, std::vector<std::pair<int64_t, int>>> expected;
  uint64_t checkpoints = 0;
  for (int round = 0; round < 6; ++round) {
    for (const char* name : {"a-0", "b-1"}) {
      auto log = round == 0 ? nullptr : world.logs.at(name);
      if (!log) {
        for (const auto& [id, l] : world.store->logs())
          if (l->folder_name() == name) log = l;
      }
      CHECK(world.contents(*log, Offset(0)) == expected[name]);
      world.epoch = round + 1;
      for (int i = 0; i < 40; ++i) {
        const size_t bytes = i == 20 ? 20'000 : 700;  // one that bypasses the journal
        expected[name].emplace_back(world.append(*log, 3, bytes).value, 3);
      }
      CHECK(log->producers().end_offset() == log->end());
      CHECK(log->latest_epoch() == LeaderEpoch(round + 1));
    }
    checkpoints += world.store->checkpoints();
    world.kill();
    world.start();
    REQUIRE(world.logs.size() == 2);
    for (const auto& [name, log] : world.logs) {
      INFO(name << (log->offline() ? log->offline()->message() : ""));
      CHECK(!log->offline());
    }
  }
  CHECK(checkpoints > 0);
}

TEST_CASE("a clean stop leaves nothing to replay") {
  World world("clean");
  world.start();
  auto log = world.create("a-0");
  world.append(*log, 3, 100);
  REQUIRE(world.run(world.store->stop()).has_value());
  REQUIRE(world.data->mark_clean_stop().has_value());
  log.reset();
  world.kill();
  world.start();
  CHECK(world.data->was_clean());
  CHECK(world.data->replay().records == 0);
  CHECK(world.contents(*world.logs.at("a-0"), Offset(0)).size() == 1);
}

TEST_CASE("nothing changes a log behind the last checkpoint of a clean stop") {
  World world("retention-behind-stop");
  world.settings.segment_bytes = 1000;
  world.settings.retention_bytes = 1000;
  world.settings.segment_ms = 60'000;
  world.settings.file_delete_delay_ms = 0;
  world.start();
  auto log = world.create("a-0");
  for (int i = 0; i < 10; ++i) world.append(*log, 1, 500);
  const Offset end = log->end();
  REQUIRE(world.run(world.store->stop()).has_value());
  // Other shards' stores still stop, and their mark is still to be written.
  world.time.run_until(world.time.mono() + 120s);
  log->roll_if_old();
  CHECK(!world.run(log->apply_retention(end)).has_value());
  CHECK(!world.run(log->make_room(100, 1000)).has_value());
  CHECK(!world.run(world.store->erase(log)).has_value());
  LogSettings caching = world.settings;
  caching.write_caching = true;
  CHECK(!world.run(log->change_settings(caching)).has_value());
  world.time.run_until(world.time.mono() + 1s);
  REQUIRE(world.data->mark_clean_stop().has_value());
  log.reset();
  world.kill();
  world.start();
  CHECK(world.data->was_clean());
  log = world.logs.at("a-0");
  INFO((log->offline() ? log->offline()->message() : ""));
  REQUIRE(!log->offline());
  CHECK(log->start() == Offset(0));
  CHECK(world.contents(*log, Offset(0)).size() == 10);
}

TEST_CASE("segments roll by size and their indexes find every offset") {
  World world("roll");
  world.settings.segment_bytes = 10'000;
  world.settings.index_interval_bytes = 1000;
  world.tail_cache_bytes = 0;
  world.start();
  auto log = world.create("a-0");
  for (int i = 0; i < 100; ++i) world.append(*log, 2, 500);
  world.time.run_until(world.time.mono() + 10s);
  CHECK(log->segments().size() > 4);
  for (int64_t offset = 0; offset < 200; ++offset) {
    auto range = world.run(log->locate(Offset(offset), log->end(), 100, true));
    REQUIRE(range.has_value());
    auto head = world.run(log->read(*range, 61));
    REQUIRE(head.has_value());
    auto header = protocol::parse_batch_header(head->bytes.bytes);
    REQUIRE(header.has_value());
    CHECK(header->base_offset <= Offset(offset));
    CHECK(header->last_offset() >= Offset(offset));
  }
  world.kill();
  world.start();
  CHECK(world.contents(*world.logs.at("a-0"), Offset(0)).size() == 100);
}

TEST_CASE("trimming, retention and truncation hold across a kill") {
  World world("trim");
  world.settings.segment_bytes = 5'000;
  world.settings.file_delete_delay_ms = 10;
  world.start();
  auto log = world.create("a-0");
  for (int i = 0; i < 50; ++i) world.append(*log, 2, 500);
  REQUIRE(world.run(log->trim(Offset(31))).has_value());
  CHECK(log->start() == Offset(31));
  CHECK((world.run(log->locate(Offset(30), log->end(), 100, true)).error().code() ==
         ErrorCode::OFFSET_OUT_OF_RANGE));
  REQUIRE(world.run(log->truncate(Offset(77))).has_value());
  CHECK(log->end() == Offset(76));
  world.epoch = 2;
  world.append(*log, 4, 300);
  log.reset();
  world.kill();
  world.start();
  log = world.logs.at("a-0");
  REQUIRE(!log->offline());
  CHECK(log->start() == Offset(31));
  CHECK(log->end() == Offset(80));
  CHECK(world.contents(*log, Offset(31)).back() == std::pair<int64_t, int>(76, 4));
  world.epoch = 3;
  REQUIRE(world.run(log->trim(log->end())).has_value());
  CHECK(log->start() == Offset(80));
  log.reset();
  world.kill();
  world.start();
  log = world.logs.at("a-0");
  CHECK(log->start() == Offset(80));
  CHECK(log->end() == Offset(80));
  CHECK(world.append(*log, 1, 10) == Offset(80));
}

TEST_CASE("a deleted log's records never land in its recreated namesake") {
  World world("namesake");
  world.start();
  auto old_log = world.create("a-0");
  world.append(*old_log, 9, 500);
  REQUIRE(world.run(world.store->erase(old_log)).has_value());
  world.time.run_until(world.time.mono() + 1ms);
  auto fresh = world.create("a-0");
  CHECK(fresh->id() != old_log->id());
  world.append(*fresh, 2, 100);
  old_log.reset();
  fresh.reset();
  world.kill();
  world.start();
  REQUIRE(world.logs.size() == 1);
  CHECK(world.contents(*world.logs.at("a-0"), Offset(0)) == std::vector<std::pair<int64_t, int>>{{0, 2}});
}
