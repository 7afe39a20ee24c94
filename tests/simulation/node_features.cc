#include "tests/simulation/node_features.h"

#include "config/resolver.h"
#include "tests/simulation/library_clients.h"

namespace tidemark::simulation {

using namespace std::chrono_literals;
using runtime::Duration;
using runtime::Random;

namespace {

template <class T>
T one_of(Random& random, std::initializer_list<T> values) {
  return *(values.begin() + random.below(values.size()));
}

}  // namespace

NodeFeatures draw_features(Random& random) {
  NodeFeatures f;
  f.full_disk = random.chance(0.3);
  f.slow_disk = random.chance(0.4);
  f.disk_stalls = random.chance(0.3);
  f.disk_errors = random.chance(0.2);
  f.kills = random.chance(0.7);
  f.power_cuts = random.chance(0.8) || !f.kills;
  f.clean_stops = random.chance(0.5);
  f.crash_in_recovery = random.chance(0.5);
  f.derived_removed = random.chance(0.3);
  f.cut_offs = random.chance(0.4);
  f.network.most_delay = one_of<Duration>(random, {400us, 5ms, 40ms});
  if (random.chance(0.5)) f.network.stalls = one_of(random, {0.001, 0.01});
  if (random.chance(0.5)) f.network.resets = one_of(random, {0.001, 0.01});
  if (random.chance(0.4)) f.network.silences = one_of(random, {0.0005, 0.003});
  return f;
}

NodeWorkload draw_workload(Random& random) {
  NodeWorkload w;
  w.producers = 2 + random.below(4);
  w.consumers = 1 + random.below(4);
  w.admins = 1 + random.below(2);
  w.think = one_of<Duration>(random, {30ms, 80ms, 150ms});
  w.request_timeout_ms = one_of(random, {1'000, 4'000, 15'000});
  w.max_partitions = one_of(random, {1, 4, 10});
  w.max_value_bytes = one_of<size_t>(random, {20, 400, 1'500});
  w.max_records = one_of(random, {1, 5, 20});
  w.max_pipelined = one_of<size_t>(random, {1, 3, 5});
  w.idempotent = random.chance(0.7);
  w.plain_acks = random.chance(0.7);
  w.sessions = random.chance(0.7);
  w.erases = random.chance(0.6);
  w.grows = random.chance(0.5);
  w.trims = random.chance(0.6);
  w.alters = random.chance(0.7);
  w.members = one_of<size_t>(random, {0, 2, 4});
  return w;
}

SimBrokerOptions draw_broker(Random& random) {
  SimBrokerOptions o;
  o.config.data_dirs = {"/data"};
  o.config.listeners = {{"PLAINTEXT", {"broker", 9092}, std::nullopt}};
  o.config.properties["log.retention.check.interval.ms"] = one_of(random, {"300", "2000", "20000"});
  o.config.properties["group.initial.rebalance.delay.ms"] = one_of(random, {"0", "100", "1000"});
  o.config.properties["group.min.session.timeout.ms"] = "1";
  o.config.properties["offsets.topic.num.partitions"] = one_of(random, {"1", "3"});
  o.config.broker = config::resolve_broker_config({nullptr, nullptr, &o.config.properties});
  o.config.broker.memory_limit = one_of<int64_t>(random, {256 << 10, 4 << 20, 64 << 20});
  o.first_stretch_bytes = one_of<uint64_t>(random, {16 << 10, 32 << 10, 128 << 10});
  o.stretch_bytes = o.first_stretch_bytes * one_of<uint64_t>(random, {1, 4});
  o.config.broker.journal_size =
      static_cast<int64_t>(4 * o.stretch_bytes * one_of<uint64_t>(random, {1, 2, 16}));
  o.bypass_bytes = one_of<uint64_t>(random, {600, 4 << 10, 256 << 10});
  o.checkpoint_bytes = one_of<uint64_t>(random, {8 << 10, 64 << 10, 16 << 20});
  o.config.broker.max_incremental_fetch_session_cache_slots = one_of(random, {0, 3, 1000});
  o.request_memory_bytes = one_of<uint64_t>(random, {1 << 20, 32 << 20});
  o.server.max_in_flight = one_of<size_t>(random, {1, 5, 64});
  o.server.max_idle = one_of<Duration>(random, {2s, 600s});
  o.wall_clock.skew = std::chrono::milliseconds(random.between(-5'000, 5'000));
  o.cross_delay = one_of<Duration>(random, {0us, 20us, 2ms});
  o.config.broker.log_scrub_bytes_per_second = one_of(random, {0, 4 << 10, 256 << 10});
  o.scrub_interval = one_of<Duration>(random, {1s, 10s});
  return o;
}

void draw_compaction(uint64_t seed, NodeWorkload& w, SimBrokerOptions& o) {
  runtime::SeededRandom random(seed ^ 0xC1EA);
  if (!random.chance(0.4)) return;
  w.keys = one_of(random, {3, 12, 60});
  w.tombstones_go = random.chance(0.5);
  auto& properties = o.config.properties;
  properties["log.retention.check.interval.ms"] = "300";  // segments roll by time
  properties["log.cleaner.backoff.ms"] = one_of(random, {"100", "1500"});
  properties["log.cleaner.dedupe.buffer.size"] = one_of(random, {"2048", "1048576"});
  if (random.chance(0.3)) properties["log.cleaner.io.max.bytes.per.second"] = "30000";
  const config::BrokerConfig resolved = config::resolve_broker_config({nullptr, nullptr, &properties});
  o.config.broker.log_retention_check_interval_ms = resolved.log_retention_check_interval_ms;
}

void draw_folders(uint64_t seed, NodeFeatures& features, SimBrokerOptions& broker) {
  runtime::SeededRandom random(seed ^ 0xF01D);
  if (!random.chance(0.25)) return;
  features.second_folder = true;
  features.folder_lost = random.chance(0.6);
  broker.config.data_dirs.emplace_back(kSecondFolder);
}

void draw_caching(uint64_t seed, NodeFeatures& features) {
  runtime::SeededRandom random(seed ^ 0xCAC4E);
  if (!random.chance(0.15)) return;
  features.caching = features.kills = true;
  features.power_cuts = features.disk_errors = false;
}

void draw_static_members(uint64_t seed, NodeWorkload& w) {
  runtime::SeededRandom random(seed ^ 0x57A71C);
  if (!random.chance(0.4)) return;
  w.static_members = true;
  w.members = std::max<size_t>(w.members, 2);
}

Duration draw_expiry(uint64_t seed, runtime::MonoTime began, NodeWorkload& w, SimBrokerOptions& o) {
  runtime::SeededRandom random(seed ^ 0x0FF5E7);
  if (!random.chance(0.25)) return Duration(0);
  w.offsets_retention = 1min;
  w.members = std::max<size_t>(w.members, 2);
  // It goes on for longer, with as much to do.
  w.producers = w.consumers = w.admins = 1;
  w.think = one_of<Duration>(random, {200ms, 300ms});
  if (random.chance(0.6)) {
    w.silent_from = began + Duration(random.below(30'000'000'000));
    w.silent_until = w.silent_from + Duration(80s);
  }
  auto& properties = o.config.properties;
  properties["offsets.retention.minutes"] = "1";
  properties["offsets.retention.check.interval.ms"] = one_of(random, {"300", "5000"});
  properties["log.retention.check.interval.ms"] = "300";
  properties["log.roll.ms"] = one_of(random, {"1000", "5000"});
  properties["log.cleaner.backoff.ms"] = one_of(random, {"100", "1500"});
  properties["log.cleaner.min.cleanable.ratio"] = one_of(random, {"0", "0.5"});
  properties["log.cleaner.delete.retention.ms"] = one_of(random, {"0", "1000", "86400000"});
  const config::BrokerConfig resolved = config::resolve_broker_config({nullptr, nullptr, &properties});
  o.config.broker.log_retention_check_interval_ms = resolved.log_retention_check_interval_ms;
  return 150s;
}

bool draw_library(uint64_t seed, const NodeFeatures& features, const NodeWorkload& workload) {
  runtime::SeededRandom random(seed ^ 0x11B4A4);
  // They do not know what a lost folder may cost, nor an offset that expires.
  return random.chance(0.4) && !features.second_folder && workload.offsets_retention.count() == 0;
}

void declare_node_counters(FaultCounters& counters) {
  for (const char* name : {"node: acknowledged by all",
                           "node: acknowledged by the leader",
                           "node: sent with acks=0",
                           "node: append refused",
                           "node: produce unanswered",
                           "node: plain batch sent again",
                           "node: idempotent batch sent again",
                           "node: producer id given",
                           "node: produce to a deleted topic",
                           "node: fetched by topic id",
                           "node: fetched by topic name",
                           "node: fetch from a deleted topic",
                           "node: fetch out of range",
                           "node: fetch session begun",
                           "node: fetched incrementally",
                           "node: fetch session lost",
                           "node: searched by time",
                           "node: asked for an end of a log",
                           "node: topic created",
                           "node: topic deleted",
                           "node: topic made again under its name",
                           "node: partitions added",
                           "node: records deleted",
                           "node: trim unanswered",
                           "node: settings altered",
                           "node: admin operation unanswered",
                           "node: admin operation refused",
                           "node: looked at the topics",
                           "node: looked at settings",
                           "node: looked at the quorum",
                           "group: joined",
                           "group: synced",
                           "group: left",
                           "group: member forgets to leave",
                           "group: zombie",
                           "group: no coordinator",
                           "group: committed",
                           "group: commit unanswered",
                           "group: fenced commit refused",
                           "group: asked what is committed",
                           "group: offset expired",
                           "group: began again",
                           "group: offsets compacted",
                           "group: offset deleted",
                           "group: deleted",
                           "group: static zombie fenced",
                           "group: offsets equal their log",
                           "group: healed and settled",
                           "node: connected",
                           "node: log compacted",
                           "node: records compacted away",
                           "node: read a batch without records",
                           "node: newest record of each key verified",
                           "node: everything verified",
                           "node: healed and answered",
                           "world: second data folder",
                           "world: life with write.caching",
                           "world: second data folder left out",
                           "world: second data folder lost",
                           "node: partition of a lost folder refused",
                           "node: record of the future refused",
                           "disk: slow for a while",
                           "disk: one folder fails alone",
                           "world: killed",
                           "world: power cut",
                           "world: clean stop",
                           "world: crash during recovery",
                           "world: another number of shards",
                           "world: crash while stopping"})
    counters.declare(name);
  LibraryClients::declare_counters(counters);
  declare_clock_counters(counters);
}

}  // namespace tidemark::simulation
