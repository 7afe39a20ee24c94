// The simulated disk's crash model: what may be lost is lost in some seeds and kept in others, and what was
// promised is kept in all.
#include <catch2/catch.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/simulation/sim_file_system.h"
#include "tests/simulation/sim_key_value_store.h"
#include "tests/simulation/sim_process.h"

using namespace tidemark;
using namespace tidemark::simulation;
using storage::OpenMode;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t kSeeds = 400;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

struct Machine {
  explicit Machine(uint64_t seed) : disk(seed, counters) { REQUIRE(files.create_dir("/d")); }
  // Everything so far is on the platter.
  void settle() {
    REQUIRE(files.sync_dir("/"));
    REQUIRE(files.sync_dir("/d"));
  }
  void put(const std::string& path, std::string_view text, bool sync) {
    auto file = files.open(path, OpenMode::create);
    REQUIRE(file);
    REQUIRE((*file)->write(0, bytes_of(text)));
    if (sync) REQUIRE((*file)->sync_data());
  }
  std::string content(const std::string& path) {
    auto file = files.open(path, OpenMode::read);
    if (!file) return "(none)";
    std::string text(1 << 16, '\0');
    auto n = (*file)->read(0, std::as_writable_bytes(std::span(text)));
    REQUIRE(n);
    text.resize(*n);
    return text;
  }
  FaultCounters counters;
  SimDisk disk;
  SimFileSystem files{disk};
};

// The outcomes of `run` over many seeds, with how often each came.
template <class Run>
std::map<std::string, int> outcomes(Run run) {
  std::map<std::string, int> seen;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine machine(seed);
    ++seen[run(machine)];
  }
  return seen;
}

std::set<std::string> keys(const std::map<std::string, int>& counted) {
  std::set<std::string> result;
  for (const auto& [key, times] : counted) result.insert(key);
  return result;
}

// One letter per sector.
std::string letters(const std::string& content) {
  std::string result;
  for (size_t at = 0; at < content.size(); at += kSectorBytes)
    result.push_back(content[at] == '\0' ? '0' : content[at]);
  return result;
}

std::string sectors(std::string_view text) {
  std::string result;
  for (const char c : text) result += std::string(kSectorBytes, c);
  return result;
}

}  // namespace

TEST_CASE("a power cut keeps any subset of the sectors that were overwritten") {
  const auto seen = outcomes([](Machine& m) {
    m.put("/d/a", sectors("xyz"), true);
    m.settle();
    m.put("/d/a", sectors("XYZ"), false);
    m.disk.crash_power();
    return letters(m.content("/d/a"));
  });
  CHECK(keys(seen) == std::set<std::string>{"xyz", "xyZ", "xYz", "xYZ", "Xyz", "XyZ", "XYz", "XYZ"});
}

TEST_CASE("a power cut keeps any size, with zeros for the sectors below it that are lost") {
  const auto seen = outcomes([](Machine& m) {
    m.put("/d/a", sectors("a"), true);
    m.settle();
    m.put("/d/a", sectors("ab"), false);
    m.put("/d/a", sectors("abc"), false);
    m.disk.crash_power();
    return letters(m.content("/d/a"));
  });
  CHECK(keys(seen) == std::set<std::string>{"a", "ab", "a0", "abc", "ab0", "a0c", "a00"});
}

TEST_CASE("a power cut that keeps nothing leaves what was synced, of files, sizes and folders") {
  const auto seen = outcomes([](Machine& m) {
    m.put("/d/a", sectors("abc"), true);
    m.settle();
    m.put("/d/a", sectors("ABCD"), false);
    m.put("/d/new", sectors("n"), true);
    {
      auto file = m.files.open("/d/a", OpenMode::read_write);
      REQUIRE((*file)->truncate(kSectorBytes));
    }
    m.disk.power_cut = SimDisk::PowerCut{.keeps_nothing = true};
    m.disk.crash_power();
    return letters(m.content("/d/a")) + " " + m.content("/d/new");
  });
  CHECK(keys(seen) == std::set<std::string>{"abc (none)"});
}

TEST_CASE("what was synced is there after any crash") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine m(seed);
    m.put("/d/a", sectors("abc"), true);
    m.settle();
    for (int round = 0; round < 3; ++round) {
      m.disk.crash_power();
      REQUIRE(letters(m.content("/d/a")) == "abc");
    }
  }
}

