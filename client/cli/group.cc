// `tidemark group`: list, delete, delete-offsets.
#include "client/cli/group_choice.h"
#include "client/core/co_try.h"
#include "client/core/nearest.h"
#include "client/core/partition_survey.h"

namespace tidemark::cli {
namespace {

using client::GroupAdmin;
using runtime::Task;

// Brokers list the groups of those coordinators that work, and say nothing of the others.
Task<std::vector<Error>> missing_coordinators(Session& session) {
  std::vector<Error> missing;
  auto surveying = client::survey_partitions(session.cluster, std::string(client::kOffsetsTopic));
  const auto survey = co_await surveying;
  if (!survey) {
    missing.push_back(survey.error());
    co_return missing;
  }
  for (const auto& [tp, how] : survey->unserved)
    missing.emplace_back(how.error, fmt::format("{}: its groups are not listed", tp));
  co_return missing;
}

Task<Result<int>> list(Session& session, const GroupList& command) {
  GroupAdmin groups(session.cluster);
  auto listing = groups.list(command.states);
  const auto listed = co_await listing;
  if (!listed) co_return fail(Error(listed.error()));
  const auto text_or_null = [](const std::string& text) { return text.empty() ? Value() : Value(text); };
  Value::List rows;
  for (const client::ListedGroup& group : listed->groups) {
    rows.push_back(Value::object({{"group", group.id},
                                  {"type", text_or_null(group.type)},
                                  {"protocol_type", text_or_null(group.protocol_type)},
                                  {"state", text_or_null(group.state)}}));
  }
  auto looking = missing_coordinators(session);
  const std::vector<Error> missing = co_await looking;
  session.out.data(Value(rows));
  for (const auto& [broker, error] : listed->failed) session.out.error(error);
  session.out.errors(missing);
  co_return listed->failed.empty() && missing.empty() ? kDone : kRefused;
}

Task<Result<int>> remove(Session& session, const GroupDelete& command) {
  GroupAdmin groups(session.cluster);
  auto removing = groups.remove(command.names);
  const auto removed = co_await removing;
  if (!removed) co_return fail(Error(removed.error()));
  Value::List rows;
  int status = kDone;
  for (const client::Outcome& outcome : *removed) {
    if (!outcome.error) {
      rows.push_back(Value::object({{"group", outcome.name}, {"result", "deleted"}}));
      continue;
    }
    status = kRefused;
    Error error = *outcome.error;
    if (error.code() == ErrorCode::NON_EMPTY_GROUP) {
      std::vector<std::string> names;
      names.push_back(outcome.name);
      auto describing = groups.describe(names);
      const auto described = co_await describing;
      if (described && described->begin()->second) error = still_active(*described->begin()->second);
    }
    auto explaining = explain(groups, outcome.name, error);
    const Error explained = co_await explaining;
    session.out.error(explained);
  }
  session.out.data(Value(rows));
  co_return status;
}

// Those that are named, and of whole topics those that the group has an offset of.
Result<std::vector<TopicPartition>> chosen_offsets(
    const GroupDeleteOffsets& command, const client::PerPartition<client::CommittedOffset>& committed) {
  std::set<TopicPartition> chosen;
  for (const std::string& text : command.topics) {
    TRY_ASSIGN(const TopicChoice choice, parse_topic_choice(text));
    for (const int32_t id : choice.partitions) chosen.insert({choice.topic, PartitionId(id)});
    if (!choice.partitions.empty()) continue;
    std::set<std::string_view> topics;
    bool any = false;
    for (const auto& [tp, offset] : committed) {
      topics.insert(tp.topic);
      if (tp.topic != choice.topic) continue;
      any = true;
      chosen.insert(tp);
    }
    if (any) continue;
    const std::vector<std::string_view> names(topics.begin(), topics.end());
    const std::string_view nearest = client::nearest_word(choice.topic, names);
    return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                fmt::format("{} has no offsets of {}{}", command.name, choice.topic,
                            nearest.empty() ? std::string() : fmt::format("; did you mean {}?", nearest)));
  }
  return std::vector<TopicPartition>(chosen.begin(), chosen.end());
}

Task<Result<int>> remove_offsets(Session& session, const GroupDeleteOffsets& command) {
  for (const std::string& text : command.topics) CO_TRY(parse_topic_choice(text));
  GroupAdmin groups(session.cluster);
  std::vector<std::string> names;
  names.push_back(command.name);
  auto describing = groups.describe(names);
  const auto described = co_await describing;
  if (!described) co_return fail(Error(described.error()));
  if (!described->begin()->second) {
    auto explaining = explain(groups, command.name, described->begin()->second.error());
    const Error explained = co_await explaining;
    co_return fail(Error(explained));
  }
  auto fetching = groups.committed(command.name);
  const auto committed = co_await fetching;
  if (!committed) co_return fail(Error(committed.error()));
  CO_TRY_ASSIGN(std::vector<TopicPartition> partitions, chosen_offsets(command, *committed));
  auto removing = groups.remove_offsets(command.name, partitions);
  const auto removed = co_await removing;
  if (!removed) co_return fail(Error(removed.error()));
  Value::List rows;
  int status = kDone;
  for (const auto& [tp, error] : *removed) {
    if (!error) {
      rows.push_back(Value::object({{"group", command.name},
                                    {"topic", tp.topic},
                                    {"partition", int64_t{tp.partition.value}},
                                    {"result", "deleted"}}));
      continue;
    }
    status = kRefused;
    const bool subscribed = error->code() == ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC;
    session.out.error(subscribed
                          ? Error(error->code(),
                                  fmt::format("{}: members of {} read it; stop them first", tp, command.name))
                          : *error);
  }
  session.out.data(Value(rows));
  co_return status;
}

}  // namespace

int group_list(const GlobalOptions& g, const GroupList& command) { return run_session(g, command, list); }
int group_delete(const GlobalOptions& g, const GroupDelete& command) {
  return run_session(g, command, remove);
}
int group_delete_offsets(const GlobalOptions& g, const GroupDeleteOffsets& command) {
  return run_session(g, command, remove_offsets);
}

}  // namespace tidemark::cli
