// OffsetFetch (key 9), v1-10: how far groups have read. Up to v7 one group; from v8 on any number, each asked
// by itself and answered as often as it is named (as in Kafka). v1 has a group's error only on its
// partitions; v2 can ask for everything (no topics), v5 has leader epochs (KIP-320), v7 asks for stable
// offsets only (KIP-447), v10 has topic ids in place of names. What v9 says of a member belongs to the newer
// group protocol; for a classic group Kafka does not look at it either. Four bytes name a partition whose
// metadata may be kilobytes: a group is asked piece by piece, and every piece is charged to memory for
// answers.
#include <algorithm>
#include <iterator>

#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr int16_t kFirstVersionWithErrors = 2;
constexpr int16_t kFirstVersionWithGroups = 8;
constexpr int16_t kFirstVersionWithTopicIds = 10;

using Question = coordinator::OffsetFetchRequest;
using Reply = coordinator::OffsetFetchReply;

// The largest of the rows of both forms.
constexpr uint64_t kRowBytes = sizeof(protocol::offset_fetch_response_types::OffsetFetchResponsePartitions);
constexpr uint64_t kTopicRowBytes = sizeof(protocol::offset_fetch_response_types::OffsetFetchResponseTopics);

template <class Topics>
void want_by_name(const std::optional<Topics>& topics, const ClusterView& view, WantedOffsets& out) {
  out.all = !topics.has_value();
  if (out.all) return;
  out.topics.reserve(topics->size());
  for (const auto& topic : *topics) {
    const TopicView* known = view.topic(topic.name);
    out.topics.push_back({topic.name, known != nullptr ? known->image->id : Uuid(), topic.partition_indexes});
  }
}

template <class Topics>
void want_by_id(const std::optional<Topics>& topics, const ClusterView& view, WantedOffsets& out) {
  out.all = !topics.has_value();
  if (out.all) return;
  out.topics.reserve(topics->size());
  for (const auto& topic : *topics) {
    const TopicView* known = view.topic(topic.topic_id);
    out.topics.push_back({known != nullptr ? std::string_view(known->image->name) : "", topic.topic_id,
                          topic.partition_indexes});
  }
}

void write(const Reply::Partition& partition, auto& row) {
  row.partition_index = partition.partition.value;
  row.committed_offset = partition.offset.value;
  row.committed_leader_epoch = partition.leader_epoch.value;
  row.metadata = partition.metadata;
  row.error_code = static_cast<int16_t>(partition.error);
}

void write(const Reply::Topic& topic, auto& row) {
  row.partitions.reserve(topic.partitions.size());
  for (const auto& partition : topic.partitions) write(partition, row.partitions.emplace_back());
}

// One group's offsets, as far as there is memory for them.
class GroupFetch {
 public:
  GroupFetch(ApiServices& services, RequestContext& request, const ClusterView& view, PaidAnswer& paid)
      : services_(services), request_(request), view_(view), paid_(paid) {}

  // false: there was no room; the group has an error in place of its offsets.
  Task<bool> run(const WantedOffsets& wanted, bool require_stable, Reply::Group& group) {
    auto asking = ask(wanted, require_stable, group);
    bool has_room = co_await asking;
    const bool by_id = request_.header.request_api_version >= kFirstVersionWithTopicIds;
    if (has_room && group.error == ErrorCode::NONE && by_id) {
      fill_topic_ids(group, view_);
      has_room = add_all_unknown(wanted, group);
    }
    if (!has_room) refuse(group);
    co_return has_room;
  }

  // Others' answers are in the way, and will have been sent: a consumer comes again.
  static void refuse(Reply::Group& group) {
    group.topics.clear();
    group.error = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
  }

