#include "client/cli/start_offset.h"

#include "client/cli/timestamp.h"
#include "client/core/co_try.h"

namespace tidemark::cli {

using runtime::Task;

Result<StartOffset> StartOffset::parse(const std::string& text) {
  StartOffset start;
  if (text == "start") {
    start.time = client::kEarliest;
  } else if (text == "end") {
    start.time = client::kLatest;
  } else if (text.starts_with('@')) {
    TRY_ASSIGN(start.time, parse_timestamp(std::string_view(text).substr(1)));
  } else {
    const auto number = parse_number(text, "offset", INT64_MIN + 1, INT64_MAX);
    if (!number)
      return fail(Error::config(fmt::format("offset '{}' is none of start, end, N, -N, @TIME", text)));
    if (*number >= 0) {
      start.offset = *number;
    } else {
      start.time = client::kLatest;
      start.from_end = -*number;
    }
  }
  return start;
}

Task<Result<std::vector<TopicPartition>>> find_partitions(Session& session,
                                                          const std::vector<std::string>& topics,
                                                          const std::vector<int32_t>& ids) {
  std::vector<TopicPartition> all;
  for (const std::string& name : topics) {
    auto finding = find_topic(session, name);
    const auto topic = co_await finding;
    if (!topic) co_return fail(Error(topic.error()));
    for (const auto& [id, partition] : (*topic)->partitions) {
      if (ids.empty()) all.push_back({name, id});
    }
    for (const int32_t id : ids) {
      if (!(*topic)->partitions.contains(PartitionId(id)))
        co_return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                       fmt::format("{} has no partition {}", name, id));
      all.push_back({name, PartitionId(id)});
    }
  }
  co_return all;
}

Task<Result<Offsets>> offsets_at(Session& session, const std::vector<TopicPartition>& partitions,
                                 int64_t time, client::Isolation isolation) {
  std::map<TopicPartition, int64_t> times;
  for (const TopicPartition& tp : partitions) times[tp] = time;
  auto asking = session.admin.list_offsets(times, isolation);
  const auto answers = co_await asking;
  if (!answers) co_return fail(Error(answers.error()));
  Offsets offsets;
  for (const TopicPartition& tp : partitions) {
    const auto found = answers->find(tp);
    if (found == answers->end())
      co_return fail(ErrorCode::UNKNOWN_SERVER_ERROR, fmt::format("{}: no offset was answered", tp));
    if (!found->second) co_return fail(Error(found->second.error()));
    offsets[tp] = found->second->offset;
  }
  co_return offsets;
}

Task<Result<Offsets>> first_offsets(Session& session, const std::vector<TopicPartition>& partitions,
                                    const StartOffset& start, client::Isolation isolation) {
  Offsets first;
  if (start.offset) {
    for (const TopicPartition& tp : partitions) first[tp] = Offset(*start.offset);
    co_return first;
  }
  // The end comes first: where no record is as young as the time asked for, what comes next is, and that may
  // have come meanwhile.
  Offsets ends;
  if (*start.time >= 0 || start.from_end > 0) {
    auto ends_asking = offsets_at(session, partitions, client::kLatest, isolation);
    Result<Offsets> answered_ends = co_await ends_asking;
    if (!answered_ends) co_return answered_ends;
    ends = std::move(*answered_ends);
  }
  auto asking =
      offsets_at(session, partitions, start.from_end > 0 ? client::kEarliest : *start.time, isolation);
  Result<Offsets> answered = co_await asking;
  if (!answered) co_return answered;
  for (const auto& [tp, offset] : *answered) {
    if (start.from_end > 0) {
      const int64_t held = ends.at(tp) - offset;
      first[tp] = ends.at(tp) + -std::min(held, start.from_end);
    } else {
      first[tp] = offset == kNoOffset ? ends.at(tp) : offset;
    }
  }
  co_return first;
}

}  // namespace tidemark::cli
