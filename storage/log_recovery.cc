#include "storage/log_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "protocol/batch/crc32c.h"
#include "storage/compaction/segment_swap.h"
#include "storage/log_reader.h"
#include "storage/log_snapshot.h"
#include "storage/log_store.h"
#include "storage/producer_snapshot.h"
#include "storage/trimmed_producers.h"

namespace tidemark::storage {
namespace {

// One recovery of one log, step by step.
class LogRecovery {
 public:
  LogRecovery(FileSystem& files, std::string folder, const ReplayedLog& replayed, KeyValueStore* derived,
              const LogRecoveryOptions& options, runtime::WallTime now, RecoveryStats& stats)
      : files_(files),
        folder_(std::move(folder)),
        replayed_(replayed),
        derived_(derived),
        options_(options),
        now_(now),
        stats_(stats) {}

  Result<RecoveredLog> run() {
    log_.state = replayed_.state;
    log_.folder_name = replayed_.folder_name;
    log_.damage = replayed_.damage;
    if (options_.planted == Planted::gaps_anywhere && log_.state.gaps_below > Offset(0))
      log_.state.gaps_below = kGapsAnywhere;
    TRY(find_snapshot());
    TRY_ASSIGN(entries_, files_.list(folder_));
    TRY(find_trimmed_producers());
    TRY(find_segments());
    TRY(confirm_snapshot());
    TRY(load_indexes());
    if (!snapshot_ && trimmed_) log_.producers = trimmed_->state;
    TRY(scan());
    TRY(cut_trimmed());
    // Of a folder from before that was told: what is appended from now on has no gaps.
    if (!log_.damage) log_.state.gaps_below = std::min(log_.state.gaps_below, log_.end);
    return std::move(log_);
  }

 private:
  // What begins at `found` may come where the log goes on at `end`: offsets are missing where it was cleaned,
  // which was nowhere that no checkpoint had synced.
  [[nodiscard]] bool follows(Offset found, Offset end) const {
    const PartitionState& s = log_.state;
    return may_follow(found, end, s.journaled ? s.gaps_below : std::min(s.gaps_below, s.synced));
  }

  template <class Predicate>
  [[nodiscard]] bool any_entry(Predicate is_one) const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [&](const DirEntry& entry) { return is_one(entry.name); });
  }

  Result<void> find_segments() {
    if (any_entry([](const std::string& name) { return is_left_by_cleaning(name); })) {
      TRY(finish_swaps(files_, folder_));
      TRY_ASSIGN(entries_, files_.list(folder_));
    }
    for (const DirEntry& entry : entries_) {
      if (entry.name.ends_with(".deleted")) TRY(files_.remove(folder_ + "/" + entry.name));
      const auto base = parse_segment_name(entry.name);
      if (base) log_.segments.push_back(Segment{*base, entry.size, -1, -1, now_});
    }
    // Retention may have been cut short between the record and the files.
    while (log_.segments.size() > 1 && log_.segments[1].base <= log_.state.log_start) {
      TRY(remove_segment(files_, folder_, log_.segments.front().base));
      log_.segments.erase(log_.segments.begin());
    }
    // A segment is made before the journal knows of it: where the records before it were lost, so is it.
    // No log ends below what was cleaned of it: behind a gap, an empty one may be all that is left.
    Offset known =
        std::max({replayed_.end, candidate_ ? candidate_->offset : kNoOffset, log_.state.cleaned_to});
    if (!log_.state.journaled) known = std::max(known, log_.state.synced);
    bool removed = false;
    while (log_.segments.size() > 1 && log_.segments.back().bytes == 0 && log_.segments.back().base > known) {
      removed = true;
      TRY(remove_segment(files_, folder_, log_.segments.back().base));
      log_.segments.pop_back();
    }
    // Durably: the log may grow past its base, and it must not come back in the middle.
    if (removed) TRY(files_.sync_dir(folder_));
    if (log_.segments.empty()) {
      const Offset base = log_.state.log_start;
      TRY_ASSIGN(auto made, files_.open(segment_path(folder_, base, kLogSuffix), OpenMode::create));
      log_.segments.push_back(Segment{base, 0, -1, -1, now_});
    }
    const Offset first = log_.segments.front().base;
    // Segments go only after a durable record of the log's new start.
    if (log_.state.journaled && first > log_.state.log_start && !log_.damage) {
      log_.damage = Error::corruption(fmt::format("{}: starts at offset {}, and its first segment is {}",
                                                  log_.folder_name, log_.state.log_start, first));
    }
    log_.state.log_start = std::max(log_.state.log_start, first);
    log_.end = log_.segments.back().base;
    return {};
  }

