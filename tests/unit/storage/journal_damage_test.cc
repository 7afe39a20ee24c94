// Journals whose bytes have changed since they were synced, folders that the disk does not give, starts that
// come to nothing: what each may cost, and what it may not.
#include <fmt/format.h>

#include "storage/double_written_file.h"
#include "tests/unit/storage/hostile_world.h"

using namespace tidemark;
using namespace tidemark::storage;
using namespace std::chrono_literals;

namespace {

std::vector<std::byte> bytes_of(HostileWorld& world, const std::string& path) {
  auto file = world.below.open(path, OpenMode::read);
  REQUIRE(file.has_value());
  std::vector<std::byte> bytes(*(*file)->size());
  REQUIRE((*file)->read(0, bytes).has_value());
  return bytes;
}

void flip(HostileWorld& world, const std::string& path, uint64_t position) {
  auto file = world.below.open(path, OpenMode::read_write);
  REQUIRE(file.has_value());
  std::vector<std::byte> byte = {bytes_of(world, path).at(position) ^ std::byte{0x10}};
  REQUIRE((*file)->write(position, std::span<const std::byte>(byte)).has_value());
}

std::string stretch_path(int generation, uint32_t journal, int number = 0) {
  return fmt::format("/data/tidemark/journal/{}-{}-{}.journal", generation, journal, number);
}

struct GroupPlace {
  uint64_t position;
  bool appends_to(LogId log) const { return std::find(logs.begin(), logs.end(), log) != logs.end(); }
  std::vector<LogId> logs;
  GroupHeader header;
};

std::vector<GroupPlace> groups_of(HostileWorld& world, const std::string& path) {
  const auto bytes = bytes_of(world, path);
  const auto header = decode_stretch_header(bytes);
  REQUIRE(header.has_value());
  REQUIRE(header->has_value());
  std::vector<GroupPlace> places;
  for (const Group& group : scan_stretch(bytes, **header, nullptr).groups) {
    GroupPlace& place = places.emplace_back();
    place.position = static_cast<uint64_t>(group.payload.data() - bytes.data()) - kGroupHeaderBytes;
    place.header = group.header;
    std::span<const std::byte> payload = group.payload;
    while (!payload.empty()) {
      const auto record = decode_record(payload);
      REQUIRE(record.has_value());
      if (record->type == JournalRecordType::append) place.logs.push_back(record->log);
    }
  }
  return places;
}

// A byte of the first group with an append to this log, which later groups state to be synced.
void damage_append(HostileWorld& world, const std::string& path, LogId log) {
  for (const GroupPlace& place : groups_of(world, path)) {
    if (place.appends_to(log)) return flip(world, path, place.position + 100);
  }
  FAIL("no append to damage");
}

size_t journal_files(HostileWorld& world, std::string_view suffix = ".journal") {
  const auto entries = world.files.list("/data/tidemark/journal");
  return static_cast<size_t>(std::count_if(
      entries->begin(), entries->end(), [&](const DirEntry& entry) { return entry.name.ends_with(suffix); }));
}

constexpr const char* kNames[] = {"a-0", "b-0", "__cluster_metadata-0"};

// a-0 in journal 0, b-0 in journal 1, the metadata log in its own; four appends each.
void begin_three_logs(HostileWorld& world) {
  world.other_journals = {JournalId(1), kMetadataJournal};
  world.homes = {{"b-0", 0}, {"__cluster_metadata-0", 1}};
  world.start();
  for (const char* name : kNames) world.create(name);
  for (int i = 0; i < 4; ++i) {
    for (const char* name : kNames) world.append(*world.logs.at(name), 1, 3000);
  }
  world.settle();
}

}  // namespace

