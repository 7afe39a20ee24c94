#include "client/cli/reset_plan.h"

#include <limits>

#include "client/cli/timestamp.h"
#include "client/core/client_properties.h"

namespace tidemark::cli {
namespace {

using client::parse_number;
using Kind = ResetTarget::Kind;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trimmed(std::string_view cell) {
  const auto is_edge = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!cell.empty() && is_edge(cell.front())) cell.remove_prefix(1);
  while (!cell.empty() && is_edge(cell.back())) cell.remove_suffix(1);
  if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
  return cell;
}

// --to, as `consume --offset` says it.
Result<ResetTarget> parse_to(const std::string& text) {
  if (text == "start") return ResetTarget{Kind::earliest};
  if (text == "end") return ResetTarget{Kind::latest};
  if (text.starts_with('@')) {
    TRY_ASSIGN(const int64_t time, parse_timestamp(std::string_view(text).substr(1)));
    return ResetTarget{Kind::time, time};
  }
  const auto offset = parse_number(text, "offset", 0, INT64_MAX);
  if (!offset) return fail(Error::config(fmt::format("--to '{}' is none of start, end, N, @TIME", text)));
  return ResetTarget{Kind::offset, *offset};
}

Offset shifted(Offset from, int64_t by) {
  int64_t sum = 0;
  if (__builtin_add_overflow(from.value, by, &sum)) sum = by < 0 ? 0 : std::numeric_limits<int64_t>::max();
  return Offset(sum);
}

// Into the log, with a warning where it was outside.
PlannedOffset clamp(const TopicPartition& tp, Offset offset, const ResetFacts& facts) {
  const Offset start = facts.start.at(tp);
  const Offset end = facts.end.at(tp);
  if (offset < start)
    return {
        {},
        start,
        fmt::format("{}: offset {} is before the log, which starts at {}: reset to that", tp, offset, start)};
  if (offset > end)
    return {{},
            end,
            fmt::format("{}: offset {} is behind the log, which ends at {}: reset to that", tp, offset, end)};
  return {{}, offset, std::nullopt};
}

Result<PlannedOffset> plan_one(const ResetTarget& target, const TopicPartition& tp, const ResetFacts& facts) {
  const auto committed = facts.committed.find(tp);
  switch (target.kind) {
    case Kind::earliest: return PlannedOffset{{}, facts.start.at(tp), std::nullopt};
    case Kind::latest: return PlannedOffset{{}, facts.end.at(tp), std::nullopt};
    case Kind::offset: return clamp(tp, Offset(target.value), facts);
    case Kind::file: return clamp(tp, facts.file.at(tp), facts);
    case Kind::shift:
      if (committed == facts.committed.end())
        return fail(Error::config(fmt::format("{} has no committed offset to shift", tp)));
      return clamp(tp, shifted(committed->second, target.value), facts);
    case Kind::time:
    case Kind::duration:
      if (const Offset found = facts.at_time.at(tp); found != kNoOffset) return clamp(tp, found, facts);
      return PlannedOffset{
          {},
          facts.end.at(tp),
          fmt::format("{}: no record is as young as that: reset to the log's end, {}", tp, facts.end.at(tp))};
    case Kind::current:
      if (committed != facts.committed.end()) return PlannedOffset{{}, committed->second, std::nullopt};
      return PlannedOffset{
          {},
          facts.end.at(tp),
          fmt::format("{} has no committed offset: reset to the log's end, {}", tp, facts.end.at(tp))};
  }
  return fail(Error::config("no target"));
}

}  // namespace

Result<ResetTarget> parse_reset_target(const GroupReset& command) {
  std::vector<Result<ResetTarget>> targets;
  if (command.to_earliest) targets.emplace_back(ResetTarget{Kind::earliest});
  if (command.to_latest) targets.emplace_back(ResetTarget{Kind::latest});
  if (command.to_current) targets.emplace_back(ResetTarget{Kind::current});
  if (command.to_offset) targets.emplace_back(ResetTarget{Kind::offset, *command.to_offset});
  if (command.shift_by) targets.emplace_back(ResetTarget{Kind::shift, *command.shift_by});
  if (!command.from_file.empty()) targets.emplace_back(ResetTarget{Kind::file});
  if (!command.to.empty()) targets.push_back(parse_to(command.to));
  if (!command.to_datetime.empty()) {
    const Result<int64_t> time = parse_timestamp(command.to_datetime);
    if (!time) return fail(Error(time.error()));
    targets.emplace_back(ResetTarget{Kind::time, *time});
  }
  if (!command.by_duration.empty()) {
    const Result<int64_t> duration = parse_duration(command.by_duration);
    if (!duration) return fail(Error(duration.error()));
    targets.emplace_back(ResetTarget{Kind::duration, *duration});
  }
  if (targets.size() != 1)
    return fail(Error::config(
        "give exactly one of --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, "
        "--to-datetime, --by-duration, --from-file, --to"));
  return targets.front();
}

Result<std::map<TopicPartition, Offset>> parse_offsets_csv(std::string_view text, std::string_view group) {
  std::map<TopicPartition, Offset> offsets;
  size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (trimmed(line).empty()) continue;
    std::vector<std::string_view> cells = split(line, ',');
    for (std::string_view& cell : cells) cell = trimmed(cell);
    if (cells.size() == 4) {
      if (cells.front() != group)
        return fail(Error::config(
            fmt::format("line {}: an offset of group {}, not of {}", number, cells.front(), group)));
      cells.erase(cells.begin());
    }
    const auto partition =
        cells.size() == 3 ? parse_number(cells[1], "partition", 0, INT32_MAX) : Result<int64_t>(-1);
    const auto offset =
        cells.size() == 3 ? parse_number(cells[2], "offset", 0, INT64_MAX) : Result<int64_t>(-1);
    if (cells.size() != 3 || cells[0].empty() || !partition || !offset)
      return fail(
          Error::config(fmt::format("line {}: '{}' is not topic,partition,offset", number, trimmed(line))));
    const TopicPartition tp{std::string(cells[0]), PartitionId(static_cast<int32_t>(*partition))};
    if (!offsets.emplace(tp, Offset(*offset)).second)
      return fail(Error::config(fmt::format("line {}: {} for the second time", number, tp)));
  }
  if (offsets.empty()) return fail(Error::config("no line with topic,partition,offset"));
  return offsets;
}

Result<ResetPlan> plan_reset(const ResetTarget& target, const std::vector<TopicPartition>& partitions,
                             const ResetFacts& facts) {
  ResetPlan plan;
  for (const TopicPartition& tp : partitions) {
    TRY_ASSIGN(PlannedOffset planned, plan_one(target, tp, facts));
    const auto committed = facts.committed.find(tp);
    if (committed != facts.committed.end()) planned.committed = committed->second;
    plan.emplace(tp, std::move(planned));
  }
  return plan;
}

}  // namespace tidemark::cli
