// What every KeyValueStore promises, and what RocksDB's does about a damaged database.
#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/rocksdb/rocksdb_store.h"
#include "tests/simulation/sim_key_value_store.h"
#include "tests/unit/seams/temporary_folder.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

// A store that can be closed and opened again.
struct Subject {
  virtual ~Subject() = default;
  virtual KeyValueStore& store() = 0;
  virtual void reopen() = 0;
};

struct RocksdbSubject final : Subject {
  RocksdbSubject() { reopen(); }
  KeyValueStore& store() override { return *opened_.store; }
  void reopen() override {
    opened_.store.reset();
    auto opened = open_rocksdb(folder_.path() + "/db");
    REQUIRE(opened);
    opened_ = std::move(*opened);
  }
  tests::TemporaryFolder folder_;
  OpenedStore opened_;
};

struct SimulatedSubject final : Subject {
  KeyValueStore& store() override { return *store_; }
  void reopen() override {
    disk_.exit_process();
    store_ = std::make_unique<simulation::SimKeyValueStore>(content_);
  }
  simulation::FaultCounters counters_;
  simulation::SimDisk disk_{7, counters_};
  simulation::SimStoreContent content_{disk_, counters_};
  std::unique_ptr<simulation::SimKeyValueStore> store_ =
      std::make_unique<simulation::SimKeyValueStore>(content_);
};

struct Version {
  const char* name;
  std::function<std::unique_ptr<Subject>()> make;
};

const std::vector<Version>& versions() {
  static const std::vector<Version> all{
      {"rocksdb", [] { return std::make_unique<RocksdbSubject>(); }},
      {"simulated", [] { return std::make_unique<SimulatedSubject>(); }},
  };
  return all;
}

std::unique_ptr<Subject> each_version() {
  const auto index = GENERATE(range(size_t{0}, versions().size()));
  UNSCOPED_INFO("version " << versions()[index].name);
  return versions()[index].make();
}

std::optional<std::string> get(KeyValueStore& store, std::string_view key) {
  auto value = store.get(key);
  REQUIRE(value);
  return *value;
}

std::string scanned(KeyValueStore& store, std::string_view prefix, size_t most = SIZE_MAX) {
  std::string text;
  size_t seen = 0;
  REQUIRE(store.scan(prefix, [&](std::string_view key, std::string_view value) {
    text += std::string(key) + "=" + std::string(value) + " ";
    return ++seen < most;
  }));
  return text;
}

// Every file of a closed database gets its middle overwritten.
void damage(const std::string& folder, std::string_view prefix) {
  size_t damaged = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    const auto bytes = std::filesystem::file_size(entry.path());
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(bytes / 2));
    file << "damage, damage";
    ++damaged;
  }
  REQUIRE(damaged > 0);
}

}  // namespace

TEST_CASE("a store gives back the latest value of each key") {
  auto subject = each_version();
  KeyValueStore& store = subject->store();
  CHECK(get(store, "a") == std::nullopt);
  REQUIRE(store.write({{"a", "1"}, {"b", ""}, {"a", "2"}}));
  CHECK(get(store, "a") == "2");
  CHECK(get(store, "b") == "");
  REQUIRE(store.write({{"a", std::nullopt}, {"never", std::nullopt}}));
  CHECK(get(store, "a") == std::nullopt);
  REQUIRE(store.write({}));
  const std::string binary("\xff\x00key", 5);
  REQUIRE(store.write({{binary, binary}}));
  CHECK(get(store, binary) == binary);
}

TEST_CASE("a scan visits the keys of a prefix in byte order until told to stop") {
  auto subject = each_version();
  KeyValueStore& store = subject->store();
  REQUIRE(store.write({{"b/2", "x"}, {"a", "y"}, {"b/10", "z"}, {"b/\xff", "last"}, {"c", "w"}, {"b", "v"}}));
  CHECK(scanned(store, "b/") == "b/10=z b/2=x b/\xff=last ");
  CHECK(scanned(store, "b/", 1) == "b/10=z ");
  CHECK(scanned(store, "") == "a=y b=v b/10=z b/2=x b/\xff=last c=w ");
  CHECK(scanned(store, "d").empty());
}