TEST_CASE("damage to a journal takes the logs offline that live in it, for good, and no others") {
  for (const uint32_t journal : {0U, 1U, kMetadataJournal.value}) {
    HostileWorld world;
    begin_three_logs(world);
    const std::string hit = journal == 0 ? "a-0" : journal == 1 ? "b-0" : "__cluster_metadata-0";
    const LogId log = world.logs.at(hit)->id();
    world.kill();
    damage_append(world, stretch_path(1, journal), log);
    // Also where this start, too, ends before it has freed what the others need.
    for (int start = 0; start < 3; ++start) {
      world.start();
      CHECK(world.data->journals().corruption().size() == (start < 2 ? 1 : 0));
      for (const char* name : kNames) {
        INFO(name);
        if (name != hit) {
          CHECK(world.readable(*world.logs.at(name)) == (start < 2 ? 4 : 5));
          continue;
        }
        REQUIRE(world.logs.at(name)->offline());
        const std::string why = world.logs.at(name)->offline()->message();
        CHECK(why.find(start < 2 ? stretch_path(1, journal) : "an earlier start") != std::string::npos);
      }
      if (start == 1) {
        world.finish_replay();
        for (const char* name : kNames) {
          if (name != hit) world.append(*world.logs.at(name), 1, 3000);
        }
        CHECK(journal_files(world, ".damaged") > 0);
      }
      if (start == 0) {
        world.kill();
      } else {
        world.cut_power();
      }
    }
  }
}

TEST_CASE(
    "a log of an earlier start is spared where its records show it in another journal, and only there") {
  HostileWorld world;
  world.other_journals = {JournalId(1)};
  world.start();
  for (const char* name : {"a-0", "b-0", "c-0"}) world.append(*world.create(name), 1, 3000);
  world.finish_replay();
  REQUIRE(world.run(world.store->settle()).has_value());
  world.kill();
  world.homes = {{"b-0", 0}, {"c-0", 0}};
  world.start();
  world.finish_replay();
  for (int i = 0; i < 3; ++i) {
    for (const char* name : {"a-0", "b-0"}) world.append(*world.logs.at(name), 1, 3000);
  }
  world.append(*world.create("d-0"), 1, 3000);
  const LogId log = world.logs.at("a-0")->id();
  world.settle();
  world.kill();
  damage_append(world, stretch_path(2, 0), log);
  world.start();
  CHECK(world.logs.at("a-0")->offline());
  CHECK(world.readable(*world.logs.at("b-0")) == 4);
  CHECK(world.logs.at("c-0")->offline());
  CHECK(world.logs.at("d-0")->offline());
}

TEST_CASE("damage below the checkpoint costs nothing, and above it is found behind it") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  for (int i = 0; i < 4; ++i) world.append(*log, 1, 3000);
  REQUIRE(world.run(world.store->settle()).has_value());
  for (int i = 0; i < 3; ++i) world.append(*log, 1, 3000);
  world.settle();
  const LogId id = log->id();
  log.reset();
  world.kill();
  const std::string path = stretch_path(1, 0);
  const auto groups = groups_of(world, path);
  GroupSequence checkpoint;
  for (const GroupPlace& place : groups) checkpoint = std::max(checkpoint, place.header.checkpoint);
  size_t below = 0;
  size_t above = 0;
  for (const GroupPlace& place : groups) {
    if (!place.appends_to(id)) continue;
    auto& count = place.header.sequence <= checkpoint ? below : above;
    if (count++ == 0 && &count == &above) continue;
    flip(world, path, place.position + 100);
    auto found = JournalRecovery::open(world.files, "/data/tidemark/journal", Planted::none);
    REQUIRE(found.has_value());
    INFO("group " << place.header.sequence.value << ", checkpoint " << checkpoint.value);
    CHECK(found->corruption().size() == (&count == &above ? 1 : 0));
    if (&count == &above) flip(world, path, place.position + 100);  // as it was
  }
  REQUIRE(below == 4);
  REQUIRE(above == 3);
  // All four that were freed are destroyed by now.
  world.start();
  CHECK(world.readable(*world.logs.at("a-0")) == 7);
}