  Result<void> find_snapshot() {
    if (derived_ == nullptr) return {};
    const auto value = derived_->get(snapshot_key(log_.state.log));
    // Derived: without it the log is read. Only a truncation has to know that what it made untrue is gone.
    if (!value && replayed_.cut) return fail(value.error());
    if (value && *value) candidate_ = decode_log_snapshot(**value);
    if (candidate_ && candidate_->log != log_.state.log) candidate_.reset();
    if (candidate_ && replayed_.cut && candidate_->offset > *replayed_.cut) {
      // The truncation was cut short before it removed what it makes untrue. Synced: a later start may not
      // know of it any more.
      candidate_.reset();
      TRY(derived_->write({KeyValueWrite{snapshot_key(log_.state.log), std::nullopt}}));
      TRY(derived_->sync());
    }
    return {};
  }

  Result<void> confirm_snapshot() {
    auto snapshot = std::exchange(candidate_, {});
    if (!snapshot) return {};
    snapshot_end_ = snapshot->offset;
    const auto segment = std::find_if(log_.segments.begin(), log_.segments.end(),
                                      [&](const Segment& s) { return s.base == snapshot->segment_base; });
    if (segment == log_.segments.end() || segment->bytes < snapshot->position) return {};
    auto epochs = parse_leader_epoch_checkpoint(snapshot->epochs);
    auto producers = decode_producer_snapshot(snapshot->producers, now_);
    if (!epochs || !producers) return {};
    // A truncation that was cut short may have taken the start back to where the epochs were forgotten.
    // (Where the log was cleaned the first batch may be anywhere, and what was forgotten there holds no
    // record.)
    const auto earliest = epochs->earliest();
    if (earliest && earliest->start_offset > log_.state.log_start &&
        !follows(earliest->start_offset, log_.state.log_start))
      return {};
    TRY_ASSIGN(const bool confirmed, confirm(*snapshot));
    if (!confirmed) return {};
    log_.epochs = std::move(*epochs);
    log_.producers = std::move(producers->state);
    snapshot_ = std::move(snapshot);
    return {};
  }

  // Whether the log agrees that `offset`, in this epoch, lies at `position`.
  Result<bool> confirm(const LogSnapshot& snapshot) {
    if (snapshot.position == 0) return snapshot.offset == snapshot.segment_base;
    TRY_ASSIGN(const auto file,
               files_.open(segment_path(folder_, snapshot.segment_base, kLogSuffix), OpenMode::read));
    uint64_t from = 0;
    if (auto index = load_index<OffsetIndex>(snapshot.segment_base, kOffsetIndexSuffix)) {
      if (auto entry = index->lookup(snapshot.offset + -1);
          entry && static_cast<uint64_t>(entry->position) < snapshot.position)
        from = static_cast<uint64_t>(entry->position);
    }
    for (const uint64_t start : {from, uint64_t{0}}) {
      HeaderWalker walker(*file, start, snapshot.position);
      std::optional<protocol::BatchHeader> last;
      while (true) {
        auto header = walker.next();
        stats_.scanned_bytes += protocol::kBatchHeaderBytes;
        if (!header || !*header) break;
        last = **header;
      }
      if (last && walker.position() == snapshot.position)
        return last->next_offset() == snapshot.offset && last->leader_epoch == snapshot.epoch;
      if (start == 0) break;  // the index misled us: once more, from the beginning
    }
    return false;
  }

