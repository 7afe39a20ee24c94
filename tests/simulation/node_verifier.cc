#include "tests/simulation/node_verifier.h"

namespace tidemark::simulation {

using runtime::Task;

Task<bool> NodeVerifier::read_partition(TopicPtr topic, PartitionId partition) {
  PartitionModel& model = topic->partition(partition);
  // Before the end is asked for: it is not below what is known by now.
  const auto sent = [this](uint64_t identity) -> const SentBatch& { return *run_.cluster.batch(identity); };
  const KeyTable known = topic->compacts ? model.newest_by_key(sent) : KeyTable();
  auto starting = list_offset(topic, partition, -2);
  const auto start = co_await starting;
  auto ending = list_offset(topic, partition, -1);
  const auto end = co_await ending;
  if (!start || !end) co_return topic->gone || run_.cluster.name(topic->name).busy;
  Offset next = *start;
  table_.reset();
  if (topic->compacts) table_.emplace();
  Offset limit = *end;
  while (!over()) {
    // A record that is missing has made way for one below the high watermark of then, which may have risen
    // since the answer's was looked at.
    if (next >= limit && table_) {
      auto asking = list_offset(topic, partition, -1);
      const auto now = co_await asking;
      if (!now) co_return topic->gone || run_.cluster.name(topic->name).busy;
      limit = *now;
    }
    if (next >= limit) break;
    const bool could_fail = run_.disk_may_fail;  // where the answer comes from, which may be the life before
    auto fetching = fetch_one(topic, partition, next, 256 << 10, 17);
    const auto after = co_await fetching;
    if (!after) co_return topic->gone;
    // Trimmed meanwhile, or deleted.
    if (*after <= next && next >= model.start_limit() && !topic->gone &&
        !run_.cluster.name(topic->name).busy && !could_fail && !run_.disk_may_fail && !run_.violation)
      run_.violate(
          fmt::format("{}: a reader does not get on at {}, with {} certain", model.name(), next, *end));
    if (*after <= next) co_return topic->gone;
    next = *after;
  }
  if (table_ && !over()) judge_keys(*topic, partition, known);
  table_.reset();
  co_return true;
}

void NodeVerifier::judge_keys(const TopicModel& topic, PartitionId partition, const KeyTable& known) {
  const PartitionModel& model = topic.partitions[static_cast<size_t>(partition.value)];
  const auto sent = [this](uint64_t identity) -> const SentBatch& { return *run_.cluster.batch(identity); };
  for (const auto& [key, last] : known) {
    if (last.offset < model.start_limit()) continue;  // trimmed, or about to be
    const auto met = table_->find(key);
    if (met != table_->end() && met->second.offset >= last.offset) continue;
    // Who reads for longer than delete.retention.ms may miss a tombstone, and have met what it deletes. (One
    // that stays for a day is met itself, here.)
    if (run_.workload.tombstones_go && (last.tombstone || model.deleted_above(key, last.offset, sent) ||
                                        run_.cluster.may_hold_tombstone(topic, partition, key)))
      continue;
    const std::string left =
        met == table_->end() ? "no record of it is left"
                             : fmt::format("the last record of it that is left at {}", met->second.offset);
    run_.violate(fmt::format("{}: key {} is at {}, and {}", model.name(), key, last.offset, left));
  }
  run_.counters.count("node: newest record of each key verified");
}

Task<bool> NodeVerifier::read_everything() {
  const std::vector<TopicPtr> topics = run_.cluster.topics();
  for (const TopicPtr& topic : topics) {
    for (int32_t p = 0; p < topic->partition_count() && !topic->gone && !over(); ++p) {
      auto reading = read_partition(topic, PartitionId(p));
      const bool read = co_await reading;
      if (!read) co_return false;
    }
  }
  co_return true;
}

Task<bool> NodeVerifier::look_at_everything() {
  auto terms = look_at_term();
  bool answered = co_await terms;
  if (!answered) co_return false;
  auto topics = look_at_topics();
  answered = co_await topics;
  if (!answered) co_return false;
  for (const std::string& name : run_.cluster.names()) {
    if (!run_.cluster.name(name).topic) continue;
    auto settings = look_at_settings(name);
    answered = co_await settings;
    if (!answered) co_return false;
  }
  auto reading = read_everything();
  answered = co_await reading;
  co_return answered;
}

Task<void> NodeVerifier::operate() {
  const uint64_t life_now = run_.life;
  auto looking = look_at_everything();
  const bool seen = co_await looking;
  if (!seen || life() != life_now || run_.life != life_now) co_return;
  verified_life_ = life_now;
  run_.counters.count("node: everything verified");
  finish();
}

}  // namespace tidemark::simulation
