// A LogStore on the simulated hostile disk, with lanes that a test can hold back and files that it can make
// fail: for tests of one order of events. The simulator draws its orders; here they are told.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <functional>

#include "storage/data_folder.h"
#include "storage/log_store.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/simulation/sim_key_value_store.h"
#include "tests/simulation/virtual_time.h"
#include "tests/unit/storage/raw_batch.h"

namespace tidemark::storage {

// Its work is done when it is given, unless it is held back.
class TestLane final : public runtime::Lane {
 public:
  void submit(runtime::Job work, runtime::Scheduler& home, runtime::Job done) override {
    queue_.push_back({std::move(work), &home, std::move(done)});
    if (!held_) run();
  }
  [[nodiscard]] size_t depth() const override { return queue_.size(); }
  void hold() { held_ = true; }
  void release() {
    held_ = false;
    run();
  }
  // The first of what is held back. False: there is none.
  bool release_one() {
    if (queue_.empty()) return false;
    run_first();
    return true;
  }
  void drop() {
    queue_.clear();
    held_ = false;
  }

 private:
  struct Entry {
    runtime::Job work;
    runtime::Scheduler* home;
    runtime::Job done;
  };
  void run() {
    while (!queue_.empty() && !held_) run_first();
  }
  void run_first() {
    Entry entry = std::move(queue_.front());
    queue_.pop_front();
    entry.work();
    entry.work = nullptr;
    entry.home->post(std::move(entry.done));
  }
  std::deque<Entry> queue_;
  bool held_ = false;
};

// Passes everything on, but for what the test has forbidden.
class FailingFiles final : public FileSystem {
 public:
  explicit FailingFiles(FileSystem& below) : below_(below) {}
  using Rule = std::function<bool(const std::string& path)>;
  Rule fail_sync = [](const std::string&) { return false; };
  Rule fail_write = [](const std::string&) { return false; };
  Rule no_room_for_write = [](const std::string&) { return false; };
  Rule fail_read = [](const std::string&) { return false; };
  Rule no_room_for_name = [](const std::string&) { return false; };
  std::function<void(const std::string& path)> before_remove = [](const std::string&) {};
  Rule fail_look = [](const std::string&) { return false; };  // whether it exists
  // Nothing changes any more behind so many changes: the moment of a crash.
  uint64_t changes_left = UINT64_MAX;
  uint64_t changes = 0;

  Result<void> change() {
    ++changes;
    if (changes_left == 0) return fail(Error::io("the machine has stopped"));
    --changes_left;
    return {};
  }
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::create) TRY(change());
    TRY_ASSIGN(auto file, below_.open(path, mode));
    return std::make_unique<Failing>(*this, path, std::move(file));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    if (no_room_for_name(to)) return fail(Error::no_space(to + ": planned full disk"));
    TRY(change());
    return below_.rename(from, to);
  }
  Result<void> remove(const std::string& path) override {
    before_remove(path);
    TRY(change());
    return below_.remove(path);
  }
  Result<void> create_dir(const std::string& path) override {
    TRY(change());
    return below_.create_dir(path);
  }
  Result<void> sync_dir(const std::string& path) override {
    TRY(change());
    return below_.sync_dir(path);
  }
  Result<std::vector<DirEntry>> list(const std::string& path) override { return below_.list(path); }
  Result<bool> exists(const std::string& path) override {
    if (fail_look(path)) return fail(Error::io(path + ": planned failure of a look"));
    return below_.exists(path);
  }
  Result<DiskSpace> space(const std::string& path) override { return below_.space(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return below_.lock(path); }
  std::unique_ptr<WholeSync> whole_sync(const std::string& folder, const std::string& own_file) override {
    return below_.whole_sync(folder, own_file);
  }

 private:
  struct Failing final : File {
    Failing(FailingFiles& f, std::string p, std::unique_ptr<File> b)
        : files(f), path(std::move(p)), below(std::move(b)) {}
    Result<size_t> read(uint64_t position, std::span<std::byte> buffer) override {
      if (files.fail_read(path)) return fail(Error::io(path + ": planned failure of a read"));
      return below->read(position, buffer);
    }
    Result<void> write(uint64_t position, std::span<const std::span<const std::byte>> parts) override {
      if (files.fail_write(path)) return fail(Error::io(path + ": planned failure of a write"));
      if (files.no_room_for_write(path)) return fail(Error::no_space(path + ": planned full disk"));
      TRY(files.change());
      return below->write(position, parts);
    }
    Result<void> sync_data() override {
      if (files.fail_sync(path)) return fail(Error::io(path + ": planned failure of a sync"));
      TRY(files.change());
      return below->sync_data();
    }
    Result<void> truncate(uint64_t size) override {
      TRY(files.change());
      return below->truncate(size);
    }
    Result<uint64_t> size() override { return below->size(); }
    Result<void> reserve(uint64_t from, uint64_t length) override { return below->reserve(from, length); }
    FailingFiles& files;
    const std::string path;
    std::unique_ptr<File> below;
  };
  FileSystem& below_;
};

