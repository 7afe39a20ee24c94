// `tidemark group reset`.
#include "client/cli/group_choice.h"
#include "client/cli/reset_plan.h"
#include "client/cli/start_offset.h"
#include "client/cli/text_file.h"
#include "client/core/co_try.h"

namespace tidemark::cli {
namespace {

using client::GroupAdmin;
using runtime::Task;
using Kind = ResetTarget::Kind;
using Committed = client::PerPartition<client::CommittedOffset>;

constexpr size_t kMaxOffsetsFileBytes = size_t{64} << 20;
constexpr auto kReads = client::Isolation::read_uncommitted;

// What is asked for, understood without the cluster.
struct Wish {
  ResetTarget target;
  std::vector<TopicChoice> topics;
  bool all_topics = false;
  std::map<TopicPartition, Offset> file;
};

Result<Wish> parse_wish(const GroupReset& command) {
  Wish wish;
  TRY_ASSIGN(wish.target, parse_reset_target(command));
  for (const std::string& text : command.topics) {
    TRY_ASSIGN(TopicChoice choice, parse_topic_choice(text));
    wish.topics.push_back(std::move(choice));
  }
  if (command.all_topics && !command.topics.empty())
    return fail(Error::config("give --topic or --all-topics, not both"));
  wish.all_topics = command.all_topics || (!command.to.empty() && command.topics.empty());
  if (wish.target.kind == Kind::file) {
    if (command.all_topics || !command.topics.empty())
      return fail(
          Error::config("--from-file says which partitions: it goes without --topic and --all-topics"));
    TRY_ASSIGN(const std::string text, read_text_file(command.from_file, kMaxOffsetsFileBytes));
    auto offsets = parse_offsets_csv(text, command.name);
    if (!offsets)
      return fail(Error::config(fmt::format("{}: {}", command.from_file, offsets.error().message())));
    wish.file = std::move(*offsets);
  } else if (!wish.all_topics && wish.topics.empty()) {
    return fail(Error::config("of which topics? give --topic TOPIC[:PARTITION,...] or --all-topics"));
  }
  return wish;
}

// The group as it is; Dead where there is none yet.
Task<Result<client::GroupDescription>> find_group(GroupAdmin& groups, std::string name) {
  std::vector<std::string> names;
  names.push_back(name);
  auto describing = groups.describe(names);
  const auto described = co_await describing;
  if (!described) co_return fail(Error(described.error()));
  const auto& found = described->begin()->second;
  if (found) co_return *found;
  if (found.error().code() != ErrorCode::GROUP_ID_NOT_FOUND) co_return fail(Error(found.error()));
  client::GroupDescription none;
  none.id = name;
  none.state = "Dead";
  co_return none;
}

// Partitions that are committed to, but for those of topics that are gone.
Task<Result<std::vector<TopicPartition>>> committed_partitions(Session& session, const Committed& committed) {
  std::map<std::string, bool> topics;  // whether they are there
  std::vector<TopicPartition> partitions;
  for (const auto& [tp, offset] : committed) {
    if (!topics.contains(tp.topic)) {
      auto finding = find_topic(session, tp.topic);
      const auto found = co_await finding;
      if (!found && found.error().code() != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        co_return fail(Error(found.error()));
      topics[tp.topic] = found.has_value();
      if (!found)
        session.out.note(fmt::format("warning: there is no topic {} any more: left as it is", tp.topic));
    }
    if (topics[tp.topic]) partitions.push_back(tp);
  }
  co_return partitions;
}

Task<Result<std::vector<TopicPartition>>> chosen_partitions(Session& session, const Wish& wish,
                                                            const Committed& committed) {
  if (wish.all_topics) {
    auto finding = committed_partitions(session, committed);
    Result<std::vector<TopicPartition>> found = co_await finding;
    co_return found;
  }
  std::vector<TopicChoice> choices = wish.topics;
  for (const auto& [tp, offset] : wish.file) {
    if (choices.empty() || choices.back().topic != tp.topic) choices.push_back({tp.topic, {}});
    choices.back().partitions.push_back(tp.partition.value);
  }
  std::set<TopicPartition> partitions;
  for (const TopicChoice& choice : choices) {
    std::vector<std::string> topics;
    topics.push_back(choice.topic);
    auto finding = find_partitions(session, topics, choice.partitions);
    const auto found = co_await finding;
    if (!found) co_return fail(Error(found.error()));
    partitions.insert(found->begin(), found->end());
  }
  co_return std::vector<TopicPartition>(partitions.begin(), partitions.end());
}

Task<Result<ResetFacts>> gather_facts(Session& session, const ResetTarget& target,
                                      const std::vector<TopicPartition>& partitions,
                                      const Committed& committed) {
  ResetFacts facts;
  for (const auto& [tp, offset] : committed) {
    if (offset) facts.committed.emplace(tp, offset->offset);
  }
  auto starting = offsets_at(session, partitions, client::kEarliest, kReads);
  auto starts = co_await starting;
  if (!starts) co_return fail(Error(starts.error()));
  facts.start = std::move(*starts);
  auto ending = offsets_at(session, partitions, client::kLatest, kReads);
  auto ends = co_await ending;
  if (!ends) co_return fail(Error(ends.error()));
  facts.end = std::move(*ends);
  if (target.kind != Kind::time && target.kind != Kind::duration) co_return facts;
  int64_t time = target.value;
  if (target.kind == Kind::duration)
    time = std::max<int64_t>(0, runtime::unix_ms(session.loop.clock().wall()) - target.value);
  auto timing = offsets_at(session, partitions, time, kReads);
  auto at_time = co_await timing;
  if (!at_time) co_return fail(Error(at_time.error()));
  facts.at_time = std::move(*at_time);
  co_return facts;
}

Value plan_row(const std::string& group, const TopicPartition& tp, const PlannedOffset& planned) {
  return Value::object({{"group", group},
                        {"topic", tp.topic},
                        {"partition", int64_t{tp.partition.value}},
                        {"committed_offset", planned.committed ? Value(planned.committed->value) : Value()},
                        {"new_offset", planned.offset.value}});
}

// Commits the plan; the rows are of what was committed.
Task<Result<int>> carry_out(Session& session, GroupAdmin& groups, const std::string& name,
                            const ResetPlan& plan) {
  GroupAdmin::Offsets offsets;
  for (const auto& [tp, planned] : plan) offsets[tp].offset = planned.offset;
  auto committing = groups.commit(name, offsets);
  const auto committed = co_await committing;
  if (!committed) co_return fail(Error(committed.error()));
  Value::List rows;
  int status = kDone;
  bool joined = false;
  for (const auto& [tp, result] : *committed) {
    if (result) {
      rows.push_back(plan_row(name, tp, plan.at(tp)));
      continue;
    }
    status = kRefused;
    if (result.error().code() == ErrorCode::UNKNOWN_MEMBER_ID) {
      joined = true;
    } else {
      session.out.error(result.error());
    }
  }
  if (joined)
    session.out.error(Error(ErrorCode::NON_EMPTY_GROUP,
                            fmt::format("{} has got members meanwhile: stop them first", name)));
  session.out.data(Value(rows));
  co_return status;
}

Task<Result<int>> reset(Session& session, const GroupReset& command) {
  CO_TRY_ASSIGN(const Wish wish, parse_wish(command));
  GroupAdmin groups(session.cluster);
  auto finding = find_group(groups, command.name);
  const auto group = co_await finding;
  if (!group) co_return fail(Error(group.error()));
  if (!is_inactive(*group) && !command.dry_run) co_return fail(still_active(*group));
  auto fetching = groups.committed(command.name);
  const auto committed = co_await fetching;
  if (!committed) co_return fail(Error(committed.error()));
  if (wish.all_topics && committed->empty()) {
    const Error nothing(ErrorCode::GROUP_ID_NOT_FOUND,
                        fmt::format("{} has no offsets: name topics with --topic", command.name));
    if (group->state != "Dead") co_return fail(nothing);
    auto explaining = explain(groups, command.name, nothing);
    const Error explained = co_await explaining;
    co_return fail(Error(explained));
  }
  auto choosing = chosen_partitions(session, wish, *committed);
  const auto partitions = co_await choosing;
  if (!partitions) co_return fail(Error(partitions.error()));
  auto gathering = gather_facts(session, wish.target, *partitions, *committed);
  auto facts = co_await gathering;
  if (!facts) co_return fail(Error(facts.error()));
  facts->file = wish.file;
  CO_TRY_ASSIGN(const ResetPlan plan, plan_reset(wish.target, *partitions, *facts));
  for (const auto& [tp, planned] : plan) {
    if (planned.warning) session.out.note("warning: " + *planned.warning);
  }
  if (!command.dry_run) {
    auto carrying = carry_out(session, groups, command.name, plan);
    const Result<int> status = co_await carrying;
    co_return status;
  }
  if (!is_inactive(*group)) session.out.note("warning: " + still_active(*group).message());
  Value::List rows;
  for (const auto& [tp, planned] : plan) rows.push_back(plan_row(command.name, tp, planned));
  session.out.data(Value(rows));
  co_return kDone;
}

}  // namespace

int group_reset(const GlobalOptions& g, const GroupReset& command) { return run_session(g, command, reset); }

}  // namespace tidemark::cli
