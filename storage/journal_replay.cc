#include "storage/journal_replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/segment.h"

namespace tidemark::storage {

std::string grave_name(std::string_view folder_name, std::string_view whose, std::string_view suffix) {
  constexpr size_t kMostBytes = 255;  // of a file name
  const std::string end = fmt::format(".{}{}", whose, suffix);
  return std::string(folder_name.substr(0, kMostBytes - end.size())) + end;
}

Result<std::string> free_grave_name(FileSystem& files, const std::string& data_folder,
                                    std::string_view folder_name, std::string_view whose,
                                    std::string_view suffix) {
  std::string grave = grave_name(folder_name, whose, suffix);
  for (int n = 2;; ++n) {
    TRY_ASSIGN(const bool taken, files.exists(fmt::format("{}/{}", data_folder, grave)));
    if (!taken) return grave;
    grave = grave_name(folder_name, fmt::format("{}.{}", whose, n), suffix);
  }
}

namespace {

// A file opened for each stretch of the journal anew would cost more than its writes.
constexpr size_t kMaxOpenFiles = 1024;

class Replayer {
 public:
  Replayer(FileSystem& files, const std::string& data_folder, const ReplayHome& home,
           JournalRecovery& journals, Planted planted, size_t max_open_files)
      : files_(files),
        data_folder_(data_folder),
        home_(home),
        journals_(journals),
        planted_(planted),
        max_open_files_(std::min(max_open_files, kMaxOpenFiles)) {}

  Result<void> find_folders() {
    TRY_ASSIGN(const auto entries, files_.list(data_folder_));
    for (const DirEntry& entry : entries) {
      if (!entry.is_dir || entry.name == kOwnFolder) continue;
      if (entry.name.ends_with(kGraveSuffix)) {
        result.graves.push_back(entry.name);
        continue;
      }
      if (!is_partition_folder(entry.name)) continue;  // not ours: a mount's lost+found, for one
      const auto found = read_partition_state(files_, path(entry.name));
      if (!found && found.error().kind() == ErrorKind::io) {
        result.unreadable.emplace(entry.name, found.error());
        continue;
      }
      if (!found && found.error().kind() == ErrorKind::corruption) {
        rotten_.insert(entry.name);
        result.unidentified.push_back(entry.name);
        continue;
      }
      TRY_ASSIGN(auto state, found);
      if (!state) {
        result.unidentified.push_back(entry.name);
        continue;
      }
      if (state->home.is_zero() && home_.takes_unnamed) state->home = home_.id;
      if (state->home != home_.id) {
        result.moved.emplace(entry.name, *state);
      } else if (const auto twice = result.logs.find(state->log); twice != result.logs.end()) {
        return fail(Error::corruption(fmt::format(
            "{} and {} hold the same log: one of them is a copy, or comes from another data folder: "
            "move it away",
            path(twice->second.folder_name), path(entry.name))));
      } else if (journals_.dead().contains(state->log)) {
        TRY(bury(entry.name, state->log));
      } else {
        ReplayedLog& log = result.logs[state->log] =
            ReplayedLog{entry.name, *state, kNoOffset, {}, {}, {}, false};
        if (state->damaged) {
          log.damage = Error::corruption(
              entry.name +
              ": an earlier start found it or its journal damaged: restore it, or delete the topic");
        }
        TRY_ASSIGN(const bool has_more,
                   files_.exists(fmt::format("{}/{}", path(entry.name), kPassedOverName)));
        if (has_more && !log.damage) {
          log.damage =
              Error::corruption(fmt::format("{}: while its partition.state could not be read, journals that "
                                            "may hold records of it were put "
                                            "aside as {}/journal/*.damaged: restore the whole folder from a "
                                            "copy, or remove {} from it if the "
                                            "end of its log may be lost",
                                            entry.name, kOwnFolder, kPassedOverName));
        }
        if (const JournalDamage* damage = journals_.damage_of(state->log)) TRY(condemn(log, *damage));
      }
    }
    return {};
  }

