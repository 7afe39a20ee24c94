// Fetch (key 1), v4-18. Full and incremental sessions (KIP-227), topic ids from v13 (KIP-516), diverging
// epochs from v12 (KIP-595). A client over its quota gets an empty answer, and what it asked for when it asks
// again. A first batch larger than every limit is returned whole (KIP-74). The response
// names ranges of logs; their bytes are read while it is sent.
#include <algorithm>

#include "broker/api/ask_shards.h"
#include "broker/api/handlers.h"
#include "broker/api/partition_read.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"

namespace tidemark::broker {

using protocol::FetchRequest;
using protocol::FetchResponse;
using runtime::Task;

namespace {

constexpr int8_t kReadCommitted = 1;
constexpr int16_t kFirstVersionWithStorageError = 6;
constexpr int16_t kFirstVersionWithTopicIds = 13;
// What a partition takes while a fetch without a session waits.
constexpr uint64_t kWaitingBytes = 640;
// Where there is much to remember, or no memory for it.
constexpr runtime::Duration kPatience = std::chrono::seconds(1);

// Woken by any partition that the fetch reads, whatever shard it is on.
struct Parking {
  explicit Parking(runtime::Scheduler& loop) : signal(loop) {}
  runtime::Signal signal;
  bool woken = false;
  void wake() {
    woken = true;
    signal.notify_all();
  }
};

class Fetch {
 public:
  Fetch(ApiServices& services, RequestContext& request)
      : services_(services), context_(request), loop_(services.home.loop()), view_(services.home.view()) {}
  ~Fetch() {
    if (!session_) return;
    for (const Entry& e : entries_) e.wish->entry = FetchWish::kNoEntry;
    session_->in_use = false;
  }

  Task<Result<Response>> run() {
    uint64_t cost = 0;
    auto decoded = decode_unpaid<FetchRequest>(context_, cost);
    if (!decoded) co_return fail(decoded.error());
    if (cost > 0 && !pay(cost)) co_return answer_later();
    request_ = std::move(*decoded);
    if (const ErrorCode error = open_session(); error != ErrorCode::NONE) co_return refuse(error);
    most_bytes_ = bytes_allowed();
    find_partitions();
    runtime::MonoTime deadline =
        context_.arrived + std::chrono::milliseconds(std::clamp(request_.max_wait_ms, 0, 3'600'000));
    // Others want the room, too.
    if (cost > 0) deadline = std::min(deadline, loop_.mono() + kPatience);
    auto first = read({});
    co_await first;
    while (!satisfied() && loop_.mono() < deadline && !context_.hurried()) {
      // A session has paid for what it remembers.
      if (!session_ && !context_.paid && !pay(kWaitingBytes * entries_.size())) {
        context_.throttle.at_least(QuotaKind::request, kPatience);
        break;
      }
      context_.release_order();
      auto waiting = park(deadline);
      co_await waiting;
    }
    context_.on_hurry(nullptr);
    auto fitting = fit();
    co_await fitting;
    co_return answer();
  }

 private:
  struct Entry {
    FetchWish* wish = nullptr;
    Shard* shard = nullptr;
    PartitionReadResult result;
  };

  // Out of half of the memory for elements: requests that wait must not hold up those that do not.
  [[nodiscard]] bool pay(uint64_t bytes) {
    if (context_.memory == nullptr) return true;
    const auto& memory = *context_.memory;
    context_.paid = std::make_shared<PaidAnswer>(memory);
    if (memory->used() + bytes <= memory->limit() / 2 && context_.paid->pay(bytes)) return true;
    context_.paid.reset();
    return false;
  }

  // Nothing, and when to ask again: what a client over its quota hears.
  Result<Response> answer_later() {
    context_.throttle.at_least(QuotaKind::request, kPatience);
    return refuse(ErrorCode::NONE);
  }

  [[nodiscard]] int16_t version() const { return context_.header.request_api_version; }

