// The redo journal of one shard in one data folder: every change of every log's extent goes here first,
// group-committed with one synced write (durability.md, "The journal"). Lives on its shard's loop; the writes
// run in its lane, one at a time. What a record means, and its effect on files, is LogStore's business.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/runtime/buffer.h"
#include "protocol/runtime/lane.h"
#include "storage/file.h"
#include "storage/format/journal_format.h"
#include "storage/planted.h"

namespace tidemark::storage {

// In the journal's folder: what a start found damaged may be all that is left of something, and is put aside
// rather than removed, by whichever start gets that far.
inline constexpr std::string_view kKeepMarker = "damaged";

struct JournalOptions {
  JournalId id;
  Generation generation;
  // Generations below need no replay. The own generation after a clean stop, else the oldest that was
  // replayed.
  Generation floor;
  std::string folder;
  uint64_t max_bytes = 128 << 20;          // all stretches together; appends wait when they are full
  uint64_t first_stretch_bytes = 1 << 20;  // later ones grow fourfold up to stretch_bytes
  uint64_t stretch_bytes = 16 << 20;
  uint64_t max_group_bytes = 4 << 20;
  runtime::Duration idle_mark = std::chrono::milliseconds(20);
  // The stretches of earlier generations are put aside instead of removed: they are damaged, and may be all
  // that is left of something.
  bool keep_old_files = false;
  Planted planted = Planted::none;
};

// Who added a record. The journal keeps it alive until its records are answered.
class JournalClient {
 public:
  virtual ~JournalClient() = default;
  // The record with this token is durable (ok), or its journal has failed: it may or may not be found later.
  // Calls come in the order of add().
  virtual void journaled(uint64_t token, bool ok) = 0;
};

class Journal {
 public:
  Journal(JournalOptions options, runtime::Scheduler& loop, runtime::Lane& lane, runtime::Lane& background,
          FileSystem& files);
  ~Journal();

  // Makes the first two stretches. `old_files`: stretches of earlier generations, to be removed once the
  // floor has passed them.
  runtime::Task<Result<void>> start(std::vector<std::string> old_files);

  // REQUIRES: started; encoded record <= max_record_bytes(). `data` holds an append's bytes, and is kept
  // until synced.
  // The client is told in the order of its calls; never inside this one.
  void add(const JournalRecord& record, runtime::BufferSlice data, std::shared_ptr<JournalClient> client,
           uint64_t token);

  // Its folder has failed elsewhere: what is in no group yet never will be, and its clients are told. A group
  // under way ends as it does.
  void abandon(const Error& error);

  // Everything up to this group is in its files and synced: its stretches may be recycled once a synced group
  // says so.
  void mark_checkpoint(GroupSequence up_to);
  // The earlier generations are in their files and synced.
  void raise_floor(Generation floor);

  // Synced, and every client of the groups up to here was told: a checkpoint may begin with it.
  [[nodiscard]] GroupSequence answered() const { return answered_; }
  // Whether a start would replay neither the groups up to here nor an earlier generation.
  [[nodiscard]] bool freed(GroupSequence up_to) const {
    return checkpoint_synced_ >= up_to && floor_synced_ >= options_.generation;
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  // Bytes of the stretches that recovery would read now.
  [[nodiscard]] uint64_t live_bytes() const;
  [[nodiscard]] uint64_t max_bytes() const { return options_.max_bytes; }
  // True while appends wait for a free stretch.
  [[nodiscard]] bool starved() const { return starved_; }
  // Nobody waits for an answer.
  [[nodiscard]] bool idle() const { return !writing_ && pending_.empty(); }
  [[nodiscard]] size_t max_record_bytes() const;
  // Called when live_bytes() has grown past a stretch, or the journal starves.
  std::function<void()> on_pressure;
  // Called once when the journal fails.
  std::function<void(const Error&)> on_failure;

  struct Stats {
    uint64_t groups = 0;
    uint64_t records = 0;
    uint64_t bytes = 0;  // written, padding included
  };
  [[nodiscard]] const Stats& stats() const { return stats_; }
  // How long the oldest record without an answer has waited, be it for a write or for a free stretch; a write
  // of a mark alone counts from its start. Zero: nothing waits.
  [[nodiscard]] runtime::Duration age(runtime::MonoTime now) const {
    const runtime::MonoTime pending = pending_.empty() ? now : pending_.front().since;
    return now - std::min(writing_ ? writing_since_ : now, pending);
  }
  // The longest that a record has waited for its answer since the last call.
  [[nodiscard]] runtime::Duration take_longest_wait() {
    return std::exchange(longest_wait_, runtime::Duration(0));
  }

 private:
  struct Stretch {
    std::string path;
    std::shared_ptr<File> file;
    uint64_t bytes = 0;
    uint64_t ordinal = 0;
    GroupSequence last;  // last group in it
  };
  struct Pending {
    size_t head_begin;
    size_t head_bytes;
    runtime::BufferSlice data;
    std::shared_ptr<JournalClient> client;
    uint64_t token;
    runtime::MonoTime since;
  };
  struct GroupWrite;

  static Result<Stretch> make_stretch(FileSystem& files, const JournalOptions& options, uint64_t number,
                                      uint64_t bytes);
  void write_next();
  bool take_stretch(uint64_t group_bytes);
  [[nodiscard]] bool mark_frees() const;
  void retry_later();
  void written(std::shared_ptr<GroupWrite> group);
  void fail_pending();
  void fail_all(const Error& error, std::vector<Pending> waiting);
  void grow();
  void release_checkpointed();
  void arm_idle_mark();

  const JournalOptions options_;
  runtime::Scheduler& loop_;
  runtime::Lane& lane_;
  runtime::Lane& background_;
  FileSystem& files_;

  std::vector<std::byte> heads_;  // encoded heads of pending_
  std::deque<Pending> pending_;

  std::unique_ptr<Stretch> current_;
  uint64_t position_ = 0;  // where the next group of current_ goes
  bool header_due_ = false;
  std::deque<Stretch> sealed_;  // in order; live until the checkpoint passes their last group
  std::vector<Stretch> free_;
  std::vector<std::string> old_files_;
  uint64_t total_bytes_ = 0;
  uint64_t files_made_ = 0;
  uint64_t next_stretch_bytes_ = 0;
  bool growing_ = false;
  bool starved_ = false;

  // Invariant: checkpoint_synced_ <= checkpoint_ <= answered_ <= durable_ <= last_.
  GroupSequence last_;               // last group handed to the lane
  GroupSequence durable_;            // last group synced
  GroupSequence answered_;           // last group whose clients were told
  GroupSequence checkpoint_;         // as the next group will state it
  GroupSequence checkpoint_synced_;  // as a synced group states it
  Generation floor_;
  Generation floor_synced_;
  uint32_t chain_ = 0;
  uint64_t next_ordinal_ = 0;
  bool writing_ = false;
  bool answering_ = false;  // the clients of a group, one after the other
  std::optional<Error> abandoned_;
  bool mark_wanted_ = false;  // a group is due although nothing is pending
  bool last_holds_records_ = false;
  bool failed_ = false;
  std::string failure_;
  runtime::MonoTime writing_since_{};  // or since when its first record waits
  runtime::Duration longest_wait_{0};
  runtime::TimerId idle_timer_;
  runtime::TimerId retry_timer_;  // a new stretch could not be made
  Stats stats_;
  std::shared_ptr<Journal*> alive_;  // reset to null when this journal goes: late completions look here
};

}  // namespace tidemark::storage
