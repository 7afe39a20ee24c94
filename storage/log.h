// The log of one replica: append, read, roll, truncate, trim. Lives on one shard; its LogStore owns it.
// Offsets: start <= durable <= end. A journaled log's bytes are in the journal, synced, before they are in a
// segment; until then and while the tail cache holds them, reads are served from the buffers that were
// appended.
//
// State changes at once, on the shard; what it means for files follows behind the journal, in order
// (LogStore's effects).
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/batch/header.h"
#include "protocol/runtime/buffer.h"
#include "protocol/runtime/task.h"
#include "storage/format/segment_indexes.h"
#include "storage/journal.h"
#include "storage/leader_epoch_cache.h"
#include "storage/log_settings.h"
#include "storage/offset_waiters.h"
#include "storage/partition_state.h"
#include "storage/producer_state.h"
#include "storage/segment.h"

namespace tidemark::storage {

class LogStore;
struct CleanedSegment;
struct HeldBuffer;
struct Located;
enum class TimePick : uint8_t;

// What the index files of the active segment hold: entries and their CRC32C, by which a start tells whether a
// crash left them whole.
struct SavedIndexes {
  static constexpr uint32_t kNone = UINT32_MAX;  // they cannot be used
  uint32_t offsets = 0;
  uint32_t offsets_crc = 0;
  uint32_t times = 0;
  uint32_t times_crc = 0;
};

// What recovery found, or what a new log starts with.
struct RecoveredLog {
  PartitionState state;
  std::string folder_name;  // TOPIC-PARTITION
  std::vector<Segment> segments;
  Offset end;
  Offset producers_kept = kNoOffset;        // of the folder's trimmed producers
  SegmentIndexes indexes{Offset(0), 4096};  // of the last segment
  LeaderEpochCache epochs;
  ProducerState producers;
  std::optional<Error> damage;  // it is there, and must not be served
  // Sealed segments that no checkpoint is known to cover: write.caching alone.
  std::vector<Offset> unsynced;
  SavedIndexes saved_indexes;  // of the last segment
  uint64_t scanned_bytes = 0;
};

// A piece of one segment that a fetch answers with. It names bytes, and keeps none in memory.
struct LogRange {
  Offset segment_base;
  uint64_t position = 0;
  uint32_t bytes = 0;
  uint32_t cuts = 0;  // of the log when this was true: a truncation invalidates it
  // What a read of it checks next: at this byte of the segment begins a batch, with this offset.
  uint64_t batch_at = 0;
  Offset batch_offset{};
  uint32_t version = 0;  // of the segment
};
struct LogPiece {
  runtime::BufferSlice bytes;
  LogRange rest;  // of the range, behind these bytes
};

// Where a scrub of sealed segments goes on: at the batch there.
struct ScrubPlace {
  Offset segment_base;
  uint64_t position = 0;
  Offset offset;
  uint32_t cuts = 0;     // of the log when this was true
  uint32_t version = 0;  // of the segment
};

// A record found by its time.
struct TimedRecord {
  int64_t timestamp = -1;  // ms
  Offset offset = kNoOffset;
  LeaderEpoch epoch = kNoLeaderEpoch;
};

class Log final : public JournalClient, public std::enable_shared_from_this<Log> {
 public:
  Log(LogStore& store, RecoveredLog recovered, LogSettings settings);
  ~Log() override;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  [[nodiscard]] LogId id() const { return state_.log; }
  // In one data folder, on one shard.
  [[nodiscard]] LogStore& store() const { return store_; }
  [[nodiscard]] const PartitionState& state() const { return state_; }
  [[nodiscard]] const std::string& folder_name() const { return folder_name_; }
  [[nodiscard]] std::string folder() const;
  [[nodiscard]] Offset start() const { return state_.log_start; }
  [[nodiscard]] Offset end() const { return end_; }
  [[nodiscard]] Offset durable() const { return durable_; }
  // What counts for acks=all and the high watermark: durable, or, where the topic opted for write.caching,
  // what the segment files hold: a killed process loses nothing of it (less what flush.messages holds back
  // until it is synced).
  [[nodiscard]] Offset counted() const {
    return settings_.write_caching ? std::min(written_, flush_from_.value_or(written_)) : durable_;
  }
  [[nodiscard]] const LeaderEpochCache& epochs() const { return epochs_; }
  [[nodiscard]] LeaderEpoch latest_epoch() const {
    const auto latest = epochs_.latest();
    return latest ? latest->epoch : kNoLeaderEpoch;
  }
  [[nodiscard]] const ProducerState& producers() const { return producers_; }
  ProducerState& producers() { return producers_; }
  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }
  [[nodiscard]] uint64_t size_bytes() const;
  [[nodiscard]] const LogSettings& settings() const { return settings_; }
  // Set when the log must not be used any more: a failed disk, or damage. Reads and appends answer with it.
  // A read that finds damage answers with it at once, and takes the log offline when what is on its way is in
  // the files.
  [[nodiscard]] const std::optional<Error>& offline() const { return offline_; }