  ErrorCode open_session() {
    const bool topic_ids = version() >= kFirstVersionWithTopicIds;
    const runtime::MonoTime now = loop_.mono();
    if (request_.session_epoch == kInitialFetchEpoch || request_.session_epoch == kFinalFetchEpoch) {
      if (request_.session_id != 0) services_.sessions.erase(request_.session_id);
      if (request_.session_epoch == kInitialFetchEpoch && !request_.topics.empty())
        session_ = services_.sessions.create(request_, topic_ids, now);
      if (session_) {
        session_->in_use = true;
        full_ = true;
      } else {
        own_wishes_ = wishes_of(request_);
      }
      return ErrorCode::NONE;
    }
    auto session = services_.sessions.find(request_.session_id, now);
    if (!session) return ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
    if (session->in_use || session->epoch() != request_.session_epoch)
      return ErrorCode::INVALID_FETCH_SESSION_EPOCH;
    if (session->uses_topic_ids() != topic_ids) return ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR;
    session->advance();
    if (!session->update(request_)) {
      services_.sessions.erase(session->id());
      return ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
    }
    session_ = std::move(session);
    session_->in_use = true;
    full_ = false;
    return ErrorCode::NONE;
  }

  Result<Response> refuse(ErrorCode error) {
    FetchResponse response;
    response.error_code = static_cast<int16_t>(error);
    return respond(context_, response);
  }

  // Finds each partition's shard; what cannot be found has its error already.
  void find_partitions() {
    if (!session_) {
      entries_.reserve(own_wishes_.size());
      for (FetchWish& wish : own_wishes_) entries_.push_back(find_partition(wish));
      return;
    }
    for (const uint64_t id : session_->take_unplaced()) {
      FetchWish& wish = session_->wish(id);
      Entry entry = find_partition(wish);
      if (entry.shard != nullptr) {
        session_->place(wish, entry.shard->index(), entry.result.id);
      } else {
        session_->unplace(wish);  // looked for again by the next fetch
        add(std::move(entry));
      }
    }
  }

  Entry find_partition(FetchWish& wish) const {
    Entry entry;
    entry.wish = &wish;
    const bool by_id = version() >= kFirstVersionWithTopicIds;
    const auto view = services_.home.view();
    const TopicView* topic = by_id ? view->topic(wish.topic_id) : view->topic(wish.topic);
    if (topic == nullptr) {
      entry.result.error = by_id ? ErrorCode::UNKNOWN_TOPIC_ID : ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    } else if (topic->image->partition(wish.partition) == nullptr) {
      entry.result.error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    } else {
      entry.result.id = TopicIdPartition{topic->image->id, wish.partition};
      entry.shard = services_.shard_of(*topic, wish.partition);
      if (entry.shard == nullptr) entry.result.error = ErrorCode::KAFKA_STORAGE_ERROR;
    }
    return entry;
  }

  // A session's wish has at most one entry, that of its newest look.
  void add(Entry entry) {
    FetchWish& wish = *entry.wish;
    if (wish.entry == FetchWish::kNoEntry) {
      wish.entry = entries_.size();
      entries_.push_back(std::move(entry));
    } else {
      entries_[wish.entry] = std::move(entry);
    }
  }

  // What wakes a parked fetch, by shard: each runs its own, on its loop. Empty: nothing does.
  using Wakes = std::vector<std::shared_ptr<runtime::Job>>;

  // Asks every shard concerned, all at once: of a session what has changed there, else for every partition.
  Task<void> read(Wakes wakes) {
    const auto asks =
        std::make_shared<std::vector<Ask>>(session_ ? ask_for_changes(wakes) : ask_for_all(wakes));
    const auto wanted = [asks](size_t shard) { return static_cast<bool>((*asks)[shard]); };
    const auto ask = [asks](Shard& shard) { return (*asks)[shard.index()](shard); };
    auto asking = ask_shards<std::vector<PartitionReadResult>>(services_, wanted, ask);
    auto answers = co_await asking;
    for (auto& results : answers) take(std::move(results));
  }