TEST_CASE("a destroyed header costs nothing once all behind it is freed, and the logs concerned before") {
  for (const bool freed : {false, true}) {
    HostileWorld world;
    begin_three_logs(world);
    world.finish_replay();
    if (freed) {
      for (LogStore* store : {world.store.get(), world.others[0].get()})
        REQUIRE(world.run(store->settle()).has_value());
    }
    world.settle();
    world.kill();
    flip(world, stretch_path(1, 1), 20);
    world.start();
    CHECK(world.logs.at("b-0")->offline().has_value() == !freed);
    CHECK(world.readable(*world.logs.at("a-0")) == 4);
    CHECK(world.readable(*world.logs.at("__cluster_metadata-0")) == 4);
    if (freed) CHECK(world.readable(*world.logs.at("b-0")) == 4);
  }
}

TEST_CASE("damaged journals are put aside, by a later start if the one that found them came to its end") {
  HostileWorld world;
  begin_three_logs(world);
  const LogId log = world.logs.at("a-0")->id();
  world.kill();
  damage_append(world, stretch_path(1, 0), log);
  world.start();
  REQUIRE(world.data->journals().corruption().size() == 1);
  const size_t old_files = world.data->old_journal_files().size();
  world.background.hold();
  world.finish_replay();
  CHECK(journal_files(world, ".damaged") == 0);
  world.cut_power();
  world.start();
  CHECK(world.data->journals().corruption().empty());
  CHECK(world.data->keeps_old_journals());
  world.finish_replay();
  CHECK(journal_files(world, ".damaged") >= old_files);
  world.kill();
  world.start();
  CHECK(!world.data->keeps_old_journals());
  CHECK(journal_files(world, ".damaged") >= old_files);
}

TEST_CASE("starts that come to nothing leave no more files than one of them makes") {
  HostileWorld world;
  world.start();
  world.append(*world.create("a-0"), 1, 3000);
  world.settle();
  for (int start = 0; start < 6; ++start) {
    if (start % 2 == 0) {
      world.cut_power();
    } else {
      world.kill();
    }
    world.start();
    CHECK(world.readable(*world.logs.at("a-0")) == 1);
    CHECK(journal_files(world) == 3);  // the first start's, and this one's two
  }
  // What is not zero may have been a group.
  world.kill();
  flip(world, stretch_path(7, 0), 5000);
  world.start();
  CHECK(world.files.exists(stretch_path(7, 0)).value());
  CHECK_FALSE(world.files.exists(stretch_path(7, 0, 1)).value());
  world.finish_replay();
  CHECK_FALSE(world.files.exists(stretch_path(7, 0)).value());
  CHECK_FALSE(world.files.exists(stretch_path(1, 0)).value());
}

TEST_CASE("a folder that is no partition's is not looked into") {
  HostileWorld world;
  world.start();
  for (const char* name : {"lost+found", "-1", "a-", "a-x", "a"})
    REQUIRE(world.files.create_dir("/data/" + std::string(name)).has_value());
  world.kill();
  world.files.fail_look = [](const std::string& path) { return path.ends_with(kPartitionStateName); };
  world.start();
  CHECK(world.data->replay().unreadable.empty());
  CHECK(world.data->replay().unidentified.empty());
}

TEST_CASE("a partition whose folder cannot be read stays away for one start, and loses nothing") {
  for (const bool look : {false, true}) {
    HostileWorld world;
    world.start();
    world.finish_replay();
    for (const char* name : {"a-0", "b-0"}) world.append(*world.create(name), 1, 3000);
    REQUIRE(world.run(world.store->settle()).has_value());
    world.kill();
    const auto rule = [](const std::string& path) { return path == "/data/a-0/partition.state"; };
    (look ? world.files.fail_look : world.files.fail_read) = rule;
    world.start();
    world.finish_replay();
    REQUIRE(world.data->replay().unreadable.size() == 1);
    CHECK(world.data->replay().unreadable.begin()->first == "a-0");
    CHECK(world.data->replay().unidentified.empty());
    CHECK_FALSE(world.logs.contains("a-0"));
    CHECK_FALSE(world.run(world.store->create("a-0", world.random.uuid(), PartitionId(0), world.settings)));
    world.append(*world.logs.at("b-0"), 1, 3000);
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    (look ? world.files.fail_look : world.files.fail_read) = [](const std::string&) { return false; };
    world.cut_power();
    world.start();
    CHECK(world.readable(*world.logs.at("a-0")) == 1);
    CHECK(world.readable(*world.logs.at("b-0")) == 2);
  }
}

