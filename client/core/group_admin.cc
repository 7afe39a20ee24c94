#include "client/core/group_admin.h"

#include "client/core/admin_wire.h"
#include "client/core/all_at_once.h"
#include "client/core/co_try.h"
#include "protocol/messages/consumer_group_describe_request.h"
#include "protocol/messages/delete_groups_request.h"
#include "protocol/messages/delete_groups_response.h"
#include "protocol/messages/describe_groups_request.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/list_groups_request.h"
#include "protocol/messages/list_groups_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_delete_request.h"
#include "protocol/messages/offset_delete_response.h"
#include "protocol/messages/offset_fetch_request.h"

namespace tidemark::client {
namespace {

using runtime::Task;
using Names = std::vector<std::string>;

constexpr int8_t kGroupKey = 0;  // FindCoordinator's key_type
constexpr size_t kMaxKnown = 10'000;
constexpr int kMostListAttempts = 3;  // of a broker that does not answer

// The coordinator's own trouble, which OffsetCommit tells with every partition.
std::optional<Error> trouble_of(const auto& topics, std::string_view group) {
  for (const auto& topic : topics) {
    for (const auto& each : topic.partitions) {
      const auto error = error_of(each.error_code, std::nullopt, group);
      if (error && next_step(*error, false) != NextStep::take) return error;
    }
  }
  return std::nullopt;
}

}  // namespace

Task<Result<GroupAdmin::Link>> GroupAdmin::link_to(BrokerId broker, Cluster::Lane lane) {
  if (cluster_.metadata().find_broker(broker) == nullptr) {
    Task<Result<void>> asking = cluster_.refresh({});
    const Result<void> asked = co_await asking;
    if (!asked) co_return fail(Error(asked.error()));
  }
  Task<Result<Link>> opening = cluster_.broker(broker, lane);
  Result<Link> opened = co_await opening;
  co_return opened;
}

Task<Result<GroupAdmin::Link>> GroupAdmin::coordinator(std::string group, Cluster::Lane lane) {
  Names groups;
  groups.push_back(group);
  Task<Result<ByGroup<BrokerNode>>> finding = find(std::move(groups));
  const Result<ByGroup<BrokerNode>> found = co_await finding;
  if (!found) co_return fail(Error(found.error()));
  const Result<BrokerNode>& node = found->begin()->second;
  if (!node) co_return fail(Error(node.error()));
  Task<Result<Link>> opening = link_to(node->id, lane);
  Result<Link> opened = co_await opening;
  if (!opened) forget_coordinator(group);
  co_return opened;
}

Task<Result<ByGroup<BrokerNode>>> GroupAdmin::find(Names groups) {
  ByGroup<BrokerNode> found;
  Names unknown;
  for (const std::string& group : groups) {
    const auto known = coordinators_.find(group);
    if (known != coordinators_.end()) {
      found.emplace(group, known->second);
    } else {
      unknown.push_back(group);
    }
  }
  while (!unknown.empty()) {
    Task<Result<Link>> opening = cluster_.any();
    const Result<Link> link = co_await opening;
    if (!link) co_return fail(Error(link.error()));
    CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<protocol::FindCoordinatorRequest>());
    protocol::FindCoordinatorRequest request;
    request.key_type = kGroupKey;
    Names asked;
    if (version < kFindCoordinatorsBatched) {
      asked.push_back(unknown.back());
      request.key = asked.front();
    } else {
      asked = unknown;
      request.coordinator_keys.assign(asked.begin(), asked.end());
    }
    auto asking =
        (*link)->call<protocol::FindCoordinatorRequest, protocol::FindCoordinatorResponse>(request, version);
    const auto reply = co_await asking;
    for (const std::string& group : asked) std::erase(unknown, group);
    if (!reply) {
      for (const std::string& group : asked) found.emplace(group, fail(Error(reply.error())));
      continue;
    }
    for (auto& [group, coordinator] : read_coordinators(reply->body, version, asked)) {
      if (coordinators_.size() >= kMaxKnown) coordinators_.clear();
      if (coordinator) coordinators_.insert_or_assign(group, *coordinator);
      found.emplace(group, coordinator);
    }
  }
  co_return found;
}

