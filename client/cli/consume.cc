// `tidemark consume`: records of partitions to the standard output.
#include <cstdio>

#include "client/cli/record_format.h"
#include "client/cli/session.h"
#include "client/cli/start_offset.h"
#include "client/core/co_try.h"
#include "client/core/consumer.h"

namespace tidemark::cli {
namespace {

using runtime::Task;

constexpr size_t kWriteBytes = 64 << 10;

// Prints records one by one in the wanted form.
class Printer {
 public:
  Printer(OutputFormat output, std::optional<RecordFormat> format)
      : output_(output), format_(std::move(format)) {}

  void print(const TopicPartition& from, const protocol::RecordView& record) {
    if (format_) {
      format_->print(from, record, text_);
    } else if (output_ == OutputFormat::json) {
      text_ += to_value(from, record).json() + "\n";
    } else {
      text_ += "---\n" + to_value(from, record).yaml() + "\n";
    }
    if (text_.size() >= kWriteBytes) write();
  }
  // False: nobody reads the output any more.
  bool flush() {
    write();
    return good_ && flush_stdout();
  }
  [[nodiscard]] bool good() const { return good_; }

 private:
  static void add(Value::Object& fields, const char* name, const protocol::NullableBytes& bytes) {
    if (!bytes) {
      fields.emplace_back(name, Value());
      return;
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    if (is_utf8(text)) {
      fields.emplace_back(name, text);
    } else {
      fields.emplace_back(std::string(name) + "_base64", base64(text));
    }
  }
  static Value to_value(const TopicPartition& from, const protocol::RecordView& record) {
    Value::Object fields;
    fields.emplace_back("topic", from.topic);
    fields.emplace_back("partition", int64_t{from.partition.value});
    fields.emplace_back("offset", record.offset.value);
    fields.emplace_back("timestamp", record.timestamp);
    add(fields, "key", record.key);
    add(fields, "value", record.value);
    Value::List headers;
    for (const protocol::RecordHeader& header : record.headers) {
      Value::Object one;
      one.emplace_back("key", header.key);
      add(one, "value", header.value);
      headers.emplace_back(std::move(one));
    }
    fields.emplace_back("headers", std::move(headers));
    return fields;
  }
  void write() {
    good_ = good_ && write_stdout(text_);
    text_.clear();
  }

  const OutputFormat output_;
  const std::optional<RecordFormat> format_;
  std::string text_;
  bool good_ = true;
};

// Until `command.count` records are printed, or of each partition what lies below its end, if it has one.
Task<Result<int>> print_records(client::Consumer& consumer, Printer& printer, const Consume& command,
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
  std::optional<RecordFormat> format;
  const OutputFormat output = session.out.format();
  if (command.format || output == OutputFormat::automatic || output == OutputFormat::table) {
    CO_TRY_ASSIGN(format, RecordFormat::parse(command.format.value_or("%v\\n")));
  }
  Printer printer(output, std::move(format));

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
