#include "broker/metadata_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/resolver.h"
#include "config/settings.h"
#include "protocol/batch/batch_iterator.h"
#include "protocol/invariant.h"
#include "protocol/runtime/milliseconds.h"
#include "replication/controller/configs.h"
#include "replication/controller/metadata_log.h"

namespace tidemark::broker {

using replication::Controller;
using replication::ImageDelta;
using runtime::Task;

namespace {

constexpr uint64_t kLeastBytesBetweenSnapshots = 256 << 10;

std::optional<config::Scope> scope_of(replication::ConfigResourceType type) {
  switch (type) {
    case replication::ConfigResourceType::topic: return config::Scope::topic;
    case replication::ConfigResourceType::broker: return config::Scope::broker;
    case replication::ConfigResourceType::group: return config::Scope::group;
    case replication::ConfigResourceType::client_metrics: return config::Scope::client_metrics;
    case replication::ConfigResourceType::broker_logger: break;
  }
  return std::nullopt;
}

}  // namespace

MetadataService::MetadataService(Shards& shards, const FolderInfos& folders, runtime::Random& random,
                                 const config::NodeConfig& config, Uuid cluster_id, Log& events)
    : shards_(shards),
      events_(events),
      clock_(shards[0]->loop().clock()),
      config_(config),
      controller_(cluster_id.to_string(), config.node_id, config.properties, random),
      snapshot_done_(shards[0]->loop()),
      folders_(folders),
      partitions_on_(shards.size(), 0),
      partitions_in_(folders.size(), 0) {
  auto view = std::make_shared<ClusterView>();
  view->node = config.node_id;
  view->cluster_id = cluster_id;
  view->image = controller_.image();
  view->broker = config.broker;
  view->quotas = std::make_shared<const QuotaTable>(view->image->quotas);
  for (const auto& listener : config.listeners) {
    if (listener.advertised) view->advertised.emplace_back(listener.name, *listener.advertised);
  }
  view_ = std::move(view);
}

// --- the log ----------------------------------------------------------------------------------------------

Task<Result<void>> MetadataService::load_snapshot() {
  auto work = [snapshots = snapshots_.get(), cluster = controller_.image()->cluster_id] {
    return snapshots->load(cluster);
  };
  auto loading = runtime::on_lane(*lane_, shards_[0]->loop(), std::move(work));
  auto found = co_await loading;
  if (!found) co_return fail(found.error());
  for (const std::string& refused : found->refused)
    events_.error(
        "metadata snapshot refused: the one before it is read",
        {{"reason", refused}, {"advice", "look at the disk's own errors; the next one replaces it"}});
  const Offset reached = found->newest ? found->newest->id.end : Offset(0);
  if (log_->start() > reached) {
    co_return fail(Error::corruption(fmt::format(
        "the metadata log starts at offset {}, and no snapshot that can be read reaches it: restore a "
        ".checkpoint file of {} from a copy",
        log_->start(), log_->folder_name())));
  }
  if (!found->newest) co_return Result<void>();
  const replication::SnapshotId id = found->newest->id;
  // A snapshot is taken of committed records alone: a log that ends before it has lost some.
  if (log_->end() < id.end) {
    co_return fail(Error::corruption(fmt::format("the metadata log ends at offset {}, before its snapshot {}",
                                                 log_->end(), replication::snapshot_name(id))));
  }
  const auto epoch = log_->epochs().epoch_for_offset(id.end + (-1));
  if (log_->start() < id.end && epoch && *epoch != id.epoch) {
    co_return fail(
        Error::corruption(fmt::format("the metadata log has another epoch than its snapshot {}: {}",
                                      replication::snapshot_name(id), *epoch)));
  }
  controller_.restore(std::move(found->newest->image));
  snapshot_ = id;
  snapshot_bytes_ = found->newest->bytes;
  co_return Result<void>();
}

Task<Result<void>> MetadataService::replay(storage::LogStore& store, std::shared_ptr<storage::Log> log,
                                           storage::FileSystem& files, runtime::Lane& lane) {
  store_ = &store;
  log_ = std::move(log);
  lane_ = &lane;
  snapshots_ = std::make_unique<MetadataSnapshots>(files, log_->folder());
  if (log_->end() > Offset(0)) {  // a new log has no folder yet
    auto loading = load_snapshot();
    auto loaded = co_await loading;
    if (!loaded) co_return loaded;
  }
  constexpr uint32_t kPiece = 8 << 20;
  while (controller_.next_offset() < log_->end()) {
    auto locating = log_->locate(controller_.next_offset(), log_->end(), kPiece, true);
    auto range = co_await locating;
    if (!range) co_return fail(range.error());
    auto reading = log_->read_whole(*range);
    const auto bytes = co_await reading;
    if (!bytes) co_return fail(bytes.error());
    protocol::BatchIterator batches(*bytes);
    while (true) {
      auto batch = batches.next();
      if (!batch) co_return fail(Error::corruption("the metadata log: " + batch.error().message()));
      if (!*batch) break;
      last_timestamp_ms_ = (*batch)->header.max_timestamp;
    }
    bytes_since_snapshot_ += batches.whole_bytes();
    if (batches.whole_bytes() == 0) {
      co_return fail(Error::corruption(
          fmt::format("the metadata log ends inside a batch at offset {}", controller_.next_offset())));
    }
    auto applied = controller_.apply_log(std::span<const std::byte>(*bytes).first(batches.whole_bytes()));
    if (!applied) co_return fail(applied.error());
  }
  co_return Result<void>();
}

Task<Result<void>> MetadataService::lead(LeaderEpoch term, replication::BrokerRegistration registration) {
  term_ = term;
  const std::vector<replication::Voter> voters{{config_.node_id, Uuid{}}};
  auto change = replication::encode_leader_change(controller_.next_offset(), term_, config_.node_id, voters,
                                                  clock_.wall());
  if (!change) co_return fail(change.error());
  auto announcing = append(*change);
  auto announced = co_await announcing;
  if (!announced) co_return fail(announced.error());
  // Nobody sees the image before the registration behind it is durable too: one sync for both.
  auto applied = controller_.apply_log(*change);
  if (!applied) co_return fail(applied.error());
  auto beginning = commit_records(controller_.begin_term());
  auto begun = co_await beginning;
  if (!begun) co_return fail(begun.error());
  registration.term = term;
  auto decision = controller_.register_broker(registration);
  auto registering = commit_records(std::move(decision.records));
  auto registered = co_await registering;
  if (!registered) co_return fail(registered.error());
  if (!decision.response.error.ok()) {
    co_return fail(decision.response.error.code,
                   decision.response.error.message.value_or("the broker was not registered"));
  }
  broker_epoch_ = decision.response.epoch;
  co_return Result<void>();
}

Task<Result<Offset>> MetadataService::append(std::vector<std::byte> bytes) {
  auto buffer = runtime::Buffer::allocate(bytes.size());
  std::copy(bytes.begin(), bytes.end(), buffer->bytes().begin());
  auto batch = runtime::BufferSlice::whole(std::move(buffer));
  auto header = protocol::parse_batch_header(batch.bytes);
  INVARIANT(header, "a metadata batch of our own cannot be read");
  // Always: a segment with room may be due by time.
  auto making = log_->make_room(batch.size(), header->max_timestamp);
  auto room = co_await making;
  if (!room) co_return fail(room.error());
  last_timestamp_ms_ = header->max_timestamp;
  co_return log_->append(std::move(batch), *header, term_);
}

Task<Result<void>> MetadataService::committed() {
  auto waiting = log_->wait_counted(log_->end());
  const bool durable = co_await waiting;
  if (!durable) {
    co_return fail(Error::io(fmt::format("the metadata log is offline: {}",
                                         log_->offline() ? log_->offline()->message() : "its disk failed"))
                       .mark_possibly_persisted());
  }
  co_return Result<void>();
}

Task<Result<ImageDelta>> MetadataService::commit_records(replication::RecordList records) {
  if (records.empty()) co_return ImageDelta{controller_.image(), controller_.image(), {}, {}, {}, {}};
  auto batch = replication::encode_records(controller_.next_offset(), term_, records, clock_.wall());
  if (!batch) co_return fail(batch.error());
  const uint64_t bytes = batch->size();
  auto appending = append(std::move(*batch));
  auto base = co_await appending;
  if (!base) co_return fail(base.error());
  auto waiting = committed();
  auto durable = co_await waiting;
  if (!durable) co_return fail(durable.error());
  auto delta = controller_.apply(*base, term_, records);
  INVARIANT(delta, "records that the controller decided do not fit its image: {}", delta.error().message());
  bytes_since_snapshot_ += bytes;  // only now: a snapshot that is begun before does not hold them
  co_return std::move(*delta);
}

Task<Result<void>> MetadataService::commit(replication::RecordList records) {
  auto committing = commit_records(std::move(records));
  auto delta = co_await committing;
  if (!delta) co_return fail(delta.error());
  consider_snapshot();
  tell(*delta);
  if (!delta->empty()) {
    auto publishing = publish(std::move(*delta));
    co_await publishing;
  }
  co_return Result<void>();
}

// --- its snapshots ----------------------------------------------------------------------------------------

// A start reads at most so much of the log, relative to the snapshot: what the setting allows is for large
// clusters.
bool MetadataService::snapshot_due() const {
  const auto most = static_cast<uint64_t>(config_.broker.metadata_log_max_record_bytes_between_snapshots);
  return bytes_since_snapshot_ >= std::min(most, std::max(kLeastBytesBetweenSnapshots, 4 * snapshot_bytes_));
}

void MetadataService::allow_snapshots() {
  snapshots_allowed_ = true;
  shards_[0]->tasks().spawn(snapshot_loop());
  consider_snapshot();
}

void MetadataService::consider_snapshot() {
  if (!snapshots_allowed_ || snapshotting_ || !snapshot_due()) return;
  shards_[0]->tasks().spawn(take_snapshot());
}

Task<void> MetadataService::stop() {
  turns_.clear();  // nobody is there any more to be answered
  auto last = take_turn();
  co_await last;
  snapshots_allowed_ = false;
  while (snapshotting_) {
    auto waiting = snapshot_done_.wait();
    co_await waiting;
  }
}

Task<void> MetadataService::snapshot_loop() {
  const int64_t interval_ms = config_.broker.metadata_log_max_snapshot_interval_ms;
  if (interval_ms == 0) co_return;
  while (true) {
    auto pause = runtime::sleep_for(shards_[0]->loop(), runtime::saturating_ms(interval_ms));
    co_await pause;
    if (!snapshots_allowed_) co_return;
    if (bytes_since_snapshot_ == 0 || snapshotting_) continue;
    auto taking = take_snapshot();
    co_await taking;
  }
}

Task<void> MetadataService::take_snapshot() {
  snapshotting_ = true;
  // What is applied from here on is behind it.
  bytes_since_snapshot_ = 0;
  auto keeping = keep_snapshot(controller_.image(), last_timestamp_ms_);
  auto kept = co_await keeping;
  snapshotting_ = false;
  snapshot_done_.notify_all();
  if (kept) {
    consider_snapshot();  // for what came meanwhile
  } else {
    events_.error(
        "no metadata snapshot could be taken",
        {{"reason", kept.error().message()},
         {"advice", "look whether the disk is full; it is tried again, and the log grows until then"}});
  }
}

Task<Result<void>> MetadataService::keep_snapshot(std::shared_ptr<const replication::MetadataImage> image,
                                                  int64_t timestamp_ms) {
  const replication::SnapshotId id = replication::snapshot_id(*image);
  if (snapshot_ == id) co_return Result<void>();
  auto write = [snapshots = snapshots_.get(), image, id, timestamp_ms]() -> Result<uint64_t> {
    TRY_ASSIGN(const auto bytes, replication::encode_snapshot(*image, timestamp_ms));
    TRY(snapshots->write(id, bytes));
    return bytes.size();
  };
  auto writing = runtime::on_lane(*lane_, shards_[0]->loop(), std::move(write));
  auto written = co_await writing;
  if (!written) co_return fail(written.error());
  const auto previous = std::exchange(snapshot_, id);
  snapshot_bytes_ = *written;
  events_.info("metadata snapshot taken", {{"file", replication::snapshot_name(id)}, {"bytes", *written}});

  // The log reaches back to the snapshot before this one, which is read if this one is damaged.
  if (previous && previous->end > log_->start()) {
    auto trimming = log_->trim(previous->end);
    auto trimmed = co_await trimming;
    if (!trimmed) co_return trimmed;
  }
  auto remove = [snapshots = snapshots_.get(), id, kept = previous.value_or(id)] {
    return snapshots->remove_others(std::array{id, kept});
  };
  auto removing = runtime::on_lane(*lane_, shards_[0]->loop(), std::move(remove));
  auto removed = co_await removing;
  if (!removed) co_return removed;
  // Recovery scans the log from its last checkpoint on: as short as the replay.
  auto checkpointing = store_->checkpoint();
  auto checkpointed = co_await checkpointing;
  co_return checkpointed;
}

// --- decisions --------------------------------------------------------------------------------------------

void MetadataService::tell(const ImageDelta& delta) const {
  for (const auto& change : delta.topics) {
    if (!change.before) {
      events_.info("topic created", {{"topic", change.after->name},
                                     {"id", change.after->id},
                                     {"partitions", change.after->partition_count()}});
    } else if (!change.after) {
      events_.info("topic deleted", {{"topic", change.before->name}, {"id", change.before->id}});
    } else if (change.before->partition_count() != change.after->partition_count()) {
      events_.info("partitions added", {{"topic", change.after->name},
                                        {"before", change.before->partition_count()},
                                        {"after", change.after->partition_count()}});
    }
  }
  for (const auto& entity : delta.quotas) {
    std::string of, values;
    for (const auto& [type, name] : entity)
      of += fmt::format("{}{} {}", of.empty() ? "" : ", ", type, name.value_or("<default>"));
    for (const auto& [key, value] : delta.after->quotas_of(entity))
      values += fmt::format("{}{}={}", values.empty() ? "" : ",", key, value);
    events_.info("quotas changed", {{"of", of}, {"quotas", values}});
  }
  for (const auto& resource : delta.configs) {
    const auto scope = scope_of(resource.type);
    if (!scope) continue;  // a newer release's
    if (*scope == config::Scope::topic && delta.after->topic(resource.name) == nullptr)
      continue;  // they went with it
    events_.info("settings changed", {{"of", config::scope_name(*scope)}, {"name", resource.name}});
    const auto& before = delta.before->config(resource.type, resource.name);
    for (const auto& [key, value] : delta.after->config(resource.type, resource.name)) {
      const config::Setting* setting = config::find_setting(*scope, key);
      if (setting == nullptr || setting->status != config::Status::ignored) continue;
      if (const auto was = before.find(key); was != before.end() && was->second == value) continue;
      events_.warn("setting is ignored", {{"setting", key}, {"why", setting->note}});
    }
  }
}

Task<void> MetadataService::take_turn() {
  if (!deciding_) {
    deciding_ = true;
    co_return;
  }
  runtime::OneShot<bool> turn(shards_[0]->loop());
  turns_.push_back(turn.resolver());
  auto mine = turn.wait();
  co_await mine;
}

void MetadataService::release_turn() {
  if (turns_.empty()) {
    deciding_ = false;
    return;
  }
  turns_.front().set(true);
  turns_.pop_front();
}

}  // namespace tidemark::broker