template <class Value>
Task<Result<ByGroup<Value>>> GroupAdmin::ask_coordinators(Names groups, AskGroups<Value> ask,
                                                          bool repeatable) {
  ByGroup<Value> results;
  const runtime::MonoTime give_up = cluster_.api_deadline();
  for (int attempt = 0; !groups.empty(); ++attempt) {
    const bool last = cluster_.scheduler().mono() >= give_up;
    Names open;
    const auto settle = [&](const std::string& group, Result<Value> result) {
      const NextStep step = result ? NextStep::take : next_step(result.error(), repeatable);
      if (step == NextStep::find_again) coordinators_.erase(group);
      if (step == NextStep::take || last) {
        results.insert_or_assign(group, std::move(result));
      } else {
        open.push_back(group);
      }
    };
    Task<Result<ByGroup<BrokerNode>>> finding = find(groups);
    const Result<ByGroup<BrokerNode>> found = co_await finding;
    if (!found) co_return fail(Error(found.error()));
    std::map<BrokerId, Names> shares;
    for (const auto& [group, coordinator] : *found) {
      if (coordinator) {
        shares[coordinator->id].push_back(group);
      } else {
        settle(group, fail(Error(coordinator.error())));
      }
    }
    for (const auto& [broker, share] : shares) {
      Task<Result<Link>> opening = link_to(broker, lane_);
      const Result<Link> link = co_await opening;
      if (!link) {
        for (const std::string& group : share) settle(group, fail(Error(link.error())));
        continue;
      }
      Task<Result<ByGroup<Value>>> asking = ask(*link, share);
      Result<ByGroup<Value>> answers = co_await asking;
      for (const std::string& group : share) {
        if (!answers) {
          settle(group, fail(Error(answers.error())));
        } else if (const auto answer = answers->find(group); answer != answers->end()) {
          settle(group, std::move(answer->second));
        } else {
          settle(group, fail(ErrorCode::UNKNOWN_SERVER_ERROR, fmt::format("{}: no answer", group)));
        }
      }
    }
    groups = std::move(open);
    if (groups.empty()) break;
    Task<void> pause = cluster_.back_off(attempt);
    co_await pause;
  }
  co_return results;
}

template <class Value>
Task<Result<Value>> GroupAdmin::ask_coordinator(std::string group, AskGroups<Value> ask, bool repeatable) {
  Names groups;
  groups.push_back(std::move(group));
  Task<Result<ByGroup<Value>>> asking = ask_coordinators<Value>(groups, std::move(ask), repeatable);
  Result<ByGroup<Value>> answered = co_await asking;
  if (!answered) co_return fail(Error(answered.error()));
  co_return std::move(answered->begin()->second);
}

Task<Result<std::vector<ListedGroup>>> GroupAdmin::list_of(BrokerId broker, Names states) {
  const runtime::MonoTime give_up = cluster_.api_deadline();
  protocol::ListGroupsRequest request;
  request.states_filter.assign(states.begin(), states.end());
  for (int attempt = 0;; ++attempt) {
    std::optional<Error> error;
    Task<Result<Link>> opening = link_to(broker, lane_);
    const Result<Link> link = co_await opening;
    if (link) {
      CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<protocol::ListGroupsRequest>());
      auto asking =
          (*link)->call<protocol::ListGroupsRequest, protocol::ListGroupsResponse>(request, version);
      const auto reply = co_await asking;
      if (reply) {
        error = error_of(reply->body.error_code, std::nullopt, fmt::format("broker {}", broker.value));
      } else {
        error = reply.error();
      }
      if (!error) {
        std::vector<ListedGroup> groups;
        for (const auto& each : reply->body.groups) {
          groups.push_back({std::string(each.group_id), std::string(each.group_type),
                            std::string(each.protocol_type), std::string(each.group_state)});
        }
        co_return groups;
      }
    } else {
      error = link.error();
    }
    const bool loading = error->kind() == ErrorKind::protocol && is_retriable(error->code());
    if (!is_unreachable(*error) || (!loading && attempt + 1 >= kMostListAttempts) ||
        cluster_.scheduler().mono() >= give_up)
      co_return fail(Error(*error));
    Task<void> pause = cluster_.back_off(attempt);
    co_await pause;
  }
}