TEST_CASE("no start frees records that wait for a folder that cannot be read") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  auto other = world.create("b-0");
  REQUIRE(world.run(world.store->settle()).has_value());
  SECTION("appends to it") { world.append(*log, 1, 3000); }
  SECTION("appends to it, destroyed") {
    for (int i = 0; i < 3; ++i) world.append(*log, 1, 3000);
    world.settle();
    damage_append(world, stretch_path(1, 0), log->id());
  }
  SECTION("a deletion that may be its") { REQUIRE(world.run(world.store->erase(other)).has_value()); }
  log.reset();
  other.reset();
  world.kill();
  world.files.fail_read = [](const std::string& path) { return path == "/data/a-0/partition.state"; };
  for (int start = 0; start < 2; ++start) {
    const auto opened = world.open_folder();
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().message().find("/data/a-0/partition.state") != std::string::npos);
  }
  world.files.fail_read = [](const std::string&) { return false; };
  world.start();
  CHECK(world.logs.contains("a-0"));
}

TEST_CASE("a grave that cannot be removed holds nothing up; a sync that fails does") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  world.append(*world.create("a-0"), 1, 3000);
  world.kill();
  REQUIRE(world.files.create_dir("/data/x-0.17-delete/of somebody/else").has_value());
  REQUIRE(world.files.create_dir("/data/y-0.18-delete").has_value());
  world.start();
  world.finish_replay();
  REQUIRE(world.data->stuck_graves().size() == 1);
  CHECK(world.data->stuck_graves().front().message().find("/data/x-0.17-delete") != std::string::npos);
  CHECK_FALSE(world.files.exists("/data/y-0.18-delete").value());
  world.append(*world.logs.at("a-0"), 1, 3000);
  world.kill();
  world.start();
  world.files.fail_sync = [](const std::string& path) { return path.ends_with(".log"); };
  CHECK_FALSE(world.data->finish_replay().has_value());
}

// The sector of a partition.state that holds its first or its second copy.
void flip_state(HostileWorld& world, size_t copy) {
  flip(world, "/data/a-0/partition.state", copy * DoubleWrittenFile::kSlotBytes + 40);
}

TEST_CASE("one copy of a partition.state that rots costs nothing, not even the log's start") {
  for (const size_t copy : {0, 1}) {
    HostileWorld world;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int i = 0; i < 5; ++i) world.append(*log, 1, 3000);
    REQUIRE(world.run(log->trim(Offset(3))).has_value());
    REQUIRE(world.run(world.store->settle()).has_value());
    log.reset();
    world.kill();
    flip_state(world, copy);
    world.start();
    REQUIRE(world.logs.contains("a-0"));
    CHECK(world.logs.at("a-0")->start() == Offset(3));
    CHECK(world.readable(*world.logs.at("a-0")) == 2);
  }
}