  template <class IndexType>
  std::optional<IndexType> load_index(Offset base, std::string_view suffix,
                                      size_t keep = kIndexEntriesInMemory) {
    auto file = files_.open(segment_path(folder_, base, suffix), OpenMode::read);
    if (!file) return std::nullopt;
    auto index = IndexType::load(**file, base, keep);
    if (!index) return std::nullopt;
    return std::move(*index);
  }

  // The active segment's index files were not synced: they are used as far as the snapshot's checksums go, or
  // not at all.
  Result<void> load_indexes() {
    const Offset base = log_.segments.back().base;
    log_.indexes = SegmentIndexes(base, options_.index_interval_bytes);
    if (!snapshot_ || snapshot_->segment_base != base) return {};
    const SavedIndexes& saved = snapshot_->indexes;
    auto offsets = load_saved<OffsetIndex>(base, kOffsetIndexSuffix, saved.offsets, saved.offsets_crc);
    auto times = load_saved<TimeIndex>(base, kTimeIndexSuffix, saved.times, saved.times_crc);
    if (!offsets || !times) return {};
    log_.indexes = SegmentIndexes(std::move(*offsets), std::move(*times), options_.index_interval_bytes);
    log_.saved_indexes = saved;
    return {};
  }

  template <class IndexType>
  std::optional<IndexType> load_saved(Offset base, std::string_view suffix, uint32_t entries, uint32_t crc) {
    const uint64_t bytes = IndexType::bytes_of(entries);
    if (entries == SavedIndexes::kNone || bytes > kMaxIndexFileBytes) return std::nullopt;
    std::vector<std::byte> content(bytes);
    if (bytes > 0) {
      auto file = files_.open(segment_path(folder_, base, suffix), OpenMode::read);
      if (!file) return std::nullopt;
      auto got = (*file)->read(0, content);
      if (!got || *got != bytes) return std::nullopt;
    }
    if (protocol::crc32c_extend(0, content) != crc) return std::nullopt;
    auto index = IndexType::parse(base, content);
    if (!index) return std::nullopt;
    index->forget_written(kIndexEntriesInMemory);
    return std::move(*index);
  }

  Result<void> find_trimmed_producers() {
    if (!any_entry([](const std::string& name) { return name.starts_with(kTrimmedProducersName); }))
      return {};
    TRY(settle_trimmed_producers(files_, folder_, log_.state.log, log_.state.log_start, now_));
    auto trimmed = read_trimmed_producers(files_, folder_, log_.state.log, now_);
    if (!trimmed && trimmed.error().kind() != ErrorKind::corruption) return fail(trimmed.error());
    if (!trimmed) {
      if (!log_.damage) log_.damage = trimmed.error();
      return {};
    }
    trimmed_ = std::move(*trimmed);
    if (trimmed_) log_.producers_kept = trimmed_->from.offset;
    return {};
  }

  // write.caching: power loss may have taken the log's end further back than what was kept of it.
  Result<void> cut_trimmed() {
    if (log_.end >= log_.producers_kept || log_.damage) return {};
    log_.producers = log_.producers.below(log_.end);
    TRY_ASSIGN(const bool kept, lower_trimmed_producers(files_, folder_, log_.state.log, log_.end, now_));
    log_.producers_kept = kept ? log_.end : kNoOffset;
    return {};
  }