Task<void> GroupAdmin::list_into(BrokerId broker, Names states, Result<std::vector<ListedGroup>>& out) {
  Task<Result<std::vector<ListedGroup>>> asking = list_of(broker, std::move(states));
  out = co_await asking;
}

Task<Result<GroupListing>> GroupAdmin::list(Names states) {
  Task<Result<void>> refreshing = cluster_.refresh({});
  const Result<void> refreshed = co_await refreshing;
  if (!refreshed) co_return fail(Error(refreshed.error()));
  std::map<BrokerId, Result<std::vector<ListedGroup>>> answers;
  for (const auto& [id, node] : cluster_.metadata().brokers())
    answers.emplace(id, fail(ErrorCode::BROKER_NOT_AVAILABLE, "not asked"));
  std::vector<Task<void>> lists;
  for (auto& [broker, answer] : answers) lists.push_back(list_into(broker, states, answer));
  Task<void> listing_all = all_at_once(cluster_.scheduler(), std::move(lists));
  co_await listing_all;
  GroupListing listing;
  std::map<std::string, ListedGroup> by_id;
  for (const auto& [broker, groups] : answers) {
    if (!groups) {
      listing.failed.emplace(broker, groups.error());
      continue;
    }
    for (const ListedGroup& group : *groups) by_id.insert_or_assign(group.id, group);
  }
  if (!answers.empty() && listing.failed.size() == answers.size())
    co_return fail(Error(listing.failed.begin()->second));
  for (auto& [id, group] : by_id) listing.groups.push_back(std::move(group));
  co_return listing;
}

Task<Result<ByGroup<GroupDescription>>> GroupAdmin::describe_classic(Link link, Names groups) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<protocol::DescribeGroupsRequest>());
  protocol::DescribeGroupsRequest request;
  request.groups.assign(groups.begin(), groups.end());
  request.wants_rebalances = true;
  auto asking =
      link->call<protocol::DescribeGroupsRequest, protocol::DescribeGroupsResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  ByGroup<GroupDescription> described;
  for (const auto& each : reply->body.groups)
    described.insert_or_assign(std::string(each.group_id), read_group(each));
  co_return described;
}

Task<Result<ByGroup<GroupDescription>>> GroupAdmin::describe_consumer(Link link, Names groups) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<protocol::ConsumerGroupDescribeRequest>());
  protocol::ConsumerGroupDescribeRequest request;
  request.group_ids.assign(groups.begin(), groups.end());
  auto asking = link->call<protocol::ConsumerGroupDescribeRequest, protocol::ConsumerGroupDescribeResponse>(
      request, version);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  ByGroup<GroupDescription> described;
  for (const auto& each : reply->body.groups)
    described.insert_or_assign(std::string(each.group_id), read_group(each));
  co_return described;
}

