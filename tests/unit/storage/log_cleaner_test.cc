#include "tests/unit/storage/compacted_world.h"

namespace tidemark::storage {
namespace {

TEST_CASE("a cleaned log reads as the newest record of each key, also after crashes") {
  CompactedWorld world;
  if (GENERATE(false, true)) {
    world.kill();
    world.keep_derived();
    world.restart();
  }
  world.fill(40);
  const Offset end = world.log->end();
  const size_t segments_before = world.log->segments().size();
  REQUIRE(segments_before > 5);
  const auto cleaned = world.clean_all();
  INFO((cleaned ? "" : cleaned.error().message()));
  REQUIRE(cleaned.has_value());
  CHECK(cleaned->records_kept < cleaned->records_read);
  CHECK(world.log->end() == end);
  CHECK(world.log->start() == Offset(0));
  CHECK(world.log->state().gaps_below > Offset(0));
  const Records seen = world.read_from(Offset(0));
  CHECK(seen.size() < world.all.size());
  world.check(seen);
  for (int64_t from = 0; from <= end.value; from += 3) {
    Records tail = seen;
    tail.erase(tail.begin(), tail.lower_bound(Offset(from)));
    CHECK((world.read_from(Offset(from), 300) == tail));
  }
  const bool power = GENERATE(false, true);
  for (int i = 0; i < 3; ++i) {
    power ? world.cut_power() : world.kill();
    world.restart();
    CHECK(world.log->end() == end);
    CHECK((world.read_from(Offset(0)) == seen));
  }
  // And on, from where it came.
  const Offset before = world.log->state().cleaned_to;
  world.fill(20);
  REQUIRE(world.clean_all().has_value());
  CHECK(world.log->state().cleaned_to > before);
  CHECK(world.log->segments().size() < segments_before);
  world.check(world.read_from(Offset(0)));
}

TEST_CASE("who reads a segment while it is cleaned goes on in what it was") {
  CompactedWorld world;
  world.options.tail_cache_bytes = GENERATE(0, 1 << 20);
  world.kill();
  world.restart();
  world.fill(30);
  std::vector<LogRange> ranges;
  std::vector<std::vector<std::byte>> contents;
  for (Offset from{0}; from < world.log->end();) {
    auto range = world.run(world.log->locate(from, world.log->end(), 400, true));
    REQUIRE(range.has_value());
    auto bytes = world.run(world.log->read_whole(*range));
    REQUIRE(bytes.has_value());
    ranges.push_back(*range);
    contents.push_back(*bytes);
    from = read_batches(whole_batches(*bytes)).back().header.next_offset();
  }
  // One in the middle of its bytes.
  auto piece = world.run(world.log->read(ranges[1], 100));
  REQUIRE(piece.has_value());
  REQUIRE(world.clean_all().has_value());
  const auto rest = world.run(world.log->read_whole(piece->rest));
  REQUIRE(rest.has_value());
  CHECK(std::equal(rest->begin(), rest->end(), contents[1].begin() + 100, contents[1].end()));
  for (size_t i = 0; i < ranges.size(); ++i) {
    const auto bytes = world.run(world.log->read_whole(ranges[i]));
    INFO((bytes ? "" : bytes.error().message()));
    REQUIRE(bytes.has_value());
    CHECK(*bytes == contents[i]);
  }
  // Until file.delete.delay.ms has passed: then it asks again, and never reads what took its place.
  world.time.run_until(world.time.mono() + std::chrono::milliseconds(61'000));
  const auto late = world.run(world.log->read_whole(ranges[0]));
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code() == ErrorCode::OFFSET_OUT_OF_RANGE);
  CHECK_FALSE(world.log->offline());
  world.check(world.read_from(Offset(0)));
}

TEST_CASE("a crash at any moment of a cleaning leaves the segments or what they became") {
  const bool power = GENERATE(false, true);
  const bool derived = GENERATE(false, true);
  const bool caching = GENERATE(false, true);
  uint64_t changes = 1;
  for (uint64_t at = 0; at < changes; ++at) {
    CompactedWorld world;
    world.kill();
    if (derived) world.keep_derived();
    world.restart();
    if (caching) world.switch_to_caching();
    world.fill(20);
    REQUIRE(world.run(world.store->settle()).has_value());
    if (caching) REQUIRE(world.run(world.store->checkpoint()).has_value());
    const Offset end = world.log->end();
    world.files.changes = 0;
    world.files.changes_left = at;
    const auto cleaned = world.clean_all();
    changes = cleaned ? world.files.changes : at + 2;
    INFO("stopped behind " << at << " changes, power " << power << ", derived " << derived << ", caching "
                           << caching);
    power ? world.cut_power() : world.kill();
    world.restart();
    INFO((world.log->offline() ? world.log->offline()->message() : ""));
    REQUIRE_FALSE(world.log->offline());
    REQUIRE(world.log->end() == end);
    world.check(world.read_from(Offset(0)));
    world.fill(3);
    REQUIRE(world.clean_all().has_value());
    world.check(world.read_from(Offset(0)));
    if (at > 400) FAIL("a cleaning takes more changes than that?");
  }
  CHECK(changes > 20);
}

TEST_CASE("a log that changes while it is cleaned is left as it is") {
  CompactedWorld world;
  world.fill(30);
  world.clean.hold();
  LogCleaner cleaner(LogCleanerOptions(), *world.store, world.random,
                     [] { return std::vector<CleanCandidate>(); });
  auto out = world.begin(cleaner.clean({world.log, world.log->counted()}));
  CHECK_FALSE(out->has_value());
  SECTION("trimmed") {
    const Offset to = world.log->segments()[3].base + 1;
    REQUIRE(world.run(world.log->trim(to)).has_value());
    world.all.erase(world.all.begin(), world.all.lower_bound(to));
  }
  SECTION("truncated") {
    const Offset to = world.log->segments()[3].base;
    REQUIRE(world.run(world.log->truncate(to)).has_value());
    world.all.erase(world.all.lower_bound(world.log->end()), world.all.end());
  }
  SECTION("deleted") { REQUIRE(world.run(world.store->erase(world.log)).has_value()); }
  world.clean.release();
  world.settle();
  REQUIRE(out->has_value());
  REQUIRE_FALSE((*out)->has_value());
  CHECK((**out).error().kind() == ErrorKind::timeout);
  if (world.log->offline()) return;
  CHECK(world.read_from(world.log->start()).size() == world.all.size());
  REQUIRE(world.clean_all().has_value());
  world.check(world.read_from(world.log->start()));
  world.kill();
  world.restart();
  world.check(world.read_from(world.log->start()));
}

TEST_CASE("a cleaned log is truncated where a record was, and where none is any more") {
  const bool checkpointed = GENERATE(false, true);
  const bool derived = GENERATE(false, true);
  for (int64_t cut = 1; cut < 100; ++cut) {
    CompactedWorld world;
    world.kill();
    if (derived) world.keep_derived();
    world.restart();
    world.fill(20);
    REQUIRE(world.clean_all().has_value());
    REQUIRE(world.run(world.log->truncate(Offset(cut))).has_value());
    const Offset end = world.log->end();
    CHECK(end <= Offset(cut));
    world.all.erase(world.all.lower_bound(end), world.all.end());
    const Records seen = world.read_from(Offset(0));
    for (const auto& [offset, record] : seen) REQUIRE((world.all.at(offset) == record));
    if (checkpointed) REQUIRE(world.run(world.store->settle()).has_value());
    for (int i = 0; i < 2; ++i) {
      world.kill();
      world.restart();
      INFO(cut << (world.log->offline() ? world.log->offline()->message() : ""));
      REQUIRE_FALSE(world.log->offline());
      INFO(fmt::format("start {}: ends at {} instead of {}, cleaned to {}", i, world.log->end(), end,
                       world.log->state().cleaned_to));
      CHECK(world.log->end() == end);
      CHECK((world.read_from(Offset(0)) == seen));
    }
    world.fill(2);
    CHECK(world.read_from(end).size() == 10);
  }
}

TEST_CASE("without a journal, a power cut leaves no hole behind what was cleaned") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    CompactedWorld world(seed);
    world.switch_to_caching();
    world.fill(20);
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    REQUIRE(world.clean_all().has_value());
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    const Offset cleaned = world.log->state().cleaned_to;
    REQUIRE(cleaned > Offset(0));
    world.fill(20);
    world.cut_power();
    world.restart();
    REQUIRE_FALSE(world.log->offline());
    CHECK(world.log->end() > cleaned);
    CHECK(static_cast<int64_t>(world.read_from(cleaned).size()) == world.log->end() - cleaned);
  }
}

TEST_CASE("the cleaner leaves a log alone that it cannot read, and goes on with others") {
  CompactedWorld world;
  world.fill(30);
  const auto other = world.create("d-0");
  std::swap(world.log, const_cast<std::shared_ptr<Log>&>(other));
  world.fill(30);
  const auto damaged = world.log;
  {
    auto file = world.below.open(segment_path(damaged->folder(), damaged->segments()[1].base, kLogSuffix),
                                 OpenMode::read_write);
    REQUIRE(file.has_value());
    REQUIRE((*file)->write(300, as_bytes("damage")).has_value());
  }
  std::vector<std::string> told;
  LogCleaner cleaner(LogCleanerOptions(), *world.store, world.random, [&] {
    return std::vector<CleanCandidate>{{world.logs.at("c-0"), world.logs.at("c-0")->counted()},
                                       {damaged, damaged->counted()}};
  });
  cleaner.on_failure = [&](const Log& log, const Error& error) {
    told.push_back(log.folder_name());
    CHECK(error.message().find("checksum") != std::string::npos);
  };
  while (world.run(cleaner.clean_one())) {
  }
  CHECK(told == std::vector<std::string>{"d-0"});
  CHECK(damaged->uncleanable());
  CHECK_FALSE(damaged->offline());
  CHECK(cleaner.stats().failures == 1);
  CHECK(cleaner.stats().cleanings > 0);
  CHECK(world.logs.at("c-0")->state().gaps_below > Offset(0));
}

// The candidates of a cleaner: logs of the world, whole.
std::vector<CleanCandidate> all_of(CompactedWorld& world) {
  std::vector<CleanCandidate> candidates;
  for (const auto& [name, log] : world.logs) candidates.push_back({log, log->counted()});
  return candidates;
}

TEST_CASE("an epoch whose records are all gone does not send anybody back to the log's start") {
  CompactedWorld world;
  if (GENERATE(false, true)) {
    world.kill();
    world.keep_derived();
    world.restart();
  }
  world.epoch = 1;
  world.fill(10);
  const Offset second = world.log->end();
  world.epoch = 2;
  world.fill(40);
  REQUIRE(world.clean_all().has_value());
  const Records seen = world.read_from(Offset(0));
  REQUIRE(seen.begin()->first >= second);
  for (int i = 0; i < 3; ++i) {
    const EpochEnd end = world.log->epochs().end_offset_for(LeaderEpoch(1), world.log->end());
    CHECK(end.epoch == LeaderEpoch(1));
    CHECK(end.end_offset >= second);
    CHECK(end.end_offset <= seen.begin()->first);
    REQUIRE(world.run(world.store->settle()).has_value());
    world.kill();
    world.restart();
  }
}

TEST_CASE("how old a sealed segment is survives a start") {
  CompactedWorld world;
  world.kill();
  world.keep_derived();
  world.restart();
  world.fill(20);
  REQUIRE(world.run(world.store->settle()).has_value());
  std::vector<int64_t> before;
  for (const Segment& s : world.log->segments()) before.push_back(s.first_timestamp);
  REQUIRE(before.size() > 3);
  CHECK(before.front() == 1004);
  world.kill();
  world.restart();
  std::vector<int64_t> after;
  for (const Segment& s : world.log->segments()) after.push_back(s.first_timestamp);
  CHECK(after == before);
}

TEST_CASE("one checkpoint is forced for a round of cleanings, however many logs are cleaned") {
  CompactedWorld world;
  for (const char* name : {"c-0", "d-0", "e-0", "f-0"}) {
    world.log = world.logs.contains(name) ? world.logs.at(name) : world.create(name);
    world.fill(30);
  }
  const uint64_t before = world.store->checkpoints();
  LogCleaner cleaner(LogCleanerOptions(), *world.store, world.random, [&] { return all_of(world); });
  int cleanings = 0;
  while (world.run(cleaner.clean_one())) ++cleanings;
  CHECK(cleanings == 4);
  CHECK(world.store->checkpoints() == before + 1);
  // Nothing is dirty: nothing is forced.
  CHECK_FALSE(world.run(cleaner.clean_one()));
  CHECK(world.store->checkpoints() == before + 1);
}

TEST_CASE(
    "a log that a failing or full disk keeps from being cleaned holds up no other, and is tried again") {
  CompactedWorld world;
  world.fill(30);
  const auto ill = world.log;
  world.log = world.create("d-0");
  world.fill(20);
  const bool is_full = GENERATE(false, true);
  const auto of_ill = [&](const std::string& path) { return path.starts_with(ill->folder()); };
  if (is_full) {
    world.files.no_room_for_name = [of_ill](const std::string& path) {
      return of_ill(path) && path.ends_with(".swap");
    };
  } else {
    world.files.fail_read = [of_ill](const std::string& path) {
      return of_ill(path) && path.ends_with(".log");
    };
  }
  LogCleaner cleaner(LogCleanerOptions(), *world.store, world.random, [&] { return all_of(world); });
  std::vector<std::string> told;
  cleaner.on_disk_error = [&](const Log& log, const Error&) { told.push_back(log.folder_name()); };
  while (world.run(cleaner.clean_one())) {
  }
  CHECK(world.log->state().gaps_below > Offset(0));
  CHECK(ill->state().cleaned_to <= Offset(0));
  CHECK_FALSE(ill->uncleanable());
  CHECK(cleaner.stats().given_up == 1);
  CHECK(cleaner.stats().cleanings == 1);
  while (world.run(cleaner.clean_one())) {
  }
  CHECK(cleaner.stats().given_up == 2);
  CHECK(told == (is_full ? std::vector<std::string>{} : std::vector{ill->folder_name()}));  // once
  world.files.no_room_for_name = world.files.fail_read = [](const std::string&) { return false; };
  while (world.run(cleaner.clean_one())) {
  }
  CHECK(ill->state().cleaned_to > Offset(0));
  CHECK(cleaner.stats().cleanings == 2);
}

TEST_CASE("a rate that is raised, and a pause that is shortened, are so at once") {
  CompactedWorld world;
  world.fill(30);
  LogCleanerOptions options;
  options.bytes_per_second = 1;
  options.backoff = std::chrono::hours(24);
  std::unique_ptr<LogCleaner> cleaner = std::make_unique<LogCleaner>(
      [&options] { return options; }, *world.store, world.random, [&] { return all_of(world); });
  runtime::TaskScope tasks;
  tasks.spawn(cleaner->run());
  const auto pass = [&](runtime::Duration span) { world.time.run_until(world.time.mono() + span); };
  pass(std::chrono::seconds(60));
  CHECK(cleaner->stats().cleanings == 0);
  options.bytes_per_second = UINT64_MAX;
  pass(std::chrono::seconds(10));
  CHECK(cleaner->stats().cleanings == 1);
  world.fill(30);
  pass(std::chrono::seconds(60));
  CHECK(cleaner->stats().cleanings == 1);
  options.backoff = std::chrono::seconds(1);
  pass(std::chrono::seconds(10));
  CHECK(cleaner->stats().cleanings == 2);
  tasks.spawn(cleaner->stop());
  pass(std::chrono::seconds(1));
  tasks.destroy_all();
}

TEST_CASE("a cleaning takes its time for what it writes, too") {
  CompactedWorld world;
  world.fill(30);
  LogCleanerOptions options;
  options.bytes_per_second = 1000;
  LogCleaner cleaner(options, *world.store, world.random, [] { return std::vector<CleanCandidate>(); });
  const runtime::MonoTime before = world.time.mono();
  const auto cleaned = world.run(cleaner.clean({world.log, world.log->counted()}));
  REQUIRE(cleaned.has_value());
  // What was dirty is read twice.
  const auto least = std::chrono::milliseconds(2 * cleaned->bytes_read + cleaned->bytes_kept);
  CHECK(world.time.mono() - before >= least - std::chrono::milliseconds(100));
}

TEST_CASE("a cleaning makes way for appends and reads that wait for the disk, and not for ever") {
  CompactedWorld world;
  world.options.tail_cache_bytes = 0;
  world.kill();
  world.restart();
  world.fill(30);
  const Offset end = world.log->end();
  REQUIRE(world.run(world.store->settle()).has_value());
  const auto time_of_cleaning = [&] {
    const runtime::MonoTime before = world.time.mono();
    REQUIRE(world.clean_all().has_value());
    return world.time.mono() - before;
  };
  SECTION("nobody waits") { CHECK(time_of_cleaning() < std::chrono::milliseconds(100)); }
  SECTION("a reader") {
    world.read.hold();
    auto read = world.begin(world.log->locate(Offset(0), end, 1000, true));
    CHECK_FALSE(read->has_value());
    CHECK(time_of_cleaning() > std::chrono::seconds(1));
    world.read.release();
    world.settle();
    REQUIRE(read->has_value());
  }
  SECTION("one that has had its answer meanwhile") {
    world.read.hold();
    auto read = world.begin(world.log->locate(Offset(0), end, 1000, true));
    world.time.run_until(world.time.mono() + std::chrono::milliseconds(300));
    world.read.release();
    world.settle();
    const auto took = time_of_cleaning();
    CHECK(took > std::chrono::milliseconds(300));
    CHECK(took < std::chrono::milliseconds(700));
  }
}

TEST_CASE("a search by time goes on in what a segment has become, and was read from no more") {
  for (int reads = 0; reads < 5; ++reads) {
    INFO("cleaned behind read " << reads);
    CompactedWorld world;
    world.options.tail_cache_bytes = 0;
    world.settings.file_delete_delay_ms = 0;
    world.kill();
    world.restart();
    world.fill(30);
    REQUIRE(world.run(world.store->settle()).has_value());
    world.read.hold();
    auto search = world.begin(world.log->find_by_time(1'000, world.log->end()));
    for (int i = 0; i < reads; ++i) {
      if (!world.read.release_one()) break;
      world.settle();
    }
    REQUIRE(world.clean_all().has_value());
    world.time.run_until(world.time.mono() + std::chrono::seconds(1));
    world.read.release();
    world.settle();
    REQUIRE(search->has_value());
    INFO((**search ? "" : (*search)->error().message()));
    REQUIRE((*search)->has_value());
    REQUIRE((**search)->has_value());
    CHECK(world.all.contains((****search).offset));
  }
}

TEST_CASE("the record with the greatest time is one that is there") {
  CompactedWorld world;
  world.settings.segment_bytes = 400;
  REQUIRE(world.run(world.log->change_settings(world.settings)).has_value());
  const auto put = [&](std::string_view key, int64_t time, int32_t sequence, int64_t producer) {
    protocol::BatchOptions options;
    options.producer_id = ProducerId(producer);
    options.producer_epoch = ProducerEpoch(0);
    options.base_sequence = sequence;
    protocol::BatchBuilder builder(options);
    builder.add(time, as_bytes(key), as_bytes(std::string(100, 'v')));
    const auto bytes = builder.build();
    REQUIRE(bytes.has_value());
    auto buffer = runtime::Buffer::allocate(bytes->size());
    std::copy(bytes->begin(), bytes->end(), buffer->bytes().begin());
    const Offset base = world.add(*world.log, runtime::BufferSlice::whole(buffer));
    REQUIRE(world.run(world.log->wait_counted(world.log->end())));
    return base;
  };
  // The last one of its producer, and so kept when it is empty.
  put("a", 9'000, 0, 5);
  Offset newest{};
  for (int i = 0; i < 12; ++i) newest = put("a", 2'000 + i, i, 6);
  world.settle();
  REQUIRE(world.clean_all().has_value());
  for (int i = 0; i < 2; ++i) {
    const auto found = world.run(world.log->find_max_timestamp(world.log->end()));
    REQUIRE(found.has_value());
    REQUIRE(found->has_value());
    CHECK((*found)->timestamp == 2'011);
    CHECK((*found)->offset == newest);
    world.kill();
    world.restart();
  }
}

}  // namespace
}  // namespace tidemark::storage