  static std::shared_ptr<runtime::Job> wake_of(const Wakes& wakes, size_t shard) {
    return wakes.empty() ? nullptr : wakes[shard];
  }

  using Ask = std::function<Task<std::vector<PartitionReadResult>>(Shard&)>;

  std::vector<Ask> ask_for_all(const Wakes& wakes) {
    std::vector<std::vector<PartitionRead>> by_shard(services_.shards.size());
    for (size_t i = 0; i < entries_.size(); ++i) {
      const Entry& e = entries_[i];
      if (e.shard == nullptr) continue;
      by_shard[e.shard->index()].push_back({i, e.result.id, e.wish->fetch_offset, most_of(e.wish->max_bytes),
                                            e.wish->current_leader_epoch, e.wish->last_fetched_epoch});
    }
    std::vector<Ask> asks(by_shard.size());
    for (size_t s = 0; s < asks.size(); ++s) {
      if (by_shard[s].empty()) continue;
      asks[s] = [reads = std::move(by_shard[s]), wake = wake_of(wakes, s)](Shard& shard) {
        return read_partitions(shard, reads, wake);
      };
    }
    return asks;
  }

  std::vector<Ask> ask_for_changes(const Wakes& wakes) {
    std::vector<Ask> asks(session_->parts().size());
    for (size_t s = 0; s < asks.size(); ++s) {
      FetchSession::Part& part = session_->parts()[s];
      if (!part.watched) continue;
      auto changes = session_->take_changes(part);
      for (WatchChange& change : changes) change.read.max_bytes = most_of(change.read.max_bytes);
      // A full response names every partition, so that all are read.
      const int64_t enough = full_ ? INT64_MAX : most_bytes();
      asks[s] = [watched = part.watched, changes = std::move(changes), enough, wake = wake_of(wakes, s)](
                    Shard& shard) { return WatchedPartitions::poll(watched, shard, changes, enough, wake); };
    }
    return asks;
  }

  // answer() divides what the request allows; no partition alone may have more.
  [[nodiscard]] int32_t most_of(int32_t partition_max_bytes) const {
    return std::min(partition_max_bytes, most_bytes());
  }

  void take(std::vector<PartitionReadResult> results) {
    for (auto& result : results) {
      if (!session_) {
        entries_[result.index].result = std::move(result);
        continue;
      }
      FetchWish& wish = session_->wish(result.index);
      Entry entry;
      entry.wish = &wish;
      entry.shard = services_.shards[wish.shard].get();
      // Gone from its shard: deleted, and perhaps made anew. What the view knows of it is the better answer.
      if (result.error == ErrorCode::NOT_LEADER_OR_FOLLOWER) {
        session_->unplace(wish);
        Entry again = find_partition(wish);
        if (again.shard == nullptr) entry = std::move(again);
      }
      if (entry.result.error == ErrorCode::NONE) entry.result = std::move(result);
      add(std::move(entry));
    }
  }

  // Long poll: until something changes that this fetch reads.
  Task<void> park(runtime::MonoTime deadline) {
    auto parking = std::make_shared<Parking>(loop_);
    Wakes wakes;
    for (size_t shard = 0; shard < services_.shards.size(); ++shard) {
      wakes.push_back(std::make_shared<runtime::Job>([loop = &loop_, weak = std::weak_ptr(parking)] {
        loop->post([weak] {
          if (auto parked = weak.lock()) parked->wake();
        });
      }));
    }
    context_.on_hurry([parking] { parking->wake(); });
    auto looking = read(wakes);
    co_await looking;
    if (!satisfied() && !parking->woken) {
      auto waiting = parking->signal.wait_until(deadline);
      const bool woken = co_await waiting;
      if (woken) {
        auto again = read({});
        co_await again;
      }
    }
    context_.on_hurry(nullptr);
  }

