#include "protocol/messages/delete_groups_request.h"
#include "protocol/messages/delete_groups_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_delete_request.h"
#include "protocol/messages/offset_delete_response.h"
#include "protocol/messages/offset_fetch_request.h"
#include "protocol/messages/offset_fetch_response.h"
#include "tests/simulation/node_member.h"

namespace tidemark::simulation {

using runtime::Task;

namespace {

constexpr const char* kSimpleGroup = "nobody-joins";
constexpr int32_t kRarePartition = 2;

ErrorCode offsets_code(int16_t error) { return static_cast<ErrorCode>(error); }

}  // namespace

Task<bool> NodeMember::commit(bool as_member) {
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return false;
  const std::string group = as_member ? group_ : kSimpleGroup;
  GroupModel& model = run_.group(group);
  PartitionId partition(static_cast<int32_t>(run_.random.below(kGroupsPartitions)));
  // One that is committed so rarely that it would expire, if its group did not live.
  if (partition.value == kRarePartition && run_.workload.offsets_retention.count() > 0 &&
      run_.random.chance(0.95))
    partition = PartitionId(0);
  const auto value = static_cast<int64_t>(++run_.identities);
  protocol::OffsetCommitRequest request;
  request.group_id = group;
  request.generation_id_or_member_epoch = as_member ? generation_ : -1;
  request.member_id = as_member ? std::string_view(member_) : std::string_view();
  auto& topic = request.topics.emplace_back();
  topic.name = kGroupsTopic;
  auto& p = topic.partitions.emplace_back();
  p.partition_index = partition.value;
  p.committed_offset = value;
  const bool fenced =
      as_member && generation_ < model.least_generation(life(), run_.last_full_life >= life());
  const runtime::MonoTime sent = run_.time.mono();
  const GroupModel::Attempt attempt = model.commit_begins(partition, value, life(), sent);
  if (as_member) request.group_instance_id = instance();
  const uint64_t incarnation = model.incarnation();
  auto asking = ask<protocol::OffsetCommitResponse>(request, version(2, 7, 9));
  const auto reply = co_await asking;
  if (!reply) {
    if (!reached()) model.commit_refused(partition, attempt);
    run_.counters.count("group: commit unanswered");
    co_return false;
  }
  const ErrorCode error = offsets_code(reply->body.topics.at(0).partitions.at(0).error_code);
  if (error == ErrorCode::NONE) {
    model.commit_acknowledged(partition, attempt);
    if (as_member) {
      heard(sent, false);
      loaded_in_ = life();
    }
    run_.count("group: committed");
    run_.note("{}: {} committed for {} in generation {}", group, value, partition, generation_);
    if (fenced)
      run_.violate(fmt::format("{}: a commit in generation {} is taken, and there was a later one", group_,
                               generation_));
    co_return true;
  }
  // Not known where the log went offline under it.
  if (error != ErrorCode::NOT_COORDINATOR) model.commit_refused(partition, attempt);
  if (fenced) run_.counters.count("group: fenced commit refused");
  if (as_member && error == ErrorCode::GROUP_ID_NOT_FOUND) {
    if (model.incarnation() == incarnation && !model.may_have_gone(run_.time.mono()))
      run_.violate(fmt::format("a commit for {} is answered as if the group had gone", group_));
    forget();
  } else if (as_member) {
    take("OffsetCommit", error);
  } else if (error == ErrorCode::UNKNOWN_MEMBER_ID || error == ErrorCode::ILLEGAL_GENERATION) {
    run_.violate(fmt::format("a simple commit is answered with {}", error_name(error)));
  } else {
    take("OffsetCommit", error);
  }
  co_return false;
}

Task<void> NodeMember::fetch() {
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return;
  const std::string group = run_.random.chance(0.7) ? group_ : kSimpleGroup;
  GroupModel& model = run_.group(group);
  protocol::OffsetFetchRequest request;
  const auto version = static_cast<int16_t>(run_.random.between(1, 9));
  std::vector<int32_t> all;
  for (int32_t p = 0; p < kGroupsPartitions; ++p) all.push_back(p);
  if (version < 8) {
    request.group_id = group;
    auto& topic = request.topics.emplace().emplace_back();
    topic.name = kGroupsTopic;
    topic.partition_indexes = all;
  } else {
    auto& wanted = request.groups.emplace_back();
    wanted.group_id = group;
    auto& topic = wanted.topics.emplace().emplace_back();
    topic.name = kGroupsTopic;
    topic.partition_indexes = all;
  }
  const uint64_t began = model.fetch_begins();
  auto asking = ask<protocol::OffsetFetchResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return;
  const auto judge = [&](const auto& partitions) {
    for (const auto& p : partitions) {
      if (const ErrorCode error = offsets_code(p.error_code); error != ErrorCode::NONE) {
        take("OffsetFetch", error);
        continue;
      }
      const uint64_t expired = model.expired();
      run_.judge(
          model.fetched(PartitionId(p.partition_index), p.committed_offset, began, life(), run_.time.mono()));
      run_.counters.count("group: offset expired", model.expired() - expired);
    }
  };
  run_.count("group: asked what is committed");
  if (version >= 8) {
    const auto& answered = reply->body.groups.at(0);
    if (answered.error_code != 0) co_return take("OffsetFetch", offsets_code(answered.error_code));
    judge(answered.topics.at(0).partitions);
  } else {
    if (reply->body.error_code != 0) co_return take("OffsetFetch", offsets_code(reply->body.error_code));
    judge(reply->body.topics.at(0).partitions);
  }
}

// In a group that somebody is known to be in, it is refused: whoever says nothing of topics is subscribed to
// all.
Task<void> NodeMember::delete_offset() {
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return;
  const bool is_own = run_.random.chance(0.3);
  const std::string group = is_own ? group_ : kSimpleGroup;
  GroupModel& model = run_.group(group);
  const PartitionId partition(static_cast<int32_t>(run_.random.below(kGroupsPartitions)));
  protocol::OffsetDeleteRequest request;
  request.group_id = group;
  auto& topic = request.topics.emplace_back();
  topic.name = kGroupsTopic;
  topic.partitions.emplace_back().partition_index = partition.value;
  const GroupModel::Attempt attempt =
      model.commit_begins(partition, GroupModel::kNothing, life(), run_.time.mono());
  auto asking = ask<protocol::OffsetDeleteResponse>(request, 0);
  const auto reply = co_await asking;
  if (!reply) {
    if (!reached()) model.commit_refused(partition, attempt);
    co_return;
  }
  ErrorCode error = offsets_code(reply->body.error_code);
  if (error == ErrorCode::NONE) error = offsets_code(reply->body.topics.at(0).partitions.at(0).error_code);
  if (error == ErrorCode::NONE) {
    if (is_own && must_be_known())
      run_.violate(fmt::format("{}: an offset is deleted, and {} is a member", group, member_));
    model.commit_acknowledged(partition, attempt);
    run_.count("group: offset deleted");
    run_.note("{}: deleted what is committed for {}", group, partition);
    co_return;
  }
  if (error != ErrorCode::NOT_COORDINATOR) model.commit_refused(partition, attempt);
  if (error == ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC && is_own) co_return;
  if (error == ErrorCode::GROUP_ID_NOT_FOUND)
    co_return run_.judge(model.fetched(partition, GroupModel::kNothing, attempt, life(), run_.time.mono()));
  take("OffsetDelete", error);
}

Task<void> NodeMember::delete_group() {
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return;
  const bool is_own = run_.random.chance(0.5);
  const std::string group = is_own ? group_ : kSimpleGroup;
  GroupModel& model = run_.group(group);
  protocol::DeleteGroupsRequest request;
  request.groups_names = {group};
  std::vector<GroupModel::Attempt> attempts;
  for (int32_t p = 0; p < kGroupsPartitions; ++p)
    attempts.push_back(model.commit_begins(PartitionId(p), GroupModel::kNothing, life(), run_.time.mono()));
  const uint64_t asked = life();
  model.deletion_begins(asked);
  auto asking = ask<protocol::DeleteGroupsResponse>(request, version(0, 0, 2));
  const auto reply = co_await asking;
  if (!reply && reached()) co_return;
  const ErrorCode error =
      reply ? offsets_code(reply->body.results.at(0).error_code) : ErrorCode::COORDINATOR_NOT_AVAILABLE;
  if (error == ErrorCode::NOT_COORDINATOR) {
    // Not known where the log went offline under it.
    co_return take("DeleteGroups", error);
  }
  model.deletion_answered(asked, error == ErrorCode::NONE);
  for (int32_t p = 0; p < kGroupsPartitions; ++p) {
    const GroupModel::Attempt attempt = attempts[static_cast<size_t>(p)];
    if (error == ErrorCode::NONE) {
      model.commit_acknowledged(PartitionId(p), attempt);
      continue;
    }
    model.commit_refused(PartitionId(p), attempt);
    if (error == ErrorCode::GROUP_ID_NOT_FOUND)
      run_.judge(model.fetched(PartitionId(p), GroupModel::kNothing, attempt, life(), run_.time.mono()));
  }
  if (error == ErrorCode::NONE) {
    if (is_own && must_be_known())
      run_.violate(fmt::format("{} is deleted, and {} is a member", group, member_));
    run_.count("group: deleted");
    run_.note("{}: deleted", group);
  } else if (error != ErrorCode::GROUP_ID_NOT_FOUND && !(error == ErrorCode::NON_EMPTY_GROUP && is_own)) {
    take("DeleteGroups", error);
  }
}

}  // namespace tidemark::simulation
