#include "storage/journal_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "storage/segment.h"

namespace tidemark::storage {
namespace {

class Replayer {
 public:
  Replayer(FileSystem& files, const std::string& data_folder, JournalRecovery& journals, Planted planted)
      : files_(files), data_folder_(data_folder), journals_(journals), planted_(planted) {}

  Result<void> find_folders() {
    TRY_ASSIGN(const auto entries, files_.list(data_folder_));
    for (const DirEntry& entry : entries) {
      if (!entry.is_dir || entry.name == kOwnFolder) continue;
      if (entry.name.ends_with(kGraveSuffix)) {
        result.graves.push_back(entry.name);
        continue;
      }
      TRY_ASSIGN(const auto state, read_partition_state(files_, path(entry.name)));
      if (!state) {
        result.unidentified.push_back(entry.name);
      } else if (journals_.dead().contains(state->log) && planted_ != Planted::dead_log_replayed) {
        TRY(bury(entry.name, state->log));
      } else {
        result.logs[state->log] = ReplayedLog{entry.name, *state, kNoOffset, {}, {}, {}, false};
      }
    }
    return {};
  }

  Result<void> apply(const JournalRecord& record) {
    LogId id = record.log;
    if (journals_.dead().contains(id)) {
      if (planted_ != Planted::dead_log_replayed || record.type == JournalRecordType::erase) return {};
    }
    ++result.records;
    if (record.type == JournalRecordType::create) return create(record);
    auto it = result.logs.find(id);
    if (it == result.logs.end()) {
      ++result.orphans;  // its folder is gone although nothing erased it
      return {};
    }
    ReplayedLog& log = it->second;
    log.changed = true;
    // Without a journal the files alone say where the log ends; a record of it may be older than they are.
    if (!log.state.journaled && record.type != JournalRecordType::log_start) return {};
    switch (record.type) {
      case JournalRecordType::append: return append(log, record);
      case JournalRecordType::bypass: {
        log.bypassing.erase(record.base_offset);
        log.end = std::max(log.end, record.last_offset + 1);
        auto& end = ends_[id];
        end = std::max(end, {record.segment_base, record.position + record.data_bytes});
        return {};
      }
      case JournalRecordType::begin_bypass:
        log.bypassing.clear();  // a restart cut that one
        log.bypassing.insert(record.base_offset);
        log.end = record.base_offset;
        ends_[id] = {record.segment_base, record.position};
        return {};
      case JournalRecordType::roll: {
        log.bypassing.clear();
        TRY_ASSIGN(const auto file, open(log, record.segment_base));
        ends_[id] = {record.segment_base, 0};
        log.end = record.segment_base;
        log.touched.insert(record.segment_base);
        (void)file;
        return {};
      }
      case JournalRecordType::truncate: return truncate(log, record);
      case JournalRecordType::log_start:
        log.state.log_start = std::max(log.state.log_start, record.base_offset);
        return {};
      case JournalRecordType::create:
      case JournalRecordType::erase: return {};
    }
    return {};
  }

  // Rule 2: each file ends where its log does.
  Result<void> cut_files() {
    for (auto& [id, log] : result.logs) {
      if (!log.changed) continue;
      TRY(write_partition_state(files_, path(log.folder_name), log.state, false));
      const auto it = ends_.find(id);
      if (it == ends_.end()) continue;
      // Appends behind a bypass that was never finished count for nothing.
      if (!log.bypassing.empty()) log.end = std::min(log.end, *log.bypassing.begin());
      const auto [base, end] = it->second;
      TRY_ASSIGN(const auto file, open(log, base));
      TRY_ASSIGN(const uint64_t size, file->size());
      if (size > end) {
        if (log.bypassing.empty()) TRY(file->truncate(end));
      } else if (size < end) {
        log.damage = Error::corruption(
            fmt::format("{}: segment {} ends at byte {} instead of {}", log.folder_name, base, size, end));
      }
      log.touched.insert(base);
    }
    return {};
  }

  JournalReplay result;

 private:
  std::string path(const std::string& folder_name) const { return data_folder_ + "/" + folder_name; }

  Result<std::shared_ptr<File>> open(const ReplayedLog& log, Offset base) {
    const std::string file_path = segment_path(path(log.folder_name), base, kLogSuffix);
    if (file_path == open_path_) return open_file_;
    TRY_ASSIGN(auto file, files_.open(file_path, OpenMode::create));
    open_path_ = file_path;
    open_file_ = std::shared_ptr<File>(std::move(file));
    return open_file_;
  }

  Result<void> bury(const std::string& folder_name, LogId id) {
    const std::string grave = fmt::format("{}.{:x}{}", folder_name, id.value, kGraveSuffix);
    open_path_.clear();
    result.graves.push_back(grave);
    return files_.rename(path(folder_name), path(grave));
  }

