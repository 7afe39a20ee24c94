// `tidemark perf latency`: from when a record was due to be sent until it has been read back.
#include <cstring>

#include "client/cli/perf_load.h"
#include "client/cli/start_offset.h"
#include "client/core/co_try.h"
#include "client/core/consumer.h"

namespace tidemark::cli {
namespace {

using runtime::MonoTime;
using runtime::Task;

// How long a record may take to come back once everything is sent.
constexpr std::chrono::seconds kPatience(10);
// Sent and not read yet; beyond it the oldest count as lost.
constexpr size_t kMostOutstanding = size_t{1} << 20;

// What a record's value begins with, in this machine's byte order: only this process reads it.
struct Mark {
  uint64_t run = 0;
  uint64_t number = 0;
  int64_t due_ns = 0;
};
static_assert(sizeof(Mark) == kPerfMarkBytes);

// Everything that the sending and the reading side share.
struct Echo {
  Echo(Session& session_, const PerfLatency& command_)
      : session(session_),
        command(command_),
        run(session, command.limits),
        id(session.random.next()),
        back(session.loop),
        filler(session.random, static_cast<size_t>(command.load.record_bytes)) {}

  Session& session;
  const PerfLatency& command;
  PerfRun run;
  const uint64_t id;  // so that other writers' records are told apart
  Outstanding outstanding{1, kMostOutstanding};
  runtime::Signal back;  // something was read, or is settled
  Filler filler;
  std::vector<std::byte> value;
  bool measuring = false;
};

client::OutgoingRecord make_record(Echo& echo, uint64_t number, MonoTime due, PartitionId partition) {
  const auto letters = std::as_bytes(std::span(echo.filler.next()));
  echo.value.assign(letters.begin(), letters.end());
  const Mark mark{echo.id, number, due.time_since_epoch().count()};
  std::memcpy(echo.value.data(), &mark, sizeof(mark));
  client::OutgoingRecord record;
  record.topic = echo.command.topic;
  record.partition = partition;
  record.value = echo.value;
  return record;
}

void take_back(Echo& echo, const protocol::RecordView& record, MonoTime now) {
  Mark mark;
  if (!record.value || record.value->size() < sizeof(mark)) return;
  std::memcpy(&mark, record.value->data(), sizeof(mark));
  if (mark.run != echo.id || !echo.outstanding.settle(mark.number) || !echo.measuring) return;
  echo.run.measured.count(1, record.value->size());
  echo.run.measured.took(now.time_since_epoch() - runtime::Duration(mark.due_ns));
  echo.run.end();
}

// Until its task is destroyed, or reading fails.
Task<void> read_back(Echo& echo, client::Consumer& consumer) {
  for (;;) {
    auto polling = consumer.poll(runtime::kNever);
    const auto polled = co_await polling;
    if (!polled) {
      echo.run.fail_with(polled.error());
      co_return;
    }
    const MonoTime now = echo.run.now();
    for (;;) {
      const auto record = (*polled)->next();
      if (!record) echo.run.fail_with(record.error());
      if (!record || !*record) break;
      take_back(echo, **record, now);
    }
    echo.back.notify_all();
  }
}

// False: some records are still on their way after kPatience.
Task<bool> wait_for_all(Echo& echo) {
  const MonoTime end = echo.run.now() + kPatience;
  while (echo.outstanding.missing() > 0 && !echo.run.broken_off() && echo.run.now() < end) {
    auto waiting = echo.back.wait_until(std::min(end, echo.run.next_look()));
    co_await waiting;
  }
  co_return echo.outstanding.missing() == 0;
}

// A record to every partition, before the clock starts: connecting is not what is measured.
Task<Result<void>> warm_up(Echo& echo, client::Producer& producer, const std::vector<TopicPartition>& all) {
  for (const TopicPartition& tp : all) {
    const MonoTime now = echo.run.now();
    const uint64_t number = echo.outstanding.add(now);
    Task<Result<client::RecordNumber>> sending = producer.send(make_record(echo, number, now, tp.partition));
    const Result<client::RecordNumber> sent = co_await sending;
    if (!sent) co_return fail(Error(sent.error()));
  }
  Task<bool> waiting = wait_for_all(echo);
  const bool came_back = co_await waiting;
  if (!came_back && !echo.run.broken_off())
    co_return fail(Error::timeout(
        fmt::format("no record came back from {} within {} s", echo.command.topic, kPatience.count())));
  co_return Result<void>();
}

Task<void> measure(Echo& echo, client::Producer& producer, const std::vector<TopicPartition>& all,
                   LoadSender& sender) {
  echo.measuring = true;
  echo.run.begin();
  const auto make = [&echo, &all](uint64_t n, MonoTime due) {
    return make_record(echo, all.size() + 1 + n, due, all[n % all.size()].partition);
  };
  Task<void> sending = sender.send_all(Pace(echo.run.began(), echo.command.load.rate), make);
  co_await sending;
  Task<void> flushing = producer.flush();
  co_await flushing;
  Task<bool> waiting = wait_for_all(echo);
  (void)co_await waiting;
}

Task<Result<int>> run(Session& session, const PerfLatency& command) {
  CO_TRY_ASSIGN(const client::ProducerOptions options, producer_options(session.global, command.load));
  const std::vector<std::string> topics{command.topic};
  const std::vector<int32_t> all_ids;
  auto finding = find_partitions(session, topics, all_ids);
  const auto partitions = co_await finding;
  if (!partitions) co_return fail(Error(partitions.error()));
  StartOffset end;
  end.time = client::kLatest;
  auto asking = first_offsets(session, *partitions, end, session.global.consumer.isolation);
  const Result<Offsets> first = co_await asking;
  if (!first) co_return fail(Error(first.error()));

  Echo echo(session, command);
  client::Consumer consumer(session.cluster, session.global.consumer);
  for (const auto& [tp, offset] : *first) consumer.assign(tp, offset);
  client::Producer producer(session.cluster, options, [&](const client::Delivery& delivery) {
    if (!delivery.base_offset) echo.run.fail_with(delivery.base_offset.error());
    echo.back.notify_all();
  });
  LoadSender sender(session, echo.run, producer, echo.outstanding, echo.back);
  Result<void> warm;
  {
    runtime::TaskScope reading;
    reading.spawn(read_back(echo, consumer));
    Task<Result<void>> warming = warm_up(echo, producer, *partitions);
    warm = co_await warming;
    if (warm && !echo.run.broken_off()) {
      Task<void> measuring = measure(echo, producer, *partitions, sender);
      co_await measuring;
    }
  }
  Task<void> closing = consumer.close(MonoTime::min());
  co_await closing;
  if (!warm) echo.run.fail_with(warm.error());

  const uint64_t lost = sender.sent() - echo.run.measured.records();
  if (sender.unsent() > 0) session.out.note(sender.why_unsent());
  if (lost > 0 && !echo.run.broken_off())
    echo.run.fail_with(Error::timeout(fmt::format("{} records did not come back", lost)));
  Value::Object own;
  own.emplace_back("sent", static_cast<int64_t>(sender.sent()));
  own.emplace_back("lost", static_cast<int64_t>(lost));
  own.emplace_back("unsent", static_cast<int64_t>(sender.unsent()));
  Result<int> status = echo.run.report("latency", std::move(own));
  if (status && sender.unsent() > 0) status = kRefused;  // the rate that was asked for was not measured
  co_return status;
}

}  // namespace

int perf_latency(const GlobalOptions& global, const PerfLatency& command) {
  return run_session(global, command, run);
}

}  // namespace tidemark::cli