TEST_CASE("a killed process loses nothing, and a later power cut may still take it") {
  const auto seen = outcomes([](Machine& m) {
    m.put("/d/a", sectors("a"), true);
    m.settle();
    m.put("/d/a", sectors("A"), false);
    m.disk.crash_process();
    REQUIRE(letters(m.content("/d/a")) == "A");
    m.disk.crash_power();
    return letters(m.content("/d/a"));
  });
  CHECK(keys(seen) == std::set<std::string>{"a", "A"});
}

TEST_CASE("a cut that was not synced is kept or undone, with its bytes") {
  const auto seen = outcomes([](Machine& m) {
    m.put("/d/a", sectors("abc"), true);
    m.settle();
    {
      auto file = m.files.open("/d/a", OpenMode::read_write);
      REQUIRE((*file)->truncate(kSectorBytes));
    }
    m.disk.crash_power();
    return letters(m.content("/d/a"));
  });
  CHECK(keys(seen) == std::set<std::string>{"a", "abc"});
}

TEST_CASE("creates, renames and removes without a folder sync each survive or do not") {
  const auto seen = outcomes([](Machine& m) {
    m.put("/d/renamed", "r", true);
    m.put("/d/removed", "x", true);
    m.settle();
    m.put("/d/created", "c", true);
    REQUIRE(m.files.rename("/d/renamed", "/d/to"));
    REQUIRE(m.files.remove("/d/removed"));
    m.disk.crash_power();
    // Renamed or not, it has exactly one name.
    REQUIRE((m.content("/d/to") == "r") != (m.content("/d/renamed") == "r"));
    return std::string(m.content("/d/created") == "c" ? "c" : "-") + (m.content("/d/to") == "r" ? "r" : "-") +
           (m.content("/d/removed") == "x" ? "-" : "x");
  });
  CHECK(seen.size() == 8);
}

TEST_CASE("creates, renames and removes with a folder sync survive every crash") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine m(seed);
    m.put("/d/renamed", "r", true);
    m.put("/d/removed", "x", true);
    m.settle();
    m.put("/d/created", "c", true);
    REQUIRE(m.files.rename("/d/renamed", "/d/to"));
    REQUIRE(m.files.remove("/d/removed"));
    REQUIRE(m.files.sync_dir("/d"));
    m.disk.crash_power();
    auto entries = m.files.list("/d");
    REQUIRE(entries);
    REQUIRE(entries->size() == 2);
    REQUIRE(m.content("/d/created") == "c");
    REQUIRE(m.content("/d/to") == "r");
  }
}

TEST_CASE("a sync of everything covers contents, names and folders, and a failed one only a part") {
  for (const bool fails : {false, true}) {
    const auto seen = outcomes([&](Machine& m) {
      m.disk.syncs_whole = true;
      m.put("/d/a", "a", true);
      m.settle();
      const auto whole = m.files.whole_sync("/d", "/d/a");
      REQUIRE(whole->sync() == true);
      m.put("/d/a", "A", false);
      REQUIRE(m.files.create_dir("/d/new"));
      m.put("/d/new/b", "b", false);
      m.disk.faults.sync_fails = fails ? 1 : 0;
      REQUIRE(whole->sync().has_value() == !fails);
      m.disk.faults.sync_fails = 0;
      REQUIRE(whole->sync().has_value() == !fails);
      m.disk.crash_power();
      const std::string b = m.content("/d/new/b");
      return m.content("/d/a") + (b == "b" ? b : "-");
    });
    CHECK(seen.contains("Ab"));
    CHECK((seen.size() > 1) == fails);
  }
}

TEST_CASE(
    "the first sync of everything that fails is no answer, and what it lost its file's own sync tells once") {
  size_t told = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine m(seed);
    m.disk.syncs_whole = true;
    m.put("/d/a", "a", true);
    m.settle();
    const auto whole = m.files.whole_sync("/d", "/d/a");
    m.put("/d/a", "A", false);
    m.disk.faults.sync_fails = 1;
    REQUIRE(whole->sync() == false);
    m.disk.faults.sync_fails = 0;
    REQUIRE(whole->sync() == false);  // never again
    const auto file = m.files.open("/d/a", OpenMode::read_write);
    const bool lost = !(*file)->sync_data().has_value();
    told += lost ? 1 : 0;
    REQUIRE((*file)->sync_data().has_value());
  }
  CHECK(told > 0);
  CHECK(told < kSeeds);
}

TEST_CASE("a synced file in a folder whose own entry was not synced may vanish with it") {
  const auto seen = outcomes([](Machine& m) {
    m.settle();
    REQUIRE(m.files.create_dir("/d/new"));
    m.put("/d/new/a", "a", true);
    REQUIRE(m.files.sync_dir("/d/new"));
    m.disk.crash_power();
    return m.content("/d/new/a");
  });
  CHECK(keys(seen) == std::set<std::string>{"(none)", "a"});
}