  [[nodiscard]] bool satisfied() const {
    if ((session_ ? session_->size() : entries_.size()) == 0 || request_.max_wait_ms <= 0) return true;
    int64_t bytes = 0;
    for (const Entry& e : entries_) {
      if (e.result.error != ErrorCode::NONE || e.result.diverging.epoch != kNoLeaderEpoch) return true;
      bytes += e.result.range.bytes;
    }
    return bytes >= std::min(request_.min_bytes, most_bytes());
  }

  [[nodiscard]] int32_t most_bytes() const { return most_bytes_; }

  // More than a quota allows at once would be throttled each time, and never be got.
  [[nodiscard]] int32_t bytes_allowed() {
    const int32_t most = std::min(request_.max_bytes, view_->broker.fetch_max_bytes);
    const auto quota = services_.quotas.most_at_once(context_, QuotaKind::fetch);
    return quota ? static_cast<int32_t>(std::min(static_cast<double>(most), *quota)) : most;
  }

  // max_bytes over all, in order; the first partition with data gets its first batch whatever it costs. What
  // is too much for the rest is looked up again: a client takes a piece that ends inside a batch, but not one
  // that ends inside its first (KIP-74).
  Task<void> fit() {
    int64_t left = most_bytes();
    bool first = true;
    order();
    for (Entry* const entry : in_order_) {
      Entry& e = *entry;
      storage::LogRange& range = e.result.range;
      if (!first && range.bytes > left) {
        range.bytes = 0;
        if (left > 0) {
          std::vector<PartitionRead> reads;
          reads.push_back({0, e.result.id, e.wish->fetch_offset, static_cast<int32_t>(left),
                           e.wish->current_leader_epoch, e.wish->last_fetched_epoch, false});
          auto make = [shard = e.shard, reads = std::move(reads)] {
            return read_partitions(*shard, reads, nullptr);
          };
          auto reading = e.shard->call(loop_, std::move(make));
          auto results = co_await reading;
          e.result = std::move(results.front());
        }
      }
      if (e.result.range.bytes > 0) first = false;
      left -= e.result.range.bytes;
    }
  }

  // As the request names them; in a session, those that had data last go behind the others.
  void order() {
    in_order_.reserve(entries_.size());
    for (Entry& e : entries_) in_order_.push_back(&e);
    if (!session_) return;
    std::sort(in_order_.begin(), in_order_.end(),
              [](const Entry* a, const Entry* b) { return a->wish->rank < b->wish->rank; });
  }

  Result<Response> answer() {
    FetchResponse response;
    response.session_id = session_ ? session_->id() : 0;
    std::vector<std::unique_ptr<ByteSource>> sources;
    std::vector<Entry*> told;
    for (Entry* const entry : in_order_) {
      Entry& e = *entry;
      const storage::LogRange& range = e.result.range;
      if (!must_tell(e)) continue;
      told.push_back(entry);
      auto& topics = response.responses;
      if (topics.empty() || topics.back().topic != e.wish->topic ||
          topics.back().topic_id != e.wish->topic_id) {
        auto& topic = topics.emplace_back();
        topic.topic = e.wish->topic;
        topic.topic_id = e.wish->topic_id;
      }
      topics.back().partitions.push_back(partition_data(e));
      if (range.bytes > 0) sources.push_back(partition_bytes(*e.shard, loop_, e.result.id, range));
    }
    if (is_withheld(response)) return answer_nothing(told);
    if (services_.metrics != nullptr) {
      for (const Entry* const entry : in_order_) count(*services_.metrics, *entry);
    }
    for (const Entry* const entry : told) {
      entry->wish->told_high_watermark = entry->result.high_watermark;
      entry->wish->told_log_start = entry->result.log_start;
    }
    auto made = respond(context_, response, std::move(sources));
    if (session_) {
      for (const Entry* const entry : in_order_) {
        if (entry->result.range.bytes > 0 && entry->wish->shard != kNoShard)
          session_->move_to_end(*entry->wish);
      }
    }
    return made;
  }

