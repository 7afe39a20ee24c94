#include "broker/api/ask_coordinator.h"

#include "broker/coordinator/placement.h"
#include "broker/group_coordinators.h"

namespace tidemark::broker {

using coordinator::ReplyBody;
using coordinator::Request;
using runtime::Task;

namespace {

// Shared with the tasks that wait for the coordinators: they may outlive the request.
struct Answers {
  Answers(runtime::Scheduler& loop, size_t count) : changed(loop), replies(count) {}
  runtime::Signal changed;
  std::vector<std::optional<ReplyBody>> replies;
  size_t missing = 0;
};

Task<ReplyBody> ask_here(GroupCoordinators& groups, PartitionId partition,
                         std::shared_ptr<Request> question) {
  const auto shell = groups.find(partition);
  if (!shell) co_return coordinator::refusal(*question, ErrorCode::NOT_COORDINATOR);
  auto asking = shell->ask(std::move(*question));
  co_return co_await asking;
}

Task<void> ask_into(Shard& shard, GroupCoordinators& groups, runtime::Scheduler& home, PartitionId partition,
                    Request question, std::shared_ptr<Answers> answers, size_t index) {
  auto held = std::make_shared<Request>(std::move(question));
  auto make = [target = &groups, partition, held] { return ask_here(*target, partition, held); };
  auto calling = shard.call(home, std::move(make));
  answers->replies[index] = co_await calling;
  --answers->missing;
  answers->changed.notify_all();
}

bool is_parked(const Request& question) {
  return std::holds_alternative<coordinator::JoinRequest>(question) ||
         std::holds_alternative<coordinator::SyncRequest>(question);
}

void ask(ApiServices& services, const TopicView& topic, PartitionId partition, Request question,
         const std::shared_ptr<Answers>& answers, size_t index) {
  Shard* shard = services.shard_of(topic, partition);
  if (shard == nullptr) return;
  ++answers->missing;
  services.home.tasks().spawn(ask_into(*shard, *services.groups[shard->index()], services.home.loop(),
                                       partition, std::move(question), answers, index));
}

}  // namespace

Task<void> ask_coordinators(ApiServices& services, RequestContext& request, std::vector<GroupAsk>& asks) {
  const auto view = services.home.view();
  const TopicView* topic = view->topic(coordinator::kOffsetsTopic);
  auto answers = std::make_shared<Answers>(services.home.loop(), asks.size());
  bool parked = false;
  for (size_t i = 0; i < asks.size() && topic != nullptr; ++i) {
    parked |= is_parked(asks[i].question);
    ask(services, *topic,
        coordinator::partition_of_group(asks[i].group, static_cast<int32_t>(topic->shards.size())),
        asks[i].question, answers, i);
  }
  request.waits();
  if (parked) request.park();
  if (parked) request.on_hurry([answers] { answers->changed.notify_all(); });
  while (answers->missing > 0 && !(parked && request.hurried())) {
    auto waiting = answers->changed.wait();
    co_await waiting;
  }
  if (parked) request.on_hurry(nullptr);
  for (size_t i = 0; i < asks.size(); ++i) {
    auto& reply = answers->replies[i];
    asks[i].answer =
        reply ? std::move(*reply) : coordinator::refusal(asks[i].question, ErrorCode::NOT_COORDINATOR);
  }
}

Task<ReplyBody> ask_coordinator(ApiServices& services, RequestContext& request, std::string group,
                                Request question) {
  std::vector<GroupAsk> one;
  one.push_back({std::move(group), std::move(question), {}});
  auto asking = ask_coordinators(services, request, one);
  co_await asking;
  co_return std::move(one.front().answer);
}

Task<ReplyBody> ask_coordinator(ApiServices& services, PartitionId partition, Request question) {
  const auto view = services.home.view();
  const TopicView* topic = view->topic(coordinator::kOffsetsTopic);
  auto answers = std::make_shared<Answers>(services.home.loop(), 1);
  if (topic != nullptr) ask(services, *topic, partition, question, answers, 0);
  while (answers->missing > 0) {
    auto waiting = answers->changed.wait();
    co_await waiting;
  }
  auto& reply = answers->replies.front();
  co_return reply ? std::move(*reply) : coordinator::refusal(question, ErrorCode::NOT_COORDINATOR);
}

}  // namespace tidemark::broker