Task<Result<ByGroup<GroupDescription>>> GroupAdmin::describe(Names groups) {
  AskGroups<GroupDescription> classic = [this](Link link, Names names) {
    return describe_classic(std::move(link), std::move(names));
  };
  auto asking = ask_coordinators<GroupDescription>(groups, classic, true);
  Result<ByGroup<GroupDescription>> described = co_await asking;
  if (!described) co_return described;
  Names missing;
  for (const auto& [group, description] : *described) {
    if (!description && description.error().code() == ErrorCode::GROUP_ID_NOT_FOUND) missing.push_back(group);
  }
  AskGroups<GroupDescription> consumer = [this](Link link, Names names) {
    return describe_consumer(std::move(link), std::move(names));
  };
  auto asking_again = ask_coordinators<GroupDescription>(missing, consumer, true);
  Result<ByGroup<GroupDescription>> others = co_await asking_again;
  if (!others) co_return others;
  for (auto& [group, description] : *others) {
    // A broker without KIP-848 has no such groups.
    if (!description && (description.error().code() == ErrorCode::GROUP_ID_NOT_FOUND ||
                         description.error().code() == ErrorCode::UNSUPPORTED_VERSION))
      continue;
    described->insert_or_assign(group, std::move(description));
  }
  for (auto& [group, description] : *described) {
    const auto coordinator = coordinators_.find(group);
    if (description && coordinator != coordinators_.end()) description->coordinator = coordinator->second;
  }
  co_return described;
}

Task<Result<ByGroup<std::optional<Error>>>> GroupAdmin::remove_at(Link link, Names groups) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<protocol::DeleteGroupsRequest>());
  protocol::DeleteGroupsRequest request;
  request.groups_names.assign(groups.begin(), groups.end());
  auto asking = link->call<protocol::DeleteGroupsRequest, protocol::DeleteGroupsResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  ByGroup<std::optional<Error>> removed;
  for (const auto& each : reply->body.results) {
    const std::string group(each.group_id);
    const auto error = error_of(each.error_code, std::nullopt, group);
    if (error) {
      removed.insert_or_assign(group, fail(Error(*error)));
    } else {
      removed.insert_or_assign(group, std::nullopt);
    }
  }
  co_return removed;
}

Task<Result<std::vector<Outcome>>> GroupAdmin::remove(Names groups) {
  AskGroups<std::optional<Error>> ask = [this](Link link, Names names) {
    return remove_at(std::move(link), std::move(names));
  };
  auto asking = ask_coordinators<std::optional<Error>>(groups, ask, false);
  const auto removed = co_await asking;
  if (!removed) co_return fail(Error(removed.error()));
  std::vector<Outcome> outcomes;
  for (const auto& [group, result] : *removed) {
    Outcome& outcome = outcomes.emplace_back();
    outcome.name = group;
    if (!result) outcome.error = result.error();
  }
  co_return outcomes;
}

Task<Result<ByGroup<PerPartition<CommittedOffset>>>> GroupAdmin::committed_at(Link link, std::string group,
                                                                              Wanted wanted, bool stable) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<protocol::OffsetFetchRequest>(kOffsetsByTopicName));
  const auto choose = [&wanted](auto& topics) {
    if (!wanted) return topics.reset();  // all of them
    for (const TopicPartition& tp : *wanted) {
      if (topics->empty() || topics->back().name != tp.topic) topics->emplace_back().name = tp.topic;
      topics->back().partition_indexes.push_back(tp.partition.value);
    }
  };
  protocol::OffsetFetchRequest request;
  request.require_stable = stable && version >= kOffsetFetchStable;
  if (version < kOffsetFetchBatched) {
    request.group_id = group;
    choose(request.topics);
  } else {
    auto& asked = request.groups.emplace_back();
    asked.group_id = group;
    choose(asked.topics);
  }
  auto asking = link->call<protocol::OffsetFetchRequest, protocol::OffsetFetchResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  co_return read_committed(reply->body, version, group);
}

Task<Result<PerPartition<CommittedOffset>>> GroupAdmin::committed(std::string group, Wanted wanted,
                                                                  bool stable) {
  if (wanted) std::sort(wanted->begin(), wanted->end());
  AskGroups<PerPartition<CommittedOffset>> ask = [this, wanted, stable](Link link, const Names& names) {
    return committed_at(std::move(link), names.front(), wanted, stable);
  };
  auto asking = ask_coordinator<PerPartition<CommittedOffset>>(group, ask, true);
  Result<PerPartition<CommittedOffset>> found = co_await asking;
  co_return found;
}