  // Everything from the snapshot on, batch by batch, and the active segment from its newest index entry.
  Result<void> scan() {
    for (size_t i = 0; i < log_.segments.size(); ++i) {
      Segment& s = log_.segments[i];
      const bool is_active = i + 1 == log_.segments.size();
      if (snapshot_ && s.base < snapshot_->segment_base) {
        TRY(load_sealed(s, log_.segments[i + 1].base));
        continue;
      }
      TRY(scan_segment(s, is_active));
      if (!is_active && !log_.state.journaled) log_.unsynced.push_back(s.base);
      const bool meets = is_active || cut_ || follows(log_.segments[i + 1].base, log_.end);
      if (!meets && !log_.state.journaled && log_.end <= log_.state.log_start) {
        // It was deleted, and power loss brought it back, without its successors: the log begins behind them.
        TRY(remove_segment(files_, folder_, s.base));
        std::erase(log_.unsynced, s.base);
        log_.segments.erase(log_.segments.begin() + static_cast<ptrdiff_t>(i--));
        log_.state.log_start = std::max(log_.state.log_start, log_.segments.front().base);
        log_.epochs.truncate_from_start(log_.state.log_start);
        // What is missing may hold newer sequences, but for what was kept of it.
        if (trimmed_ && trimmed_->from.offset >= log_.segments.front().base) {
          log_.producers = trimmed_->state;
        } else {
          TRY(forget_producers(log_.end));
        }
        continue;
      }
      if (!meets && !log_.state.journaled && log_.end >= log_.state.synced) {
        // Power loss kept what came later, and not what came before.
        cut_ = true;
        log_.indexes = std::move(sealed_indexes_);
      } else if (!meets && !log_.damage) {
        log_.damage =
            Error::corruption(fmt::format("{}: segment {} ends at offset {}, and the next one begins at {}",
                                          log_.folder_name, s.base, log_.end, log_.segments[i + 1].base));
      }
      if (cut_) {
        TRY(drop_behind(i));
        break;
      }
    }
    // What was answered for must be there; anything else is damage, and is never cut away silently.
    Offset known = snapshot_ ? snapshot_->offset : kNoOffset;
    if (log_.state.journaled) {
      known = std::max({known, replayed_.end, snapshot_end_});
    } else {
      known = std::max(known, log_.state.synced);
    }
    const bool missed = log_.state.journaled || log_.state.log_start < known;
    if (log_.end < known && missed && !log_.damage) {
      log_.damage = Error::corruption(fmt::format("{}: ends at offset {}, but was answered for up to {}: {}",
                                                  log_.folder_name, log_.end, known, stop_reason_));
    }
    if (log_.state.log_start <= log_.end) return {};
    if (!log_.state.journaled && !log_.damage) return start_anew();
    log_.state.log_start = log_.end;
    return {};
  }

  // write.caching: power loss took everything above the log's start. The start does not go back: the log goes
  // on there, empty.
  Result<void> start_anew() {
    const Offset base = log_.state.log_start;
    for (const Segment& s : log_.segments) TRY(remove_segment(files_, folder_, s.base));
    TRY_ASSIGN(auto made, files_.open(segment_path(folder_, base, kLogSuffix), OpenMode::create));
    TRY(files_.sync_dir(folder_));
    log_.segments = {Segment{base, 0, -1, -1, now_}};
    log_.indexes = SegmentIndexes(base, options_.index_interval_bytes);
    log_.saved_indexes = {};
    log_.unsynced.clear();
    log_.epochs.truncate_from_start(base);
    TRY(forget_producers(base));
    log_.end = base;
    return {};
  }

  // write.caching: what power loss took may hold newer sequences than what is known. For good: whoever
  // derives this anew, after a truncation for one, must not find what is kept of deleted records, and what
  // came after the gap behind it.
  Result<void> forget_producers(Offset end) {
    log_.producers.clear(end);
    trimmed_.reset();
    if (std::exchange(log_.producers_kept, kNoOffset) == kNoOffset) return {};
    return remove_trimmed_producers(files_, folder_);
  }

