// A log of sealed segments on the simulated disk, and whole cleanings of it as the log store will run them:
// scan, groups, swap. Reads it back batch by batch.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "protocol/batch/builder.h"
#include "storage/compaction/decision.h"
#include "storage/compaction/dirty_scan.h"
#include "storage/compaction/group_cleaner.h"
#include "storage/segment.h"
#include "tests/simulation/sim_file_system.h"

namespace tidemark::storage {

using Bytes = std::vector<std::byte>;

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// One record as a reader sees it, with the batch that holds it.
struct SeenRecord {
  Offset offset;
  int64_t timestamp = -1;
  int64_t create_timestamp = -1;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  bool operator==(const SeenRecord&) const = default;
};
struct SeenBatch {
  protocol::BatchHeader header;
  Bytes bytes;
  std::vector<SeenRecord> records;
};

// Every batch of these bytes, its checksum checked.
inline std::vector<SeenBatch> read_batches(std::span<const std::byte> bytes) {
  const auto text = [](const protocol::NullableBytes& b) {
    return b ? std::optional(as_text(*b)) : std::nullopt;
  };
  std::vector<SeenBatch> batches;
  protocol::BatchIterator iterator(bytes);
  while (true) {
    const auto batch = iterator.next();
    REQUIRE(batch.has_value());
    if (!*batch) break;
    REQUIRE(protocol::batch_crc_holds((*batch)->bytes));
    SeenBatch seen{(*batch)->header, Bytes((*batch)->bytes.begin(), (*batch)->bytes.end()), {}};
    const auto open = protocol::OpenBatch::open(**batch);
    REQUIRE(open.has_value());
    auto records = open->records();
    while (true) {
      const auto record = records.next();
      REQUIRE(record.has_value());
      if (!*record) break;
      SeenRecord r{(*record)->offset,    (*record)->timestamp,   (*record)->create_timestamp,
                   text((*record)->key), text((*record)->value), {}};
      for (const auto& header : (*record)->headers)
        r.headers.emplace_back(std::string(header.key), text(header.value));
      seen.records.push_back(std::move(r));
    }
    batches.push_back(std::move(seen));
  }
  REQUIRE(iterator.rest().empty());
  return batches;
}

// "k=v" is a record, "k" a tombstone, "=v" a record without a key; at consecutive offsets, a second apart.
inline Bytes make_batch(const protocol::BatchOptions& options,
                        std::initializer_list<std::string_view> records) {
  protocol::BatchBuilder builder(options);
  int64_t timestamp = 1'000'000 + options.base_offset.value * 1000;
  for (const std::string_view record : records) {
    const size_t sign = record.find('=');
    protocol::NullableBytes key;
    protocol::NullableBytes value;
    if (sign != 0) key = as_bytes(record.substr(0, sign));
    if (sign != record.npos) value = as_bytes(record.substr(sign + 1));
    builder.add(timestamp, key, value);
    timestamp += 1000;
  }
  auto batch = builder.build();
  REQUIRE(batch.has_value());
  return *batch;
}
inline Bytes make_marker(Offset offset, ProducerId producer, bool commit,
                         LeaderEpoch epoch = kNoLeaderEpoch) {
  protocol::BatchBuilder builder({.base_offset = offset,
                                  .leader_epoch = epoch,
                                  .producer_id = producer,
                                  .producer_epoch = ProducerEpoch(0),
                                  .transactional = true,
                                  .control = true});
  builder.add_end_txn_marker(1'000'000 + offset.value * 1000, commit, {});
  auto batch = builder.build();
  REQUIRE(batch.has_value());
  return *batch;
}

struct RoundOptions {
  Offset from;                  // the dirty part begins here
  std::optional<Offset> end{};  // and ends here; none: where the log does
  int64_t now_ms = 2'000'000;
  int64_t delete_retention_ms = 1000;
  size_t map_bytes = 1 << 16;
  double load_factor = 0.9;
  uint64_t step_bytes = UINT64_MAX;
  uint64_t segment_bytes = 1 << 30;
  std::map<ProducerId, LastOfProducer> producers{};
  std::vector<AbortedTransaction> aborted{};
};

struct RoundResult {
  Offset end;  // of what was mapped
  CleaningStats stats;
  std::vector<CleanedSegment> segments;
  std::vector<AbortedTransaction> aborted;  // of the cleaned segments
};

struct TestLog {
  static constexpr const char* kFolder = "/log";

  simulation::FaultCounters counters;
  simulation::SimDisk disk{7, counters};
  simulation::SimFileSystem files{disk};
  std::vector<CleanableSegment> segments;
  Offset end{0};

  TestLog() {
    REQUIRE(files.create_dir(kFolder).has_value());
    roll();
  }