TEST_CASE("what was synced is there after the store is opened again") {
  auto subject = each_version();
  REQUIRE(subject->store().write({{"a", "1"}}));
  REQUIRE(subject->store().sync());
  subject->reopen();
  CHECK(get(subject->store(), "a") == "1");
}

TEST_CASE("a damaged database is set aside and begun anew") {
  tests::TemporaryFolder folder;
  const std::string path = folder.path() + "/node/db";
  {
    auto opened = open_rocksdb(path);
    REQUIRE(opened);
    CHECK(opened->set_aside.empty());
    REQUIRE(opened->store->write({{"a", "1"}}));
    REQUIRE(opened->store->sync());
  }
  SECTION("an unreadable manifest") { damage(path, "MANIFEST"); }
  SECTION("a missing manifest") {
    for (const auto& entry : std::filesystem::directory_iterator(path))
      if (entry.path().filename().string().starts_with("MANIFEST")) std::filesystem::remove(entry.path());
  }
  SECTION("an earlier one set aside") {
    std::filesystem::create_directories(path + ".damaged/old");
    damage(path, "CURRENT");
  }
  auto opened = open_rocksdb(path);
  REQUIRE(opened);
  CHECK(opened->set_aside.find(path + ".damaged") != std::string::npos);
  CHECK(std::filesystem::exists(path + ".damaged"));
  CHECK(!std::filesystem::exists(path + ".damaged/old"));
  CHECK(get(*opened->store, "a") == std::nullopt);
  REQUIRE(opened->store->write({{"a", "2"}}));
}

TEST_CASE("a database that is opened again and again without a write keeps a few write-ahead logs") {
  tests::TemporaryFolder folder;
  const std::string path = folder.path() + "/db";
  size_t logs = 0;
  for (int i = 0; i < 30; ++i) {
    auto opened = open_rocksdb(path);
    REQUIRE(opened);
    opened->store.reset();
    logs = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      if (entry.path().extension() == ".log") ++logs;
    REQUIRE(logs <= 6);
  }
  CHECK(logs > 0);
}

TEST_CASE("a database whose write fails is dropped: nothing of it comes back") {
  tests::TemporaryFolder folder;
  const std::string path = folder.path() + "/db";
  std::vector<std::string> reasons;
  const auto on_drop = [&](const std::string& reason) { reasons.push_back(reason); };
  {
    auto opened = open_rocksdb(path, on_drop);
    REQUIRE(opened);
    KeyValueStore& store = *opened->store;
    REQUIRE(store.write({{"a", "1"}}));
    REQUIRE(store.sync());
    // Files may not grow any more: as on a full disk, writes fail.
    rlimit limit{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const rlimit nothing{0, limit.rlim_max};
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &nothing) == 0);
    const bool wrote = store.write({{"b", "2"}}).has_value() &&
                       store.write({{"a", std::nullopt}}).has_value() && store.sync().has_value();
    setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, ignored);
    CHECK(wrote);
    REQUIRE(reasons.size() == 1);
    CHECK(reasons[0].find(path) != std::string::npos);
    CHECK(get(store, "a") == std::nullopt);
    CHECK(scanned(store, "").empty());
    REQUIRE(store.write({{"c", "3"}}));
    CHECK(get(store, "c") == std::nullopt);
  }
  auto opened = open_rocksdb(path, on_drop);
  REQUIRE(opened);
  CHECK(opened->set_aside.empty());
  CHECK(scanned(*opened->store, "").empty());
  REQUIRE(opened->store->write({{"a", "4"}}));
  CHECK(get(*opened->store, "a") == "4");
}

TEST_CASE("a removed database is begun anew, and an open one is not taken from its holder") {
  tests::TemporaryFolder folder;
  const std::string path = folder.path() + "/db";
  {
    auto first = open_rocksdb(path);
    REQUIRE(first);
    REQUIRE(first->store->write({{"a", "1"}}));
    auto second = open_rocksdb(path);
    REQUIRE(!second);
    CHECK(second.error().kind() == ErrorKind::io);
    CHECK(get(*first->store, "a") == "1");
  }
  std::filesystem::remove_all(path);
  auto opened = open_rocksdb(path);
  REQUIRE(opened);
  CHECK(opened->set_aside.empty());
  CHECK(get(*opened->store, "a") == std::nullopt);
}
