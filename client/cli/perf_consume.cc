// `tidemark perf consume`: how fast records are read, and how long the fetches take.
#include "client/cli/perf_run.h"
#include "client/cli/start_offset.h"
#include "client/core/co_try.h"
#include "client/core/consumer.h"

namespace tidemark::cli {
namespace {

using runtime::Task;

size_t size_of(const protocol::NullableBytes& bytes) { return bytes ? bytes->size() : 0; }

// Counts what is in `records`, as far as the run wants that many.
Result<void> count_records(PerfRun& run, client::PartitionRecords& records) {
  const int64_t wanted = run.limits().records;
  uint64_t left = wanted < 0 ? UINT64_MAX : static_cast<uint64_t>(wanted) - run.measured.records();
  uint64_t count = 0;
  uint64_t bytes = 0;
  while (count < left) {
    TRY_ASSIGN(const std::optional<protocol::RecordView> record, records.next());
    if (!record) break;
    ++count;
    bytes += size_of(record->key) + size_of(record->value);
  }
  run.measured.count(count, bytes);
  return {};
}

Task<Result<int>> run(Session& session, const PerfConsume& command) {
  CO_TRY_ASSIGN(const StartOffset start, StartOffset::parse(command.offset));
  const client::ConsumerOptions& options = session.global.consumer;
  auto finding = find_partitions(session, command.topics, command.partitions);
  const auto partitions = co_await finding;
  if (!partitions) co_return fail(Error(partitions.error()));
  auto asking = first_offsets(session, *partitions, start, options.isolation);
  const Result<Offsets> first = co_await asking;
  if (!first) co_return fail(Error(first.error()));

  PerfRun run(session, command.limits);
  client::Consumer consumer(session.cluster, options, {},
                            [&](const client::FetchTiming& fetch) { run.measured.took(fetch.took); });
  run.begin();
  for (const auto& [tp, offset] : *first) consumer.assign(tp, offset);
  while (!run.over()) {
    auto polling = consumer.poll(std::min(run.deadline(), run.next_look()));
    const auto polled = co_await polling;
    if (!polled) {
      run.fail_with(polled.error());
    } else if (*polled) {
      const Result<void> counted = count_records(run, **polled);
      if (!counted) run.fail_with(counted.error());
    }
  }
  run.end();
  Task<void> closing = consumer.close(runtime::MonoTime::min());
  co_await closing;
  co_return run.report("consume", {});
}

}  // namespace

int perf_consume(const GlobalOptions& global, const PerfConsume& command) {
  return run_session(global, command, run);
}

}  // namespace tidemark::cli