  // First pass: where each log ends, and which appends its history still holds. An append that was cut away
  // must not be written again: a bypass may have put other bytes there since, and the journal could not
  // restore them.
  Result<void> plan(const JournalRecord& record) {
    const uint64_t number = planned_++;
    LogId id = record.log;
    if (journals_.dead().contains(id)) {
      if (record.type == JournalRecordType::erase) ++erases_;
      if (record.type == JournalRecordType::create) {
        // Its folder may be there with a state that never reached the disk. Where records are destroyed, it
        // may as well be that of a namesake that nothing speaks of any more.
        if (journals_.corruption().empty()) TRY(bury_unidentified(record));
        dead_names_[id] = record.folder;
      }
      if (planted_ != Planted::dead_log_replayed || record.type == JournalRecordType::erase) return {};
      const auto namesake = std::find_if(result.logs.begin(), result.logs.end(), [&](const auto& entry) {
        return entry.second.folder_name == dead_names_[record.log];
      });
      if (namesake == result.logs.end()) return {};
      id = namesake->first;
    }
    if (const JournalDamage* damage = journals_.damage_of(id)) return keep_name(record, *damage);
    if (passed_over_.contains(id)) return {};
    passed_over_records_ += result.logs.contains(id) || record.type == JournalRecordType::create ? 0 : 1;
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
    if (!log.state.journaled && record.type != JournalRecordType::log_start) {
      if (record.type == JournalRecordType::truncate) lower(log, record.base_offset);
      return {};
    }
    Extent& extent = extents_[id];
    switch (record.type) {
      case JournalRecordType::append:
        extent.rewind(record);
        extent.ends[record.segment_base] = record.position + record.data.size();
        extent.live[{record.segment_base, record.position}] = number;
        log.end = record.last_offset + 1;
        return {};
      case JournalRecordType::begin_bypass:
        extent.rewind(record);
        extent.bypassing[record.base_offset] = {record.segment_base, record.position};
        extent.ends[record.segment_base] = record.position;
        log.end = record.base_offset;
        return {};
      case JournalRecordType::bypass: {
        // It stands behind the appends that did not wait for it: it never takes the end back.
        extent.bypassing.erase(record.base_offset);
        uint64_t& end = extent.ends[record.segment_base];
        end = std::max(end, record.position + record.data_bytes);
        log.end = std::max(log.end, record.last_offset + 1);
        return {};
      }
      case JournalRecordType::roll: {
        JournalRecord place = record;
        place.base_offset = record.segment_base;
        extent.rewind(place);
        extent.ends[record.segment_base] = 0;
        log.end = record.segment_base;
        return {};
      }
      case JournalRecordType::truncate: return truncate(log, extent, record);
      case JournalRecordType::log_start:
        log.state.log_start = std::max(log.state.log_start, record.base_offset);
        return {};
      case JournalRecordType::create:
      case JournalRecordType::erase: return {};
    }
    return {};
  }

  Result<void> finish_plan() {
    if (passed_over_records_ > 0 || !journals_.corruption().empty())
      result.passed_over.assign(rotten_.begin(), rotten_.end());
    if (!result.unreadable.empty() &&
        (result.orphans > 0 || erases_ > 0 || !journals_.corruption().empty())) {
      // They would be freed, and the log served without them once it can be read again.
      return fail(
          Error::io(fmt::format("{}: the journal holds, or has lost, records that may be its: make the "
                                "folder readable, and start again",
                                result.unreadable.begin()->second.message())));
    }
    for (auto& [id, log] : result.logs) {
      if (!log.changed || condemned(log)) continue;
      Extent& extent = extents_[id];
      if (!extent.bypassing.empty()) {
        // What stands behind a bypass that was never finished was never answered for.
        const auto [offset, place] = *extent.bypassing.begin();
        JournalRecord cut;
        cut.segment_base = place.first;
        cut.position = place.second;
        cut.base_offset = offset;
        extent.rewind(cut);
        extent.ends[place.first] = place.second;
        log.end = offset;
      }
      TRY_ASSIGN(const Offset first, first_segment(log, extent));
      extent.ends.erase(extent.ends.begin(), extent.ends.lower_bound(first));
      for (const auto& [place, number] : extent.live) {
        if (place.first >= first) live_[number] = id;
      }
      extent.live.clear();
    }
    return {};
  }