  // New settings hold at once, but for write.caching: its switch first syncs the segments, and waits until no
  // journal record of this log needs a replay. no_space: it is tried again until the disk has room.
  runtime::Task<Result<void>> change_settings(LogSettings settings);

  // Whether a batch of this size may be appended now; otherwise make_room() first, which rolls, takes disk
  // space, and waits while too much is unwritten. no_space: the disk is full; nothing has changed.
  [[nodiscard]] bool has_room(size_t bytes) const;
  runtime::Task<Result<void>> make_room(size_t bytes, int64_t max_timestamp);
  // Takes the headroom that its settings want before there is an append. Errors: the disk does not have it.
  runtime::Task<Result<void>> keep_headroom();

  // Appends one checked batch: gives it its offsets and epoch in place, takes its place in the log, and sends
  // it to the journal. REQUIRES: has_room(batch.size()), epoch >= the log's latest, not offline.
  Offset append(runtime::BufferSlice batch, const protocol::BatchHeader& header, LeaderEpoch epoch);

  // Done when counted() has reached `offset`; false if the log went offline first (the records may be
  // persisted).
  runtime::Task<bool> wait_counted(Offset offset);
  // Called when counted(), end or start change, or the log goes offline; on the shard, and never inside
  // append().
  std::function<void()> on_progress;

  // The bytes of whole batches from the one that holds `from`, below `limit`, at most `max_bytes` unless that
  // would be less than the first batch and `at_least_one`. OFFSET_OUT_OF_RANGE outside of [start, end].
  runtime::Task<Result<LogRange>> locate(Offset from, Offset limit, uint32_t max_bytes, bool at_least_one);
  // The first bytes of the range, at most `max_bytes`, from the tail cache or the file; the batch headers
  // among them are the next ones. OFFSET_OUT_OF_RANGE: the log was truncated meanwhile, or its segment
  // deleted.
  runtime::Task<Result<LogPiece>> read(LogRange range, uint32_t max_bytes);
  // All of it.
  runtime::Task<Result<std::vector<std::byte>>> read_whole(LogRange range);
  // Checks a piece of the sealed segments, checksums included; where the next one begins. nullopt: there is
  // no more. Damage takes the log offline, as one that a read finds.
  runtime::Task<std::optional<ScrubPlace>> scrub(ScrubPlace from, uint64_t max_bytes);
  // The bytes that the shard holds in memory from `from` on; nothing if a read would go to the disk.
  [[nodiscard]] bool in_memory(Offset from) const { return !tail_.empty() && from >= tail_.front().base; }

  // The first record at or after `timestamp` (ms), below `limit`: KIP-33, KIP-79. Nothing: none is that late.
  runtime::Task<Result<std::optional<TimedRecord>>> find_by_time(int64_t timestamp, Offset limit);
  // The record with the greatest timestamp below `limit` (KIP-734).
  runtime::Task<Result<std::optional<TimedRecord>>> find_max_timestamp(Offset limit);

  // Moves the log's start up to `offset` (DeleteRecords, retention), durably; where it is there already,
  // nothing happens. OFFSET_OUT_OF_RANGE beyond counted(). no_space: a full disk has no room for what deleted
  // records told of producers, and the start stays.
  runtime::Task<Result<void>> trim(Offset offset);
  // Removes everything from `offset` on, durably; a batch that holds `offset` goes whole. For followers
  // (KIP-101).
  runtime::Task<Result<void>> truncate(Offset offset);
  // Moves the start past what the settings no longer keep; returns the bytes freed. Only below `limit`.
  runtime::Task<Result<uint64_t>> apply_retention(Offset limit);
  // Begins a new segment if the settings ask for one by age.
  void roll_if_old();

  // Puts what the log cleaner has made of neighbouring sealed segments into their place, durably: after a
  // crash they are there, or it is. Whoever reads them may go on for file.delete.delay.ms. False: the log has
  // changed since `sources` were copied from segments() and `cuts` from cuts(), and nothing has happened.
  // no_space: neither. REQUIRES: no record of them is in the journal any more.
  runtime::Task<Result<bool>> exchange(std::vector<Segment> sources, CleanedSegment cleaned, uint32_t cuts);
  // Durable with the next checkpoint: after a crash more is cleaned again than would be needed.
  void cleaned(Offset to);
  [[nodiscard]] uint32_t cuts() const { return cuts_; }  // truncations so far
  // In the names of the cleaner's files.
  [[nodiscard]] std::string cleaning_mark() const;
  // Why the log cleaner leaves it alone from now on: it found damage.
  [[nodiscard]] const std::optional<Error>& uncleanable() const { return uncleanable_; }

