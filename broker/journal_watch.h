// Whether a journal stalls (durability.md, rule 15). Looked at on the journal's loop, asked on any thread.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <string>

#include "protocol/runtime/time.h"

namespace tidemark::broker {

// As logs and metrics name it: its shard; of a folder behind the first, with that folder's number behind it.
// `index`: by folder, by shard, and the metadata log's last of all `journals`.
[[nodiscard]] inline std::string journal_name(size_t index, size_t journals, size_t shards) {
  if (index + 1 == journals) return "metadata";
  const size_t folder = index / shards;
  return folder == 0 ? std::to_string(index) : fmt::format("{}-{}", index % shards, folder);
}

class JournalWatch {
 public:
  // An append that has waited for longer than this has stalled.
  static constexpr runtime::Duration kStalled = std::chrono::seconds(5);
  // A stall is over once no append has waited for longer than kCalm for as long as kStalled: on a disk that
  // is always slow the age swings between nothing, or the time of one sync, and that of two, and that is one
  // stall, not many.
  static constexpr runtime::Duration kCalm = kStalled / 2;
  static constexpr runtime::Duration kLookEvery = std::chrono::seconds(1);

  // True if the stall has begun or ended.
  bool look(runtime::Duration age, runtime::MonoTime now) {
    const bool was = stalled_since_.load(std::memory_order_relaxed) != runtime::kNever;
    if (age > kCalm) restless_ = now;
    const bool is = was ? now - restless_ < kStalled : age > kStalled;
    if (is != was) stalled_since_.store(is ? now - age : runtime::kNever, std::memory_order_relaxed);
    return is != was;
  }
  // Any thread. kNever: it does not stall.
  [[nodiscard]] runtime::MonoTime stalled_since() const {
    return stalled_since_.load(std::memory_order_relaxed);
  }

 private:
  runtime::MonoTime restless_{};  // when the age was last seen above kCalm
  std::atomic<runtime::MonoTime> stalled_since_{runtime::kNever};
};

}  // namespace tidemark::broker
