#include "client/cli/perf_load.h"

namespace tidemark::cli {
namespace {

using runtime::MonoTime;
using runtime::Task;

// After so long without a pause the loop has its turn; it looks at its sockets only while no timer is due.
constexpr std::chrono::milliseconds kTurn(1);
constexpr std::chrono::microseconds kShortestPause(1);
// Records that came due just before the end are sent yet.
constexpr std::chrono::milliseconds kLastCall(100);
constexpr size_t kFillerBytes = size_t{1} << 20;

bool has_partitions(const client::Metadata& metadata, std::string_view topic) {
  const client::TopicMetadata* known = metadata.find_topic(topic);
  return known != nullptr && known->error == ErrorCode::NONE && !known->partitions.empty();
}

}  // namespace

Result<client::ProducerOptions> producer_options(const GlobalOptions& global, const PerfLoad& load) {
  client::ClientOptions options = global;
  if (!load.codec.empty()) TRY(client::apply_property("compression.type", load.codec, options));
  if (!load.acks.empty()) TRY(client::apply_property("acks", load.acks, options));
  client::ProducerOptions& producer = options.producer;
  if (load.idempotent) producer.idempotent = *load.idempotent;
  if (load.idempotent.value_or(false) && producer.acks != client::Acks::all)
    return fail(Error::config("--idempotent: a producer is idempotent with --acks all only"));
  if (load.batch_bytes >= 0) producer.batch_bytes = static_cast<int32_t>(load.batch_bytes);
  if (load.linger_ms >= 0) producer.linger_ms = static_cast<int32_t>(load.linger_ms);
  const int64_t most = producer.max_request_bytes;
  if (load.batch_bytes > most)
    return fail(Error::config(
        fmt::format("--batch-bytes: {} is more than max.request.size ({}), which --config FILE may raise",
                    load.batch_bytes, most)));
  client::OutgoingRecord empty;
  const auto overhead =
      static_cast<int64_t>(client::Accumulator::record_bytes(empty) + protocol::kBatchHeaderBytes);
  if (load.record_bytes > most - overhead)
    return fail(Error::config(
        fmt::format("--size: a record of {} bytes does not fit into max.request.size ({}), which "
                    "--config FILE may raise",
                    load.record_bytes, most)));
  return producer;
}

Filler::Filler(runtime::Random& random, size_t record_bytes)
    : record_bytes_(record_bytes), letters_(kFillerBytes + record_bytes, '\0') {
  for (char& letter : letters_) letter = static_cast<char>('A' + random.below(26));
}

std::string_view Filler::next() {
  const std::string_view value = std::string_view(letters_).substr(at_, record_bytes_);
  // One letter less than a whole round: the second round is no repetition of the first.
  at_ = (at_ + record_bytes_) % (kFillerBytes - 1);
  return value;
}

uint64_t LoadSender::wanted(const Pace& pace) const {
  uint64_t records = UINT64_MAX;
  if (run_.limits().records >= 0) records = static_cast<uint64_t>(run_.limits().records);
  if (pace.fixed() && run_.deadline() != runtime::kNever)
    records = std::min(records, pace.due_before(run_.deadline()));
  return records;
}

std::string LoadSender::why_unsent() const {
  return fmt::format(
      "the rate was not held: {} records were due and not sent by the end; no percentile knows of them",
      unsent_);
}

Task<void> LoadSender::send(client::OutgoingRecord record, MonoTime due) {
  Result<std::optional<client::RecordNumber>> taken = producer_.try_send(record);
  if (taken && !*taken) {
    if (has_partitions(session_.cluster.metadata(), record.topic)) {
      auto waiting = room_.wait_until(run_.next_look());
      co_await waiting;
      co_return;
    }
    // The topic went away in the middle of the run: whether it comes again, the producer finds out.
    Task<Result<client::RecordNumber>> sending = producer_.send(record);
    const Result<client::RecordNumber> sent = co_await sending;
    if (sent) {
      taken = std::optional(*sent);
    } else {
      taken = fail(Error(sent.error()));
    }
  }
  if (!taken) {
    run_.fail_with(taken.error());
    co_return;
  }
  const uint64_t number = outstanding_.add(due);
  INVARIANT(number == **taken, "record {} is outstanding as {}", **taken, number);
  ++sent_;
}

Task<void> LoadSender::send_all(Pace pace, Make make) {
  const uint64_t records = wanted(pace);
  MonoTime end = run_.deadline();
  if (pace.fixed() && end != runtime::kNever) end += kLastCall;
  MonoTime turn_ends = run_.now() + kTurn;
  uint64_t begun = UINT64_MAX;  // the record that `due` belongs to
  MonoTime due{};
  while (sent_ < records && !run_.broken_off()) {
    const MonoTime now = run_.now();
    if (now >= end) break;
    // A record that has to wait for room was due when it was first tried.
    if (begun != sent_) due = pace.fixed() ? pace.due(sent_) : now;
    begun = sent_;
    if (due > now || now >= turn_ends) {
      const MonoTime wake = std::min(std::max<MonoTime>(due, now + kShortestPause), run_.next_look());
      Task<void> pause = runtime::sleep_until(session_.loop, wake);
      co_await pause;
      turn_ends = run_.now() + kTurn;
      continue;
    }
    Task<void> sending = send(make(sent_, due), due);
    co_await sending;
  }
  if (pace.fixed() && !run_.broken_off()) {
    const uint64_t were_due = std::min(records, pace.due_before(std::min(run_.now(), run_.deadline())));
    unsent_ = were_due > sent_ ? were_due - sent_ : 0;
  }
}

}  // namespace tidemark::cli
