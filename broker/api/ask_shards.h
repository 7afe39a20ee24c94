// Requests that name many partitions ask each shard once, all shards at the same time, and put the answers
// where they belong.
#pragma once

#include <algorithm>
#include <concepts>
#include <utility>
#include <vector>

#include "broker/api/services.h"

namespace tidemark::broker {

namespace ask_shards_detail {

template <class Value, class Ask>
runtime::Task<void> ask_one(Shard& shard, runtime::Scheduler& home, Ask ask, Value& answer, size_t& missing,
                            runtime::Signal& answered) {
  auto make = [target = &shard, ask = std::move(ask)] { return ask(*target); };
  auto calling = shard.call(home, std::move(make));
  answer = co_await calling;
  --missing;
  answered.notify_all();
}

}  // namespace ask_shards_detail

// Runs `ask(shard)`, a Task<Value>, on every shard that is `wanted(index)`; the values by shard. `ask` is
// copied to the shards and must own what it needs.
template <class Value, class Wanted, class Ask>
runtime::Task<std::vector<Value>> ask_shards(ApiServices& services, Wanted wanted, Ask ask) {
  std::vector<Value> answers(services.shards.size());
  runtime::Signal answered(services.home.loop());
  size_t missing = 0;
  runtime::TaskScope others;
  for (auto& shard : services.shards) {
    if (shard.get() == &services.home || !wanted(shard->index())) continue;
    ++missing;
    others.spawn(ask_shards_detail::ask_one<Value>(*shard, services.home.loop(), ask, answers[shard->index()],
                                                   missing, answered));
  }
  // The home shard's part runs last: the others work meanwhile.
  if (wanted(services.home.index())) {
    auto make = [home = &services.home, ask] { return ask(*home); };
    auto asking = services.home.call(services.home.loop(), std::move(make));
    answers[services.home.index()] = co_await asking;
  }
  while (missing > 0) {
    auto waiting = answered.wait();
    co_await waiting;
  }
  INVARIANT(others.size() == 0, "{} shards are still asked", others.size());
  co_return answers;
}

// One partition of a request of the form {topics: [{partitions: [...]}]}: what it asks its shard, and the
// answer, which may be there already (an error that needs no shard).
template <class Question, class Answer>
struct PartitionAsk {
  TopicIdPartition id;
  Shard* shard = nullptr;  // nullptr: answered
  Question question;
  Answer answer;  // has a member `error`
};

// Finds a named partition: its shard, or the error of its absence.
template <class Question, class Answer>
void find_partition(const ApiServices& services, const TopicView* topic, PartitionId partition,
                    PartitionAsk<Question, Answer>& ask) {
  if (topic == nullptr || topic->image->partition(partition) == nullptr) {
    ask.answer.error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    return;
  }
  ask.id = TopicIdPartition{topic->image->id, partition};
  ask.shard = services.shard_of(*topic, partition);
  if (ask.shard == nullptr) ask.answer.error = ErrorCode::KAFKA_STORAGE_ERROR;
}

// `look(partition, question)`, a Task<Answer>, for every one that has a shard; NOT_LEADER_OR_FOLLOWER where
// the partition has gone meanwhile.
template <class Question, class Answer>
using Look = runtime::Task<Answer> (*)(replication::Partition& partition, Question question);

namespace ask_shards_detail {

template <class Question, class Answer>
struct Item {
  size_t index;
  TopicIdPartition id;
  Question question;
};

template <class Question, class Answer>
runtime::Task<std::vector<std::pair<size_t, Answer>>> look_at_all(Shard& shard,
                                                                  std::vector<Item<Question, Answer>> items,
                                                                  Look<Question, Answer> look) {
  std::vector<std::pair<size_t, Answer>> answers;
  answers.reserve(items.size());
  for (Item<Question, Answer>& item : items) {
    Answer answer{};
    const auto partition = shard.partition(item.id);
    if (partition) {
      auto looking = look(*partition, std::move(item.question));
      answer = co_await looking;
    } else {
      answer.error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    }
    answers.emplace_back(item.index, std::move(answer));
  }
  co_return answers;
}

}  // namespace ask_shards_detail

template <class Question, class Answer>
runtime::Task<void> ask_partitions(ApiServices& services, std::vector<PartitionAsk<Question, Answer>>& asks,
                                   Look<Question, Answer> look) {
  using Items = std::vector<ask_shards_detail::Item<Question, Answer>>;
  const auto by_shard = std::make_shared<std::vector<Items>>(services.shards.size());
  for (size_t i = 0; i < asks.size(); ++i) {
    if (asks[i].shard != nullptr)
      (*by_shard)[asks[i].shard->index()].push_back({i, asks[i].id, std::move(asks[i].question)});
  }
  const auto wanted = [by_shard](size_t shard) { return !(*by_shard)[shard].empty(); };
  const auto ask = [by_shard, look](Shard& shard) {
    return ask_shards_detail::look_at_all(shard, std::move((*by_shard)[shard.index()]), look);
  };
  using Answers = std::vector<std::pair<size_t, Answer>>;
  auto asking = ask_shards<Answers>(services, wanted, ask);
  auto answers = co_await asking;
  for (Answers& of_shard : answers) {
    for (auto& [index, answer] : of_shard) asks[index].answer = std::move(answer);
  }
}

}  // namespace tidemark::broker