  // A segment that no scan reads. Its indexes are believed if the way from their newest entries leads to the
  // segment's last batch; and that one must end where the next segment begins.
  Result<void> load_sealed(Segment& s, Offset next) {
    TRY_ASSIGN(const auto file, files_.open(segment_path(folder_, s.base, kLogSuffix), OpenMode::read));
    TRY(find_first_timestamp(*file, s));
    auto offsets = load_index<OffsetIndex>(s.base, kOffsetIndexSuffix, 1);
    auto times = load_index<TimeIndex>(s.base, kTimeIndexSuffix, 1);
    if (offsets && times && (times->empty() || times->last().offset < next)) {
      SegmentIndexes indexes(std::move(*offsets), std::move(*times), options_.index_interval_bytes);
      TRY_ASSIGN(const bool ends, walk_sealed(*file, s, next, indexes, Believes::headers));
      indexes.seal();
      const bool more_offsets = indexes.offsets().size() > indexes.offsets().written();
      const bool more_times = indexes.times().size() > indexes.times().written();
      s.max_timestamp = indexes.max_timestamp().timestamp_ms;
      if (ends && !more_offsets && !more_times) return {};
    }
    // What the files say from now on is what the batches say: those have to be what was written.
    SegmentIndexes indexes(s.base, options_.index_interval_bytes);
    TRY_ASSIGN(const bool ends, walk_sealed(*file, s, next, indexes, Believes::checksums));
    s.max_timestamp = indexes.max_timestamp().timestamp_ms;
    if (ends) return save(s.base, indexes);
    if (!log_.damage) log_.damage = Error::corruption(stop_reason_);
    return {};
  }

  // segment.ms and max.compaction.lag.ms count from it. What is no batch there is found by whoever reads it.
  Result<void> find_first_timestamp(File& file, Segment& s) {
    std::array<std::byte, protocol::kBatchHeaderBytes> head;
    if (s.bytes < head.size()) return {};
    TRY_ASSIGN(const size_t got, file.read(0, head));
    stats_.scanned_bytes += got;
    if (got < head.size()) return {};
    if (const auto header = protocol::parse_batch_header(head)) s.first_timestamp = header->max_timestamp;
    return {};
  }

  enum class Believes : uint8_t { headers, checksums };
  // Feeds `indexes` from their newest entry on. False: the segment's batches do not lead from there to
  // `next`.
  Result<bool> walk_sealed(File& file, const Segment& s, Offset next, SegmentIndexes& indexes,
                           Believes believes) {
    const uint64_t from = indexes.resume_position();
    const Offset indexed = indexes.offsets().last().offset;
    HeaderWalker walker(file, from, s.bytes);
    std::optional<Offset> expected;
    if (from == 0) expected = s.base;
    const auto damaged = [&](uint64_t position, const std::string& why) {
      stop_reason_ =
          fmt::format("{}: segment {} is damaged from byte {}: {}", log_.folder_name, s.base, position, why);
      return false;
    };
    while (true) {
      auto header = walker.next();
      if (!header && header.error().kind() == ErrorKind::io) return fail(header.error());
      if (!header) return damaged(walker.position(), header.error().message());
      if (!*header) break;
      const auto& h = **header;
      stats_.scanned_bytes += protocol::kBatchHeaderBytes;
      if (expected ? !follows(h.base_offset, *expected) : h.last_offset() != indexed) {
        return damaged(walker.batch_position(), fmt::format("it holds offset {} instead of {}", h.base_offset,
                                                            expected.value_or(indexed)));
      }
      const uint64_t end = walker.batch_position() + h.size_in_bytes();
      if (believes == Believes::checksums && end <= s.bytes) {
        TRY_ASSIGN(const bool holds, crc_holds(file, walker.batch_position(), h.size_in_bytes()));
        stats_.scanned_bytes += h.size_in_bytes();
        if (!holds) {
          return damaged(walker.batch_position(), fmt::format("the checksum of the batch at byte {} is wrong",
                                                              walker.batch_position()));
        }
      }
      indexes.append(h, walker.batch_position());
      expected = h.next_offset();
    }
    if (walker.position() != s.bytes) return damaged(walker.position(), "the last batch is cut short");
    if (follows(next, expected.value_or(s.base))) return true;
    return damaged(s.bytes, fmt::format("it ends at offset {}, and the next one begins at {}",
                                        expected.value_or(s.base), next));
  }

