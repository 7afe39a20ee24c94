#include "storage/rocksdb/rocksdb_store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "protocol/invariant.h"
#include "storage/rocksdb/droppable_files.h"

namespace tidemark::storage {
namespace {

constexpr size_t kBlockCacheBytes = 512 << 10;
constexpr size_t kMemtableBytes = 1 << 20;
constexpr size_t kArenaBytes = 64 << 10;
constexpr uint64_t kMaxWalBytes = 4 << 20;
constexpr int kMaxOpenFiles = 32;
// Every start begins a write-ahead log, and only a flush removes those before it: a node that is killed again
// and again before it writes anything would open ever more of them.
constexpr size_t kMaxWalFiles = 4;

// Our own keys begin with a zero byte, which no caller's key does.
constexpr std::string_view kFormatKey("\0format", 7);
constexpr int kFormat = 1;

bool is_own_key(std::string_view key) { return key.starts_with('\0'); }
rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

Error to_error(const rocksdb::Status& status, const std::string& path, const char* verb) {
  std::string message = fmt::format("{}: cannot {}: {}", path, verb, status.ToString());
  if (status.IsNoSpace()) return Error::no_space(std::move(message));
  if (status.IsCorruption()) return Error::corruption(std::move(message));
  return Error::io(std::move(message));
}

// RocksDB's own log would be one more file that cannot take a full disk, and what it says comes with the
// errors.
class NoLog final : public rocksdb::Logger {
 public:
  NoLog() : Logger(rocksdb::InfoLogLevel::FATAL_LEVEL) {}
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::Options small_options(rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.write_buffer_size = kMemtableBytes;
  options.arena_block_size = kArenaBytes;
  options.max_write_buffer_number = 2;
  options.max_total_wal_size = kMaxWalBytes;
  options.max_open_files = kMaxOpenFiles;
  options.max_file_opening_threads = 1;
  options.table_cache_numshardbits = 0;
  options.max_background_jobs = 1;
  options.max_subcompactions = 1;
  options.target_file_size_base = 4 << 20;
  options.compression = rocksdb::kNoCompression;
  options.avoid_flush_during_shutdown = true;  // the write-ahead log has it
  // No threads that only count: an idle node idles.
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.info_log = std::make_shared<NoLog>();
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes, /*num_shard_bits=*/0);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// A database and what it stands on.
struct Database {
  std::shared_ptr<DroppableFiles> files;
  std::unique_ptr<rocksdb::Env> env;
  std::unique_ptr<rocksdb::DB> db;
};

class RocksdbStore final : public KeyValueStore {
 public:
  RocksdbStore(Database database, std::string path)
      : path_(std::move(path)), database_(std::move(database)) {}

  Result<std::optional<std::string>> get(std::string_view key) override {
    REQUIRES(!is_own_key(key));
    std::string value;
    const auto status = db().Get({}, slice(key), &value);
    if (status.IsNotFound() || dropped()) return std::optional<std::string>();
    if (!status.ok()) return fail(to_error(status, path_, "read"));
    return std::optional<std::string>(std::move(value));
  }

  Result<void> scan(std::string_view prefix,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit) override {
    if (dropped()) return {};
    const std::unique_ptr<rocksdb::Iterator> at(db().NewIterator({}));
    for (at->Seek(slice(prefix)); at->Valid() && view(at->key()).starts_with(prefix); at->Next())
      if (!is_own_key(view(at->key())) && !visit(view(at->key()), view(at->value()))) return {};
    if (!at->status().ok() && !dropped()) return fail(to_error(at->status(), path_, "scan"));
    return {};
  }

  Result<void> write(const std::vector<KeyValueWrite>& batch) override {
    rocksdb::WriteBatch writes;
    for (const KeyValueWrite& write : batch) {
      REQUIRES(!is_own_key(write.key));
      const auto status = write.value ? writes.Put(write.key, *write.value) : writes.Delete(write.key);
      if (!status.ok()) return fail(to_error(status, path_, "write"));
    }
    if (dropped()) return {};
    const auto status = db().Write({}, &writes);
    if (!status.ok() && !dropped()) return fail(to_error(status, path_, "write"));
    return {};
  }

  Result<void> sync() override {
    if (dropped()) return {};
    const auto status = db().SyncWAL();
    if (!status.ok() && !dropped()) return fail(to_error(status, path_, "sync"));
    return {};
  }

