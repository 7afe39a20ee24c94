// What single files hold.
#include <charconv>

#include "client/cli/log_files.h"
#include "protocol/batch/batch_iterator.h"
#include "storage/format/journal_format.h"
#include "storage/format/offset_index.h"
#include "storage/format/segment_scan.h"
#include "storage/format/time_index.h"

namespace tidemark::cli {
namespace {

using storage::File;

// A stretch or an index is read whole.
constexpr uint64_t kMaxWholeFileBytes = uint64_t{1} << 30;

Value text_or_base64(const protocol::NullableBytes& bytes) {
  if (!bytes) return {};
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  return is_utf8(text) ? Value(text) : Value("base64:" + base64(text));
}

Result<Offset> base_of(const std::string& path) {
  const std::string_view name = std::string_view(path).substr(path.find_last_of('/') + 1);
  int64_t base = -1;
  const char* end = name.data() + name.find('.');
  const auto parsed = std::from_chars(name.data(), end, base);
  if (parsed.ec != std::errc() || parsed.ptr != end || base < 0)
    return fail(Error::config(fmt::format("{}: the name does not begin with an offset", path)));
  return Offset(base);
}

Result<std::vector<std::byte>> read_whole(File& file, const std::string& path) {
  TRY_ASSIGN(const uint64_t size, file.size());
  if (size > kMaxWholeFileBytes) return fail(Error::config(fmt::format("{} has {} bytes", path, size)));
  std::vector<std::byte> bytes(size);
  TRY_ASSIGN(const size_t got, file.read(0, bytes));
  bytes.resize(got);
  return bytes;
}

Value::List records_of(const storage::ScannedBatch& batch, std::string& trouble) {
  Value::List records;
  const auto open = protocol::OpenBatch::open({batch.header, batch.bytes});
  if (!open) {
    trouble = open.error().message();
    return records;
  }
  protocol::RecordIterator each = open->records();
  for (;;) {
    const auto record = each.next();
    if (!record) {
      trouble = record.error().message();
      return records;
    }
    if (!*record) return records;
    Value::List headers;
    for (const protocol::RecordHeader& header : (*record)->headers)
      headers.push_back(Value::object({{"key", header.key}, {"value", text_or_base64(header.value)}}));
    records.push_back(Value::object({{"offset", (*record)->offset.value},
                                     {"timestamp", (*record)->timestamp},
                                     {"key", text_or_base64((*record)->key)},
                                     {"value", text_or_base64((*record)->value)},
                                     {"headers", Value(headers)}}));
  }
}

Value::Object describe_batch(const storage::ScannedBatch& batch) {
  const protocol::BatchHeader& h = batch.header;
  const auto codec = protocol::codec_of(h);
  return {{"base_offset", h.base_offset.value},
          {"last_offset", h.last_offset().value},
          {"records", int64_t{h.record_count}},
          {"position", static_cast<int64_t>(batch.position)},
          {"bytes", static_cast<int64_t>(h.size_in_bytes())},
          {"leader_epoch", int64_t{h.leader_epoch.value}},
          {"max_timestamp", h.max_timestamp},
          {"timestamp_type",
           h.timestamp_type() == protocol::TimestampType::create_time ? "CreateTime" : "LogAppendTime"},
          {"codec", codec ? protocol::codec_name(*codec) : "unknown"},
          {"producer_id", h.producer_id.value},
          {"producer_epoch", int64_t{h.producer_epoch.value}},
          {"base_sequence", int64_t{h.base_sequence}},
          {"transactional", h.is_transactional()},
          {"control", h.is_control()},
          {"crc", int64_t{h.crc}}};
}

std::string_view end_name(storage::ScanEnd end) {
  switch (end) {
    case storage::ScanEnd::clean: return "clean";
    case storage::ScanEnd::stopped: return "stopped";
    case storage::ScanEnd::torn: return "torn";
    case storage::ScanEnd::corrupt: return "damaged";
  }
  return "damaged";
}

Result<FileReport> dump_segment(File& file, const std::string& path, bool with_records) {
  FileReport report;
  Value::List batches;
  storage::ScanOptions options;
  options.gaps_below = storage::kGapsAnywhere;
  options.whole_batches = with_records;
  TRY_ASSIGN(const Offset base, base_of(path));
  TRY_ASSIGN(const storage::ScanResult scan,
             storage::scan_segment(file, options, [&](const storage::ScannedBatch& batch) {
               Value::Object fields = describe_batch(batch);
               if (!with_records) {
                 report.rows.emplace_back(fields);
               } else {
                 Value::List records = records_of(batch, report.reason);
                 report.rows.insert(report.rows.end(), records.begin(), records.end());
                 fields.emplace_back("content", std::move(records));
                 if (!report.reason.empty()) report.health = Health::damaged;
               }
               batches.emplace_back(std::move(fields));
               return true;
             }));
  if (scan.end == storage::ScanEnd::torn) report.health = Health::torn;
  if (scan.end == storage::ScanEnd::corrupt) report.health = Health::damaged;
  if (!scan.reason.empty()) report.reason = fmt::format("byte {}: {}", scan.position, scan.reason);
  report.document = Value::object({{"file", path},
                                   {"kind", "segment"},
                                   {"base_offset", base.value},
                                   {"batches", Value(batches)},
                                   {"end", end_name(scan.end)},
                                   {"end_position", static_cast<int64_t>(scan.position)},
                                   {"reason", report.reason.empty() ? Value() : Value(report.reason)}});
  return report;
}

// `describe` makes a row of an entry.
template <class Entry, class Describe>
Result<FileReport> dump_index(File& file, const std::string& path, const char* kind, Describe describe) {
  TRY_ASSIGN(const Offset base, base_of(path));
  TRY_ASSIGN(const std::vector<std::byte> bytes, read_whole(file, path));
  FileReport report;
  for (size_t at = 0; at + Entry::kBytes <= bytes.size(); at += Entry::kBytes)
    report.rows.push_back(describe(Entry::decode(base, bytes.data() + at)));
  const auto parsed = storage::Index<Entry>::parse(base, bytes);
  if (!parsed) {
    report.health = Health::damaged;
    report.reason = parsed.error().message();
  }
  report.document = Value::object({{"file", path},
                                   {"kind", kind},
                                   {"base_offset", base.value},
                                   {"entries", Value(report.rows)},
                                   {"reason", parsed ? Value() : Value(report.reason)}});
  return report;
}

std::string_view record_name(storage::JournalRecordType type) {
  switch (type) {
    case storage::JournalRecordType::create: return "create";
    case storage::JournalRecordType::append: return "append";
    case storage::JournalRecordType::bypass: return "bypass";
    case storage::JournalRecordType::roll: return "roll";
    case storage::JournalRecordType::truncate: return "truncate";
    case storage::JournalRecordType::log_start: return "log_start";
    case storage::JournalRecordType::erase: return "erase";
    case storage::JournalRecordType::begin_bypass: return "begin_bypass";
  }
  return "unknown";
}

Value describe_record(const storage::Group& group, const storage::JournalRecord& record) {
  return Value::object({{"group", static_cast<int64_t>(group.header.sequence.value)},
                        {"type", record_name(record.type)},
                        {"log", static_cast<int64_t>(record.log.value)},
                        {"segment", record.segment_base.value},
                        {"position", static_cast<int64_t>(record.position)},
                        {"base_offset", record.base_offset.value},
                        {"last_offset", record.last_offset.value},
                        {"epoch", int64_t{record.epoch.value}},
                        {"bytes", int64_t{record.data_bytes}},
                        {"folder", record.folder.empty() ? Value() : Value(record.folder)}});
}

Result<FileReport> dump_stretch(File& file, const std::string& path) {
  TRY_ASSIGN(const std::vector<std::byte> bytes, read_whole(file, path));
  TRY_ASSIGN(const std::optional<storage::StretchHeader> header, storage::decode_stretch_header(bytes));
  FileReport report;
  if (!header) {
    report.document = Value::object({{"file", path}, {"kind", "journal"}, {"header", Value()}});
    report.reason = "an unused stretch: no header";
    return report;
  }
  const storage::StretchScan scan = storage::scan_stretch(bytes, *header, nullptr);
  for (const storage::Group& group : scan.groups) {
    std::span<const std::byte> rest = group.payload;
    for (uint32_t left = group.header.record_count; left > 0; --left) {
      const auto record = storage::decode_record(rest);
      if (!record) {
        report.health = Health::damaged;
        report.reason = fmt::format("group {}: {}", group.header.sequence.value, record.error().message());
        break;
      }
      report.rows.push_back(describe_record(group, *record));
    }
  }
  if (scan.end == storage::StretchEnd::torn) report.health = Health::torn;
  if (scan.end == storage::StretchEnd::corrupt) report.health = Health::damaged;
  if (report.reason.empty() && report.health != Health::ok)
    report.reason = fmt::format("byte {}: the chain of groups breaks off",
                                scan.gaps.empty() ? scan.end_position : scan.gaps.front().position);
  report.document =
      Value::object({{"file", path},
                     {"kind", "journal"},
                     {"header", Value::object({{"journal", int64_t{header->journal.value}},
                                               {"generation", static_cast<int64_t>(header->generation.value)},
                                               {"ordinal", static_cast<int64_t>(header->ordinal)},
                                               {"first_group", static_cast<int64_t>(header->first.value)},
                                               {"checkpoint", static_cast<int64_t>(header->checkpoint.value)},
                                               {"bytes", static_cast<int64_t>(header->stretch_bytes)}})},
                     {"groups", static_cast<int64_t>(scan.groups.size())},
                     {"records", Value(report.rows)},
                     {"end_position", static_cast<int64_t>(scan.end_position)},
                     {"reason", report.reason.empty() ? Value() : Value(report.reason)}});
  return report;
}

}  // namespace

Result<FileReport> dump_file(storage::FileSystem& files, const std::string& path, bool records) {
  const auto file = files.open(path, storage::OpenMode::read);
  if (!file) return fail(Error::config(file.error().message()));
  if (path.ends_with(".log")) return dump_segment(**file, path, records);
  if (path.ends_with(".index")) {
    return dump_index<storage::OffsetPosition>(
        **file, path, "index", [](const storage::OffsetPosition& entry) {
          return Value::object({{"offset", entry.offset.value}, {"position", entry.position}});
        });
  }
  if (path.ends_with(".timeindex")) {
    return dump_index<storage::TimestampOffset>(
        **file, path, "timeindex", [](const storage::TimestampOffset& entry) {
          return Value::object({{"timestamp", entry.timestamp_ms}, {"offset", entry.offset.value}});
        });
  }
  if (path.ends_with(".journal")) return dump_stretch(**file, path);
  return fail(Error::config(fmt::format("{}: neither .log, .index, .timeindex nor .journal", path)));
}

}  // namespace tidemark::cli
