// `tidemark topic trim`.
#include "client/cli/start_offset.h"
#include "client/core/co_try.h"

namespace tidemark::cli {
namespace {

using client::PerPartition;
using runtime::Task;

constexpr Offset kEverything{-1};  // DeleteRecords: up to the high watermark, wherever that is by then

// What the code alone does not say.
Error explain(const TopicPartition& tp, Offset before, const Error& error,
              const PerPartition<client::TimedOffset>& ends) {
  if (error.code() == ErrorCode::POLICY_VIOLATION)
    return {error.code(),
            fmt::format("{}: only topics with delete in their cleanup.policy can be trimmed", tp)};
  const auto end = ends.find(tp);
  if (error.code() == ErrorCode::OFFSET_OUT_OF_RANGE && end != ends.end() && end->second)
    return {error.code(), fmt::format("{}: {} lies behind its end, {}", tp, before, end->second->offset)};
  return error;
}

Task<Result<int>> report(Session& session, const std::map<TopicPartition, Offset>& wanted,
                         const PerPartition<Offset>& trimmed) {
  std::map<TopicPartition, int64_t> beyond;
  for (const auto& [tp, start] : trimmed) {
    if (!start && start.error().code() == ErrorCode::OFFSET_OUT_OF_RANGE) beyond[tp] = client::kLatest;
  }
  auto asking = session.admin.list_offsets(beyond, client::Isolation::read_uncommitted);
  const auto ends = co_await asking;
  Value::List rows;
  int status = kDone;
  for (const auto& [tp, start] : trimmed) {
    if (!start) {
      const PerPartition<client::TimedOffset> unknown;
      session.out.error(explain(tp, wanted.at(tp), start.error(), ends ? *ends : unknown));
      status = kRefused;
      continue;
    }
    rows.push_back(Value::object(
        {{"topic", tp.topic}, {"partition", int64_t{tp.partition.value}}, {"start_offset", start->value}}));
  }
  session.out.data(Value(rows));
  co_return status;
}

// Nothing is removed unless every partition is there and it is known from where each is kept.
Task<Result<int>> trim(Session& session, const TopicTrim& command) {
  CO_TRY_ASSIGN(const StartOffset keep, StartOffset::parse(command.before));
  // A wrong unit, or year, must not take everything for want of a record that is as young.
  if (keep.time && *keep.time > runtime::unix_ms(session.loop.clock().wall()))
    co_return fail(Error::config(
        fmt::format("{} lies in the future; times are milliseconds since 1970, and 'end' removes everything",
                    command.before)));
  std::vector<std::string> names;
  names.push_back(command.name);
  auto finding = find_partitions(session, names, command.partitions);
  const auto partitions = co_await finding;
  if (!partitions) co_return fail(Error(partitions.error()));
  std::map<TopicPartition, Offset> wanted;
  if (command.before == "end") {
    for (const TopicPartition& tp : *partitions) wanted[tp] = kEverything;
  } else {
    auto asking = first_offsets(session, *partitions, keep, client::Isolation::read_uncommitted);
    Result<Offsets> offsets = co_await asking;
    if (!offsets) co_return fail(Error(offsets.error()));
    wanted = std::move(*offsets);
  }
  auto deleting = session.admin.delete_records(wanted);
  const auto trimmed = co_await deleting;
  if (!trimmed) co_return fail(Error(trimmed.error()));
  auto reporting = report(session, wanted, *trimmed);
  Result<int> status = co_await reporting;
  co_return status;
}

}  // namespace

int topic_trim(const GlobalOptions& g, const TopicTrim& command) { return run_session(g, command, trim); }

}  // namespace tidemark::cli
