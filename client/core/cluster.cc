#include "client/core/cluster.h"

#include "client/core/co_try.h"
#include "protocol/messages/metadata_request.h"

namespace tidemark::client {

using runtime::Task;

namespace {

// Something that a coroutine does at its end, and when it is destroyed before.
template <class Job>
class Ending {
 public:
  explicit Ending(Job job) : job_(std::move(job)) {}
  ~Ending() { job_(); }
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

 private:
  Job job_;
};

}  // namespace

Cluster::Cluster(runtime::Scheduler& scheduler, runtime::Connector& connector, runtime::Random& random,
                 ClusterOptions options)
    : scheduler_(scheduler),
      connector_(connector),
      random_(random),
      options_(std::move(options)),
      refreshed_(scheduler) {
  REQUIRES(!options_.bootstrap.empty());
}

runtime::MonoTime Cluster::api_deadline() const {
  return scheduler_.mono() + std::chrono::milliseconds(options_.api_timeout_ms);
}

runtime::Duration Cluster::back_off_time(int attempt) {
  const int64_t base = int64_t{options_.retry_backoff_ms} << std::min(attempt, 10);
  const int64_t capped = std::min<int64_t>(base, options_.retry_backoff_max_ms);
  return std::chrono::milliseconds(random_.between(capped * 4 / 5, capped));
}

Task<void> Cluster::back_off(int attempt) { return runtime::sleep_for(scheduler_, back_off_time(attempt)); }

Cluster::Slot& Cluster::slot(SlotKey key) {
  auto& found = slots_[std::move(key)];
  if (!found) found = std::make_unique<Slot>(scheduler_);
  return *found;
}

void Cluster::end_lane(Lane lane) {
  REQUIRES(lane != Lane::requests);
  std::erase_if(slots_, [lane](const auto& entry) { return entry.first.first == lane; });
}

Task<Result<Cluster::Link>> Cluster::open(runtime::Endpoint to, Lane lane) {
  Slot& place = slot({lane, to});
  if (place.link && !place.link->failed()) co_return place.link;
  const Error gone = Error::closed(fmt::format("{}:{} is gone", to.host, to.port));
  if (place.opening) {
    auto waiting = place.opened.wait();
    co_await waiting;
    if (place.link && !place.link->failed()) co_return place.link;
    co_return fail(place.error.value_or(gone));
  }
  place.opening = true;
  place.error = gone;
  // Also where whoever opens it is destroyed meanwhile.
  const Ending ending([&place] {
    place.opening = false;
    place.opened.notify_all();
  });
  Task<Result<Link>> opening = Connection::open(scheduler_, connector_, to, options_.connection);
  Result<Link> opened = co_await opening;
  place.error.reset();
  if (opened) {
    place.link = *opened;
  } else {
    place.error = opened.error();
  }
  co_return opened;
}

Cluster::Link Cluster::open_link() const {
  for (const auto& [key, place] : slots_) {
    if (key.first == Lane::requests && place->link && !place->link->failed()) return place->link;
  }
  return nullptr;
}

Task<Result<Cluster::Link>> Cluster::any() {
  Link open_one = open_link();
  if (open_one) co_return open_one;
  std::vector<runtime::Endpoint> candidates;
  for (const auto& [id, node] : metadata_.brokers()) candidates.push_back(node.endpoint);
  for (const runtime::Endpoint& endpoint : options_.bootstrap) candidates.push_back(endpoint);
  std::string reasons;
  for (const runtime::Endpoint& candidate : candidates) {
    Task<Result<Link>> opening = open(candidate);
    Result<Link> opened = co_await opening;
    if (opened) co_return opened;
    // What a broker itself says is the answer; only unreachable ones are passed over.
    if (opened.error().kind() == ErrorKind::protocol) co_return opened;
    if (reasons.find(opened.error().message()) != std::string::npos) continue;
    reasons += (reasons.empty() ? "" : "; ") + opened.error().message();
  }
  co_return fail(ErrorCode::NETWORK_EXCEPTION, reasons);
}

Task<Result<Cluster::Link>> Cluster::broker(BrokerId id, Lane lane) {
  const BrokerNode* node = metadata_.find_broker(id);
  if (node == nullptr)
    co_return fail(ErrorCode::BROKER_NOT_AVAILABLE, fmt::format("no broker {} is known", id.value));
  Task<Result<Link>> opening = open(node->endpoint, lane);
  Result<Link> opened = co_await opening;
  co_return opened;
}

Cluster::Link Cluster::open_link(BrokerId id) const {
  const BrokerNode* node = metadata_.find_broker(id);
  if (node == nullptr) return nullptr;
  const auto found = slots_.find({Lane::requests, node->endpoint});
  if (found == slots_.end() || !found->second->link || found->second->link->failed()) return nullptr;
  return found->second->link;
}

Task<Result<Cluster::Link>> Cluster::controller() {
  if (metadata_.find_broker(metadata_.controller()) != nullptr) {
    Task<Result<Link>> opening = broker(metadata_.controller());
    Result<Link> opened = co_await opening;
    if (opened) co_return opened;
  }
  Task<Result<Link>> opening = any();
  Result<Link> opened = co_await opening;
  co_return opened;
}

Task<Result<void>> Cluster::ask_metadata(Interest interest) {
  Task<Result<Link>> opening = any();
  const Result<Link> link = co_await opening;
  if (!link) co_return fail(Error(link.error()));
  CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<protocol::MetadataRequest>());
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = interest.create || version < 4;  // older ones always create
  if (interest.all) {
    request.topics.reset();
    if (version == 0) request.topics.emplace();  // there, empty means all
  } else {
    for (const std::string& name : interest.topics) request.topics->emplace_back().name = name;
  }
  Task<Result<Reply<protocol::MetadataResponse>>> asking =
      (*link)->call<protocol::MetadataRequest, protocol::MetadataResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  if (reply->body.error_code != 0)
    co_return fail(ErrorCode(reply->body.error_code), "the broker does not tell its metadata");
  metadata_.apply(reply->body, interest.all, version);
  co_return Result<void>();
}