 private:
  Task<bool> ask(const WantedOffsets& wanted, bool require_stable, Reply::Group& group) {
    OffsetQuestions questions(wanted, require_stable);
    while (!questions.done()) {
      auto asking = ask_coordinator(services_, request_, std::string(wanted.group), questions.next());
      coordinator::ReplyBody body = co_await asking;
      Reply::Group& piece = std::get<Reply>(body).groups.at(0);
      if (piece.error != ErrorCode::NONE) {
        group.error = piece.error;
        group.topics.clear();
        co_return true;
      }
      if (!paid_.pay(bytes_of(piece))) co_return false;
      questions.add(std::move(piece), group);
      auto breathing = runtime::let_others_run(services_.home.loop());
      co_await breathing;
    }
    co_return true;
  }

  bool add_all_unknown(const WantedOffsets& wanted, Reply::Group& group) {
    return std::ranges::all_of(wanted.topics, [&](const WantedOffsets::Topic& topic) {
      if (!topic.name.empty()) return true;
      if (!paid_.pay(bytes_of_unknown(topic))) return false;
      add_unknown(topic, group);
      return true;
    });
  }

  ApiServices& services_;
  RequestContext& request_;
  const ClusterView& view_;
  PaidAnswer& paid_;
};

uint64_t bytes_of_partitions(const WantedOffsets& wanted) {
  uint64_t bytes = 0;
  for (const auto& topic : wanted.topics) bytes += bytes_of_unknown(topic);
  return bytes;
}

}  // namespace

std::vector<WantedOffsets> wanted_offsets(const protocol::OffsetFetchRequest& request,
                                          const ClusterView& view, int16_t version) {
  std::vector<WantedOffsets> wanted;
  if (version < kFirstVersionWithGroups) {
    auto& group = wanted.emplace_back();
    group.group = request.group_id;
    want_by_name(request.topics, view, group);
    return wanted;
  }
  wanted.reserve(request.groups.size());
  for (const auto& asked : request.groups) {
    auto& group = wanted.emplace_back();
    group.group = asked.group_id;
    if (version >= kFirstVersionWithTopicIds) {
      want_by_id(asked.topics, view, group);
    } else {
      want_by_name(asked.topics, view, group);
    }
  }
  return wanted;
}

Question OffsetQuestions::next() {
  INVARIANT(!done_, "everything has been asked, {} topics", topic_);
  Question question;
  question.require_stable = require_stable_;
  Question::Group& group = question.groups.emplace_back();
  group.group = wanted_.group;
  continues_ = partition_ > 0;
  if (!wanted_.all) group.topics.emplace();
  for (size_t room = kPartitionsPerQuestion; room > 0 && topic_ < wanted_.topics.size();) {
    const WantedOffsets::Topic& topic = wanted_.topics[topic_];
    if (!topic.name.empty()) {
      const size_t taken = std::min(room, topic.partitions.size() - partition_);
      auto& asked = group.topics->emplace_back();
      asked.name = topic.name;
      asked.id = topic.id;
      for (const int32_t index : topic.partitions.subspan(partition_, taken))
        asked.partitions.emplace_back(index);
      partition_ += taken;
      room -= std::max(taken, size_t{1});  // a topic without partitions is answered too
      if (partition_ < topic.partitions.size()) break;
    }
    partition_ = 0;
    ++topic_;
  }
  while (partition_ == 0 && topic_ < wanted_.topics.size() && wanted_.topics[topic_].name.empty()) ++topic_;
  done_ = topic_ == wanted_.topics.size();
  return question;
}

void OffsetQuestions::add(Reply::Group&& answer, Reply::Group& to) const {
  auto topic = answer.topics.begin();
  if (continues_ && topic != answer.topics.end() && !to.topics.empty()) {
    std::ranges::move(topic->partitions, std::back_inserter(to.topics.back().partitions));
    ++topic;
  }
  std::move(topic, answer.topics.end(), std::back_inserter(to.topics));
}

void fill_topic_ids(Reply::Group& group, const ClusterView& view) {
  std::erase_if(group.topics, [&](Reply::Topic& topic) {
    const TopicView* known = view.topic(topic.name);
    if (known != nullptr) topic.id = known->image->id;
    return known == nullptr;
  });
}

