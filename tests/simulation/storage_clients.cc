#include "tests/simulation/storage_clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "protocol/batch/header.h"
#include "tests/simulation/sim_batch.h"

namespace tidemark::simulation {

using runtime::Task;
using storage::Log;

namespace {

int64_t draw_timestamp(StorageRun& run, const StorageNode::Shard& shard) {
  // Mostly now, sometimes out of order.
  const runtime::Scheduler& loop = *shard.loop;
  const int64_t now = runtime::unix_ms(loop.clock().wall());
  return run.random.chance(0.2) ? now - run.random.between(0, 20'000) : now;
}

}  // namespace

void declare_client_counters(FaultCounters& counters) {
  for (const char* name :
       {"storage: appended", "storage: append acknowledged", "storage: append possibly persisted",
        "storage: append refused on a full disk", "storage: duplicate recognised",
        "storage: read from memory", "storage: read from a file", "storage: searched by time",
        "storage: trimmed", "storage: retention deleted", "storage: truncated", "storage: created",
        "storage: deleted", "storage: write.caching changed", "storage: damaged log has no identity",
        "storage: damaged log is offline", "storage: damaged log is whole"})
    counters.declare(name);
}

bool StorageClients::excused(const Log& log, const LogModel& model, std::optional<uint64_t> stable,
                             const Error& error) {
  if (error.kind() == ErrorKind::no_space && run_.disk_may_be_full) {
    run_.counters.count("storage: append refused on a full disk");
    return true;
  }
  // A reader's segments were cleaned, and what they were has been deleted.
  if (run_.workload.cleans && error.code() == ErrorCode::OFFSET_OUT_OF_RANGE &&
      log.settings().file_delete_delay_ms < 60'000)
    return true;
  // It goes offline once what was appended is in its files.
  if (error.kind() == ErrorKind::corruption && run_.may_be_damaged(log.folder_name())) return true;
  // One log that is damaged excuses no other.
  const bool node_failed = node_.offline() || (node_.log_offline() && !run_.is_damaged());
  return log.offline() || node_failed || !stable || model.stable() != stable || run_.disk_may_fail;
}

// --- after a restart

void StorageClients::verify() {
  std::map<std::string, ModelPtr> missing = run_.models;
  for (auto& shard : node_.shards()) {
    judge_recovery(*shard);
    for (const auto& [name, log] : shard->logs) missing.erase(name);
  }
  for (const std::string& name : node_.data().replay().unidentified) {
    if (run_.damaged.contains(name)) {
      run_.counters.count("storage: damaged log has no identity");
    } else {
      run_.violate(fmt::format("{} has no readable partition.state", name));
    }
    missing.erase(name);
  }
  for (const auto& [name, model] : missing) {
    if (model->existence == LogModel::Existence::exists)
      run_.violate(fmt::format("{} is gone, and nobody deleted it", name));
    run_.models.erase(name);
    run_.settings.erase(name);
  }
  if (run_.violation) return;
  run_.power_lost = false;
  on_each_shard(verifying_, &StorageClients::read_everything);
}

void StorageClients::judge_recovery(Shard& shard) {
  for (const auto& [name, log] : shard.logs) {
    // What is not served may be anything: also a deleted log, whose record was destroyed.
    if (log->offline() && (run_.may_be_damaged(name) || run_.disk_may_fail)) {
      if (run_.may_be_damaged(name)) run_.counters.count("storage: damaged log is offline");
      continue;
    }
    const auto it = run_.models.find(name);
    if (it == run_.models.end()) {
      run_.violate(fmt::format("{} is back after its deletion", name));
      continue;
    }
    LogModel& model = *it->second;
    if (log->state().topic_id != model.topic_id()) {
      run_.violate(fmt::format("{} is another incarnation", name));
      continue;
    }
    if (log->offline()) {
      run_.violate(fmt::format("{} is offline: {}", name, log->offline()->message()));
      continue;
    }
    run_.judge(model.recovered(log->start(), log->end(), run_.power_lost));
    if (!run_.violation) judge_derived(*log, model);
    if (run_.may_be_damaged(name)) run_.counters.count("storage: damaged log is whole");
  }
}

void StorageClients::judge_derived(const Log& log, const LogModel& model) {
  for (const auto& [epoch, offset] : model.epochs()) {
    if (offset < log.start()) continue;  // a trim has moved the start, and has not returned yet
    const auto cached = log.epochs().epoch_for_offset(offset);
    if (!cached || *cached != epoch)
      run_.violate(fmt::format("{}: the epoch of offset {} is {} instead of {}", model.name(), offset,
                               cached ? cached->value : -1, epoch));
  }
  if (!model.producers_known()) return;
  for (const auto& [id, entry] : log.producers().producers()) {
    const auto last = model.last_of(id);
    const int32_t known = last ? last->base_sequence + last->records - 1 : -1;
    if (!last || entry.last_sequence() != known)
      run_.violate(fmt::format("{}: producer {} is at sequence {} instead of {}", model.name(), id,
                               entry.last_sequence(), known));
  }
}

Task<void> StorageClients::read_everything(Shard& shard) {
  const std::map<std::string, LogPtr> logs = shard.logs;
  for (const auto& [name, log] : logs) {
    if (log->offline() || run_.violation) continue;
    const ModelPtr model = run_.models.at(name);
    Offset from = log->start();
    while (from < log->counted() && !run_.violation && !log->offline()) {
      auto reading = read_from(log, model, from, log->counted(), 64 << 10);
      const Offset next = co_await reading;
      if (next <= from) break;
      from = next;
    }
  }
  --verifying_;
}

void StorageClients::read_each() { on_each_shard(verifying_, &StorageClients::read_each_offset); }
void StorageClients::probe() { on_each_shard(verifying_, &StorageClients::probe_all); }
void StorageClients::append_to_all() { on_each_shard(last_appends_, &StorageClients::append_last); }

void StorageClients::on_each_shard(size_t& running, Task<void> (StorageClients::*work)(Shard&)) {
  for (auto& shard : node_.shards()) {
    ++running;
    Shard& there = *shard;
    there.loop->post([this, &there, work] { there.scope->spawn((this->*work)(there)); });
  }
}

Task<void> StorageClients::read_each_offset(Shard& shard) {
  const std::map<std::string, LogPtr> logs = shard.logs;
  for (const auto& [name, log] : logs) {
    const ModelPtr model = run_.models.at(name);
    for (Offset from = log->start(); from < log->counted() && !run_.violation; from = from + 1) {
      auto reading = read_from(log, model, from, log->counted(), 1);
      (void)co_await reading;
    }
  }
  --verifying_;
}

Task<void> StorageClients::probe_all(Shard& shard) {
  constexpr int kPlaces = 40;
  const std::map<std::string, LogPtr> logs = shard.logs;
  for (const auto& [name, log] : logs) {
    const ModelPtr model = run_.models.at(name);
    for (int i = 0; i < kPlaces && !run_.violation && !log->offline(); ++i) {
      auto reading = read(log, model);
      co_await reading;
      if (log->offline()) break;
      auto searching = search(log, model);
      co_await searching;
    }
  }
  --verifying_;
}

// --- clients

void StorageClients::begin() {
  uint64_t number = 0;
  for (auto& shard : node_.shards()) {
    Shard& there = *shard;
    for (size_t i = 0; i < run_.workload.clients_per_shard; ++i) {
      ++clients_;
      there.loop->post([this, &there, n = number++] { there.scope->spawn(client(there, n)); });
    }
  }
}

Task<void> StorageClients::client(Shard& shard, uint64_t number) {
  while (!finishing_ && !run_.violation) {
    const auto most = static_cast<uint64_t>(2 * run_.workload.think.count());
    auto pause = runtime::sleep_for(*shard.loop, runtime::Duration(run_.random.below(most)));
    co_await pause;
    if (finishing_ || run_.violation) break;
    auto operation = operate(shard, number);
    co_await operation;
  }
  --clients_;
}

Task<void> StorageClients::operate(Shard& shard, uint64_t number) {
  const StorageWorkload& w = run_.workload;
  const std::string name = fmt::format("topic{}-0", run_.random.below(w.topics));
  if (&shard != node_.shards()[node_.shard_of(name)].get()) co_return;
  const auto it = shard.logs.find(name);
  if (it == shard.logs.end()) {
    if (run_.models.contains(name)) co_return;  // on its way in or out
    auto creating = create(shard, name);
    co_await creating;
    co_return;
  }
  const LogPtr log = it->second;
  const ModelPtr model = run_.models.at(name);
  if (log->offline()) co_return;
  Task<void> task;
  const uint64_t draw = run_.random.below(100);
  if (draw < 55) {
    task = append(log, model, number, !run_.random.chance(0.1));
  } else if (draw < 75) {
    task = read(log, model);
  } else if (draw < 82) {
    task = search(log, model);
  } else if (draw < 86 && w.trims) {
    task = trim(log, model, false);
  } else if (draw < 90 && w.retention) {
    task = trim(log, model, true);
  } else if (draw < 93 && w.truncates && !model->changing) {
    task = truncate(log, model);
  } else if (draw < 95 && w.erases && !model->changing && run_.random.chance(0.5)) {
    task = erase(shard, log, model);
  } else if (draw < 96 && w.caching && !model->changing) {
    task = toggle_caching(log, model);
  } else if (draw < 98) {
    log->roll_if_old();
    co_return;
  } else {
    retry_last(*log, *model, number);
    co_return;
  }
  co_await task;
}

Task<void> StorageClients::append(LogPtr log, ModelPtr model, uint64_t number, bool wait) {
  const StorageWorkload& w = run_.workload;
  const int burst = 1 + static_cast<int>(run_.random.below(static_cast<uint64_t>(w.max_burst)));
  for (int i = 0; i < burst; ++i) {
    SimBatch batch;
    batch.identity = ++run_.identities;
    batch.records = 1 + static_cast<int32_t>(run_.random.below(static_cast<uint64_t>(w.max_records)));
    batch.value_bytes = run_.random.below(w.max_value_bytes);
    if (run_.random.chance(0.02)) batch.value_bytes *= 8;
    batch.timestamp_ms = draw_timestamp(run_, *node_.shards()[node_.shard_of(model->name())]);
    batch.keyed = w.cleans;
    if (w.idempotent) batch.producer = producer_of(number);
    auto placing = place(log, model, batch);
    const bool placed = co_await placing;
    if (!placed) co_return;
  }
  run_.note("appended", *model, model->end());
  run_.count("storage: appended");
  if (!wait) co_return;
  auto waiting = acknowledge(log, model);
  co_await waiting;
}

Task<void> StorageClients::append_one(LogPtr log, ModelPtr model, SimBatch batch) {
  auto placing = place(log, model, batch);
  const bool placed = co_await placing;
  if (!placed) co_return;
  run_.note("appended", *model, model->end());
  auto waiting = acknowledge(log, model);
  co_await waiting;
}

Task<bool> StorageClients::place(LogPtr log, ModelPtr model, SimBatch batch) {
  const auto stable = model->stable();
  const size_t bytes = batch.encode().size();
  while (!log->has_room(bytes)) {
    auto making = log->make_room(bytes, batch.timestamp_ms);
    auto made = co_await making;
    if (made) continue;
    if (!excused(*log, *model, stable, made.error()))
      run_.violate(fmt::format("{}: no room: {}", model->name(), made.error().message()));
    co_return false;
  }
  if (batch.producer != kNoProducerId) {
    batch.producer_epoch = ProducerEpoch(0);
    const auto last = model->last_of(batch.producer);
    const auto* known = log->producers().find(batch.producer);
    if (model->producers_known()) {
      batch.base_sequence = last ? last->base_sequence + last->records : 0;
    } else {
      batch.base_sequence = known != nullptr ? known->last_sequence() + 1 : 0;
    }
  }
  const runtime::BufferSlice slice = batch.encode();
  const auto header = protocol::parse_batch_header(slice.bytes);
  const auto check = log->producers().check(*header);
  if (!check) {
    run_.violate(fmt::format("{}: a new batch is refused: {}", model->name(), check.error().message()));
    co_return false;
  }
  if (*check) {
    run_.violate(
        fmt::format("{}: a new batch is taken for the one at {}", model->name(), (*check)->base_offset));
    co_return false;
  }
  LeaderEpoch epoch(static_cast<int32_t>(node_.data().identity().generation.value));
  epoch = std::max(epoch, log->latest_epoch());
  const Offset base = log->append(slice, *header, epoch);
  if (base != model->end()) {
    run_.violate(fmt::format("{}: appended at {} instead of {}", model->name(), base, model->end()));
    co_return false;
  }
  model->appended({base, base + (batch.records - 1), epoch, batch.timestamp_ms, batch.producer,
                   batch.base_sequence, std::vector<std::byte>(slice.bytes.begin(), slice.bytes.end())});
  co_return true;
}

Task<void> StorageClients::acknowledge(LogPtr log, ModelPtr model) {
  const Offset end = model->end();
  auto waiting = log->wait_counted(end);
  const bool reached = co_await waiting;
  if (!reached) {
    run_.counters.count("storage: append possibly persisted");
    co_return;
  }
  model->promise(end);
  run_.note("acknowledged", *model, end);
  run_.count("storage: append acknowledged");
}

// A client that lost the answer sends its last batch again: it must be recognised.
void StorageClients::retry_last(const Log& log, const LogModel& model, uint64_t number) {
  const auto last = model.last_of(producer_of(number));
  if (!last || last->last < log.start() || model.changing || !model.producers_known()) return;
  SimBatch batch;
  batch.records = last->records;
  batch.producer = producer_of(number);
  batch.producer_epoch = ProducerEpoch(0);
  batch.base_sequence = last->base_sequence;
  const auto slice = batch.encode();
  const auto check = log.producers().check(*protocol::parse_batch_header(slice.bytes));
  if (!check || !*check || (*check)->base_offset != last->base)
    run_.violate(fmt::format("{}: the batch at {} sent again is not recognised", model.name(), last->base));
  run_.count("storage: duplicate recognised");
}

Task<Offset> StorageClients::read_from(LogPtr log, ModelPtr model, Offset from, Offset limit,
                                       uint32_t max_bytes) {
  const auto stable = model->stable();
  const bool in_memory = log->in_memory(from);
  auto locating = log->locate(from, limit, max_bytes, true);
  auto range = co_await locating;
  if (!range) {
    if (!excused(*log, *model, stable, range.error()))
      run_.violate(fmt::format("{}: cannot read at {}: {}", model->name(), from, range.error().message()));
    co_return from;
  }
  std::vector<std::byte> bytes;
  while (range->bytes > 0) {
    auto reading = log->read(*range, max_bytes);
    auto piece = co_await reading;
    if (!piece) {
      if (!excused(*log, *model, stable, piece.error()))
        run_.violate(fmt::format("{}: cannot read: {}", model->name(), piece.error().message()));
      co_return from;
    }
    bytes.insert(bytes.end(), piece->bytes.bytes.begin(), piece->bytes.bytes.end());
    range = piece->rest;
  }
  if (!stable || model->stable() != stable || log->offline()) co_return from;
  if (bytes.empty()) {
    run_.violate(fmt::format("{}: nothing at {}, below {}", model->name(), from, limit));
    co_return from;
  }
  Offset next;
  run_.judge(model->judge_read(from, limit, bytes, &next, run_.damaged.contains(model->name())));
  if (next == from) co_return from;  // damaged, and not served: whoever reads checks sums
  if (!run_.violation) run_.count(in_memory ? "storage: read from memory" : "storage: read from a file");
  co_return next;
}

Task<void> StorageClients::read(LogPtr log, ModelPtr model) {
  const Offset limit = log->counted();
  if (limit <= log->start()) co_return;
  // Often a boundary: the first offset of a segment is where an off-by-one would show.
  Offset from =
      log->start() + static_cast<int64_t>(run_.random.below(static_cast<uint64_t>(limit - log->start())));
  if (run_.random.chance(0.3)) {
    const auto& segments = log->segments();
    from = std::clamp(segments[run_.random.below(segments.size())].base, log->start(), limit + -1);
  }
  // What a reader saw must stay.
  model->promise(limit);
  const auto max_bytes = static_cast<uint32_t>(1 + run_.random.below(16 << 10));
  auto reading = read_from(log, model, from, limit, max_bytes);
  (void)co_await reading;
}

Task<void> StorageClients::search(LogPtr log, ModelPtr model) {
  const Offset limit = log->counted();
  if (model->batches().empty()) co_return;
  const auto& some = model->batches()[run_.random.below(model->batches().size())];
  const bool greatest = run_.random.chance(0.3);
  const int64_t timestamp =
      greatest ? model->greatest_time(limit) : some.timestamp_ms + run_.random.between(-1, 1);
  const auto stable = model->stable();
  const auto expected = model->find_by_time(timestamp, limit);
  auto finding = greatest ? log->find_max_timestamp(limit) : log->find_by_time(timestamp, limit);
  auto found = co_await finding;
  if (!stable || model->stable() != stable || log->offline()) co_return;
  if (!found) {
    if (!excused(*log, *model, stable, found.error()))
      run_.violate(fmt::format("{}: cannot search: {}", model->name(), found.error().message()));
    co_return;
  }
  const std::optional<Offset> offset = *found ? std::optional((*found)->offset) : std::nullopt;
  if (offset != expected && !run_.damaged_times.contains(model->name()))
    run_.violate(fmt::format("{}: the first record from time {} on is at {}, and not at {}", model->name(),
                             timestamp, expected.value_or(kNoOffset), offset.value_or(kNoOffset)));
  run_.count("storage: searched by time");
}

// --- changes of a log's extent

Task<void> StorageClients::trim(LogPtr log, ModelPtr model, bool by_retention) {
  const auto stable = model->stable();
  if (by_retention) {
    model->begin_trim(log->counted());
    auto applying = log->apply_retention(log->counted());
    auto applied = co_await applying;
    if (!applied && !excused(*log, *model, stable, applied.error()))
      run_.violate(fmt::format("{}: retention: {}", model->name(), applied.error().message()));
    if (applied && *applied > 0) run_.count("storage: retention deleted");
    if (applied) model->end_trim(log->start());
    co_return;
  }
  const Offset to =
      log->start() +
      static_cast<int64_t>(run_.random.below(static_cast<uint64_t>(log->counted() - log->start()) + 1));
  auto trimming = trim_to(log, model, to);
  co_await trimming;
}

Task<void> StorageClients::trim_to(LogPtr log, ModelPtr model, Offset to) {
  const auto stable = model->stable();
  model->begin_trim(to);
  auto trimming = log->trim(to);
  auto trimmed = co_await trimming;
  if (!trimmed) {
    if (!excused(*log, *model, stable, trimmed.error()))
      run_.violate(fmt::format("{}: cannot trim to {}: {}", model->name(), to, trimmed.error().message()));
    co_return;
  }
  if (log->start() < to && stable && !model->changing)
    run_.violate(fmt::format("{}: starts at {} after a trim to {}", model->name(), log->start(), to));
  model->end_trim(log->start());
  run_.note("trimmed", *model, to);
  run_.count("storage: trimmed");
}

Task<void> StorageClients::truncate(LogPtr log, ModelPtr model) {
  const Offset to =
      log->start() +
      static_cast<int64_t>(run_.random.below(static_cast<uint64_t>(log->end() - log->start()) + 1));
  // Mostly the newest few, as after a failover.
  const Offset near = std::max(to, std::max(log->start(), log->end() + -20));
  auto truncating = truncate_to(log, model, run_.random.chance(0.8) ? near : to);
  co_await truncating;
}

Task<void> StorageClients::truncate_to(LogPtr log, ModelPtr model, Offset to) {
  model->changing = true;
  model->begin_truncate(to);
  const Offset expected = *model->truncating();
  run_.note("truncating", *model, expected);
  auto truncating = log->truncate(expected);
  auto truncated = co_await truncating;
  model->changing = false;
  if (!truncated) {
    if (!excused(*log, *model, std::nullopt, truncated.error()))
      run_.violate(fmt::format("{}: cannot truncate: {}", model->name(), truncated.error().message()));
    co_return;
  }
  if (auto wrong = model->truncated(log->start(), log->end())) run_.violate(*wrong);
  judge_derived(*log, *model);
  run_.note("truncated", *model, expected);
  run_.count("storage: truncated");
}

Task<void> StorageClients::toggle_caching(LogPtr log, ModelPtr model) {
  storage::LogSettings settings = log->settings();
  settings.write_caching = !settings.write_caching;
  model->changing = true;
  model->caching = true;
  auto changing = log->change_settings(settings);
  auto changed = co_await changing;
  model->changing = false;
  if (!changed) co_return;
  run_.settings[model->name()] = settings;
  model->caching = settings.write_caching;
  if (!settings.write_caching) model->promise(log->counted());
  run_.count("storage: write.caching changed");
}

Task<void> StorageClients::erase(Shard& shard, LogPtr log, ModelPtr model) {
  model->changing = true;
  model->existence = LogModel::Existence::maybe_erased;
  shard.logs.erase(model->name());
  run_.note("deleting", *model, model->end());
  auto erasing = shard.store->erase(log);
  auto erased = co_await erasing;
  if (!erased) co_return;  // the journal failed: either may be found
  run_.models.erase(model->name());
  run_.settings.erase(model->name());
  run_.note("deleted", *model, model->end());
  run_.count("storage: deleted");
}

Task<void> StorageClients::create(Shard& shard, std::string name) {
  auto model = std::make_shared<LogModel>(name, run_.random.uuid());
  model->caching = run_.workload.settings.write_caching;
  run_.models[name] = model;
  run_.settings[name] = run_.workload.settings;
  auto creating = shard.store->create(name, model->topic_id(), PartitionId(0), run_.workload.settings);
  auto created = co_await creating;
  if (!created) co_return;
  const LogPtr log = *created;
  if (log->start() != Offset(0) || log->end() != Offset(0))
    run_.violate(fmt::format("{} is new, and holds {} to {}", name, log->start(), log->end()));
  model->existence = LogModel::Existence::exists;
  shard.logs[name] = log;
  run_.note("created", *model, model->end());
  run_.count("storage: created");
}

Task<void> StorageClients::append_last(Shard& shard) {
  const std::map<std::string, LogPtr> logs = shard.logs;
  for (const auto& [name, log] : logs) {
    const ModelPtr model = run_.models.at(name);
    auto appending = append(log, model, 0, true);
    co_await appending;
    if (!model->caching && model->promised_end() != model->end())
      run_.violate(fmt::format("{}: takes no more appends", name));
  }
  --last_appends_;
}

}  // namespace tidemark::simulation
