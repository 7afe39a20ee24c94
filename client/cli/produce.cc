// `tidemark produce`: a record from each line of the standard input.
#include "client/cli/record_format.h"
#include "client/cli/session.h"
#include "client/core/co_try.h"
#include "client/core/producer.h"
#include "client/runtime/terminal.h"

namespace tidemark::cli {
namespace {

using runtime::Task;

constexpr size_t kReadBytes = 256 << 10;
// A line without an end must not take all memory.
constexpr size_t kMaxLineBytes = 64 << 20;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// What all records of the command have in common, and how each is read from its line.
struct Template {
  std::string topic;
  std::optional<std::string> key;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<PartitionId> partition;
  RecordFormat format;
  bool empty_is_null = false;
};

Result<Template> make_template(const Produce& command) {
  Template made;
  made.topic = command.topic;
  made.key = command.key;
  for (const std::string& text : command.headers) {
    TRY_ASSIGN(auto header, parse_pair(text, "header"));
    made.headers.push_back(std::move(header));
  }
  if (command.partition >= 0) made.partition = PartitionId(command.partition);
  TRY_ASSIGN(made.format, RecordFormat::parse(command.format));
  TRY(made.format.check_readable());
  made.empty_is_null = command.empty_is_null;
  return made;
}

Result<client::ProducerOptions> make_options(const Produce& command, const GlobalOptions& global) {
  client::ProducerOptions options = global.producer;
  if (!command.codec.empty()) {
    bool known = false;
    for (int bits = 0; bits <= 4; ++bits) {
      const auto codec = static_cast<protocol::CompressionType>(bits);
      if (command.codec != protocol::codec_name(codec)) continue;
      options.codec = codec;
      known = true;
    }
    if (!known)
      return fail(
          Error::config(fmt::format("'{}' is no codec (none, gzip, snappy, lz4, zstd)", command.codec)));
  }
  if (command.acks == "0") options.acks = client::Acks::none;
  if (command.acks == "1") options.acks = client::Acks::leader;
  if (command.acks == "all" || command.acks == "-1") options.acks = client::Acks::all;
  return options;
}

Result<client::OutgoingRecord> make_record(const Template& from, std::string_view line) {
  TRY_ASSIGN(const RecordFormat::Fields fields, from.format.read(line));
  client::OutgoingRecord record;
  record.topic = from.topic;
  record.partition = fields.partition ? fields.partition : from.partition;
  if (from.key) record.key = bytes_of(*from.key);
  if (fields.key) record.key = bytes_of(*fields.key);
  if (fields.value) record.value = bytes_of(*fields.value);
  if (from.empty_is_null && record.key && record.key->empty()) record.key.reset();
  if (from.empty_is_null && record.value && record.value->empty()) record.value.reset();
  for (const auto& [name, value] : from.headers) record.headers.push_back({name, bytes_of(value)});
  for (const auto& [name, value] : fields.headers) record.headers.push_back({name, bytes_of(value)});
  record.timestamp_ms = fields.timestamp_ms;
  return record;
}

// Sends every whole line of `text`; what is left of it begins the next line.
Task<Result<void>> send_lines(client::Producer& producer, const Template& from, std::string& text,
                              bool at_end, uint64_t& lines) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos && !at_end) break;
    const std::string_view line =
        std::string_view(text).substr(at, end == std::string::npos ? end : end - at);
    at = end == std::string::npos ? text.size() : end + 1;
    ++lines;
    Result<client::OutgoingRecord> record = make_record(from, line);
    if (!record) co_return fail(Error::config(fmt::format("line {}: {}", lines, record.error().message())));
    const auto taken = producer.try_send(*record);
    if (!taken) co_return fail(Error(taken.error()));
    if (*taken) continue;
    Task<Result<client::RecordNumber>> sending = producer.send(std::move(*record));
    const Result<client::RecordNumber> sent = co_await sending;
    if (!sent) co_return fail(Error(sent.error()));
  }
  text.erase(0, at);
  if (text.size() > kMaxLineBytes)
    co_return fail(Error::config(fmt::format("line {} has more than {} bytes", lines + 1, kMaxLineBytes)));
  co_return Result<void>();
}

Task<Result<void>> send_input(Session& session, client::Producer& producer, const Template& from,
                              const std::optional<Error>& failed) {
  const auto input = client::input_stream(session.loop, client::kStandardInput);
  std::string text;
  uint64_t lines = 0;
  for (bool at_end = false; !at_end && !failed;) {
    const size_t had = text.size();
    text.resize(had + kReadBytes);
    const std::span<std::byte> room = std::as_writable_bytes(std::span(text)).subspan(had);
    Task<Result<size_t>> reading = input->read_some(room);
    const Result<size_t> got = co_await reading;
    if (!got) co_return fail(Error(got.error()));
    text.resize(had + *got);
    at_end = *got == 0;
    Task<Result<void>> sending = send_lines(producer, from, text, at_end, lines);
    const Result<void> sent = co_await sending;
    if (!sent) co_return fail(Error(sent.error()));
  }
  co_return Result<void>();
}

Task<Result<int>> run(Session& session, const Produce& command) {
  CO_TRY_ASSIGN(const Template from, make_template(command));
  CO_TRY_ASSIGN(const client::ProducerOptions options, make_options(command, session.global));
  std::optional<Error> failed;
  uint64_t lost = 0;
  client::Producer producer(session.cluster, options, [&](const client::Delivery& delivery) {
    if (delivery.base_offset) return;
    if (!failed) failed = delivery.base_offset.error();
    lost += delivery.records.size();
  });
  Task<Result<void>> sending = send_input(session, producer, from, failed);
  const Result<void> sent = co_await sending;
  Task<void> flushing = producer.flush();
  co_await flushing;
  if (failed) {
    session.out.note(fmt::format("{} records were not acknowledged{}", lost,
                                 failed->possibly_persisted() ? "; some may have been written" : ""));
    co_return fail(Error(*failed));
  }
  if (!sent) co_return fail(Error(sent.error()));
  co_return kDone;
}

}  // namespace

int produce(const GlobalOptions& global, const Produce& command) { return run_session(global, command, run); }

}  // namespace tidemark::cli