  // Second pass: the appends that are left.
  Result<void> take(const JournalRecord& record) {
    const auto it = live_.find(written_++);
    if (it != live_.end())
      appends_.push_back({&result.logs.at(it->second), record.segment_base, record.position, record.data});
    return {};
  }

  // The journal mixes the logs: by file, and what lies one behind the other at once. No two of them overlap.
  // Written although the page cache of a killed process mostly holds the same bytes: where a sync has failed
  // before, the system has forgotten that they are not on the disk.
  Result<void> write_taken() {
    constexpr size_t kPartsAtOnce = 256;
    std::sort(appends_.begin(), appends_.end(), [](const Append& a, const Append& b) {
      return std::tie(a.log->state.log, a.base, a.position) < std::tie(b.log->state.log, b.base, b.position);
    });
    std::vector<std::span<const std::byte>> parts;
    for (size_t i = 0; i < appends_.size();) {
      const Append& first = appends_[i];
      uint64_t end = first.position;
      parts.clear();
      while (i < appends_.size() && parts.size() < kPartsAtOnce && appends_[i].log == first.log &&
             appends_[i].base == first.base && appends_[i].position == end) {
        parts.push_back(appends_[i].data);
        end += appends_[i++].data.size();
      }
      TRY_ASSIGN(const auto file, open(*first.log, first.base));
      TRY(file->write(first.position, parts));
      result.rewritten_bytes += end - first.position;
    }
    appends_.clear();
    return {};
  }

  // Rule 2: each file ends where its log does.
  Result<void> cut_files() {
    for (auto& [id, log] : result.logs) {
      if (!log.changed) continue;
      TRY(write_partition_state(files_, path(log.folder_name), log.state, false));
      if (condemned(log)) continue;
      Extent& extent = extents_[id];
      bool is_short = false;
      for (const Offset base : extent.stale) TRY(remove_segment(log, base));
      for (const auto& [base, end] : extent.ends) {
        TRY_ASSIGN(const auto file, open(log, base));
        TRY_ASSIGN(const uint64_t size, file->size());
        if (size > end) TRY(file->truncate(end));
        if (size < end && !log.damage) {
          log.damage = Error::corruption(
              fmt::format("{}: segment {} ends at byte {} instead of {}", log.folder_name, base, size, end));
        }
        is_short |= size < end;
        log.touched.insert(base);
      }
      // The next start has no journal any more that would say so.
      if (is_short && !std::exchange(log.state.damaged, true))
        TRY(write_partition_state(files_, path(log.folder_name), log.state, false));
    }
    return {};
  }

  JournalReplay result;

 private:
  // What the records say of one log's segments. Files are cut to it only at the end: a cut in between would
  // take what a bypass has put there since.
  struct Extent {
    std::map<Offset, uint64_t> ends;                          // of each segment that a record speaks of
    std::set<Offset> stale;                                   // segments that the log has given up since
    std::map<Offset, std::pair<Offset, uint64_t>> bypassing;  // begun and not finished: segment, position
    std::map<std::pair<Offset, uint64_t>, uint64_t> live;     // the appends that it holds: place, number

    // The log goes on at this record's place, which may be before where it was: a truncation, or a restart
    // that found less than was journaled.
    void rewind(const JournalRecord& record) {
      for (auto it = ends.upper_bound(record.segment_base); it != ends.end(); it = ends.erase(it))
        stale.insert(it->first);
      stale.erase(record.segment_base);
      bypassing.erase(bypassing.lower_bound(record.base_offset), bypassing.end());
      live.erase(live.lower_bound({record.segment_base, record.position}), live.end());
    }
  };

  struct Append {
    const ReplayedLog* log;
    Offset base;
    uint64_t position;
    std::span<const std::byte> data;  // of the journal's stretch
  };

  std::string path(const std::string& folder_name) const { return data_folder_ + "/" + folder_name; }

  // NAME-NUMBER.
  static bool is_partition_folder(std::string_view name) {
    const size_t dash = name.rfind('-');
    return dash != name.npos && dash > 0 && dash + 1 < name.size() &&
           name.find_first_not_of("0123456789", dash + 1) == name.npos;
  }