  Result<void> create(const JournalRecord& record) {
    const std::string name(record.folder);
    if (auto found = result.logs.find(record.log); found != result.logs.end()) {
      found->second.changed = true;  // it is there, and perhaps only in the page cache
      return {};
    }
    // Whoever stands in its place is dead or was never finished.
    for (auto it = result.logs.begin(); it != result.logs.end(); ++it) {
      if (it->second.folder_name != name) continue;
      if (planted_ == Planted::dead_log_replayed) {
        auto node = result.logs.extract(it);  // the namesake's files, under the dead log's id
        node.key() = record.log;
        result.logs.insert(std::move(node));
        return {};
      }
      TRY(bury(name, it->first));
      result.logs.erase(it);
      break;
    }
    std::erase(result.unidentified, name);
    ReplayedLog log;
    log.folder_name = name;
    log.state =
        PartitionState{record.log, record.topic_id, record.partition, record.journaled, Offset(0), Offset(0)};
    log.end = Offset(0);
    log.changed = true;
    TRY(files_.create_dir(path(name)));
    TRY(write_partition_state(files_, path(name), log.state, false));
    result.logs[record.log] = std::move(log);
    return {};
  }

  Result<void> append(ReplayedLog& log, const JournalRecord& record) {
    // What lies below the log's start is written too: the start may lie in the middle of its segment. A
    // segment that is gone comes up again, and is removed once the log is opened.
    log.bypassing.clear();
    log.end = record.last_offset + 1;
    ends_[record.log] = {record.segment_base, record.position + record.data.size()};
    auto written = write(log, record);
    const bool below = record.last_offset < log.state.log_start;
    if (!written && below && written.error().kind() == ErrorKind::no_space) return {};
    return written;
  }

  Result<void> write(ReplayedLog& log, const JournalRecord& record) {
    TRY_ASSIGN(const auto file, open(log, record.segment_base));
    // After a killed process the page cache mostly holds the same bytes already: comparing is cheaper than
    // writing.
    existing_.resize(record.data.size());
    TRY_ASSIGN(const size_t got, file->read(record.position, existing_));
    if (got != record.data.size() || std::memcmp(existing_.data(), record.data.data(), got) != 0) {
      TRY(file->write(record.position, record.data));
      result.rewritten_bytes += record.data.size();
    }
    log.touched.insert(record.segment_base);
    return {};
  }

  Result<void> truncate(ReplayedLog& log, const JournalRecord& record) {
    log.bypassing.clear();
    TRY_ASSIGN(const auto entries, files_.list(path(log.folder_name)));
    for (const DirEntry& entry : entries) {
      const auto base = parse_segment_name(entry.name);
      if (!base || *base <= record.segment_base) continue;
      for (const std::string_view suffix : {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix})
        TRY(files_.remove(segment_path(path(log.folder_name), *base, suffix)));
      log.touched.erase(*base);
    }
    open_path_.clear();
    TRY_ASSIGN(const auto file, open(log, record.segment_base));
    TRY_ASSIGN(const uint64_t size, file->size());
    if (size > record.position) TRY(file->truncate(record.position));
    log.touched.insert(record.segment_base);
    log.end = record.base_offset;
    log.state.log_start = std::min(log.state.log_start, record.base_offset);
    ends_[record.log] = {record.segment_base, record.position};
    return {};
  }

  FileSystem& files_;
  const std::string& data_folder_;
  JournalRecovery& journals_;
  const Planted planted_;
  std::map<LogId, std::pair<Offset, uint64_t>> ends_;  // segment and byte where each log ends
  std::string open_path_;
  std::shared_ptr<File> open_file_;
  std::vector<std::byte> existing_;
};

}  // namespace

Result<JournalReplay> replay_journals(FileSystem& files, const std::string& data_folder,
                                      JournalRecovery& journals, Planted planted) {
  Replayer replayer(files, data_folder, journals, planted);
  TRY(replayer.find_folders());
  TRY(journals.replay([&](const JournalRecord& record) { return replayer.apply(record); }));
  TRY(replayer.cut_files());
  return std::move(replayer.result);
}

Result<void> sync_replayed(FileSystem& files, const std::string& data_folder, const JournalReplay& replay) {
  bool any = !replay.graves.empty();
  for (const auto& [id, log] : replay.logs) {
    if (!log.changed) continue;
    any = true;
    const std::string folder = data_folder + "/" + log.folder_name;
    for (const Offset base : log.touched) {
      auto file = files.open(segment_path(folder, base, kLogSuffix), OpenMode::read_write);
      if (!file) continue;  // deleted since: retention, or the log itself
      TRY((*file)->sync_data());
    }
    // Only synced, not written: the log may have moved on by now. It may even be gone.
    auto state = files.open(fmt::format("{}/{}", folder, kPartitionStateName), OpenMode::read_write);
    if (!state) continue;
    TRY((*state)->sync_data());
    if (auto synced = files.sync_dir(folder); !synced) {
      TRY_ASSIGN(const bool exists, files.exists(folder));
      if (exists) return synced;
    }
  }
  return any ? files.sync_dir(data_folder) : Result<void>();
}

}  // namespace tidemark::storage
