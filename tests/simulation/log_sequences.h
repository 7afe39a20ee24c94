// Small models of the log, exhaustively: every sequence of a few steps, a crash at every disk operation of
// its last one that changes something, and of what that crash may leave of the unsynced: everything, nothing,
// a drawn part. The storage world's model and judges say whether what is found again is right. Random seeds
// miss what this finds (simulation.md).
//
// Left out is what another sequence shows: a crash before the last step, because each step ends only when the
// disk is idle, and the same steps always do the same; and what comes behind a step that did nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/planted.h"
#include "tests/simulation/log_model.h"

namespace tidemark::simulation {

enum class LogStep : uint8_t {
  restart,       // a clean stop and a start
  append,        // a batch of two records, of an idempotent producer
  append_large,  // one of three that bypasses the journal
  append_other,  // to the second log of that shard
  roll,
  trim,      // to the middle, which may be the middle of a batch
  trim_all,  // to the end
  truncate,  // the newest two batches go
  checkpoint,
  recreate,  // deleted, and made again under its name
  caching,   // write.caching on or off
  clean,     // the log cleaner: it finds nothing to drop, and makes one segment of the sealed ones
};
inline constexpr size_t kLogSteps = static_cast<size_t>(LogStep::clean) + 1;

// What becomes of what was not synced.
enum class CrashLeaves : uint8_t { everything, nothing, drawn };

struct LogSequence {
  std::vector<LogStep> steps;  // behind three appends
  // The last step begins when the one before has done so many disk operations; else when it has ended.
  std::optional<uint64_t> overlap;
  uint64_t crash_at = 0;  // disk operation of the last step (with `overlap`: of the last two); 0: behind it
  CrashLeaves leaves = CrashLeaves::everything;
  uint64_t recovery_crash_at = 0;  // disk operation of the next start, which dies there too; 0: it does not
  bool without_derived = false;    // the key-value store is removed before the next start
  bool operator==(const LogSequence&) const = default;
};
// "append,roll,trim/3@12:nothing:0:with": steps/overlap@crash:leaves:crash in recovery:with|without the
// store.
[[nodiscard]] std::string to_string(const LogSequence& sequence);
[[nodiscard]] std::optional<LogSequence> parse_log_sequence(std::string_view text);

struct LogSequenceResult {
  Verdict violation;
  bool last_step_did_nothing = false;  // or, with `overlap`, ended before the other began
  // The disk operations that change something, of the last step and of the start behind the crash.
  std::vector<uint64_t> last_operations;
  std::vector<uint64_t> recovery_operations;
};
LogSequenceResult run_log_sequence(const LogSequence& sequence, storage::Planted planted,
                                   const std::function<void(const std::string&)>& show = {});

struct LogSequencesOptions {
  size_t steps = 3;       // of the longest sequence
  size_t overlapped = 2;  // of the longest whose last two steps run at once
  size_t recoveries = 1;  // of the longest whose recovery dies at each of its operations, not at a drawn one
  storage::Planted planted = storage::Planted::none;
};
struct LogSequencesResult {
  std::optional<LogSequence> wrong;  // the first that is
  Verdict violation;
  uint64_t sequences = 0;
  uint64_t crash_points = 0;
  uint64_t runs = 0;
};
LogSequencesResult run_log_sequences(const LogSequencesOptions& options);

}  // namespace tidemark::simulation
