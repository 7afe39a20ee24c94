// Several data folders (KIP-112, KIP-858): each log in one of them, and a folder that fails, fails alone.
#include "protocol/messages/describe_log_dirs_request.h"
#include "protocol/messages/describe_log_dirs_response.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {
namespace {

const std::vector<std::string> kBoth{"/data", "/more"};

// The partitions of `tide` in each folder; nullopt: the folder is offline.
std::map<std::string, std::optional<std::set<int32_t>>> folders_of(OneBroker& world) {
  protocol::DescribeLogDirsRequest request;
  request.topics.reset();  // all
  std::map<std::string, std::optional<std::set<int32_t>>> all;
  const auto reply = world.ask<protocol::DescribeLogDirsResponse>(request, 4);
  for (const auto& dir : reply.body.results) {
    auto& held = all[std::string(dir.log_dir)];
    if (dir.error_code != 0) continue;
    held.emplace();
    for (const auto& topic : dir.topics) {
      if (topic.name != "tide") continue;
      for (const auto& partition : topic.partitions) held->insert(partition.partition_index);
    }
  }
  return all;
}

bool told(const OneBroker& world, std::string_view what) {
  return std::ranges::any_of(world.log,
                             [what](const auto& line) { return line.find(what) != std::string::npos; });
}

void copy_tree(storage::FileSystem& files, const std::string& from, const std::string& to) {
  REQUIRE(files.create_dir(to));
  const auto entries = files.list(from);
  REQUIRE(entries);
  for (const auto& entry : *entries) {
    const std::string source = from + "/" + entry.name;
    const std::string target = to + "/" + entry.name;
    if (entry.is_dir) {
      copy_tree(files, source, target);
      continue;
    }
    const auto read = files.open(source, storage::OpenMode::read);
    const auto written = files.open(target, storage::OpenMode::create);
    REQUIRE(read);
    REQUIRE(written);
    std::vector<std::byte> bytes(entry.size);
    REQUIRE((*read)->read(0, bytes) == bytes.size());
    REQUIRE((*written)->write(0, std::span<const std::byte>(bytes)));
    REQUIRE((*written)->sync_data());
  }
  REQUIRE(files.sync_dir(to));
}

// Six partitions, each with a record.
void fill(OneBroker& world) {
  REQUIRE(world.create_topic("tide", 6) == ErrorCode::NONE);
  for (int32_t p = 0; p < 6; ++p) REQUIRE(world.produce("tide", p, 10) == ErrorCode::NONE);
}

struct TwoFolders : OneBroker {
  TwoFolders() {
    options.config.data_dirs = kBoth;
    start();
    fill(*this);
  }
};

void check_all_take_records(OneBroker& world) {
  for (int32_t p = 0; p < 6; ++p) CHECK(world.produce("tide", p, 10) == ErrorCode::NONE);
}

}  // namespace

TEST_CASE("partitions are spread over the data folders, and stay where they are") {
  TwoFolders world;
  const auto before = folders_of(world);
  CHECK(before.at("/data").value().size() == 3);
  CHECK(before.at("/more").value().size() == 3);
  for (const CrashKind kind : {CrashKind::kill, CrashKind::power}) {
    world.crash(kind);
    world.start();
    CHECK(folders_of(world) == before);
    check_all_take_records(world);
  }
}

TEST_CASE("a folder that is added takes new partitions; the old ones stay") {
  OneBroker world;
  world.start();
  fill(world);
  world.crash(CrashKind::power);
  world.options.config.data_dirs = kBoth;
  world.start();
  CHECK(folders_of(world).at("/data").value().size() == 6);
  CHECK(folders_of(world).at("/more").value().empty());
  REQUIRE(world.create_topic("neap", 6) == ErrorCode::NONE);
  for (int32_t p = 0; p < 6; ++p) CHECK(world.produce("neap", p, 10) == ErrorCode::NONE);
  CHECK(world.disk.holds("/more/neap-0"));
}

TEST_CASE("partitions of a folder that is not there are offline, are not made anew, and come back with it") {
  TwoFolders world;
  const auto before = folders_of(world);
  const auto there = before.at("/data").value();
  world.crash(CrashKind::power);
  world.options.config.data_dirs = {"/data"};
  world.start();
  CHECK(told(world, "partitions stay offline: their data folder is not there"));
  for (int32_t p = 0; p < 6; ++p)
    CHECK((world.produce("tide", p, 10) == ErrorCode::NONE) == there.contains(p));
  CHECK(folders_of(world).at("/data").value() == there);
  world.crash(CrashKind::power);
  world.options.config.data_dirs = kBoth;
  world.start();
  CHECK(folders_of(world) == before);
  check_all_take_records(world);
}

