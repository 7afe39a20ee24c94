// `tidemark consume -g`: records of the partitions that a group's member is assigned, to the standard output.
// What was written there is committed, every auto.commit.interval.ms, when partitions go to somebody else,
// and at the end: also after Ctrl-C, which leaves the group.
#include "client/cli/consume_group.h"

#include "client/core/group_consumer.h"
#include "client/runtime/interrupt.h"

namespace tidemark::cli {
namespace {

using client::FetchPosition;
using client::GroupConsumer;
using runtime::Task;
using Event = GroupConsumer::Event;

constexpr auto kLookForInterrupt = std::chrono::milliseconds(200);
constexpr auto kGoodbye = std::chrono::seconds(5);

class Member {
 public:
  Member(Session& session, const Consume& command, client::ConsumerOptions options,
         client::GroupOptions group, StartOffset start, RecordPrinter printer)
      : session_(session),
        command_(command),
        options_(options),
        start_(std::move(start)),
        printer_(std::move(printer)),
        consumer_(session.cluster, options, std::move(group)),
        left_(command.count < 0 ? INT64_MAX : command.count) {
    consumer_.subscribe({command.topics.begin(), command.topics.end()});
  }

  Task<Result<int>> run() {
    Task<Result<int>> reading = read();
    Result<int> status = co_await reading;
    // The command does not stay for the fetches.
    Task<void> closing =
        consumer_.close(session_.cluster.scheduler().mono() + kGoodbye, runtime::MonoTime::min());
    co_await closing;
    co_return status;
  }

 private:
  [[nodiscard]] bool has_enough() const {
    return left_ == 0 || interrupt_.came() ||
           (command_.until_end && was_assigned_ && consumer_.is_placed() && open_.empty());
  }

  Task<Result<int>> read() {
    while (!has_enough()) {
      auto polling = consumer_.poll(session_.cluster.scheduler().mono() + kLookForInterrupt);
      Result<Event> event = co_await polling;
      if (!event) co_return fail(Error(event.error()));
      switch (event->kind) {
        case Event::Kind::nothing: break;
        case Event::Kind::records: {
          const Result<void> printed = print(*event->records);
          if (!printed) co_return fail(Error(printed.error()));
          if (!printer_.good()) co_return kRefused;
          break;
        }
        case Event::Kind::assigned: {
          Task<Result<void>> beginning = begin(*event);
          const Result<void> begun = co_await beginning;
          if (!begun) co_return fail(Error(begun.error()));
          break;
        }
        case Event::Kind::revoked:
        case Event::Kind::lost:
          for (const TopicPartition& tp : event->partitions) open_.erase(tp);
          // Others follow, or the same.
          if (event->kind == Event::Kind::lost || !consumer_.membership().cooperates()) was_assigned_ = false;
          break;
      }
    }
    co_return kDone;
  }

  // Committed is only what is surely written.
  Result<void> print(client::PartitionRecords& records) {
    const TopicPartition& from = records.partition();
    std::optional<FetchPosition> done;
    LeaderEpoch epoch = kNoLeaderEpoch;  // of the last record
    const auto end = open_.find(from);
    Result<void> outcome;
    while (left_ > 0 && printer_.good()) {
      const auto record = records.next();
      if (!record) {
        outcome = fail(Error(record.error()));
        break;
      }
      if (!*record || (end != open_.end() && (*record)->offset >= end->second)) break;
      printer_.print(from, **record);
      epoch = records.leader_epoch();
      done = {(*record)->offset + 1, epoch};
      --left_;
    }
    if (!printer_.flush()) return outcome;
    // Behind the last record there may be others that are nobody's to see, as markers of transactions.
    if (left_ > 0 && outcome && (end == open_.end() || records.position() <= end->second))
      done = {records.position(), epoch};
    if (done) consumer_.processed(from, *done);
    if (end != open_.end() && records.position() >= end->second) {
      consumer_.stop_reading(from);
      open_.erase(end);
    }
    return outcome;
  }

  // Where the group has not committed, reading begins where --offset says.
  Task<Result<void>> begin(const Event& assigned) {
    was_assigned_ = true;
    std::vector<TopicPartition> fresh;
    for (const TopicPartition& tp : assigned.partitions) {
      if (!assigned.committed.contains(tp)) fresh.push_back(tp);
    }
    auto asking = first_offsets(session_, fresh, start_, options_.isolation);
    const Result<Offsets> first = co_await asking;
    if (!first) co_return fail(Error(first.error()));
    for (const auto& [tp, offset] : *first) consumer_.seek(tp, offset);
    if (!command_.until_end) co_return Result<void>();
    auto asking_ends = offsets_at(session_, assigned.partitions, client::kLatest, options_.isolation);
    const Result<Offsets> ends = co_await asking_ends;
    if (!ends) co_return fail(Error(ends.error()));
    for (const auto& [tp, end] : *ends) {
      const auto committed = assigned.committed.find(tp);
      const Offset at = committed == assigned.committed.end() ? first->at(tp) : committed->second.offset;
      if (at < end) {
        open_[tp] = end;
      } else {
        consumer_.stop_reading(tp);
      }
    }
    co_return Result<void>();
  }

  Session& session_;
  const Consume& command_;
  const client::ConsumerOptions options_;
  const StartOffset start_;
  RecordPrinter printer_;
  GroupConsumer consumer_;
  int64_t left_;
  bool was_assigned_ = false;
  Offsets open_;  // with --until-end: what is still to be read, and up to where
  client::Interrupt interrupt_;
};

}  // namespace

Task<Result<int>> consume_in_group(Session& session, const Consume& command, client::ConsumerOptions options,
                                   StartOffset start, RecordPrinter printer) {
  if (!command.partitions.empty())
    co_return fail(Error::config("-p: a group's members are told which partitions to read"));
  // Of what was committed and is not in the log any more, too.
  if (options.offset_reset == client::OffsetReset::none) {
    options.offset_reset =
        command.offset == "end" ? client::OffsetReset::latest : client::OffsetReset::earliest;
  }
  client::GroupOptions group = session.global.group;
  group.id = command.group;
  for (const std::string& topic : command.topics) {
    auto finding = find_topic(session, topic);
    const auto found = co_await finding;
    if (!found) co_return fail(Error(found.error()));
  }
  Member member(session, command, options, std::move(group), std::move(start), std::move(printer));
  Task<Result<int>> running = member.run();
  Result<int> status = co_await running;
  co_return status;
}

}  // namespace tidemark::cli
