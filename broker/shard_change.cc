#include "broker/shard_change.h"

#include <fmt/format.h>

namespace tidemark::broker {

using runtime::Task;
using Unopened = std::vector<UnopenedPartition>;

namespace {

// Of a log that was there. One whose folder says another write.caching than its settings is switched once
// what was replayed is in its files, which a start must not wait for.
Task<void> lead_on(std::shared_ptr<replication::Partition> partition, LeaderEpoch epoch,
                   config::TopicConfig config) {
  auto leading = partition->lead(epoch, std::move(config));
  (void)co_await leading;
}

Task<void> open_one(Shard& shard, ShardChange::Open open, size_t& missing, runtime::Signal& changed,
                    Unopened& failed) {
  std::shared_ptr<storage::Log> log;
  storage::LogStore& store = *shard.store(open.folder);
  const bool was_there = open.recovered.has_value();
  if (was_there) {
    log = store.adopt(std::move(*open.recovered), replication::log_settings(open.topic, open.config));
  } else {
    auto creating = store.create(fmt::format("{}-{}", open.topic, open.id.partition), open.id.topic_id,
                                 open.id.partition, replication::log_settings(open.topic, open.config));
    auto created = co_await creating;
    if (created) {
      log = *created;
    } else {
      failed.push_back(
          {open.id, fmt::format("{}-{}", open.topic, open.id.partition), open.folder, created.error()});
    }
  }
  if (log) {
    auto partition = std::make_shared<replication::Partition>(open.id, open.topic, log, shard.loop());
    shard.add_partition(partition);
    if (was_there) {
      shard.tasks().spawn(lead_on(partition, open.epoch, open.config));
    } else {
      auto leading = partition->lead(open.epoch, open.config);
      (void)co_await leading;
    }
  }
  --missing;
  changed.notify_all();
}

}  // namespace

Task<Unopened> change_shard(Shard& shard, std::shared_ptr<ShardChange> change) {
  for (const TopicIdPartition& id : change->erases) {
    const auto partition = shard.partition(id);
    if (!partition) continue;
    shard.remove_partition(id);
    const auto log = partition->shared_log();
    auto erasing = log->store().erase(log);
    (void)co_await erasing;
  }
  for (auto& stray : change->strays) {
    storage::LogStore& store = *shard.store(stray.folder);
    // As it is: a switch of write.caching would hold up its end.
    storage::LogSettings settings;
    settings.write_caching = !stray.log.state.journaled;
    if (stray.put_aside) {
      auto putting = store.put_aside(std::move(stray.log), settings);
      const auto put = co_await putting;
      if (!put) stray.failure = put.error();
      continue;
    }
    auto log = store.adopt(std::move(stray.log), settings);
    auto erasing = store.erase(std::move(log));
    (void)co_await erasing;
  }
  runtime::Signal changed(shard.loop());
  size_t missing = change->opens.size();
  Unopened failed;
  for (auto& open : change->opens)
    shard.tasks().spawn(open_one(shard, std::move(open), missing, changed, failed));
  while (missing > 0) {
    auto waiting = changed.wait();
    co_await waiting;
  }
  for (const auto& lead : change->leads) {
    const auto partition = shard.partition(lead.id);
    if (!partition) continue;
    auto leading = partition->lead(lead.epoch, lead.config);
    (void)co_await leading;  // a failure has taken the log offline
  }
  co_return failed;
}

}  // namespace tidemark::broker