  Result<void> save(Offset base, SegmentIndexes& indexes) {
    indexes.seal();
    // Behind the entries that they were loaded with, if any.
    const auto write = [&](std::string_view suffix, const auto& index) -> Result<void> {
      TRY_ASSIGN(auto file, files_.open(segment_path(folder_, base, suffix), OpenMode::create));
      const uint64_t at = index.bytes_of(index.written());
      TRY(file->truncate(at));
      TRY(file->write(at, std::span<const std::byte>(index.unwritten_bytes())));
      return file->sync_data();
    };
    // Built again where they cannot be written; synced, because the next snapshot vouches for them.
    if (write(kOffsetIndexSuffix, indexes.offsets()) && write(kTimeIndexSuffix, indexes.times())) return {};
    for (const std::string_view suffix : {kOffsetIndexSuffix, kTimeIndexSuffix})
      TRY(files_.remove(segment_path(folder_, base, suffix)));
    return {};
  }

  Result<void> scan_segment(Segment& s, bool is_active) {
    TRY_ASSIGN(const auto file, files_.open(segment_path(folder_, s.base, kLogSuffix), OpenMode::read_write));
    sealed_indexes_ = SegmentIndexes(s.base, options_.index_interval_bytes);
    SegmentIndexes& own = sealed_indexes_;
    SegmentIndexes& indexes = is_active ? log_.indexes : own;
    const bool resumes = snapshot_ && snapshot_->segment_base == s.base;
    const uint64_t from = is_active && resumes ? std::min(indexes.resume_position(), snapshot_->position) : 0;
    HeaderWalker walker(*file, from, s.bytes);
    Offset expected = from == 0 ? s.base : kNoOffset;
    if (from == 0) log_.end = s.base;
    if (from > 0) TRY(find_first_timestamp(*file, s));
    uint64_t good = from;
    while (true) {
      auto header = walker.next();
      // What cannot be read now may be whole.
      if (!header && header.error().kind() == ErrorKind::io) return fail(header.error());
      if (!header || !*header) {
        stop_reason_ = !header ? header.error().message() : "the last batch is cut short";
        break;
      }
      const auto& h = **header;
      if (expected != kNoOffset && !follows(h.base_offset, expected)) {
        stop_reason_ = fmt::format("byte {} holds offset {} instead of {}", walker.batch_position(),
                                   h.base_offset, expected);
        break;
      }
      const bool covered = snapshot_ && h.last_offset() < snapshot_->offset;
      if (!covered) {
        TRY_ASSIGN(const bool intact, crc_holds(*file, walker.batch_position(), h.size_in_bytes()));
        if (!intact) {
          stop_reason_ =
              fmt::format("the checksum of the batch at byte {} is wrong", walker.batch_position());
          break;
        }
        // It lies outside the checksum. No write that was cut short looks like this: nothing is cut.
        const auto latest = log_.epochs.latest();
        const LeaderEpoch before = latest ? latest->epoch : kNoLeaderEpoch;
        if (h.leader_epoch < before) {
          stop_reason_ = fmt::format("the batch at byte {} has leader epoch {}, and one before it {}",
                                     walker.batch_position(), h.leader_epoch, before);
          if (!log_.damage)
            log_.damage = Error::corruption(
                fmt::format("{}: segment {} is damaged: {}", log_.folder_name, s.base, stop_reason_));
          break;
        }
        // Without a journal: as replay does, and for its reason, what no checkpoint has synced is written
        // again.
        if (!log_.state.journaled && h.last_offset() >= log_.state.synced)
          TRY(file->write(walker.batch_position(), std::span<const std::byte>(batch_)));
        // In a cleaned log the first one may begin above the log's start: there its epoch begins, or what
        // OffsetForLeaderEpoch says of an earlier one would send its consumers back to the log's start.
        log_.epochs.assign(h.leader_epoch, h.base_offset);
        if (snapshot_ || h.last_offset() >= log_.producers_kept) log_.producers.apply(h, now_);
      }
      indexes.append(h, walker.batch_position());
      if (s.first_timestamp < 0) s.first_timestamp = h.max_timestamp;
      expected = h.next_offset();
      log_.end = expected;
      good = walker.position();
    }
    stats_.scanned_bytes += good - from;
    log_.scanned_bytes += good - from;
    if (good == from && resumes) log_.end = snapshot_->offset;
    if (good < s.bytes) {
      const bool allowed = !log_.state.journaled;
      if (!allowed && !log_.damage) {
        log_.damage = Error::corruption(fmt::format("{}: segment {} is damaged from byte {}: {}",
                                                    log_.folder_name, s.base, good, stop_reason_));
      }
      if (!log_.damage) {
        stats_.cut_bytes += s.bytes - good;
        TRY(file->truncate(good));
        TRY(file->sync_data());
        s.bytes = good;
      }
      cut_ = true;
    }
    s.max_timestamp = indexes.max_timestamp().timestamp_ms;
    if (!is_active && !cut_) TRY(save(s.base, own));
    if (!is_active && cut_) log_.indexes = std::move(own);
    return {};
  }