TEST_CASE("a topic that was deleted while its folder was away is gone when it comes back") {
  TwoFolders world;
  world.crash(CrashKind::power);
  world.options.config.data_dirs = {"/data"};
  world.start();
  REQUIRE(world.delete_topic("tide") == ErrorCode::NONE);
  REQUIRE(world.create_topic("tide", 2) == ErrorCode::NONE);
  world.crash(CrashKind::power);
  world.options.config.data_dirs = kBoth;
  world.start();
  CHECK(folders_of(world).at("/data").value() == std::set<int32_t>{0, 1});
  CHECK(folders_of(world).at("/more").value().empty());
}

TEST_CASE("a metadata log that is older than another folder refuses the start") {
  TwoFolders world;
  world.crash(CrashKind::power);
  SimFileSystem files(world.disk);
  copy_tree(files, "/data", "/copy");
  world.start();
  REQUIRE(world.create_topic("neap", 4) == ErrorCode::NONE);
  world.crash(CrashKind::power);
  REQUIRE(files.rename("/data", "/newest"));
  REQUIRE(files.rename("/copy", "/data"));
  for (int i = 0; i < 2; ++i) {
    const auto error = world.try_start();
    REQUIRE(error);
    CHECK(error->message().find("restore the newest copy of /data") != std::string::npos);
    world.crash(CrashKind::kill);
  }
  // Nor after a life without the other one, which has as many terms then.
  world.options.config.data_dirs = {"/data"};
  world.start();
  world.crash(CrashKind::kill);
  world.options.config.data_dirs = kBoth;
  const auto error = world.try_start();
  REQUIRE(error);
  CHECK(error->message().find("restore the newest copy of /data") != std::string::npos);
  world.crash(CrashKind::kill);
  world.disk.remove_tree("/data");
  REQUIRE(files.rename("/newest", "/data"));
  world.start();
  check_all_take_records(world);
  for (int32_t p = 0; p < 4; ++p) CHECK(world.produce("neap", p, 10) == ErrorCode::NONE);
}

TEST_CASE("what holds records and is of no topic is put aside") {
  TwoFolders world;
  SimFileSystem files(world.disk);
  copy_tree(files, "/data", "/copy");  // in the same term: no start can tell
  REQUIRE(world.create_topic("neap", 4) == ErrorCode::NONE);
  for (int32_t p = 0; p < 4; ++p) REQUIRE(world.produce("neap", p, 10) == ErrorCode::NONE);
  const auto stands = [&](const std::string& folder, const std::string& end) {
    const auto entries = files.list(folder);
    REQUIRE(entries);
    return std::ranges::count_if(*entries, [&](const storage::DirEntry& entry) {
      return entry.name.starts_with("neap-") && entry.name.ends_with(end);
    });
  };
  const auto there = stands("/more", "");
  REQUIRE(there > 0);
  world.crash(CrashKind::power);
  world.disk.remove_tree("/data");
  REQUIRE(files.rename("/copy", "/data"));
  for (int i = 0; i < 2; ++i) {
    world.start();
    CHECK(told(world, "a log of no topic is put aside"));
    CHECK(stands("/more", "-stray") == there);
    // Its name is free, and nothing removes it.
    REQUIRE(world.create_topic("neap", 4) == ErrorCode::NONE);
    for (int32_t p = 0; p < 4; ++p) CHECK(world.produce("neap", p, 10) == ErrorCode::NONE);
    REQUIRE(world.delete_topic("neap") == ErrorCode::NONE);
    world.time.run_until(world.time.mono() + std::chrono::minutes(3));
    CHECK(stands("/more", "-stray") == there);
    check_all_take_records(world);
    world.crash(CrashKind::power);
  }
}

TEST_CASE("a folder whose disk fails, fails alone") {
  TwoFolders world;
  const auto before = folders_of(world);
  const auto there = before.at("/data").value();
  world.disk.faults.fails_under = "/more";
  world.disk.faults.sync_fails = world.disk.faults.write_fails = 1;
  for (int32_t p = 0; p < 6; ++p) {
    const ErrorCode answer = world.produce("tide", p, 10);
    CHECK((answer == ErrorCode::NONE) == there.contains(p));
    if (!there.contains(p)) CHECK(answer == ErrorCode::KAFKA_STORAGE_ERROR);
  }
  CHECK(told(world, "the data folder went offline folder=/more"));
  CHECK(folders_of(world).at("/more") == std::nullopt);
  CHECK(!world.broker->offline());
  // Clients are told so.
  protocol::MetadataRequest all;
  all.topics.reset();
  const auto metadata = world.ask<protocol::MetadataResponse>(all, 9);
  for (const auto& topic : metadata.body.topics) {
    for (const auto& partition : topic.partitions) {
      const bool has_leader = there.contains(partition.partition_index);
      CHECK(partition.leader_id == (has_leader ? 1 : -1));
      CHECK(partition.error_code ==
            static_cast<int16_t>(has_leader ? ErrorCode::NONE : ErrorCode::LEADER_NOT_AVAILABLE));
      CHECK(partition.offline_replicas.size() == (has_leader ? 0U : 1U));
    }
  }
  REQUIRE(world.create_topic("neap", 4) == ErrorCode::NONE);
  for (int32_t p = 0; p < 4; ++p) CHECK(world.produce("neap", p, 10) == ErrorCode::NONE);
  // Still so at a start.
  world.crash(CrashKind::kill);
  world.start();
  CHECK(told(world, "the data folder cannot be opened"));
  for (const int32_t p : there) CHECK(world.produce("tide", p, 10) == ErrorCode::NONE);
  world.disk.heal();
  world.crash(CrashKind::kill);
  world.start();
  CHECK(folders_of(world) == before);
  check_all_take_records(world);
}