TEST_CASE("a recycled file keeps what it held, where the new content is lost") {
  const auto seen = outcomes([](Machine& m) {
    m.put("/d/old", sectors("oo"), true);
    m.settle();
    REQUIRE(m.files.rename("/d/old", "/d/new"));
    REQUIRE(m.files.sync_dir("/d"));
    m.put("/d/new", sectors("nn"), false);
    m.disk.crash_power();
    return letters(m.content("/d/new"));
  });
  CHECK(keys(seen) == std::set<std::string>{"oo", "on", "no", "nn"});
}

TEST_CASE("a failed sync leaves its bytes readable, and a second one lies about them") {
  const auto seen = outcomes([](Machine& m) {
    m.put("/d/a", sectors("ab"), true);
    m.settle();
    m.put("/d/a", sectors("AB"), false);
    auto file = m.files.open("/d/a", OpenMode::read_write);
    REQUIRE(file);
    m.disk.faults.sync_fails = 1;
    auto failed = (*file)->sync_data();
    REQUIRE(!failed);
    CHECK(failed.error().kind() == ErrorKind::io);
    m.disk.faults.sync_fails = 0;
    REQUIRE((*file)->sync_data());
    file->reset();
    REQUIRE(letters(m.content("/d/a")) == "AB");
    m.disk.crash_power();
    return letters(m.content("/d/a"));
  });
  CHECK(keys(seen) == std::set<std::string>{"ab", "aB", "Ab", "AB"});
  CHECK(seen.at("ab") > static_cast<int>(kSeeds) / 3);
}

TEST_CASE("what is written again after a failed sync can be synced") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Machine m(seed);
    m.put("/d/a", sectors("a"), true);
    m.settle();
    m.disk.faults.sync_fails = 1;
    {
      auto file = m.files.open("/d/a", OpenMode::read_write);
      REQUIRE((*file)->write(0, bytes_of(sectors("A"))));
      REQUIRE(!(*file)->sync_data());
    }
    m.disk.faults.sync_fails = 0;
    m.put("/d/a", sectors("A"), true);
    m.disk.crash_power();
    REQUIRE(letters(m.content("/d/a")) == "A");
  }
}

TEST_CASE("a crash strikes at the operation asked for, before, within or after its effect") {
  const auto seen = outcomes([](Machine& m) {
    m.put("/d/a", "", false);
    {
      auto file = m.files.open("/d/a", OpenMode::read_write);
      m.disk.crash_at(2);
      REQUIRE((*file)->size());
      CHECK_THROWS_AS((*file)->write(0, bytes_of(std::string_view("12"))), SimCrash);
      CHECK(m.disk.dying());
      // What destructors still do has no effect, and throws nothing.
      CHECK(!(*file)->truncate(0));
      CHECK(!m.files.remove("/d/a"));
    }
    m.disk.crash_process();
    CHECK(!m.disk.dying());
    return m.content("/d/a");
  });
  CHECK(keys(seen) == std::set<std::string>{"", "1"});
}

TEST_CASE("a full disk refuses what needs new space, and nothing else") {
  Machine m(1);
  m.disk.quota_bytes = 4 * kBlockBytes;
  auto file = m.files.open("/d/a", OpenMode::create);
  REQUIRE(file);
  REQUIRE((*file)->reserve(0, 2 * kBlockBytes));
  m.put("/d/b", "b", true);
  auto refused = (*file)->write(0, bytes_of(std::string(4 * kBlockBytes, 'x')));
  REQUIRE(!refused);
  CHECK(refused.error().kind() == ErrorKind::no_space);
  REQUIRE((*file)->write(0, bytes_of(std::string(2 * kBlockBytes, 'y'))));
  m.disk.quota_bytes = 0;
  REQUIRE((*file)->write(0, bytes_of(std::string(2 * kBlockBytes, 'z'))));
  CHECK((*file)->reserve(4 * kBlockBytes, 1).error().kind() == ErrorKind::no_space);
  CHECK(m.files.space("/d")->available == 0);
  m.disk.quota_bytes = 8 * kBlockBytes;
  REQUIRE((*file)->truncate(0));
  REQUIRE(m.files.remove("/d/b"));
  file->reset();
  CHECK(m.disk.used_bytes() == 0);
  CHECK(m.counters["disk: full"] == 2);
}

TEST_CASE("a removed file's space comes back when its last handle goes") {
  Machine m(1);
  auto file = m.files.open("/d/a", OpenMode::create);
  REQUIRE((*file)->write(0, bytes_of(std::string(100, 'x'))));
  REQUIRE(m.files.remove("/d/a"));
  CHECK(m.disk.used_bytes() == kBlockBytes);
  file->reset();
  CHECK(m.disk.used_bytes() == 0);
}