Task<Result<ByGroup<PerPartition<Offset>>>> GroupAdmin::commit_at(Link link, std::string group,
                                                                  Offsets offsets, Committer as) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<protocol::OffsetCommitRequest>(kOffsetsByTopicName));
  protocol::OffsetCommitRequest request;
  request.group_id = group;
  request.generation_id_or_member_epoch = as.generation;
  request.member_id = as.member;
  if (version >= kOffsetCommitInstances) request.group_instance_id = as.instance_id;
  for (const auto& [tp, offset] : offsets) {
    auto& wanted = add_partition(request, tp);
    wanted.committed_offset = offset.offset.value;
    wanted.committed_leader_epoch = offset.leader_epoch.value;
    wanted.committed_metadata = offset.metadata;
  }
  auto asking = link->call<protocol::OffsetCommitRequest, protocol::OffsetCommitResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  const auto trouble = trouble_of(reply->body.topics, group);
  if (trouble) co_return fail(Error(*trouble));
  PerPartition<Offset> results;
  for (const auto& topic : reply->body.topics) {
    for (const auto& each : topic.partitions) {
      const auto wanted = offsets.find({std::string(topic.name), PartitionId(each.partition_index)});
      if (wanted != offsets.end()) take(results, topic.name, each, wanted->second.offset);
    }
  }
  ByGroup<PerPartition<Offset>> committed;
  committed.emplace(group, std::move(results));
  co_return committed;
}

Task<Result<PerPartition<Offset>>> GroupAdmin::commit(std::string group, Offsets offsets, Committer as) {
  AskGroups<PerPartition<Offset>> ask = [this, offsets, as](Link link, const Names& names) {
    return commit_at(std::move(link), names.front(), offsets, as);
  };
  // A member's may come twice: nobody else commits in its generation.
  auto asking = ask_coordinator<PerPartition<Offset>>(group, ask, as.is_member());
  Result<PerPartition<Offset>> committed = co_await asking;
  co_return committed;
}

Task<Result<ByGroup<PartitionOutcomes>>> GroupAdmin::remove_offsets_at(
    Link link, std::string group, std::vector<TopicPartition> partitions) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<protocol::OffsetDeleteRequest>());
  protocol::OffsetDeleteRequest request;
  request.group_id = group;
  for (const TopicPartition& tp : partitions) add_partition(request, tp);
  auto asking = link->call<protocol::OffsetDeleteRequest, protocol::OffsetDeleteResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  const auto error = error_of(reply->body.error_code, std::nullopt, group);
  if (error) co_return fail(Error(*error));
  PartitionOutcomes outcomes;
  for (const auto& topic : reply->body.topics) {
    for (const auto& each : topic.partitions) {
      const TopicPartition tp{std::string(topic.name), PartitionId(each.partition_index)};
      outcomes.insert_or_assign(tp, error_of(each.error_code, std::nullopt, fmt::format("{}", tp)));
    }
  }
  ByGroup<PartitionOutcomes> removed;
  removed.emplace(group, std::move(outcomes));
  co_return removed;
}

Task<Result<PartitionOutcomes>> GroupAdmin::remove_offsets(std::string group,
                                                           std::vector<TopicPartition> partitions) {
  std::sort(partitions.begin(), partitions.end());
  AskGroups<PartitionOutcomes> ask = [this, partitions](Link link, const Names& names) {
    return remove_offsets_at(std::move(link), names.front(), partitions);
  };
  auto asking = ask_coordinator<PartitionOutcomes>(group, ask, false);
  Result<PartitionOutcomes> removed = co_await asking;
  co_return removed;
}

}  // namespace tidemark::client