 private:
  friend class LogStore;
  friend class LogCleaner;

  // A batch in memory. Invariant: entries are contiguous, and reach to end_.
  struct TailEntry {
    Offset base;
    Offset last;
    Offset segment_base;
    uint64_t position;
    runtime::BufferSlice batch;
    HeldBuffer* held;  // the store's count of the batch's buffer
    bool durable = false;
    bool written = false;
  };

  // Called exactly once: with false if the log went offline instead.
  using Continuation = std::move_only_function<void(bool ok)>;
  struct Recorded {
    Continuation then;
    bool even_offline;  // a deletion: the log need not be usable
  };
  // A record that waits behind a bypass.
  struct Held {
    JournalRecord record;
    runtime::BufferSlice data;
    Continuation then;
    bool even_offline;
  };

  void journaled(uint64_t token, bool ok) override;
  void add_record(const JournalRecord& record, runtime::BufferSlice data, Continuation then,
                  bool even_offline = false);
  void journal(const JournalRecord& record, runtime::BufferSlice data, Continuation then,
               bool even_offline = false);
  void end_bypass();
  void bypass(JournalRecord record, std::shared_ptr<const std::string> path, runtime::BufferSlice batch);
  void append_durable(Offset base);
  void written(Offset base);
  [[nodiscard]] Offset retention_start(Offset limit) const;
  [[nodiscard]] bool must_roll(uint64_t bytes, int64_t max_timestamp) const;
  void roll(Offset base);
  void save_indexes();
  void go_offline(Error error);
  // Answers `error`; where that is damage of a segment's file, the log goes offline.
  Unexpected unreadable(Error error);
  runtime::Task<void> give_up(Error damage);
  // Whether checkpoints sync its files: a damaged log's journal records are freed like all others.
  [[nodiscard]] bool has_checkpoints() const { return !offline_ || at_rest_; }
  void progressed();
  void mark_dirty();
  // An effect on a file of this segment has ended: the next checkpoint syncs it.
  void touched(Offset segment_base);
  [[nodiscard]] std::shared_ptr<const LeaderEpochCache> shared_epochs();
  void set_reserved(uint64_t bytes);
  [[nodiscard]] uint64_t headroom() const;
  runtime::Task<Result<void>> reserve(uint64_t end);
  void release_tail(Offset from);
  void appended_unsynced(Offset base);
  void flush();
  void flushed(Offset end);
  void unfence();
  TailEntry* tail_entry(Offset offset);
  Segment& active() { return segments_.back(); }
  [[nodiscard]] const Segment& active() const { return segments_.back(); }
  size_t segment_index(Offset offset) const;
  [[nodiscard]] bool has_segment(Offset base) const { return segment_at(base) != nullptr; }
  // While its index files are written from their start they may still tell of what was truncated.
  [[nodiscard]] bool index_files_hold(Offset base) const {
    return std::none_of(index_saves_.begin(), index_saves_.end(),
                        [base](const IndexSave& save) { return save.base == base && save.whole; });
  }
  [[nodiscard]] bool holds(const LogRange& range) const {
    if (range.cuts == cuts_) return true;
    const Segment* segment = segment_at(range.segment_base);
    return range.cuts + 1 == cuts_ && segment != nullptr && segment->version == range.version &&
           std::pair(range.segment_base, range.position + range.bytes) <= cut_;
  }
  // While its files are exchanged they may be the old ones or the new one.
  [[nodiscard]] bool exchanging(Offset segment_base) const {
    return exchanging_ && exchanging_->first <= segment_base && segment_base < exchanging_->second;
  }
  [[nodiscard]] const Segment* segment_at(Offset base) const {
    const auto it = std::lower_bound(segments_.begin(), segments_.end(), base,
                                     [](const Segment& s, Offset b) { return s.base < b; });
    return it == segments_.end() || it->base != base ? nullptr : &*it;
  }
  runtime::Task<Result<void>> exchange_files(const std::vector<Segment>& sources,
                                             const CleanedSegment& cleaned);
  runtime::Task<Result<void>> state_gaps(Offset below);
  void release_head(Offset below);
  runtime::Task<Result<std::optional<TimedRecord>>> search_times(int64_t timestamp, Offset limit,
                                                                 TimePick pick);
  [[nodiscard]] int64_t known_max_timestamp(Offset limit, size_t first_segment) const;
  runtime::Task<Result<Located>> locate_in_file(Offset from, Offset limit, uint32_t max_bytes,
                                                bool at_least_one);
  runtime::Task<Result<void>> quiesce();
  runtime::Task<Result<bool>> prepare_producers(Offset start);
  runtime::Task<Result<void>> keep_prepared(Offset start);
  runtime::Task<Result<void>> move_start(Offset offset);
  runtime::Task<Result<void>> cut_at(Offset offset);
  runtime::Task<Result<void>> switch_as_wanted();
  runtime::Task<Result<void>> switch_caching(bool write_caching);
  runtime::Task<Result<void>> write_state(PartitionState state);
  // `allowed`: looked at in the lane; where it is false by then, their files stay.
  void drop_segments(std::vector<Segment> segments, std::shared_ptr<const bool> allowed = {});

