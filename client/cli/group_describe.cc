// `tidemark group describe`.
#include "client/cli/group_choice.h"
#include "client/cli/group_view.h"
#include "client/cli/record_times.h"

namespace tidemark::cli {
namespace {

using client::GroupAdmin;
using runtime::Task;

Error without_lag(ErrorCode code, const TopicPartition& tp) {
  return {code, fmt::format("{}: its lag is not known, and is in no total", tp)};
}

// Of the partitions that have a leader now: the others must not hold up what is known. Those of topics that
// are gone have none, which is no error.
Task<Result<std::map<TopicPartition, Offset>>> end_offsets(Session& session,
                                                           std::set<TopicPartition> partitions,
                                                           std::vector<Error>& failed) {
  std::map<TopicPartition, Offset> ends;
  if (partitions.empty()) co_return ends;
  client::Cluster::Interest interest;
  for (const TopicPartition& tp : partitions) interest.topics.insert(tp.topic);
  Task<Result<void>> refreshing = session.cluster.refresh(std::move(interest));
  const Result<void> refreshed = co_await refreshing;
  if (!refreshed) co_return fail(Error(refreshed.error()));
  std::map<TopicPartition, int64_t> times;
  for (const TopicPartition& tp : partitions) {
    if (session.cluster.metadata().leader(tp) != kNoBroker) {
      times[tp] = client::kLatest;
    } else if (session.cluster.metadata().find(tp) != nullptr) {
      failed.push_back(without_lag(ErrorCode::LEADER_NOT_AVAILABLE, tp));
    }
  }
  auto asking = session.admin.list_offsets(times, client::Isolation::read_uncommitted);
  const auto answers = co_await asking;
  if (!answers) co_return fail(Error(answers.error()));
  for (const auto& [tp, end] : *answers) {
    if (end) {
      ends.emplace(tp, end->offset);
    } else {
      failed.push_back(without_lag(end.error().code(), tp));
    }
  }
  co_return ends;
}

// `failed`: what of it could not be told.
Task<Result<GroupReport>> report_of(Session& session, GroupAdmin& groups, client::GroupDescription group,
                                    std::vector<Error>& failed) {
  GroupReport report;
  report.group = std::move(group);
  auto fetching = groups.committed(report.group.id);
  auto committed = co_await fetching;
  if (!committed) co_return fail(Error(committed.error()));
  report.committed = std::move(*committed);
  for (const auto& [tp, offset] : report.committed) {
    if (!offset) failed.push_back(without_lag(offset.error().code(), tp));
  }
  auto asking = end_offsets(session, report.partitions(), failed);
  auto ends = co_await asking;
  if (!ends) co_return fail(Error(ends.error()));
  report.ends = std::move(*ends);
  std::map<TopicPartition, Offset> unread;
  for (const auto& [tp, offset] : report.committed) {
    if (report.lag(tp).value_or(0) > 0) unread.emplace(tp, offset->offset);
  }
  auto timing = record_times(session, std::move(unread));
  report.first_unread_ms = co_await timing;
  report.now_ms = runtime::unix_ms(session.loop.clock().wall());
  co_return report;
}

// Documents say it with a null, and lines by leaving it out.
bool is_for_people(const Output& out) {
  return !out.is_plain() && out.format() != OutputFormat::json && out.format() != OutputFormat::yaml;
}

Task<Result<int>> describe(Session& session, const GroupDescribe& command) {
  GroupAdmin groups(session.cluster);
  auto describing = groups.describe(command.names);
  const auto described = co_await describing;
  if (!described) co_return fail(Error(described.error()));
  Value::List documents;
  Value::List rows;
  Value::List members;
  Value::List partitions;
  Value::List rebalances;
  const bool all = !command.members && !command.lag && !command.rebalances;
  int status = kDone;
  for (const auto& [name, group] : *described) {
    if (!group) {
      auto explaining = explain(groups, name, group.error());
      const Error explained = co_await explaining;
      session.out.error(explained);
      status = kRefused;
      continue;
    }
    std::vector<Error> failed;
    auto reporting = report_of(session, groups, *group, failed);
    const Result<GroupReport> report = co_await reporting;
    if (!report) {
      session.out.error(report.error());
      status = kRefused;
      continue;
    }
    session.out.errors(failed);
    if (!failed.empty()) status = kRefused;
    documents.push_back(group_document(*report));
    rows.push_back(group_row(*report));
    add_member_rows(*report, members);
    add_lag_rows(*report, !session.out.is_plain(), partitions);
    add_rebalance_rows(*report, rebalances);
    if (const auto note = loop_note(*report)) session.out.note(*note);
    if (!group->rebalances && (command.rebalances || (all && is_for_people(session.out))))
      session.out.note(fmt::format("{}: its broker keeps no history of rebalances", name));
  }
  std::vector<Value> tables;
  if (all) tables.emplace_back(std::move(rows));
  if (all || command.members) tables.emplace_back(std::move(members));
  if (all || command.lag) tables.emplace_back(std::move(partitions));
  if (all || command.rebalances) tables.emplace_back(std::move(rebalances));
  session.out.data(Value(documents), tables);
  co_return status;
}

}  // namespace

int group_describe(const GlobalOptions& g, const GroupDescribe& command) {
  return run_session(g, command, describe);
}

}  // namespace tidemark::cli