TEST_CASE("bits flip in synced content only, and folders vanish whole") {
  Machine m(3);
  m.put("/d/a", sectors("a"), true);
  m.put("/d/b", sectors("b"), false);
  m.settle();
  CHECK(!m.disk.flip_bit([](const std::string& path) { return path == "/d/b"; }));
  const auto flip = m.disk.flip_bit([](const std::string& path) { return path == "/d/a"; });
  REQUIRE(flip);
  const std::string damaged = m.content("/d/a");
  CHECK(damaged != sectors("a"));
  CHECK(damaged[flip->position] != 'a');
  m.disk.crash_power();
  CHECK(m.content("/d/a") == damaged);
  m.disk.remove_tree("/d");
  CHECK(m.content("/d/a") == "(none)");
  m.disk.crash_power();
  CHECK(m.files.exists("/d") == false);
  CHECK(m.disk.used_bytes() == 0);
}

TEST_CASE("the key-value store loses a suffix of what was not synced") {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    FaultCounters counters;
    SimDisk disk(seed, counters);
    SimStoreContent content(disk, counters);
    SimKeyValueStore store(content);
    REQUIRE(store.write({{"a", "1"}}));
    REQUIRE(store.sync());
    REQUIRE(store.write({{"b", "1"}}));
    REQUIRE(store.write({{"c", "1"}, {"a", std::nullopt}}));
    disk.crash_power();
    std::string text;
    REQUIRE(store.scan("", [&](std::string_view key, std::string_view) {
      text += key;
      return true;
    }));
    seen.insert(text);
  }
  CHECK(seen == std::set<std::string>{"a", "ab", "bc"});
}

namespace {

// Writes through a lane, forever.
struct Writer {
  Writer(runtime::Scheduler& l, runtime::Lane& work, storage::FileSystem& files) : loop(l), lane(work) {
    auto opened = files.open("/d/a", OpenMode::create);
    REQUIRE(opened);
    file = std::move(*opened);
    next();
  }
  void next() {
    auto write = [f = file, n = written] {
      const std::string text = std::to_string(n) + ";";
      // Not within a macro of Catch's, which would take the crash for a failure.
      const auto wrote = f->write(n * 16, bytes_of(text));
      const auto synced = f->sync_data();
      REQUIRE(wrote);
      REQUIRE(synced);
    };
    lane.submit(std::move(write), loop, [this] {
      ++written;
      next();
    });
  }
  runtime::Scheduler& loop;
  runtime::Lane& lane;
  std::shared_ptr<storage::File> file;
  uint64_t written = 0;
};

struct Run {
  uint64_t trace;
  uint64_t written;
  std::string content;
};

Run run_until_crash(uint64_t seed, uint64_t crash_at) {
  VirtualTime time(seed);
  FaultCounters counters;
  SimDisk disk(seed + 1, counters, &time.trace());
  SimProcess process(time, disk);
  REQUIRE(process.files().create_dir("/d"));
  REQUIRE(process.files().sync_dir("/"));
  auto& loop = process.add_loop();
  auto& lane = process.add_lane();
  auto& writer = process.host<Writer>(loop, lane, process.files());
  REQUIRE(process.files().sync_dir("/d"));
  disk.crash_at(crash_at);
  while (!process.dying()) time.step();
  const uint64_t written = writer.written;
  process.crash(CrashKind::power);
  CHECK(time.idle());
  Machine reader(0);
  SimFileSystem files(disk);
  auto file = files.open("/d/a", OpenMode::read);
  REQUIRE(file);
  std::string text(1 << 16, '\0');
  auto n = (*file)->read(0, std::as_writable_bytes(std::span(text)));
  REQUIRE(n);
  text.resize(*n);
  return {time.trace().value(), written, text};
}

}  // namespace

TEST_CASE("a process crashes between any two disk operations, its queues run dry, and a seed repeats") {
  for (uint64_t at = 1; at < 30; ++at) {
    const Run run = run_until_crash(at, at);
    CHECK(run.written == (at - 1) / 2);
    if (run.written > 0) {
      const std::string last = std::to_string(run.written - 1) + ";";
      CHECK(run.content.find(last) == (run.written - 1) * 16);
    }
    const Run again = run_until_crash(at, at);
    CHECK(again.trace == run.trace);
    CHECK(again.content == run.content);
    if (at > 2) CHECK(run_until_crash(at + 1000, at).trace != run.trace);
  }
}