  // Whether this answer would be over its client's quota of bytes: then it costs nothing, and is not given.
  // Except to a client that has had nothing: a single batch may be more than its windows allow, and here it
  // gets it, while with Kafka it waits for ever.
  bool is_withheld(const FetchResponse& response) {
    if (!view_->quotas->any(QuotaKind::fetch)) return false;
    const auto bytes = static_cast<double>(response.measure(version()).wire_bytes());
    const auto charged = services_.quotas.charge(context_, QuotaKind::fetch, bytes);
    if (!charged.exceeded || charged.first) return false;
    services_.quotas.refund(context_, QuotaKind::fetch, bytes);
    return true;
  }

  // As Kafka does; the next fetch reads again what this one would have told. A session that begins with this
  // one does not begin: its client would take the partitions for told.
  Result<Response> answer_nothing(const std::vector<Entry*>& untold) {
    FetchResponse response;
    if (session_ && full_) services_.sessions.erase(session_->id());
    if (session_ && !full_) {
      response.session_id = session_->id();
      for (const Entry* const entry : untold) {
        if (entry->wish->shard != kNoShard) session_->touch(*entry->wish);
      }
    }
    return respond(context_, response);
  }

  void count(NodeMetrics& metrics, const Entry& e) const {
    const auto bytes = static_cast<uint64_t>(e.result.range.bytes);
    const size_t shard = services_.home.index();
    metrics.fetch_bytes.add(shard, bytes);
    const Uuid& topic = e.result.id.topic_id;
    if (!topic.is_zero()) metrics.traffic(shard, topic).count_fetch(e.result.error, bytes);
  }

  // An incremental response says only what is new.
  [[nodiscard]] bool must_tell(const Entry& e) const {
    if (!session_ || full_) return true;
    return e.result.range.bytes > 0 || e.result.error != ErrorCode::NONE ||
           e.result.diverging.epoch != kNoLeaderEpoch ||
           e.result.high_watermark != e.wish->told_high_watermark ||
           e.result.log_start != e.wish->told_log_start;
  }

  FetchResponse::PartitionData partition_data(const Entry& e) const {
    FetchResponse::PartitionData data;
    data.partition_index = e.wish->partition.value;
    // KIP-112: older clients take an error that they do not know for one that does not pass.
    const bool is_known =
        e.result.error != ErrorCode::KAFKA_STORAGE_ERROR || version() >= kFirstVersionWithStorageError;
    data.error_code = static_cast<int16_t>(is_known ? e.result.error : ErrorCode::NOT_LEADER_OR_FOLLOWER);
    data.high_watermark = e.result.high_watermark.value;
    data.last_stable_offset = e.result.last_stable_offset.value;
    data.log_start_offset = e.result.log_start.value;
    if (e.result.diverging.epoch != kNoLeaderEpoch) {
      data.diverging_epoch.epoch = e.result.diverging.epoch.value;
      data.diverging_epoch.end_offset = e.result.diverging.end_offset.value;
    }
    // Null where nobody looked for any, as in Kafka.
    if (request_.isolation_level != kReadCommitted) data.aborted_transactions.reset();
    data.records = e.result.range.bytes > 0 ? protocol::Records::deferred(e.result.range.bytes)
                                            : protocol::Records::empty();
    return data;
  }

  ApiServices& services_;
  RequestContext& context_;
  runtime::Scheduler& loop_;
  const std::shared_ptr<const ClusterView> view_;
  FetchRequest request_;
  std::shared_ptr<FetchSession> session_;
  bool full_ = true;
  int32_t most_bytes_ = 0;
  std::vector<FetchWish> own_wishes_;
  std::vector<Entry> entries_;
  std::vector<Entry*> in_order_;  // of the answer
};

Task<Result<Response>> run_fetch(ApiServices& services, RequestContext& request) {
  auto fetch = std::make_unique<Fetch>(services, request);
  auto running = fetch->run();
  auto response = co_await running;
  co_return response;
}

}  // namespace

Task<Result<Response>> handle_fetch(ApiServices& services, RequestContext& request) {
  return run_fetch(services, request);
}

}  // namespace tidemark::broker
