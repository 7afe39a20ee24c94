#include "tests/simulation/node_consumer.h"

#include <algorithm>

namespace tidemark::simulation {

using protocol::FetchRequest;
using protocol::FetchResponse;
using runtime::Task;

namespace {

constexpr int16_t kLeastOfSessions = 13;  // the version of their fetches

}  // namespace

Task<void> NodeConsumer::operate() {
  const uint64_t draw = run_.random.below(100);
  if (run_.workload.sessions && draw < 40) {
    auto fetching = fetch_in_session();
    co_await fetching;
  } else if (draw < 80) {
    auto reading = read_on();
    co_await reading;
  } else {
    auto seeking = seek_by_time();
    co_await seeking;
  }
}

Offset NodeConsumer::some_offset(const PartitionModel& model) {
  const int64_t span = model.promised_end() - model.start();
  return model.start() +
         (span > 0 ? static_cast<int64_t>(run_.random.below(static_cast<uint64_t>(span))) : 0);
}

Task<void> NodeConsumer::read_on() {
  const TopicPtr topic = some_topic(true);
  if (!topic || topic->partitions.empty()) co_return;
  if (topic->gone) run_.counters.count("node: fetch from a deleted topic");
  const PartitionId partition(static_cast<int32_t>(run_.random.below(topic->partitions.size())));
  Offset& position = positions_[{topic->id, partition}];
  const PartitionModel& model = topic->partition(partition);
  if (run_.random.chance(0.15)) position = some_offset(model);
  if (run_.random.chance(0.02)) position = model.promised_end() + run_.random.between(1, 50);
  const int32_t max_bytes = one_of({1, 500, 8'000, 1'000'000});
  const auto version =
      static_cast<int16_t>(topic->gone ? run_.random.between(13, 17) : run_.random.between(4, 17));
  auto fetching = fetch_one(topic, partition, position, max_bytes, version);
  const auto next = co_await fetching;
  if (next) positions_[{topic->id, partition}] = *next;
}

Task<void> NodeConsumer::seek_by_time() {
  const TopicPtr topic = some_topic();
  if (!topic || topic->partitions.empty()) co_return;
  const PartitionId partition(static_cast<int32_t>(run_.random.below(topic->partitions.size())));
  const int64_t time =
      run_.random.chance(0.2) ? one_of<int64_t>({-1, -2}) : now_ms() - run_.random.between(0, 30'000);
  auto listing = list_offset(topic, partition, time);
  const auto found = co_await listing;
  if (!found || *found < Offset(0)) co_return;
  auto fetching = fetch_one(topic, partition, *found, 4'000, 17);
  const auto next = co_await fetching;
  if (next) positions_[{topic->id, partition}] = *next;
}

// --- sessions

void NodeConsumer::change_session(Session& session) {
  for (auto& [place, w] : session.wishes) {
    if (!w.topic->gone && !run_.random.chance(0.05)) continue;
    session.forgotten.push_back(place);
  }
  for (const Place& place : session.forgotten) {
    session.wishes.erase(place);
    std::erase(session.changed, place);
  }
  for (int i = 0; i < 3; ++i) {
    const TopicPtr topic = some_topic();
    if (!topic || topic->partitions.empty() || run_.random.chance(0.5)) continue;
    const PartitionId partition(static_cast<int32_t>(run_.random.below(topic->partitions.size())));
    const Place place{topic->id, partition};
    if (session.wishes.contains(place)) continue;
    // Forgetting and wishing in one request: the wish would be forgotten again.
    if (std::find(session.forgotten.begin(), session.forgotten.end(), place) != session.forgotten.end())
      continue;
    session.wishes.emplace(place, wish(topic, partition, some_offset(topic->partition(partition))));
    session.changed.push_back(place);
  }
}

Task<void> NodeConsumer::fetch_in_session() {
  if (!session_) session_.emplace();
  Session& session = *session_;
  change_session(session);
  if (session.wishes.empty()) {
    session_.reset();
    co_return;
  }
  FetchRequest request;
  request.max_wait_ms = static_cast<int32_t>(run_.random.below(300));
  request.min_bytes = 1;
  request.max_bytes = one_of({2'000, 1'000'000});
  request.session_id = session.id;
  request.session_epoch = session.epoch;
  const bool everything = session.epoch == 0;
  std::vector<Place> told = session.changed;
  if (everything) {
    told.clear();
    for (const auto& [place, w] : session.wishes) told.push_back(place);
  }
  for (const Place& place : told) {
    auto& topic = request.topics.emplace_back();
    topic.topic_id = place.first;
    auto& p = topic.partitions.emplace_back();
    p.partition = place.second.value;
    p.fetch_offset = session.wishes.at(place).from.value;
    p.partition_max_bytes = 1'000'000;
  }
  if (!everything) {
    for (const Place& place : session.forgotten) {
      auto& topic = request.forgotten_topics_data.emplace_back();
      topic.topic_id = place.first;
      topic.partitions.push_back(place.second.value);
    }
  }
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) {
    session_.reset();
    co_return;
  }
  for (auto& [place, w] : session.wishes) w = wish(w.topic, w.partition, w.from);
  const auto version = static_cast<int16_t>(run_.random.between(kLeastOfSessions, 17));
  auto asking = ask<FetchResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) {
    // Whether the broker has moved on is not known: sometimes the client goes on all the same, and is told.
    if (run_.random.chance(0.5)) session_.reset();
    co_return;
  }
  session.changed.clear();
  session.forgotten.clear();
  take_session_answer(session, reply->body, request.max_bytes);
}

void NodeConsumer::take_session_answer(Session& session, const FetchResponse& body, int32_t max_bytes) {
  const auto code = static_cast<ErrorCode>(body.error_code);
  if (code != ErrorCode::NONE) {
    const bool allowed = session.id != 0 && (code == ErrorCode::FETCH_SESSION_ID_NOT_FOUND ||
                                             code == ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    if (!allowed) run_.violate(fmt::format("a fetch session is answered with {}", error_name(code)));
    run_.counters.count("node: fetch session lost");
    session_.reset();
    return;
  }
  if (session.epoch > 0 && body.session_id != session.id)
    run_.violate(fmt::format("fetch session {} is answered as {}", session.id, body.session_id));
  session.id = body.session_id;
  session.epoch = session.id == 0 ? 0 : session.epoch + 1;
  size_t bytes = 0;
  std::vector<Place> answered;
  for (const auto& topic : body.responses) {
    for (const auto& data : topic.partitions) {
      const Place place{topic.topic_id, PartitionId(data.partition_index)};
      const auto it = session.wishes.find(place);
      if (it == session.wishes.end()) {
        run_.violate(fmt::format("a fetch session answers with {}-{}, which is not in it", topic.topic_id,
                                 data.partition_index));
        return;
      }
      bytes += data.records.size();
      answered.push_back(place);
      const Offset next = judge_fetched(it->second, data, kLeastOfSessions, false);
      if (next != it->second.from) session.changed.push_back(place);
      it->second.from = next;
    }
  }
  // What had something to tell, and was left out though there was room.
  for (const auto& [place, w] : session.wishes) {
    if (std::find(answered.begin(), answered.end(), place) != answered.end()) continue;
    if (bytes * 2 < static_cast<size_t>(max_bytes) && w.from < w.view.certain_end &&
        w.from >= w.model().start_limit() && bytes == 0)
      run_.violate(fmt::format("{}: a fetch session leaves it out at {}, with {} certain", w.model().name(),
                               w.from, w.view.certain_end));
  }
  run_.count(session.epoch > 1 ? "node: fetched incrementally" : "node: fetch session begun");
}

}  // namespace tidemark::simulation
