#include "client/cli/record_printer.h"

namespace tidemark::cli {
namespace {

constexpr size_t kWriteBytes = 64 << 10;

void add(Value::Object& fields, const char* name, const protocol::NullableBytes& bytes) {
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

Value to_value(const TopicPartition& from, const protocol::RecordView& record) {
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

}  // namespace

Result<RecordPrinter> RecordPrinter::make(OutputFormat output, const std::optional<std::string>& format) {
  if (!format && output != OutputFormat::automatic && output != OutputFormat::table)
    return RecordPrinter(output, std::nullopt);
  TRY_ASSIGN(RecordFormat parsed, RecordFormat::parse(format.value_or("%v\\n")));
  return RecordPrinter(output, std::move(parsed));
}

void RecordPrinter::print(const TopicPartition& from, const protocol::RecordView& record) {
  if (format_) {
    format_->print(from, record, text_);
  } else if (output_ == OutputFormat::json) {
    text_ += to_value(from, record).json() + "\n";
  } else {
    text_ += "---\n" + to_value(from, record).yaml() + "\n";
  }
  if (text_.size() >= kWriteBytes) write();
}

bool RecordPrinter::flush() {
  write();
  return good_ && flush_stdout();
}

void RecordPrinter::write() {
  good_ = good_ && write_stdout(text_);
  text_.clear();
}

}  // namespace tidemark::cli
