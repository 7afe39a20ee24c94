// The log cleaner's result takes its place in the log.
#include <fmt/format.h>

#include <algorithm>

#include "storage/compaction/group_cleaner.h"
#include "storage/compaction/segment_swap.h"
#include "storage/log.h"
#include "storage/log_store.h"

namespace tidemark::storage {

using runtime::Task;

Task<Result<bool>> Log::exchange(std::vector<Segment> sources, CleanedSegment cleaned, uint32_t cuts) {
  while ((fenced_ || trimming_) && !offline_) {
    auto look_again = changed_.wait();
    co_await look_again;
  }
  if (offline_) co_return fail(*offline_);
  const auto same = [](const Segment& a, const Segment& b) {
    return a.base == b.base && a.bytes == b.bytes && a.version == b.version;
  };
  const auto first =
      std::search(segments_.begin(), segments_.end() - 1, sources.begin(), sources.end(), same);
  if (cuts != cuts_ || first == segments_.end() - 1) co_return false;
  trimming_ = true;
  auto stating = state_gaps(segments_[segment_index(sources.back().base) + 1].base);
  Result<void> result = co_await stating;
  if (result) {
    auto exchanging = exchange_files(sources, cleaned);
    result = co_await exchanging;
  }
  trimming_ = false;
  changed_.notify_all();
  if (!result) co_return fail(result.error());
  co_return true;
}

// Before the exchange, and synced: no start may take the offsets that it leaves out for damage. Segment by
// segment, so that a crash leaves no more excused than what was about to be exchanged.
Task<Result<void>> Log::state_gaps(Offset below) {
  const Offset before = state_.gaps_below;
  if (below <= before) co_return Result<void>();
  state_.gaps_below = below;
  state_changed_ = true;
  mark_dirty();
  auto stating = write_state(state_);
  auto stated = co_await stating;
  if (!stated) state_.gaps_below = before;
  co_return stated;
}

Task<Result<void>> Log::exchange_files(const std::vector<Segment>& sources, const CleanedSegment& cleaned) {
  const size_t at = segment_index(sources.front().base);
  const Offset end = segments_[at + sources.size()].base;
  release_head(end);
  exchanging_ = {sources.front().base, end};
  ++exchanges_;
  auto outcome = std::make_shared<Result<void>>();
  auto work = [files = &store_.files_, cache = &store_.cache_, folder = folder(), mark = cleaning_mark(),
               sources, end, outcome, planted = store_.options_.planted]() -> Result<void> {
    *outcome = swap_segments(*files, *cache, folder, mark, sources, end, planted);
    if (!*outcome && outcome->error().kind() == ErrorKind::no_space) return {};
    return *outcome;
  };
  runtime::OneShot<bool> swapped(store_.loop_);
  auto resolver = swapped.resolver();
  // Before anything else that looks at the segments.
  auto done = [this, resolver, sources, cleaned, outcome](bool ok) mutable {
    exchanging_.reset();
    ++exchanges_;
    folder_changed_ = true;
    mark_dirty();
    if (ok && *outcome) {
      Segment merged{cleaned.base, cleaned.bytes, cleaned.first_timestamp, cleaned.max_timestamp};
      merged.version = ++versions_;
      std::vector<std::string> retired;
      for (const Segment& source : sources) {
        merged.last_append = std::max(merged.last_append, source.last_append);
        std::erase(unsynced_segments_, source.base);
        retired.push_back(retired_path(folder(), source.base, source.version, cleaning_mark()));
      }
      const auto first = segments_.begin() + static_cast<ptrdiff_t>(segment_index(cleaned.base));
      *first = merged;
      segments_.erase(first + 1, first + static_cast<ptrdiff_t>(sources.size()));
      store_.tasks_.spawn(store_.remove_later(std::move(retired), settings_.file_delete_delay_ms));
    }
    resolver.set(ok);
  };
  store_.add_effect(*this, std::move(work), std::move(done));
  auto awaiter = swapped.wait();
  co_await awaiter;
  if (offline_) co_return fail(*offline_);
  co_return *outcome;
}

// Places of records below, which are about to change, are not answered from memory any more.
void Log::release_head(Offset below) {
  size_t evictable = 0;
  while (!tail_.empty() && tail_.front().last < below) {
    ++evictable;
    store_.uncached(*tail_.front().held);
    tail_.pop_front();
  }
  store_.forget_evictable(evictable);
}

std::string Log::cleaning_mark() const { return fmt::format("{:x}", id().value); }

void Log::cleaned(Offset to) {
  if (offline_ || state_.cleaned_to == to) return;
  state_.cleaned_to = to;
  state_changed_ = true;
  mark_dirty();
}

}  // namespace tidemark::storage
