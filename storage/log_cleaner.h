// The log cleaner of one shard in one data folder: looks for the compacted log that has the most to gain,
// and cleans it, piece by piece, in the folder's lane for that. One log at a time, and one offset map: memory
// is fixed (compaction/README.md). A log whose segments it cannot read is left alone from then on and told;
// the others go on. Kafka's LogCleaner, but that what a cleaning needs of the journal is settled first
// (durability.md, rule 6).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "protocol/runtime/random.h"
#include "storage/compaction/batch_cleaner.h"
#include "storage/compaction/decision.h"
#include "storage/log_store.h"

namespace tidemark::storage {

struct LogCleanerOptions {
  size_t map_bytes = 64 << 20;             // of log.cleaner.dedupe.buffer.size, this shard's
  double load_factor = 0.9;                // log.cleaner.io.buffer.load.factor
  uint64_t bytes_per_second = UINT64_MAX;  // log.cleaner.io.max.bytes.per.second, read and written
  runtime::Duration backoff = std::chrono::seconds(15);  // log.cleaner.backoff.ms: when nothing was to do
  // Where appends or reads had to wait for the disk for longer, cleaning rests for as long, a second at most
  // for each piece of a megabyte.
  runtime::Duration yield_to = std::chrono::milliseconds(5);
};

struct LogCleanerStats {
  uint64_t cleanings = 0;
  uint64_t failures = 0;  // logs that are left alone since
  uint64_t given_up = 0;  // the log changed, or the disk was full or failed: tried again
  CleaningStats done;
  // Of the logs as the round under way has found them; 0 where there is none.
  double max_dirty_ratio = 0;
  int64_t max_overdue_ms = 0;  // by which one exceeds max.compaction.lag.ms
};

// A log that may be cleaned, and what of it: below the high watermark, and below the first unstable offset.
struct CleanCandidate {
  std::shared_ptr<Log> log;
  Offset limit;
};

class LogCleaner {
 public:
  using Candidates = std::function<std::vector<CleanCandidate>()>;
  using Options = std::function<LogCleanerOptions()>;  // as they are at that moment

  // `random`: for the secrets of the offset maps. All outlive it.
  LogCleaner(Options options, LogStore& store, runtime::Random& random, Candidates candidates);
  LogCleaner(LogCleanerOptions options, LogStore& store, runtime::Random& random, Candidates candidates)
      : LogCleaner([options] { return options; }, store, random, std::move(candidates)) {}

  // Until stop(), or the folder goes offline. REQUIRES: once.
  runtime::Task<void> run();
  // Done when nothing of the log cleaner is under way any more: before LogStore::stop().
  runtime::Task<void> stop();

  // The best of the candidates, if any is worth it. False: none is left, and the round is over: what was
  // given up in it is tried again in the next one, and what was sealed meanwhile belongs to that too.
  runtime::Task<bool> clean_one();
  // Whatever settings say, to its `limit`. Error: why not; a log that changed meanwhile is TIMED_OUT.
  runtime::Task<Result<CleaningStats>> clean(CleanCandidate candidate);

  [[nodiscard]] const LogCleanerStats& stats() const { return stats_; }
  // A log is left alone from now on: which, and why.
  std::function<void(const Log&, const Error&)> on_failure;
  // The disk does not give what is to be cleaned, or does not take what was: told once, until the log is
  // cleaned. It is tried again.
  std::function<void(const Log&, const Error&)> on_disk_error;
  // A log was cleaned by clean_one(), and what that did.
  std::function<void(const Log&, const CleaningStats&)> on_cleaned;

 private:
  struct Cleaning;
  // Below `to` no record of the log is in the journal, as long as the log has not been cut since.
  struct Settled {
    Offset to;
    uint32_t cuts = 0;
  };
  [[nodiscard]] static Settled settled_now(const Log& log);
  runtime::Task<Result<void>> settle_round();
  [[nodiscard]] std::optional<CleanCandidate> best_of_round(bool settled);
  runtime::Task<Result<CleaningStats>> clean_settled(CleanCandidate candidate, Settled settled);
  [[nodiscard]] CleaningSettings settings_of(const Log& log) const;
  [[nodiscard]] CleaningDecision decide(const CleanCandidate& candidate, Settled settled,
                                        const std::vector<CleanableSegment>& facts) const;
  runtime::Task<Result<void>> clean(std::shared_ptr<Cleaning> cleaning);
  runtime::Task<Result<void>> clean_groups(std::shared_ptr<Cleaning> cleaning);
  runtime::Task<Result<bool>> place(Cleaning& cleaning, SegmentGroup g);
  // One step of `step` after the other, until it says true.
  runtime::Task<Result<void>> in_steps(std::shared_ptr<Cleaning> cleaning,
                                       std::function<Result<bool>(uint64_t max_bytes)> step);
  runtime::Task<void> pause(uint64_t bytes);
  // Until `time()`, which settings may bring nearer meanwhile, or stop().
  runtime::Task<void> wait_until(std::function<runtime::MonoTime()> time);

  const Options options_;
  LogStore& store_;
  runtime::Random& random_;
  Candidates candidates_;
  LogCleanerStats stats_;
  // Of the round under way: one checkpoint is forced for all of it.
  std::map<LogId, Settled> settled_;
  std::set<LogId> given_up_;
  std::set<LogId> told_disk_error_;
  bool running_ = false;
  bool stopping_ = false;
  runtime::Signal changed_;
};

}  // namespace tidemark::storage