  // Says so if a newer release wrote the database; stamps a new one.
  Result<void> check_format() {
    std::string text;
    auto status = db().Get({}, slice(kFormatKey), &text);
    if (status.IsNotFound()) {
      text = std::to_string(kFormat);
      status = db().Put({}, slice(kFormatKey), text);
    }
    if (!status.ok()) return fail(to_error(status, path_, "read the format version"));
    int format = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), format);
    if (parsed.ec != std::errc() || format < 1)
      return fail(Error::corruption(fmt::format("{}: unreadable format version '{}'", path_, text)));
    if (format > kFormat) {
      return fail(Error::format(
          fmt::format("{} has format version {}, and this release reads up to {}: start the newer release",
                      path_, format, kFormat)));
    }
    return {};
  }

  // In the background: the open is on a start's path. A failure costs no more than the time of the next open.
  void drop_old_wals() {
    std::error_code code;
    size_t wals = 0;
    for (std::filesystem::directory_iterator at(path_, code), end; !code && at != end; at.increment(code))
      if (at->path().extension() == ".log") ++wals;
    if (code || wals <= kMaxWalFiles) return;
    // An empty memtable would not be flushed.
    if (!db().Put({}, slice(kFormatKey), std::to_string(kFormat)).ok()) return;
    rocksdb::FlushOptions flush;
    flush.wait = false;
    (void)db().Flush(flush);
  }

 private:
  [[nodiscard]] rocksdb::DB& db() { return *database_.db; }
  [[nodiscard]] bool dropped() const { return database_.files->dropped(); }

  const std::string path_;
  const Database database_;
};

// Where the database was dropped while it was opened, or had no room to be: what it would have been.
class EmptyStore final : public KeyValueStore {
 public:
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Result<void> scan(std::string_view,
                    const std::function<bool(std::string_view, std::string_view)>&) override {
    return {};
  }
  Result<void> write(const std::vector<KeyValueWrite>&) override { return {}; }
  Result<void> sync() override { return {}; }
};

using OnDrop = std::function<void(const std::string&)>;

Result<std::unique_ptr<KeyValueStore>> open_once(const std::string& path, const OnDrop& on_drop) {
  Database database;
  database.files = std::make_shared<DroppableFiles>(path, [path, on_drop](const rocksdb::IOStatus& status) {
    if (on_drop) on_drop(to_error(status, path, "write").message());
  });
  database.env = rocksdb::NewCompositeEnv(database.files);
  rocksdb::DB* raw = nullptr;
  const auto status = rocksdb::DB::Open(small_options(database.env.get()), path, &raw);
  database.db.reset(raw);
  const auto files = database.files;
  if (!status.ok() && (status.IsNoSpace() || files->dropped())) {
    (void)files->absorb(rocksdb::status_to_io_status(rocksdb::Status(status)));
    return std::make_unique<EmptyStore>();
  }
  if (!status.ok()) {
    // What no second try mends: something missing, something of an unknown make.
    const bool damaged = status.IsCorruption() || status.IsInvalidArgument() || status.IsNotSupported() ||
                         status.IsNotFound() || status.IsPathNotFound();
    Error error = to_error(status, path, "open");
    return fail(damaged ? Error::corruption(error.message()) : std::move(error));
  }
  auto store = std::make_unique<RocksdbStore>(std::move(database), path);
  auto checked = store->check_format();
  if (files->dropped()) return std::make_unique<EmptyStore>();
  if (!checked) return fail(checked.error());
  store->drop_old_wals();
  return store;
}

}  // namespace

Result<OpenedStore> open_rocksdb(const std::string& path, OnDrop on_drop) {
  std::error_code code;
  if (!std::filesystem::exists(path + "/CURRENT", code)) std::filesystem::remove_all(path, code);  // dropped
  std::filesystem::create_directories(path, code);
  if (code == std::errc::no_space_on_device) {
    if (on_drop) on_drop(fmt::format("{}: cannot create the folder: {}", path, code.message()));
    return OpenedStore{std::make_unique<EmptyStore>(), {}};
  }
  if (code) return fail(Error::io(fmt::format("{}: cannot create the folder: {}", path, code.message())));
  auto first = open_once(path, on_drop);
  if (first) return OpenedStore{std::move(*first), {}};
  if (first.error().kind() != ErrorKind::corruption) return fail(first.error());

  const std::string aside = path + ".damaged";
  std::filesystem::remove_all(aside, code);
  if (!code) std::filesystem::rename(path, aside, code);
  if (code) return fail(Error::io(fmt::format("{}: cannot move it aside: {}", path, code.message())));
  std::filesystem::create_directories(path, code);
  TRY_ASSIGN(auto store, open_once(path, on_drop));
  return OpenedStore{std::move(store), fmt::format("{}; moved to {}", first.error().message(), aside)};
}

}  // namespace tidemark::storage