TEST_CASE("a partition's folder that was moved by hand stays as it is, offline, until it is moved back") {
  TwoFolders world;
  const auto before = folders_of(world);
  const int32_t moved = *before.at("/data").value().begin();
  const std::string name = "/tide-" + std::to_string(moved);
  SimFileSystem files(world.disk);
  // Its journal has freed it: else it would be made again, with all that it held.
  world.time.run_until(world.time.mono() + std::chrono::seconds(15));
  world.crash(CrashKind::kill);
  REQUIRE(files.rename("/data" + name, "/more" + name));
  for (int i = 0; i < 2; ++i) {
    world.start();
    CHECK(told(world, "a partition stays offline: it was moved by hand"));
    for (int32_t p = 0; p < 6; ++p) CHECK((world.produce("tide", p, 10) == ErrorCode::NONE) == (p != moved));
    CHECK(!world.disk.holds("/data" + name));
    CHECK(world.broker->node().metadata().unopened() == 1);
    world.crash(CrashKind::kill);
  }
  REQUIRE(files.rename("/more" + name, "/data" + name));
  world.start();
  CHECK(folders_of(world) == before);
  check_all_take_records(world);
  CHECK(world.broker->node().metadata().unopened() == 0);
}

TEST_CASE("a partition moved by hand whose records are in the journal it was moved from refuses the start") {
  TwoFolders world;
  const int32_t moved = *folders_of(world).at("/data").value().begin();
  const std::string name = "/tide-" + std::to_string(moved);
  world.time.run_until(world.time.mono() + std::chrono::seconds(15));
  REQUIRE(world.produce("tide", moved, 10) == ErrorCode::NONE);
  world.crash(CrashKind::power);
  SimFileSystem files(world.disk);
  REQUIRE(files.rename("/data" + name, "/more" + name));
  for (int i = 0; i < 2; ++i) {
    const auto error = world.try_start();
    REQUIRE(error);
    CHECK(error->message().find("the journal of /data may hold records of it: move it back") !=
          std::string::npos);
    world.crash(CrashKind::kill);
  }
  REQUIRE(files.rename("/more" + name, "/data" + name));
  world.start();
  check_all_take_records(world);
}

TEST_CASE("a partition that its folder has lost is not made anew") {
  TwoFolders world;
  const int32_t lost = *folders_of(world).at("/more").value().begin();
  const std::string folder = "/more/tide-" + std::to_string(lost);
  world.time.run_until(world.time.mono() + std::chrono::seconds(15));
  world.crash(CrashKind::power);
  world.disk.remove_tree(folder);
  world.start();
  CHECK(told(world, "partitions stay offline"));
  for (int32_t p = 0; p < 6; ++p) CHECK((world.produce("tide", p, 10) == ErrorCode::NONE) == (p != lost));
  CHECK(!world.disk.holds(folder));
}

TEST_CASE(
    "a topic with a partition that is offline with its folder can be deleted, and is no news afterwards") {
  TwoFolders world;
  world.crash(CrashKind::power);
  world.options.config.data_dirs = {"/data"};
  world.start();
  CHECK(world.broker->node().metadata().unopened() == 3);
  REQUIRE(world.delete_topic("tide") == ErrorCode::NONE);
  CHECK(world.broker->node().metadata().unopened() == 0);
}

TEST_CASE("the folder of the metadata log comes first, and a start says so before it changes anything") {
  TwoFolders world;
  world.crash(CrashKind::kill);
  for (const auto& wrong : {std::vector<std::string>{"/more", "/data"}, {"/new", "/data"}}) {
    world.options.config.data_dirs = wrong;
    const auto error = world.try_start();
    REQUIRE(error);
    CHECK(error->message() == "the metadata log is in /data: name that folder first in log.dirs");
    world.crash(CrashKind::kill);
  }
  CHECK(!world.disk.holds("/new"));
  world.options.config.data_dirs = kBoth;
  world.start();
  check_all_take_records(world);
}

TEST_CASE("a second folder with a metadata log of its own is refused") {
  OneBroker world;
  world.seed = 4;  // both are of one cluster
  world.start();
  world.crash(CrashKind::kill);
  world.options.config.data_dirs = {"/other"};
  world.start();
  world.crash(CrashKind::kill);
  world.options.config.data_dirs = {"/data", "/other"};
  const auto error = world.try_start();
  REQUIRE(error);
  CHECK(error->message() == "/other holds a metadata log too: move it away");
}

}  // namespace tidemark::simulation