  [[nodiscard]] std::string path(Offset base) const { return segment_path(kFolder, base, kLogSuffix); }
  [[nodiscard]] Bytes file(const std::string& name) {
    auto opened = files.open(name, OpenMode::read);
    REQUIRE(opened.has_value());
    Bytes bytes(*(*opened)->size());
    REQUIRE((*opened)->read(0, bytes) == bytes.size());
    return bytes;
  }
  void overwrite(const std::string& name, uint64_t position, std::span<const std::byte> bytes) {
    auto opened = files.open(name, OpenMode::create);
    REQUIRE(opened.has_value());
    REQUIRE((*opened)->write(position, bytes).has_value());
  }
  void append(const Bytes& batch) {
    CleanableSegment& last = segments.back();
    const auto header = protocol::read_batch_header(batch);
    REQUIRE(header.base_offset >= end);
    overwrite(path(last.facts.base_offset), last.facts.size_bytes, batch);
    last.facts.size_bytes += batch.size();
    end = last.facts.next_offset = header.next_offset();
  }
  void add(std::initializer_list<std::string_view> records, protocol::BatchOptions options = {}) {
    options.base_offset = end;
    append(make_batch(options, records));
  }
  void roll() {
    if (!segments.empty() && segments.back().facts.base_offset == end) return;
    CleanableSegment segment;
    segment.facts.base_offset = segment.facts.next_offset = end;
    segments.push_back(segment);
    overwrite(path(end), 0, {});
  }
  [[nodiscard]] Bytes bytes() {
    Bytes all;
    for (const CleanableSegment& segment : segments) {
      const Bytes one = file(path(segment.facts.base_offset));
      REQUIRE(one.size() == segment.facts.size_bytes);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }
  [[nodiscard]] std::vector<SeenBatch> batches() { return read_batches(bytes()); }
  // "0:a=1 2:b ..."
  [[nodiscard]] std::string content() {
    std::string text;
    for (const SeenBatch& batch : batches()) {
      for (const SeenRecord& record : batch.records) {
        if (batch.header.is_control()) {
          text += fmt::format("{}:marker ", record.offset);
        } else {
          text += fmt::format("{}:{}{} ", record.offset, record.key.value_or(""),
                              record.value ? "=" + *record.value : "");
        }
      }
      if (batch.records.empty())
        text += fmt::format("{}..{}:empty ", batch.header.base_offset, batch.header.last_offset());
    }
    if (!text.empty()) text.pop_back();
    return text;
  }
  [[nodiscard]] std::vector<SourceSegment> sources(size_t first, size_t count) const {
    std::vector<SourceSegment> result;
    for (size_t i = first; i < first + count; ++i)
      result.push_back({segments[i].facts.base_offset, segments[i].facts.size_bytes,
                        i + 1 < segments.size() ? segments[i + 1].facts.base_offset : end, true});
    return result;
  }
  // The segments that hold [from, end): `end` is a segment's base, or the log's end.
  [[nodiscard]] DirtyPart dirty_part(Offset from, Offset until,
                                     std::vector<AbortedTransaction> aborted = {}) const {
    size_t first = 0;
    while (first + 1 < segments.size() && segments[first + 1].facts.base_offset <= from) ++first;
    size_t last = first;
    while (last < segments.size() && segments[last].facts.base_offset < until) ++last;
    return {kFolder, sources(first, last - first), from, std::move(aborted)};
  }
  void replace(const SegmentGroup& group, const CleanedSegment& cleaned) {
    const Offset next = group.first + group.count < segments.size()
                            ? segments[group.first + group.count].facts.base_offset
                            : end;
    for (size_t i = group.first; i < group.first + group.count; ++i)
      REQUIRE(remove_segment(files, kFolder, segments[i].facts.base_offset).has_value());
    for (const std::string_view suffix : {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix})
      REQUIRE(files
                  .rename(cleaned_path(kFolder, cleaned.base, suffix, "m"),
                          segment_path(kFolder, cleaned.base, suffix))
                  .has_value());
    CleanableSegment segment;
    segment.facts = {cleaned.base, next, cleaned.bytes, cleaned.max_timestamp, {}};
    segment.first_timestamp_ms = cleaned.first_timestamp;
    const auto at = segments.begin() + static_cast<std::ptrdiff_t>(group.first);
    segments.erase(at, at + static_cast<std::ptrdiff_t>(group.count));
    segments.insert(segments.begin() + static_cast<std::ptrdiff_t>(group.first), segment);
  }

  RoundResult clean(const RoundOptions& options) {
    const Offset until = options.end.value_or(end);
    OffsetMap map(options.map_bytes, options.load_factor, {1, 2});
    DirtyScan scan(files, dirty_part(options.from, until, options.aborted), map);
    for (bool done = false; !done;) {
      const auto stepped = scan.step(options.step_bytes);
      INFO((stepped ? std::string() : stepped.error().to_string()));
      REQUIRE(stepped.has_value());
      done = *stepped;
    }
    RoundResult result;
    result.end = map.end();
    CleanedTransactions transactions(options.aborted);
    BatchCleaner cleaner(map, transactions,
                         {options.now_ms, options.delete_retention_ms, until, options.producers});
    std::vector<CleanableSegment> below;
    for (const CleanableSegment& segment : segments)
      if (segment.facts.base_offset < until) below.push_back(segment);
    CleaningSettings settings;
    settings.segment_bytes = options.segment_bytes;
    const auto groups = group_segments(below, map.end(), settings);
    for (const SegmentGroup& group : groups) {
      GroupCleaner into(files, kFolder, "m", sources(group.first, group.count), cleaner, transactions,
                        {64, 10 << 20});
      for (bool done = false; !done;) {
        const auto stepped = into.step(options.step_bytes);
        INFO((stepped ? std::string() : stepped.error().to_string()));
        REQUIRE(stepped.has_value());
        done = *stepped;
      }
      result.segments.push_back(into.segment());
      result.stats += into.segment().stats;
      for (const AbortedTransaction& aborted : into.segment().aborted) result.aborted.push_back(aborted);
    }
    for (size_t i = groups.size(); i-- > 0;) replace(groups[i], result.segments[i]);
    return result;
  }
};

}  // namespace tidemark::storage
