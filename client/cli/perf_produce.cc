// `tidemark perf produce`: how fast records are written, and how long until each is acknowledged.
#include "client/cli/perf_load.h"
#include "client/core/co_try.h"

namespace tidemark::cli {
namespace {

using runtime::Task;

Task<Result<int>> run(Session& session, const PerfProduce& command) {
  CO_TRY_ASSIGN(const client::ProducerOptions options, producer_options(session.global, command.load));
  auto finding = find_topic(session, command.topic);
  const auto topic = co_await finding;
  if (!topic) co_return fail(Error(topic.error()));

  const auto record_bytes = static_cast<size_t>(command.load.record_bytes);
  PerfRun run(session, command.limits);
  // The buffer holds no more records than bytes, so none is written off.
  Outstanding outstanding(1, static_cast<size_t>(options.buffer_bytes));
  runtime::Signal room(session.loop);
  uint64_t failed = 0;
  client::Producer producer(session.cluster, options, [&](const client::Delivery& delivery) {
    const runtime::MonoTime now = run.now();
    for (const client::RecordNumber number : delivery.records) {
      const std::optional<runtime::MonoTime> due = outstanding.settle(number);
      if (delivery.base_offset && due) run.measured.took(now - *due);
    }
    if (delivery.base_offset) {
      run.measured.count(delivery.records.size(), delivery.records.size() * record_bytes);
      run.end();
    } else {
      failed += delivery.records.size();
      run.fail_with(delivery.base_offset.error());
    }
    room.notify_all();
  });
  Filler filler(session.random, record_bytes);
  const auto make = [&](uint64_t, runtime::MonoTime) {
    client::OutgoingRecord record;
    record.topic = command.topic;
    if (command.partition >= 0) record.partition = PartitionId(command.partition);
    record.value = std::as_bytes(std::span(filler.next()));
    return record;
  };
  LoadSender sender(session, run, producer, outstanding, room);
  run.begin();
  Task<void> sending = sender.send_all(Pace(run.began(), command.load.rate), make);
  co_await sending;
  Task<void> flushing = producer.flush();
  co_await flushing;

  if (sender.unsent() > 0) session.out.note(sender.why_unsent());
  if (failed > 0) session.out.note(fmt::format("{} records were not acknowledged", failed));
  Value::Object own;
  own.emplace_back("failed", static_cast<int64_t>(failed));
  own.emplace_back("unsent", static_cast<int64_t>(sender.unsent()));
  Result<int> status = run.report("produce", std::move(own));
  if (status && sender.unsent() > 0) status = kRefused;  // the rate that was asked for was not measured
  co_return status;
}

}  // namespace

int perf_produce(const GlobalOptions& global, const PerfProduce& command) {
  return run_session(global, command, run);
}

}  // namespace tidemark::cli
