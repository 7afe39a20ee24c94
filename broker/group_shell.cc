#include "broker/group_shell.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "protocol/batch/builder.h"
#include "protocol/invariant.h"

namespace tidemark::broker {

using coordinator::Decision;
using coordinator::ReplyBody;
using coordinator::RequestToken;
using coordinator::Standing;
using runtime::Task;

namespace {

constexpr uint32_t kLoadPiece = 1 << 20;
constexpr auto kLoadAgain = std::chrono::seconds(1);
// An expiry asks other shards what partitions hold. One that hangs must not keep groups waiting: what is not
// known by then stays until the next expiry.
constexpr auto kLookPatience = std::chrono::milliseconds(500);
// Requests that wait for their decision while the log takes nothing. Beyond, they are refused.
constexpr size_t kMaxInputs = 10'000;
constexpr size_t kMaxInputBytes = 16 << 20;

// What a request keeps in memory, but for its fixed part.
size_t bytes_of(const coordinator::Request& request) {
  size_t bytes = 0;
  if (const auto* join = std::get_if<coordinator::JoinRequest>(&request)) {
    for (const auto& protocol : join->protocols) bytes += protocol.name.size() + protocol.metadata.size();
  } else if (const auto* sync = std::get_if<coordinator::SyncRequest>(&request)) {
    for (const auto& member : sync->assignments) bytes += member.member.size() + member.assignment.size();
  } else if (const auto* commit = std::get_if<coordinator::OffsetCommitRequest>(&request)) {
    for (const auto& topic : commit->topics) {
      for (const auto& p : topic.partitions) bytes += sizeof p + p.metadata.value_or("").size();
    }
  }
  return bytes;
}

// And not of an offset, by the type of its key.
bool is_of_group(std::span<const std::byte> key) { return key.size() > 1 && key[1] == std::byte{2}; }

// What Kafka's coordinator makes of a log that takes nothing: try again here, or look for another.
ErrorCode error_of(const Error& append) {
  return append.kind() == ErrorKind::no_space ? ErrorCode::COORDINATOR_NOT_AVAILABLE
                                              : ErrorCode::NOT_COORDINATOR;
}

struct Place {
  std::string topic;
  TopicIdPartition id;
};
using Places = std::vector<Place>;

// On the shard's loop: those of them that are to be read.
Task<std::vector<std::pair<Place, coordinator::Extent>>> look_here(Shard& shard, Places places) {
  std::vector<std::pair<Place, coordinator::Extent>> found;
  for (Place& place : places) {
    const auto partition = shard.partition(place.id);
    if (!partition || partition->log().offline()) continue;
    found.emplace_back(std::move(place),
                       coordinator::Extent{partition->log().start(), partition->high_watermark()});
  }
  co_return found;
}

// Shared with the tasks that ask, which may outlive whoever has waited for them.
struct Look {
  explicit Look(runtime::Scheduler& loop) : changed(loop) {}
  coordinator::Extents found;
  size_t missing = 0;  // shards that have not answered
  runtime::Signal changed;
};

Task<void> ask_shard(Shard& shard, runtime::Scheduler& home, Places places, std::shared_ptr<Look> look,
                     std::shared_ptr<std::set<uint16_t>> silent) {
  silent->insert(shard.index());
  auto make = [target = &shard, places = std::move(places)] { return look_here(*target, places); };
  auto calling = shard.call(home, std::move(make));
  const auto found = co_await calling;
  for (const auto& [place, extent] : found) look->found[place.topic].partitions[place.id.partition] = extent;
  silent->erase(shard.index());
  --look->missing;
  look->changed.notify_all();
}

std::string text_of(const coordinator::NamedMembers& members) {
  std::string text;
  for (const std::string& name : members.first) text += (text.empty() ? "" : ", ") + name;
  if (members.count > members.first.size())
    text += fmt::format(" and {} more", members.count - members.first.size());
  return text;
}

void log_event(Log& log, const coordinator::Event& event, uint64_t left_out) {
  if (const auto* ended = std::get_if<coordinator::RebalanceEnded>(&event)) {
    const coordinator::Rebalance& rebalance = ended->rebalance;
    log.info("a group has rebalanced", {{"group", ended->group},
                                        {"outcome", outcome_name(rebalance.outcome)},
                                        {"generation", rebalance.generation},
                                        {"members", rebalance.members},
                                        {"cause", cause_name(rebalance.cause)},
                                        {"reason", rebalance.reason},
                                        {"joined", text_of(rebalance.changes.joined)},
                                        {"left", text_of(rebalance.changes.left)},
                                        {"timed_out", text_of(rebalance.changes.timed_out)},
                                        {"joining_ms", rebalance.joining_ms},
                                        {"assigning_ms", rebalance.assigning_ms},
                                        {"left_out", left_out}});
  } else if (const auto* looping = std::get_if<coordinator::RebalancesInLoop>(&event)) {
    log.warn("a group goes on rebalancing, and does little else", {{"group", looping->group},
                                                                   {"rebalances", looping->loop.rebalances},
                                                                   {"since_ms", looping->loop.since_ms},
                                                                   {"last_reason", looping->reason},
                                                                   {"advice",
                                                                    "`tidemark group describe GROUP "
                                                                    "--rebalances` says why each time"},
                                                                   {"left_out", left_out}});
  } else if (const auto* reset = std::get_if<coordinator::OffsetsReset>(&event)) {
    log.info("offsets of a group were reset",
             {{"group", reset->group}, {"offsets", reset->offsets}, {"left_out", left_out}});
  } else if (const auto* gone = std::get_if<coordinator::OffsetsEnded>(&event)) {
    log.info(gone->with_group ? "a group is no more" : "offsets of a group are no more",
             {{"group", gone->group},
              {"why", end_name(gone->end)},
              {"offsets", gone->offsets},
              {"left_out", left_out}});
  }
}

}  // namespace

GroupShell::GroupShell(Shard& shard, const std::vector<std::unique_ptr<Shard>>& shards,
                       std::shared_ptr<replication::Partition> partition, coordinator::GroupSettings settings,
                       runtime::Random& random, Log& events, GroupMetrics* metrics, storage::Planted planted)
    : shard_(shard),
      shards_(shards),
      partition_(std::move(partition)),
      settings_(settings),
      events_(events),
      metrics_(metrics),
      planted_(planted),
      random_(random),
      core_(std::make_unique<coordinator::GroupCoordinator>(settings, random)),
      input_(shard.loop()),
      holding_(shard.loop()) {}

void GroupShell::start() {
  core_->begin_loading();
  shard_.tasks().spawn(run(shared_from_this()));
  shard_.tasks().spawn(release_loop(shared_from_this()));
}

void GroupShell::stop() {
  stopping_ = true;
  input_.notify_all();
}

coordinator::Now GroupShell::moment() const { return {shard_.loop().mono(), shard_.loop().clock().wall()}; }

Task<ReplyBody> GroupShell::ask(coordinator::Request request) {
  if (stopping_ || ended_) co_return coordinator::refusal(request, ErrorCode::NOT_COORDINATOR);
  const RequestToken token(++last_token_);
  if (core_->standing() != Standing::leader) {
    // Answered at once, and changes nothing of what is being loaded.
    Decision refused = core_->handle(token, request, moment());
    INVARIANT(refused.replies.size() == 1 && refused.records.empty(), "a coordinator that loads has decided");
    co_return std::move(refused.replies.front().body);
  }
  const size_t bytes = bytes_of(request);
  if (inputs_.size() >= kMaxInputs || input_bytes_ + bytes > kMaxInputBytes + (inputs_.empty() ? bytes : 0))
    co_return coordinator::refusal(request, ErrorCode::COORDINATOR_NOT_AVAILABLE);
  input_bytes_ += bytes;
  runtime::OneShot<ReplyBody> reply(shard_.loop());
  asking_.emplace(token, reply.resolver());
  inputs_.push_back(Asked{token, std::move(request), bytes});
  input_.notify_all();
  auto waiting = reply.wait();
  co_return co_await waiting;
}

void GroupShell::topic_deleted(std::string topic, const Uuid& id) {
  if (stopping_ || ended_) return;
  inputs_.push_back(Deleted{std::move(topic), id});
  input_.notify_all();
}

Task<void> GroupShell::wait_ended(runtime::MonoTime deadline) {
  while (!ended_ && shard_.loop().mono() < deadline) {
    auto waiting = holding_.wait_until(deadline);
    (void)co_await waiting;
  }
}

Task<void> GroupShell::run([[maybe_unused]] std::shared_ptr<GroupShell> self) {
  Result<void> loaded;
  while (true) {
    auto loading = load();
    loaded = co_await loading;
    // Damage stays. What the disk or a moving start keeps from being read may be there the next time.
    const bool may_pass = !loaded && (loaded.error().kind() == ErrorKind::io ||
                                      loaded.error().code() == ErrorCode::OFFSET_OUT_OF_RANGE);
    if (!may_pass || ending()) break;
    auto pause = runtime::sleep_for(shard_.loop(), kLoadAgain);
    co_await pause;
    core_ = std::make_unique<coordinator::GroupCoordinator>(settings_, random_);
    core_->begin_loading();
  }
  if (!loaded) {
    events_.error(
        "the groups of a partition cannot be loaded: it coordinates none",
        {{"partition", partition_->log().folder_name()},
         {"reason", loaded.error().message()},
         {"advice",
          "copy its folder away; `tidemark log verify FOLDER` shows what is sound; restore the folder, "
          "then start the node again"}});
  } else if (!ending()) {
    appended_ = partition_->log().end();
    auto beginning = carry_out(core_->promote(moment_of_promotion()));
    co_await beginning;
    forget_missing_topics();
    events_.debug("groups loaded", {{"partition", partition_->log().folder_name()},
                                    {"groups", core_->image().groups().size()},
                                    {"offsets", core_->image().offset_count()}});
    while (!ending()) {
      if (inputs_.empty() && core_->next_deadline() > moment().mono) {
        auto waiting = input_.wait_until(core_->next_deadline());
        (void)co_await waiting;
        continue;
      }
      auto deciding = decide_next();
      co_await deciding;
    }
  }
  end();
}

// The inputs that are here, then what was due when they were: who has spoken up in time is not late because
// the log or another shard has kept this one waiting.
Task<void> GroupShell::decide_next() {
  const coordinator::Now now = moment();
  for (size_t here = inputs_.size(); here > 0 && !ending(); --here) {
    auto deciding = decide_input();
    co_await deciding;
  }
  if (ending() || core_->next_deadline() > now.mono) co_return;
  auto looking = look_at(core_->unused_partitions(now));
  const auto extents = co_await looking;
  if (ending()) co_return;
  Decision due = core_->tick(now, extents);
  if (planted_ == storage::Planted::expiry_unlogged) plant_unlogged_expiry(due);
  auto ticking = carry_out(std::move(due));
  co_await ticking;
  if (planted_ == storage::Planted::living_group_expired) {
    auto expiring = carry_out(plant_expiry());
    co_await expiring;
  }
  // More may be due at once: others of this loop come first.
  auto pause = runtime::sleep_for(shard_.loop(), runtime::Duration(0));
  co_await pause;
}

Task<void> GroupShell::decide_input() {
  auto input = std::move(inputs_.front());
  inputs_.pop_front();
  Decision decision;
  if (auto* asked = std::get_if<Asked>(&input)) {
    input_bytes_ -= asked->bytes;
    plant_in(asked->request);
    decision = core_->handle(asked->token, asked->request, moment());
  } else {
    const auto& deleted = std::get<Deleted>(input);
    decision = core_->topic_deleted(deleted.topic, deleted.id, moment());
    if (decision.records.size() >= coordinator::kMaxRecordsPerDecision)
      inputs_.push_back(deleted);  // the rest
  }
  auto carrying = carry_out(std::move(decision));
  co_await carrying;
}

Task<coordinator::Extents> GroupShell::look_at(coordinator::Partitions partitions) {
  auto look = std::make_shared<Look>(shard_.loop());
  const auto view = shard_.view();
  std::vector<Places> by_shard(shards_.size());
  for (const auto& [name, indexes] : partitions) {
    const TopicView* topic = view->topic(name);
    coordinator::TopicExtents& extents = look->found[name];
    if (topic != nullptr) extents.id = topic->image->id;
    for (const PartitionId partition : indexes) {
      if (topic == nullptr || topic->image->partition(partition) == nullptr) {
        extents.partitions[partition] = {};
      } else if (const uint16_t shard = topic->shards[static_cast<size_t>(partition.value)];
                 shard != kNoShard) {
        by_shard[shard].push_back({name, {topic->image->id, partition}});
      }
    }
  }
  for (const auto& shard : shards_) {
    Places& places = by_shard[shard->index()];
    if (places.empty() || silent_->contains(shard->index())) continue;
    ++look->missing;
    shard_.tasks().spawn(ask_shard(*shard, shard_.loop(), std::move(places), look, silent_));
  }
  const runtime::MonoTime deadline = shard_.loop().mono() + kLookPatience;
  while (look->missing > 0 && shard_.loop().mono() < deadline) {
    auto waiting = look->changed.wait_until(deadline);
    (void)co_await waiting;
  }
  co_return std::move(look->found);
}

Task<void> GroupShell::carry_out(Decision decision) {
  for (size_t next = 0; next < decision.records.size();) {
    auto appending = append(decision.records, next);
    const auto appended = co_await appending;
    if (appended) {
      next = *appended;
      continue;
    }
    if (const auto left_out = refusals_.admit(shard_.loop().mono())) {
      events_.warn("a change of groups was refused by their log",
                   {{"partition", partition_->log().folder_name()},
                    {"reason", appended.error().message()},
                    {"advice", "make room on the disk, or look at what else the log says of it"},
                    {"left_out", *left_out}});
    }
    // What is written already stays true.
    decision.records.erase(decision.records.begin(), decision.records.begin() + static_cast<ptrdiff_t>(next));
    decision = core_->refused(std::move(decision), error_of(appended.error()), moment());
    INVARIANT(decision.records.empty(), "a refusal has {} records", decision.records.size());
  }
  report(decision);
  hold(std::move(decision.replies));
}

Task<Result<size_t>> GroupShell::append(const coordinator::RecordList& records, size_t first) {
  const int64_t timestamp = runtime::unix_ms(moment().wall);
  protocol::BatchBuilder builder;
  size_t next = first;
  for (; next < records.size(); ++next) {
    const coordinator::Record& record = records[next];
    const size_t more = builder.record_bytes(timestamp, record.key, record.value);
    if (!builder.empty() && builder.uncompressed_bytes() + more > settings_.max_record_bytes) break;
    builder.add(timestamp, record.key, record.value);
  }
  const auto built = builder.build();
  if (!built) co_return fail(built.error());
  auto buffer = runtime::Buffer::allocate(built->size());
  std::copy(built->begin(), built->end(), buffer->bytes().begin());
  auto batch = runtime::BufferSlice::whole(std::move(buffer));
  const auto header = protocol::parse_batch_header(batch.bytes);
  INVARIANT(header, "a batch of group records cannot be read");
  auto appending = partition_->append(std::move(batch), *header);
  const auto appended = co_await appending;
  if (!appended) co_return fail(appended.error());
  appended_ = appended->next_offset;
  for (size_t i = first; i < next; ++i) apply(records[i]);
  co_return next;
}

void GroupShell::apply(const coordinator::Record& record) {
  const coordinator::Record* now = &record;
  coordinator::Record late;
  if (planted_ == storage::Planted::group_lags_log && !is_of_group(record.key)) {
    late = std::exchange(lagging_, record);
    if (late.key.empty()) return;
    now = &late;
  }
  const auto applied = core_->apply(now->key, now->value);
  INVARIANT(applied, "a group record of our own: {}", applied.error().message());
}

void GroupShell::plant_in(coordinator::Request& request) const {
  auto* sync = std::get_if<coordinator::SyncRequest>(&request);
  if (planted_ == storage::Planted::two_owners && sync != nullptr && sync->assignments.size() > 1)
    sync->assignments[1].assignment = sync->assignments[0].assignment;
  auto* commit = std::get_if<coordinator::OffsetCommitRequest>(&request);
  if (commit == nullptr || commit->generation < 0) return;
  const auto group = core_->groups().find(commit->group);
  if (group == core_->groups().end()) return;
  if (planted_ == storage::Planted::fenced_commit) commit->generation = group->second.generation;
  if (planted_ != storage::Planted::fenced_instance || !commit->instance) return;
  const std::string* owner = group->second.static_member(*commit->instance);
  if (owner != nullptr) commit->member = *owner;
}

// Only the image is told.
void GroupShell::plant_unlogged_expiry(Decision& due) {
  const auto is_expiry = [](const coordinator::Record& r) { return !r.value && !is_of_group(r.key); };
  for (const coordinator::Record& record : due.records)
    if (is_expiry(record)) apply(record);
  std::erase_if(due.records, is_expiry);
}

// By when they were committed, whoever is in the group.
Decision GroupShell::plant_expiry() const {
  Decision decision;
  const int64_t oldest = runtime::unix_ms(moment().wall) - settings_.offsets_retention_ms;
  for (const auto& [id, group] : core_->image().groups()) {
    for (const auto& [topic, partitions] : group.offsets)
      for (const auto& [partition, committed] : partitions)
        if (committed.commit_timestamp_ms <= oldest)
          decision.records.push_back(coordinator::offset_tombstone(id, topic, partition));
  }
  return decision;
}

coordinator::Now GroupShell::moment_of_promotion() const {
  coordinator::Now now = moment();
  if (planted_ != storage::Planted::deadlines_carried_over) return now;
  int64_t oldest = runtime::unix_ms(now.wall);
  for (const auto& [id, group] : core_->image().groups())
    if (group.metadata && !group.metadata->members.empty())
      oldest = std::min(oldest, group.metadata->state_timestamp_ms);
  now.mono -= std::chrono::milliseconds(runtime::unix_ms(now.wall) - oldest);
  return now;
}

void GroupShell::report(const Decision& decision) {
  if (metrics_ != nullptr && decision.commits > 0) metrics_->commits.add(shard_.index(), decision.commits);
  for (const coordinator::Event& event : decision.events) {
    if (metrics_ != nullptr) metrics_->count(shard_.index(), event);
    const bool is_loop = std::holds_alternative<coordinator::RebalancesInLoop>(event);
    const auto left_out = (is_loop ? loops_ : reports_).admit(shard_.loop().mono());
    if (left_out) log_event(events_, event, *left_out);
  }
}

void GroupShell::hold(std::vector<coordinator::Reply> replies) {
  const bool committed = (held_.empty() && partition_->high_watermark() >= appended_) ||
                         planted_ == storage::Planted::group_reply_early;
  for (coordinator::Reply& reply : replies) {
    if (committed) {
      answer(std::move(reply));
    } else {
      held_.push_back({appended_, std::move(reply)});
    }
  }
  if (!held_.empty()) holding_.notify_all();
}

Task<void> GroupShell::release_loop([[maybe_unused]] std::shared_ptr<GroupShell> self) {
  while (!ended_) {
    if (held_.empty()) {
      auto waiting = holding_.wait();
      co_await waiting;
      continue;
    }
    const Offset needed = held_.front().needed;
    auto waiting = partition_->wait_high_watermark(needed);
    const bool reached = co_await waiting;
    if (!reached) co_return input_.notify_all();  // the log went offline: end() answers
    while (!held_.empty() && held_.front().needed <= needed) {
      answer(std::move(held_.front().reply));
      held_.pop_front();
    }
  }
}

void GroupShell::answer(coordinator::Reply reply) {
  const auto asking = asking_.find(reply.token);
  INVARIANT(asking != asking_.end(), "a request was answered twice");
  asking->second.set(std::move(reply.body));
  asking_.erase(asking);
}

// In a node that stops, what is appended is still on its way to the disk: whether it gets there is not known.
void GroupShell::end() {
  ended_ = true;
  for (Held& held : std::exchange(held_, {})) {
    coordinator::set_error(held.reply.body, ErrorCode::NOT_COORDINATOR);
    answer(std::move(held.reply));
  }
  for (auto& input : std::exchange(inputs_, {})) {
    if (const auto* asked = std::get_if<Asked>(&input))
      answer({asked->token, coordinator::refusal(asked->request, ErrorCode::NOT_COORDINATOR)});
  }
  for (coordinator::Reply& reply : core_->demote().replies) answer(std::move(reply));
  holding_.notify_all();
}

Task<Result<void>> GroupShell::load() {
  storage::Log& log = partition_->log();
  Offset next = log.start();
  while (next < log.end() && !ending()) {
    next = std::max(next, log.start());
    auto locating = log.locate(next, log.end(), kLoadPiece, true);
    const auto range = co_await locating;
    if (!range) co_return fail(range.error());
    if (range->bytes == 0) break;  // cleaned away up to the end
    auto reading = log.read_whole(*range);
    const auto bytes = co_await reading;
    if (!bytes) co_return fail(bytes.error());
    protocol::BatchIterator batches(*bytes);
    while (true) {
      const auto batch = batches.next();
      if (!batch) co_return fail(batch.error());
      if (!*batch) break;
      const auto applied = apply_batch(**batch);
      if (!applied) co_return fail(applied.error());
      next = (*batch)->header.next_offset();
    }
    if (batches.whole_bytes() == 0)
      co_return fail(Error::corruption(fmt::format("it ends inside a batch at offset {}", next)));
  }
  co_return Result<void>();
}

Result<void> GroupShell::apply_batch(const protocol::BatchView& batch) {
  if (batch.header.is_control()) return {};
  TRY_ASSIGN(const auto open, protocol::OpenBatch::open(batch));
  auto records = open.records();
  while (true) {
    TRY_ASSIGN(const auto record, records.next());
    if (!record) return {};
    if (!record->key) continue;
    if (planted_ == storage::Planted::groups_forgotten && is_of_group(*record->key)) continue;
    const auto applied = core_->apply(*record->key, record->value);
    if (!applied) skip_unreadable(record->offset, applied.error());
  }
}

// Somebody may have produced it: clients that call themselves __admin_client write to this topic. What the
// record before it of the same key said stands, as it has stood until now.
void GroupShell::skip_unreadable(Offset offset, const Error& why) {
  if (metrics_ != nullptr) metrics_->unreadable.add(shard_.index());
  const auto left_out = skipped_.admit(shard_.loop().mono());
  if (!left_out) return;
  events_.warn("a record of groups cannot be read, and is skipped",
               {{"partition", partition_->log().folder_name()},
                {"offset", offset},
                {"reason", why.message()},
                {"left_out", *left_out}});
}

// Topics that were deleted when nobody could tell this coordinator.
void GroupShell::forget_missing_topics() {
  std::set<std::pair<std::string, Uuid>> gone;
  const auto view = shard_.view();
  for (const auto& [id, group] : core_->image().groups()) {
    for (const auto& [name, partitions] : group.offsets) {
      const TopicView* topic = view->topic(name);
      if (topic == nullptr) {
        gone.emplace(name, Uuid{});
        continue;
      }
      for (const auto& [partition, committed] : partitions)
        if (!committed.topic_id.is_zero() && committed.topic_id != topic->image->id)
          gone.emplace(name, committed.topic_id);
    }
  }
  for (const auto& [topic, id] : gone) topic_deleted(topic, id);
}

}  // namespace tidemark::broker
