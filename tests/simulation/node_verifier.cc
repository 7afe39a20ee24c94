#include "tests/simulation/node_verifier.h"

namespace tidemark::simulation {

using runtime::Task;

Task<bool> NodeVerifier::read_partition(TopicPtr topic, PartitionId partition) {
  PartitionModel& model = topic->partition(partition);
  auto starting = list_offset(topic, partition, -2);
  const auto start = co_await starting;
  auto ending = list_offset(topic, partition, -1);
  const auto end = co_await ending;
  if (!start || !end) co_return topic->gone || run_.cluster.name(topic->name).busy;
  Offset next = *start;
  while (next < *end && !over()) {
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
  co_return true;
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