struct HostileWorld {
  explicit HostileWorld(uint64_t seed = 1) : disk(seed, counters) {
    options.folder = "/data";
    options.journal.first_stretch_bytes = 64 << 10;
    options.journal.stretch_bytes = 64 << 10;
    options.journal.max_bytes = 256 << 10;
    options.bypass_bytes = 16 << 10;
    options.checkpoint_bytes = 1 << 30;
    options.checkpoint_interval = std::chrono::hours(1);
    options.min_reserve_bytes = 4 << 10;
  }
  ~HostileWorld() { end(); }

  Result<void> open_folder() {
    DataFolderOptions folder;
    folder.path = "/data";
    folder.node = BrokerId(1);
    folder.reserve_bytes = reserve_bytes;
    folder.whole_sync_from = options.whole_sync_from;
    DataFolder::OpenStore open_store;
    if (derived) {
      open_store = [this](const std::string&) -> Result<std::unique_ptr<KeyValueStore>> {
        return std::make_unique<simulation::SimKeyValueStore>(*derived);
      };
    }
    TRY_ASSIGN(data, DataFolder::open(folder, files, open_store, random));
    return {};
  }
  void start() {
    const auto opened = open_folder();
    INFO((opened ? "" : opened.error().message()));
    REQUIRE(opened.has_value());
    options.home = data->identity().folder_id;
    options.journal.generation = data->identity().generation;
    options.journal.floor = data->floor();
    options.journal.folder = data->journal_folder();
    options.journal.keep_old_files = data->keeps_old_journals();
    options.whole_sync = data->whole_sync();
    store = make_store(options.journal.id);
    REQUIRE(run(store->start(data->old_journal_files())).has_value());
    for (const JournalId id : other_journals) {
      others.push_back(make_store(id));
      REQUIRE(run(others.back()->start({})).has_value());
    }
    for (const auto& [id, replayed] : data->replay().logs) {
      RecoveryStats stats;
      auto recovered = data->recover(replayed, recovery, loop.clock().wall(), stats);
      REQUIRE(recovered.has_value());
      auto log = store_of(recovered->folder_name).adopt(std::move(*recovered), settings);
      logs[log->folder_name()] = log;
    }
  }
  std::unique_ptr<LogStore> make_store(JournalId id) {
    LogStoreOptions its = options;
    its.journal.id = id;
    return std::make_unique<LogStore>(its, loop,
                                      FolderLanes{journal, write, read, background, scrub, clean, whole},
                                      files, data->cache(), data->derived());
  }
  LogStore& store_of(const std::string& name) {
    const auto there = homes.find(name);
    return there == homes.end() ? *store : *others.at(there->second);
  }
  void finish_replay() {
    Result<bool> finished = false;
    while (finished && !*finished) finished = data->finish_replay();
    REQUIRE(finished.has_value());
    store->allow_checkpoints();
    for (auto& other : others) other->allow_checkpoints();
    settle();
  }
  void end() {
    logs.clear();
    for (TestLane* lane : {&journal, &write, &read, &background, &scrub, &clean, &whole}) lane->drop();
    scope.destroy_all();
    loop.drop_events();
    store.reset();
    others.clear();
    data.reset();
    loop.drop_events();
  }
  void kill() {
    end();
    disk.crash_process();
  }
  void cut_power() {
    end();
    disk.crash_power();
  }