Task<Result<void>> Cluster::refresh(Interest interest) {
  Result<void> last;
  const runtime::MonoTime give_up = api_deadline();
  for (int attempt = 0;; ++attempt) {
    Task<Result<void>> asking = ask_metadata(interest);
    last = co_await asking;
    if (last || !is_retriable(last.error().code()) || attempt >= 2 || scheduler_.mono() >= give_up) break;
    Task<void> pause = back_off(attempt);
    co_await pause;
  }
  co_return last;
}

void Cluster::remember(const std::string& name, bool create) {
  remembered_.topics.insert(name);
  remembered_.create |= create;
  if (scope_.size() > 0) return;
  stale_at_ = next_stale();
  scope_.spawn(keep_fresh());
}

Task<Result<void>> Cluster::refresh_remembered(uint64_t seen) {
  if (metadata_.version() != seen) co_return Result<void>();
  Task<Result<void>> asking = ask_remembered(remembered_.create);
  const Result<void> asked = co_await asking;
  co_return asked;
}

Task<Result<void>> Cluster::ask_remembered(bool create) {
  if (refreshing_) {
    auto waiting = refreshed_.wait();
    co_await waiting;
    if (refresh_error_) co_return fail(Error(*refresh_error_));
    co_return Result<void>();
  }
  refreshing_ = true;
  refresh_error_ = Error::closed("whoever asked is gone");
  const Ending ending([this] {
    refreshing_ = false;
    refreshed_.notify_all();
  });
  Interest interest = remembered_;
  interest.create = create;
  Task<Result<void>> asking = ask_metadata(std::move(interest));
  Result<void> answer = co_await asking;
  refresh_error_.reset();
  if (answer) {
    stale_at_ = next_stale();
  } else {
    refresh_error_ = answer.error();
  }
  co_return answer;
}

runtime::MonoTime Cluster::next_stale() const {
  // An age of 0 asks all the time: no faster than one asks again after an error.
  const int32_t age = std::max(options_.metadata_max_age_ms, options_.retry_backoff_ms);
  return scheduler_.mono() + std::chrono::milliseconds(age);
}

Task<void> Cluster::keep_fresh() {
  for (int failures = 0;;) {
    if (scheduler_.mono() < stale_at_) {
      Task<void> pause = runtime::sleep_until(scheduler_, stale_at_);
      co_await pause;
      continue;
    }
    // Nobody writes now: a topic that was deleted since must not come back by itself.
    Task<Result<void>> asking = ask_remembered(false);
    const Result<void> asked = co_await asking;
    failures = asked ? 0 : failures + 1;
    if (asked) continue;
    Task<void> pause = back_off(failures);
    co_await pause;
  }
}

Task<Result<const TopicMetadata*>> Cluster::topic(std::string name, bool create, runtime::MonoTime give_up) {
  remember(name, create);
  for (int attempt = 0;; ++attempt) {
    const uint64_t seen = metadata_.version();
    const TopicMetadata* found = metadata_.find_topic(name);
    if (found != nullptr && found->error == ErrorCode::NONE && !found->partitions.empty()) co_return found;
    Task<Result<void>> asking = refresh_remembered(seen);
    const Result<void> asked = co_await asking;
    Error error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, name);
    if (!asked) {
      error = asked.error();
    } else if ((found = metadata_.find_topic(name)) != nullptr) {
      if (found->error == ErrorCode::NONE && !found->partitions.empty()) co_return found;
      error = Error(found->error == ErrorCode::NONE ? ErrorCode::LEADER_NOT_AVAILABLE : found->error, name);
    }
    if (!is_retriable(error.code()) || scheduler_.mono() >= give_up) co_return fail(error);
    Task<void> pause = back_off(attempt);
    co_await pause;
  }
}

}  // namespace tidemark::client