  Result<bool> crc_holds(File& file, uint64_t position, size_t bytes) {
    batch_.resize(bytes);
    TRY_ASSIGN(const size_t got, file.read(position, batch_));
    return got == bytes && protocol::batch_crc_holds(batch_);
  }

  // A cut in segment `last` makes it the active one.
  Result<void> drop_behind(size_t last) {
    for (size_t i = last + 1; i < log_.segments.size() && !log_.damage; ++i)
      TRY(remove_segment(files_, folder_, log_.segments[i].base));
    if (log_.segments.size() > last + 1 && !log_.damage) TRY(files_.sync_dir(folder_));
    if (log_.segments.size() > last + 1) log_.saved_indexes = {};
    log_.segments.resize(last + 1);
    std::erase(log_.unsynced, log_.segments.back().base);
    return {};
  }

  FileSystem& files_;
  const std::string folder_;
  const ReplayedLog& replayed_;
  KeyValueStore* derived_;
  const LogRecoveryOptions& options_;
  const runtime::WallTime now_;
  RecoveryStats& stats_;
  RecoveredLog log_;
  std::vector<DirEntry> entries_;
  std::optional<LogSnapshot> candidate_;  // as found; snapshot_ once the log has confirmed it
  std::optional<LogSnapshot> snapshot_;
  Offset snapshot_end_ = kNoOffset;          // of the one found: a truncation would have removed it
  std::optional<ProducerSnapshot> trimmed_;  // what the folder keeps of them
  std::string stop_reason_;
  std::vector<std::byte> batch_;
  SegmentIndexes sealed_indexes_{Offset(0), 4096};  // of the segment scanned last
  bool cut_ = false;
};

}  // namespace

Result<RecoveredLog> recover_log(FileSystem& files, const std::string& data_folder,
                                 const ReplayedLog& replayed, KeyValueStore* derived,
                                 const LogRecoveryOptions& options, runtime::WallTime now,
                                 RecoveryStats& stats) {
  auto recovered =
      LogRecovery(files, data_folder + "/" + replayed.folder_name, replayed, derived, options, now, stats)
          .run();
  if (recovered || recovered.error().kind() != ErrorKind::io) return recovered;
  // This start goes on without it, and has changed nothing that it could not read.
  RecoveredLog unreadable;
  unreadable.state = replayed.state;
  unreadable.folder_name = replayed.folder_name;
  unreadable.segments = {Segment{replayed.state.log_start, 0, -1, -1, now}};
  unreadable.end = replayed.state.log_start;
  unreadable.damage = recovered.error();
  return unreadable;
}

}  // namespace tidemark::storage