  void settle() { time.run_until(time.mono() + std::chrono::milliseconds(50)); }
  template <class T>
  void spawn(runtime::Task<T> task, std::shared_ptr<std::optional<T>> out) {
    scope.spawn(await_into(std::move(task), std::move(out)));
  }
  template <class T>
  std::shared_ptr<std::optional<T>> begin(runtime::Task<T> task) {
    auto out = std::make_shared<std::optional<T>>();
    spawn(std::move(task), out);
    settle();
    return out;
  }
  template <class T>
  T run(runtime::Task<T> task) {
    auto out = std::make_shared<std::optional<T>>();
    spawn(std::move(task), out);
    for (int i = 0; i < 100'000 && !*out && time.step(); ++i) {
    }
    REQUIRE(out->has_value());
    return std::move(**out);
  }
  template <class T>
  static runtime::Task<void> await_into(runtime::Task<T> task, std::shared_ptr<std::optional<T>> out) {
    out->emplace(co_await task);
  }

  std::shared_ptr<Log> create(const std::string& name) {
    auto made = run(store_of(name).create(name, random.uuid(), PartitionId(0), settings));
    REQUIRE(made.has_value());
    logs[name] = *made;
    return *made;
  }
  Result<void> room(Log& log, size_t bytes) {
    return run(log.make_room(bytes + protocol::kBatchHeaderBytes, 1000));
  }
  // Not waited for.
  Offset add(Log& log, int count, size_t bytes) {
    RawBatch raw;
    raw.records = count;
    raw.payload_bytes = bytes;
    return add(log, raw);
  }
  Offset add(Log& log, const RawBatch& raw) {
    const auto encoded = raw.encode();
    auto buffer = runtime::Buffer::allocate(encoded.size());
    std::copy(encoded.begin(), encoded.end(), buffer->bytes().begin());
    return add(log, runtime::BufferSlice::whole(buffer));
  }
  Offset add(Log& log, runtime::BufferSlice batch) {
    REQUIRE(room(log, batch.size()).has_value());
    const auto header = protocol::parse_batch_header(batch.bytes);
    REQUIRE(header.has_value());
    return log.append(std::move(batch), *header, LeaderEpoch(epoch));
  }
  Offset append(Log& log, int count, size_t bytes) {
    const Offset base = add(log, count, bytes);
    REQUIRE(run(log.wait_counted(log.end())));
    return base;
  }
  // Every offset from the start to the end can be read; the number of batches.
  size_t readable(Log& log) {
    INFO(log.folder_name() << ": " << (log.offline() ? log.offline()->message() : ""));
    REQUIRE(!log.offline());
    size_t batches = 0;
    for (Offset from = log.start(); from < log.end();) {
      auto range = run(log.locate(from, log.end(), 1 << 20, true));
      REQUIRE(range.has_value());
      REQUIRE(range->bytes > 0);
      auto head = run(log.read(*range, protocol::kBatchHeaderBytes));
      REQUIRE(head.has_value());
      auto header = protocol::parse_batch_header(head->bytes.bytes);
      REQUIRE(header.has_value());
      REQUIRE(header->base_offset <= from);
      from = header->next_offset();
      ++batches;
    }
    return batches;
  }

  simulation::FaultCounters counters;
  simulation::SimDisk disk;
  simulation::SimFileSystem below{disk};
  FailingFiles files{below};
  std::unique_ptr<simulation::SimStoreContent> derived;  // set by a test that wants a key-value store
  simulation::VirtualTime time{42};
  simulation::VirtualScheduler loop{time};
  TestLane journal, write, read, background, scrub, clean, whole;
  runtime::SeededRandom random{7};
  LogSettings settings;
  LogStoreOptions options;
  uint64_t reserve_bytes = 0;
  LogRecoveryOptions recovery;
  int epoch = 1;
  std::unique_ptr<DataFolder> data;
  std::unique_ptr<LogStore> store;
  // More shards: their journals, their stores, and which logs live there.
  std::vector<JournalId> other_journals;
  std::vector<std::unique_ptr<LogStore>> others;
  std::map<std::string, size_t> homes;
  std::map<std::string, std::shared_ptr<Log>> logs;
  runtime::TaskScope scope;
};

}  // namespace tidemark::storage
