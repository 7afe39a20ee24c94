#include "tests/simulation/node_verifier.h"

#include "broker/coordinator/placement.h"
#include "protocol/messages/offset_fetch_request.h"
#include "protocol/messages/offset_fetch_response.h"
#include "tests/simulation/library_clients.h"

namespace tidemark::simulation {

using runtime::Task;

namespace {

// Between two looks at the groups, in a life that has been looked through.
constexpr runtime::Duration kBetweenLooks = std::chrono::seconds(15);

}  // namespace

Task<bool> NodeVerifier::read_partition(TopicPtr topic, PartitionId partition) {
  PartitionModel& model = topic->partition(partition);
  // Before the end is asked for: it is not below what is known by now.
  const auto sent = [this](uint64_t identity) -> const SentBatch& { return *run_.cluster.batch(identity); };
  const KeyTable known = topic->compacts ? model.newest_by_key(sent) : KeyTable();
  auto starting = list_offset(topic, partition, -2);
  const auto start = co_await starting;
  auto ending = list_offset(topic, partition, -1);
  const auto end = co_await ending;
  // Nobody has it any more; that it does not come back is judged by whoever asks.
  if (!start && !end && model.may_be_lost(run_.life)) co_return true;
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

Task<std::optional<CommittedOffsets>> NodeVerifier::committed_offsets() {
  protocol::OffsetFetchRequest request;
  const auto ask_for = [&](std::string_view name) {
    auto& group = request.groups.emplace_back();
    group.group_id = name;
    group.topics.reset();
  };
  for (const auto& [name, model] : run_.groups) ask_for(name);
  if (run_.library) ask_for(LibraryClients::kGroup);
  const auto version = static_cast<int16_t>(run_.random.between(8, 9));
  auto asking = ask<protocol::OffsetFetchResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return std::nullopt;
  CommittedOffsets offsets;
  for (const auto& group : reply->body.groups) {
    if (group.error_code != 0) co_return std::nullopt;
    for (const auto& topic : group.topics)
      for (const auto& p : topic.partitions)
        offsets[{std::string(group.group_id), std::string(topic.name), p.partition_index}] =
            p.committed_offset;
  }
  co_return std::optional<CommittedOffsets>(std::move(offsets));
}

Task<std::optional<CommittedOffsets>> NodeVerifier::replay_of_log() {
  CommittedOffsets offsets;
  int64_t next = 0;
  for (int32_t partition = 0; !over();) {
    protocol::FetchRequest request;
    request.max_bytes = 1 << 20;
    auto& wanted = request.topics.emplace_back();
    wanted.topic = coordinator::kOffsetsTopic;
    auto& p = wanted.partitions.emplace_back();
    p.partition = partition;
    p.fetch_offset = next;
    p.partition_max_bytes = request.max_bytes;
    auto asking = ask<protocol::FetchResponse>(request, 12);
    const auto reply = co_await asking;
    if (!reply) co_return std::nullopt;
    const auto& data = reply->body.responses.at(0).partitions.at(0);
    const auto code = static_cast<ErrorCode>(data.error_code);
    if (code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
      co_return std::optional<CommittedOffsets>(std::move(offsets));  // there are no more of them
    if (code != ErrorCode::NONE) co_return std::nullopt;
    const int64_t from = next;
    protocol::BatchIterator batches(data.records.bytes());
    while (!run_.violation) {
      const auto batch = batches.next();
      if (!batch) run_.violate("the log of groups cannot be read: " + batch.error().message());
      if (!batch || !*batch) break;
      const auto opened = protocol::OpenBatch::open(**batch);
      if (!opened) {
        run_.violate("a batch of the log of groups cannot be read: " + opened.error().message());
        break;
      }
      auto records = opened->records();
      while (!run_.violation) {
        const auto record = records.next();
        if (!record) run_.violate("a record of the log of groups: " + record.error().message());
        if (!record || !*record) break;
        if ((*record)->offset >= Offset(from)) run_.judge(replay(offsets, (*record)->key, (*record)->value));
      }
      next = (*batch)->header.next_offset().value;
    }
    if (next > from) continue;
    // Nothing is left, up to the high watermark of now.
    ++partition;
    next = 0;
  }
  co_return std::nullopt;
}

// A log that is cleaned while it is read may hide a tombstone, and show what it deletes; but not twice, and
// nor is an offset committed twice.
Task<bool> NodeVerifier::look_at_groups() {
  const uint64_t life_now = run_.life;
  auto asking = committed_offsets();
  auto before = co_await asking;
  std::set<Disagreement> suspected;
  while (before && !over()) {
    auto reading = replay_of_log();
    const auto log = co_await reading;
    if (!log) co_return false;
    auto asking_again = committed_offsets();
    auto after = co_await asking_again;
    if (!after || life() != life_now || run_.life != life_now) co_return false;
    std::set<Disagreement> found = compare(*before, *log, *after);
    for (const Disagreement& d : found) {
      const auto& [group, topic, partition] = d.place;
      if (suspected.contains(d))
        run_.violate(fmt::format("group {}: {} is answered for partition {}, and its log says {}", group,
                                 d.answered, partition, d.logged));
    }
    if (found.empty()) {
      if (!log->empty()) run_.counters.count("group: offsets equal their log");
      co_return true;
    }
    suspected = std::move(found);
    before = std::move(after);
  }
  co_return false;
}

Task<void> NodeVerifier::operate() {
  const uint64_t life_now = run_.life;
  if (verified_life_ == life_now) {
    auto resting = pause(kBetweenLooks);
    co_await resting;
  } else if (read_life_ != life_now) {
    auto looking = look_at_everything();
    const bool seen = co_await looking;
    if (!seen || life() != life_now || run_.life != life_now) co_return;
    read_life_ = life_now;
  }
  if (!run_.groups.empty() || run_.library) {
    auto comparing = look_at_groups();
    const bool compared = co_await comparing;
    if (!compared) co_return;
  }
  if (life() != life_now || run_.life != life_now) co_return;
  if (verified_life_ != life_now) run_.counters.count("node: everything verified");
  verified_life_ = life_now;
  if (!goes_on_) finish();
}

}  // namespace tidemark::simulation