// Seed 48 of the storage world, as it was then.
TEST_CASE("a folder whose partition.state has rotten is nobody's to bury, whatever the journal holds of it") {
  for (const bool settled : {false, true}) {
    HostileWorld world;
    world.start();
    world.finish_replay();
    for (const char* name : {"a-0", "b-0"}) {
      auto log = world.create(name);
      world.append(*log, 1, 3000);
      world.append(*log, 1, 20'000);  // past the journal
    }
    if (settled) REQUIRE(world.run(world.store->settle()).has_value());
    world.kill();
    const auto segment = bytes_of(world, "/data/a-0/00000000000000000000.log");
    for (const size_t copy : {0, 1}) flip_state(world, copy);
    for (int life = 0; life < 3; ++life) {
      world.start();
      CHECK(world.data->replay().unidentified == std::vector<std::string>{"a-0"});
      CHECK_FALSE(world.logs.contains("a-0"));
      CHECK(world.readable(*world.logs.at("b-0")) == 2);
      world.finish_replay();
      CHECK_FALSE(world.run(world.store->create("a-0", world.random.uuid(), PartitionId(0), world.settings)));
      REQUIRE(world.run(world.store->settle()).has_value());
      // The journals with its records are kept.
      CHECK((journal_files(world, ".damaged") > 0) == !settled);
      world.kill();
    }
    CHECK(bytes_of(world, "/data/a-0/00000000000000000000.log") == segment);
  }
}

TEST_CASE(
    "a rotten state whose log's creation is long freed keeps the journal too, and the log offline if it is "
    "restored") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  world.append(*log, 1, 3000);
  REQUIRE(world.run(world.store->settle()).has_value());
  world.append(*log, 1, 3000);
  log.reset();
  world.kill();
  const std::string path = "/data/a-0/partition.state";
  const auto state = bytes_of(world, path);
  for (const size_t copy : {0, 1}) flip_state(world, copy);
  world.start();
  CHECK(world.data->replay().passed_over == std::vector<std::string>{"a-0"});
  world.finish_replay();
  CHECK(journal_files(world, ".damaged") > 0);
  world.cut_power();
  {
    auto file = world.below.open(path, OpenMode::read_write);
    REQUIRE((*file)->write(0, std::span<const std::byte>(state)).has_value());
  }
  world.start();
  REQUIRE(world.logs.at("a-0")->offline());
  CHECK(world.logs.at("a-0")->offline()->message().find(kPassedOverName) != std::string::npos);
  world.finish_replay();
  world.kill();
  REQUIRE(world.files.remove("/data/a-0/" + std::string(kPassedOverName)).has_value());
  world.start();
  CHECK(world.readable(*world.logs.at("a-0")) == 1);  // what the journal alone had is lost, as was said
}

TEST_CASE(
    "a file that is shorter than the journal knows is damaged at the next start too, without the journal") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  world.append(*log, 1, 20'000);  // past the journal
  log.reset();
  world.kill();
  {
    auto file = world.below.open("/data/a-0/00000000000000000000.log", OpenMode::read_write);
    REQUIRE((*file)->truncate(5'000).has_value());
    REQUIRE((*file)->sync_data().has_value());
  }
  for (int life = 0; life < 2; ++life) {
    world.start();
    REQUIRE(world.logs.at("a-0")->offline());
    world.finish_replay();
    REQUIRE(world.run(world.store->settle()).has_value());
    world.kill();
  }
}

TEST_CASE("a rotten state beside a damaged journal keeps its log offline when it is restored") {
  HostileWorld world;
  begin_three_logs(world);
  world.finish_replay();
  REQUIRE(world.run(world.store->settle()).has_value());
  world.append(*world.logs.at("a-0"), 1, 3000);
  const LogId log = world.logs.at("a-0")->id();
  world.settle();
  world.kill();
  const std::string path = "/data/a-0/partition.state";
  const auto state = bytes_of(world, path);
  for (const size_t copy : {0, 1}) flip_state(world, copy);
  bool hit = false;
  for (int stretch = 0; stretch < 4 && !hit; ++stretch) {
    if (!world.files.exists(stretch_path(1, 0, stretch)).value()) continue;
    for (const GroupPlace& place : groups_of(world, stretch_path(1, 0, stretch))) {
      hit = hit || place.appends_to(log);
      if (place.appends_to(log)) flip(world, stretch_path(1, 0, stretch), place.position + 100);
    }
  }
  REQUIRE(hit);
  world.start();
  REQUIRE(!world.data->journals().corruption().empty());
  world.finish_replay();
  world.cut_power();
  {
    auto file = world.below.open(path, OpenMode::read_write);
    REQUIRE((*file)->write(0, std::span<const std::byte>(state)).has_value());
  }
  world.start();
  REQUIRE(world.logs.contains("a-0"));
  CHECK(world.logs.at("a-0")->offline());
}
