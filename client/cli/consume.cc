// `tidemark consume`: records of partitions to the standard output; in a group it is consume_group.cc.
#include "client/cli/consume_group.h"
#include "client/core/co_try.h"
#include "client/core/consumer.h"

namespace tidemark::cli {
namespace {

using runtime::Task;

// Until `command.count` records are printed, or of each partition what lies below its end, if it has one.
Task<Result<int>> print_records(client::Consumer& consumer, RecordPrinter& printer, const Consume& command,
                                std::set<TopicPartition> open, Offsets ends) {
  int64_t left = command.count < 0 ? INT64_MAX : command.count;
  while (left > 0 && !open.empty()) {
    auto polling = consumer.poll(runtime::MonoTime::min());
    auto polled = co_await polling;
    if (polled && !*polled) {
      // Everything that has come is shown before we wait for more.
      if (!printer.flush()) co_return kRefused;
      auto waiting = consumer.poll(runtime::kNever);
      polled = co_await waiting;
    }
    if (!polled) {
      printer.flush();
      co_return fail(Error(polled.error()));
    }
    client::PartitionRecords& records = **polled;
    const auto end = ends.find(records.partition());
    while (left > 0 && printer.good()) {
      const auto record = records.next();
      if (!record) {
        printer.flush();
        co_return fail(Error(record.error()));
      }
      if (!*record || (end != ends.end() && (*record)->offset >= end->second)) break;
      printer.print(records.partition(), **record);
      --left;
    }
    if (end != ends.end() && records.position() >= end->second) {
      consumer.unassign(records.partition());
      open.erase(records.partition());
    }
    if (!printer.good()) co_return kRefused;
  }
  co_return printer.flush() ? kDone : kRefused;
}

Task<Result<int>> run(Session& session, const Consume& command) {
  client::ConsumerOptions options = session.global.consumer;
  if (command.isolation == "read_committed") options.isolation = client::Isolation::read_committed;
  if (command.isolation == "read_uncommitted") options.isolation = client::Isolation::read_uncommitted;
  CO_TRY_ASSIGN(const StartOffset start, StartOffset::parse(command.offset));
  CO_TRY_ASSIGN(RecordPrinter printer, RecordPrinter::make(session.out.format(), command.format));
  if (!command.group.empty()) {
    auto reading = consume_in_group(session, command, options, start, std::move(printer));
    Result<int> status = co_await reading;
    co_return status;
  }

  auto finding = find_partitions(session, command.topics, command.partitions);
  const auto partitions = co_await finding;
  if (!partitions) co_return fail(Error(partitions.error()));
  Offsets ends;
  if (command.until_end) {
    auto asking = offsets_at(session, *partitions, client::kLatest, options.isolation);
    Result<Offsets> answered = co_await asking;
    if (!answered) co_return fail(Error(answered.error()));
    ends = std::move(*answered);
  }
  auto asking = first_offsets(session, *partitions, start, options.isolation);
  const Result<Offsets> first = co_await asking;
  if (!first) co_return fail(Error(first.error()));

  client::Consumer consumer(session.cluster, options);
  std::set<TopicPartition> open;
  for (const auto& [tp, offset] : *first) {
    if (command.until_end && offset >= ends.at(tp)) continue;
    consumer.assign(tp, offset);
    open.insert(tp);
  }
  Task<Result<int>> printing = print_records(consumer, printer, command, std::move(open), std::move(ends));
  Result<int> status = co_await printing;
  // The command does not stay for the answers.
  Task<void> closing = consumer.close(runtime::MonoTime::min());
  co_await closing;
  co_return status;
}

}  // namespace

int consume(const GlobalOptions& global, const Consume& command) { return run_session(global, command, run); }

}  // namespace tidemark::cli