  [[nodiscard]] bool condemned(const ReplayedLog& log) const {
    return journals_.damage_of(log.state.log) != nullptr;
  }

  // Instead of a replay, where destroyed groups may have spoken of the log.
  Result<void> condemn(ReplayedLog& log, const JournalDamage& damage) {
    log.damage = Error::corruption("its journal is damaged: " + damage.what);
    log.state.damaged = log.changed = true;
    return write_partition_state(files_, path(log.folder_name), log.state, false);
  }

  // A log that only the damaged journal knows gets its folder, lest an empty one takes its place.
  Result<void> keep_name(const JournalRecord& record, const JournalDamage& damage) {
    if (record.type != JournalRecordType::create) return {};
    TRY_ASSIGN(const bool taken, files_.exists(path(std::string(record.folder))));
    if (taken) return {};
    TRY(create(record));
    return condemn(result.logs.at(record.log), damage);
  }

  Result<std::shared_ptr<File>> open(const ReplayedLog& log, Offset base) {
    const auto key = std::pair(log.state.log, base);
    if (auto it = open_files_.find(key); it != open_files_.end()) return it->second;
    TRY_ASSIGN(auto file,
               files_.open(segment_path(path(log.folder_name), base, kLogSuffix), OpenMode::create));
    if (open_files_.size() >= max_open_files_) open_files_.clear();
    return open_files_[key] = std::shared_ptr<File>(std::move(file));
  }

  // Segments wholly below the log's start were deleted, or are about to be.
  Result<Offset> first_segment(const ReplayedLog& log, const Extent& extent) {
    TRY_ASSIGN(const auto entries, files_.list(path(log.folder_name)));
    Offset first = kNoOffset;
    const auto consider = [&](Offset base) {
      if (base <= log.state.log_start) first = std::max(first, base);
    };
    for (const DirEntry& entry : entries) {
      const auto base = parse_segment_name(entry.name);
      if (base && !extent.stale.contains(*base)) consider(*base);
    }
    for (const auto& [base, end] : extent.ends) consider(base);
    return first;
  }

  Result<void> bury(const std::string& folder_name, const std::string& whose) {
    open_files_.clear();
    // Its first name may be taken: by what an earlier start buried and could not remove.
    TRY_ASSIGN(const std::string grave, free_grave_name(files_, data_folder_, folder_name, whose));
    result.graves.push_back(grave);
    return files_.rename(path(folder_name), path(grave));
  }

  // Not the grave that erase() gives a log: this one may be found again, in another journal, and erased yet.
  Result<void> bury(const std::string& folder_name, LogId log) {
    return bury(folder_name, fmt::format("{:x}-replaced", log.value));
  }

  Result<void> create(const JournalRecord& record) {
    const std::string name(record.folder);
    if (planted_ == Planted::dead_log_replayed && journals_.dead().contains(record.log)) return {};
    if (auto it = result.logs.find(record.log); it != result.logs.end()) {
      it->second.changed = true;  // it is there, and perhaps only in the page cache
      if (it->second.state.journaled) begin(it->second);
      return {};
    }
    // Whoever stands in its place is dead or was never finished.
    for (auto it = result.logs.begin(); it != result.logs.end(); ++it) {
      if (it->second.folder_name != name) continue;
      TRY(bury(name, it->first));
      result.logs.erase(it);
      break;
    }
    if (result.unreadable.contains(name) || result.moved.contains(name)) {
      ++result.orphans;
      return {};
    }
    if (rotten_.contains(name)) {
      passed_over_.insert(record.log);
      ++passed_over_records_;
      return {};
    }
    // Without a state it holds nothing that was ever synced, or is an erased log's that came back.
    TRY(bury_unidentified(record));
    ReplayedLog log;
    log.folder_name = name;
    log.state =
        PartitionState{record.log, record.topic_id, record.partition, record.journaled, Offset(0), Offset(0)};
    log.state.home = home_.id;
    log.changed = true;
    if (log.state.journaled) begin(log);
    TRY(files_.create_dir(path(name)));
    TRY(write_partition_state(files_, path(name), log.state, false));
    result.logs[record.log] = std::move(log);
    return {};
  }