void add_unknown(const WantedOffsets::Topic& topic, Reply::Group& group) {
  auto& out = group.topics.emplace_back();
  out.id = topic.id;
  out.partitions.reserve(topic.partitions.size());
  for (const int32_t index : topic.partitions) {
    auto& partition = out.partitions.emplace_back();
    partition.partition = PartitionId(index);
    partition.error = ErrorCode::UNKNOWN_TOPIC_ID;
  }
}

void put_error_on_partitions(const WantedOffsets& wanted, Reply::Group& group) {
  if (group.error == ErrorCode::NONE) return;
  group.topics.clear();
  for (const auto& topic : wanted.topics) {
    auto& out = group.topics.emplace_back();
    out.name = topic.name;
    out.partitions.reserve(topic.partitions.size());
    for (const int32_t index : topic.partitions) {
      auto& partition = out.partitions.emplace_back();
      partition.partition = PartitionId(index);
      partition.error = group.error;
    }
  }
}

uint64_t bytes_of(const Reply::Group& group) {
  uint64_t bytes = 0;
  for (const auto& topic : group.topics) {
    bytes += sizeof(topic) + 2 * kTopicRowBytes + 2 * topic.name.size();
    bytes += topic.partitions.size() * (sizeof(Reply::Partition) + 2 * kRowBytes);
    for (const auto& partition : topic.partitions) bytes += 2 * partition.metadata.size();
  }
  return bytes;
}

uint64_t bytes_of_unknown(const WantedOffsets::Topic& topic) {
  return sizeof(Reply::Topic) + 2 * kTopicRowBytes + 2 * topic.name.size() +
         topic.partitions.size() * (sizeof(Reply::Partition) + 2 * kRowBytes);
}

protocol::OffsetFetchResponse response_of(const Reply& reply, int16_t version) {
  protocol::OffsetFetchResponse response;
  if (version < kFirstVersionWithGroups) {
    const Reply::Group& group = reply.groups.at(0);
    if (version >= kFirstVersionWithErrors) response.error_code = static_cast<int16_t>(group.error);
    response.topics.reserve(group.topics.size());
    for (const auto& topic : group.topics) {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      write(topic, out);
    }
    return response;
  }
  response.groups.reserve(reply.groups.size());
  for (const auto& group : reply.groups) {
    auto& out_group = response.groups.emplace_back();
    out_group.group_id = group.group;
    out_group.error_code = static_cast<int16_t>(group.error);
    out_group.topics.reserve(group.topics.size());
    for (const auto& topic : group.topics) {
      auto& out = out_group.topics.emplace_back();
      if (version >= kFirstVersionWithTopicIds) {
        out.topic_id = topic.id;
      } else {
        out.name = topic.name;
      }
      write(topic, out);
    }
  }
  return response;
}

Task<Result<Response>> handle_offset_fetch(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::OffsetFetchRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const int16_t version = request.header.request_api_version;
  const auto view = services.home.view();
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  const std::vector<WantedOffsets> wanted = wanted_offsets(*decoded, *view, version);
  GroupFetch fetch(services, request, *view, *paid);
  bool has_room = true;
  Reply fetched;
  fetched.groups.reserve(wanted.size());
  for (const WantedOffsets& asked : wanted) {
    Reply::Group& group = fetched.groups.emplace_back();
    group.group = asked.group;
    if (!has_room) {
      GroupFetch::refuse(group);
      continue;
    }
    auto fetching = fetch.run(asked, decoded->require_stable, group);
    has_room = co_await fetching;
  }
  if (version < kFirstVersionWithErrors && fetched.groups.front().error != ErrorCode::NONE) {
    if (!paid->pay(bytes_of_partitions(wanted.front())))
      co_return fail(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, "There is no memory for so much of an answer");
    put_error_on_partitions(wanted.front(), fetched.groups.front());
  }
  auto response = response_of(fetched, version);
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