  LogStore& store_;
  PartitionState state_;
  std::string folder_name_;
  LogSettings settings_;
  bool wants_caching_ = false;     // write.caching, once its switch is through
  runtime::WallTime created_{};    // the active segment
  std::vector<Segment> segments_;  // by base; never empty
  Offset end_;
  Offset durable_;
  Offset written_;          // in the segment files up to here
  SegmentIndexes indexes_;  // of the active segment
  LeaderEpochCache epochs_;
  std::shared_ptr<const LeaderEpochCache>
      shared_epochs_;  // as they are, for other threads; null: nobody has asked
  ProducerState producers_;
  std::deque<TailEntry> tail_;
  std::deque<Recorded> recorded_;  // what follows each record in the journal, in the order of add()
  // Between the two records of a bypass stands no other of this log: replay is positional, and in order.
  bool bypassing_ = false;
  std::deque<Held> held_;
  std::shared_ptr<const std::string> path_;  // of the active segment's file
  OffsetWaiters waiters_;
  uint64_t reserved_ = 0;  // bytes of the active segment's file that have their disk space
  uint64_t ahead_ = 0;     // of them, what is not written yet
  uint64_t reserve_step_ = 0;
  runtime::MonoTime reserved_at_{};
  bool reserving_ = false;
  bool state_changed_ = true;          // partition.state differs from what the folder holds
  bool folder_changed_ = true;         // files were made or removed since the folder was synced
  bool materialized_ = true;           // its folder is there: a new log's follows behind the journal
  bool dirty_ = false;                 // on the store's list for the next checkpoint
  bool fenced_ = false;                // structural change under way: no append, no second change
  bool erasing_ = false;               // for good: fenced too
  bool trimming_ = false;              // one trim or exchange at a time; no truncation meanwhile
  Offset producers_kept_ = kNoOffset;  // up to here, in the folder (trimmed_producers.h)
  uint32_t cuts_ = 0;                  // truncations so far
  std::pair<Offset, uint64_t> cut_{};  // the last one: segment and position
  // From the base of the first segment to behind the last one's records.
  std::optional<std::pair<Offset, Offset>> exchanging_;
  uint32_t exchanges_ = 0;                 // that have begun or ended
  uint32_t versions_ = 0;                  // of segments, given so far
  std::vector<Offset> unsynced_segments_;  // sealed, and written to since they were last synced
  // What the checkpoint under way has taken over of all that, and has not synced yet.
  struct Taken {
    std::vector<Offset> segments;
    bool folder = false;
    bool state = false;
  } taken_;
  Offset entry_synced_ = kNoOffset;  // the newest segment whose entry in the folder is known durable
  Offset rolled_;                    // the newest segment whose predecessor no effect waits for
  SavedIndexes saved_;               // of the active segment
  bool rewrite_indexes_ = true;      // their files may hold what the memory does not
  struct IndexSave {
    Offset base;  // of the segment
    bool whole;   // not only what is new
  };
  std::deque<IndexSave> index_saves_;  // under way, in order
  // write.caching: counted() stays here until a flush that flush.messages asked for is done.
  std::optional<Offset> flush_from_;
  bool flushing_ = false;
  runtime::TimerId flush_timer_;
  std::optional<Error> offline_;
  std::optional<Error> uncleanable_;
  bool damaged_ = false;     // a read has found damage: offline now, or soon
  bool at_rest_ = false;     // damaged and offline, and nothing was on its way
  runtime::Signal changed_;  // room, writes, fences: "look again"
  std::shared_ptr<Log*> alive_;
};

}  // namespace tidemark::storage