  void begin(ReplayedLog& log) {
    extents_[log.state.log].ends[Offset(0)] = 0;
    log.end = Offset(0);
  }

  Result<void> bury_unidentified(const JournalRecord& record) {
    const std::string name(record.folder);
    if (rotten_.contains(name) || std::erase(result.unidentified, name) == 0) return {};
    return bury(name, "unidentified");  // not its id: the log itself may be erased before this grave is gone
  }

  static void lower(ReplayedLog& log, Offset end) {
    log.cut = std::min(log.cut.value_or(end), end);
    log.state.log_start = std::min(log.state.log_start, end);
    log.state.synced = std::min(log.state.synced, end);
    log.state.cleaned_to = std::min(log.state.cleaned_to, end);
    log.state.gaps_below = std::min(log.state.gaps_below, end);
  }

  Result<void> truncate(ReplayedLog& log, Extent& extent, const JournalRecord& record) {
    TRY_ASSIGN(const auto entries, files_.list(path(log.folder_name)));
    for (const DirEntry& entry : entries) {
      const auto base = parse_segment_name(entry.name);
      if (base && *base > record.segment_base) extent.stale.insert(*base);
    }
    extent.rewind(record);
    extent.ends[record.segment_base] = record.position;
    log.end = record.base_offset;
    lower(log, record.base_offset);
    return {};
  }

  Result<void> remove_segment(const ReplayedLog& log, Offset base) {
    open_files_.erase({log.state.log, base});
    return storage::remove_segment(files_, path(log.folder_name), base);
  }

  FileSystem& files_;
  const std::string& data_folder_;
  const ReplayHome home_;
  JournalRecovery& journals_;
  const Planted planted_;
  const size_t max_open_files_;
  std::map<LogId, Extent> extents_;
  std::set<std::string> rotten_;      // folders whose partition.state is damaged
  std::set<LogId> passed_over_;       // logs that are theirs
  uint64_t passed_over_records_ = 0;  // that may be theirs
  std::map<LogId, std::string> dead_names_;
  uint64_t erases_ = 0;
  uint64_t planned_ = 0;  // records seen in each pass
  uint64_t written_ = 0;
  std::vector<Append> appends_;     // of one stretch, to write
  std::map<uint64_t, LogId> live_;  // appends to write, by their number among all records
  std::map<std::pair<LogId, Offset>, std::shared_ptr<File>> open_files_;
};

}  // namespace

Result<JournalReplay> replay_journals(FileSystem& files, const std::string& data_folder,
                                      const ReplayHome& home, JournalRecovery& journals, Planted planted,
                                      size_t max_open_files) {
  Replayer replayer(files, data_folder, home, journals, planted, max_open_files);
  TRY(replayer.find_folders());
  TRY(journals.replay([&](const JournalRecord& record) { return replayer.plan(record); }));
  TRY(replayer.finish_plan());
  TRY(journals.replay([&](const JournalRecord& record) { return replayer.take(record); },
                      [&] { return replayer.write_taken(); }));
  TRY(replayer.cut_files());
  return std::move(replayer.result);
}

namespace {

// False: there is no such file.
Result<bool> sync_if_there(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const auto file, open_if_there(files, path, OpenMode::read_write));
  if (file) TRY(file->sync_data());
  return file != nullptr;
}

}  // namespace

Result<void> sync_replayed(FileSystem& files, const std::string& data_folder, const ReplayedLog& log) {
  if (!log.changed) return {};
  const std::string folder = data_folder + "/" + log.folder_name;
  for (const Offset base : log.touched) {
    // It may be gone since: retention, or the log itself was deleted.
    TRY(sync_if_there(files, segment_path(folder, base, kLogSuffix)));
  }
  // Only synced, not written: the log may have moved on by now.
  TRY_ASSIGN(const bool there, sync_if_there(files, partition_state_path(folder)));
  if (!there) return {};
  auto synced = files.sync_dir(folder);
  if (synced) return synced;
  TRY_ASSIGN(const bool exists, files.exists(folder));
  return exists ? synced : Result<void>();
}

}  // namespace tidemark::storage
