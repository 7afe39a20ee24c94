#include "storage/log_cleaner.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/compaction/dirty_scan.h"
#include "storage/compaction/group_cleaner.h"

namespace tidemark::storage {

using runtime::Task;

namespace {

constexpr uint64_t kStepBytes = 1 << 20;

Error changed_meanwhile(const Log& log) {
  return Error::timeout(log.folder_name() + " has changed while it was cleaned");
}

// Facts that need no disk: what indexes take is filled in where it matters.
std::vector<CleanableSegment> facts_of(const std::vector<Segment>& segments, Offset end) {
  std::vector<CleanableSegment> facts;
  facts.reserve(segments.size());
  const auto known = segment_facts(segments, end);
  for (size_t i = 0; i < segments.size(); ++i) facts.push_back({known[i], segments[i].first_timestamp, 0, 0});
  return facts;
}

}  // namespace

// Of one log. In the lane alone, but for what the shard reads between two steps.
struct LogCleaner::Cleaning {
  std::shared_ptr<Log> log;
  std::string folder;
  std::vector<Segment> segments;  // as they were when it began
  std::vector<CleanableSegment> facts;
  uint32_t cuts = 0;
  Offset gaps_below;  // then, too
  Offset first_dirty;
  Offset end;
  std::optional<OffsetMap> map;
  std::optional<DirtyScan> scan;
  std::optional<CleanedTransactions> transactions;
  std::optional<BatchCleaner> cleaner;
  std::optional<GroupCleaner> group;
  CleaningStats stats;
  uint64_t bytes_seen = 0;

  [[nodiscard]] std::vector<SourceSegment> sources(size_t first, size_t count) const {
    std::vector<SourceSegment> result;
    for (size_t i = first; i < first + count; ++i)
      result.push_back(
          {segments[i].base, segments[i].bytes, facts[i].facts.next_offset, segments[i].base < gaps_below});
    return result;
  }
};

LogCleaner::LogCleaner(Options options, LogStore& store, runtime::Random& random, Candidates candidates)
    : options_(std::move(options)),
      store_(store),
      random_(random),
      candidates_(std::move(candidates)),
      changed_(store.loop_) {}

CleaningSettings LogCleaner::settings_of(const Log& log) const {
  const LogSettings& s = log.settings();
  return {s.min_cleanable_dirty_ratio, s.min_compaction_lag_ms, s.max_compaction_lag_ms, s.segment_bytes,
          s.segment_index_bytes};
}

LogCleaner::Settled LogCleaner::settled_now(const Log& log) { return {log.rolled_, log.cuts()}; }

CleaningDecision LogCleaner::decide(const CleanCandidate& candidate, Settled settled,
                                    const std::vector<CleanableSegment>& facts) const {
  const Log& log = *candidate.log;
  if (settled.cuts != log.cuts()) settled.to = Offset(0);
  const Offset cleaned_to = log.state().cleaned_to;
  const CleanableLog state{facts, log.start(), log.end(),
                           cleaned_to == kNoOffset ? std::nullopt : std::optional(cleaned_to),
                           std::min({candidate.limit, log.counted(), log.durable(), settled.to})};
  return decide_cleaning(state, settings_of(log), store_.loop_.clock().wall());
}

Task<void> LogCleaner::run() {
  running_ = true;
  while (!stopping_ && !store_.offline()) {
    auto cleaning = clean_one();
    const bool cleaned = co_await cleaning;
    if (cleaned || stopping_) continue;
    auto waiting = wait_until([this, since = store_.loop_.mono()] { return since + options_().backoff; });
    co_await waiting;
  }
  running_ = false;
  changed_.notify_all();
}

Task<void> LogCleaner::wait_until(std::function<runtime::MonoTime()> time) {
  constexpr runtime::Duration kLookAgain = std::chrono::seconds(5);
  while (!stopping_ && !store_.offline() && store_.loop_.mono() < time()) {
    auto wait = changed_.wait_until(std::min(time(), store_.loop_.mono() + kLookAgain));
    (void)co_await wait;
  }
}

Task<void> LogCleaner::stop() {
  stopping_ = true;
  changed_.notify_all();
  while (running_) {
    auto wait = changed_.wait();
    co_await wait;
  }
}

// Of those that have not been given up in this round. `settled`: as far as the journal holds nothing of them.
std::optional<CleanCandidate> LogCleaner::best_of_round(bool settled) {
  std::optional<CleanCandidate> best;
  double best_ratio = 0;
  stats_.max_dirty_ratio = 0;
  stats_.max_overdue_ms = 0;
  for (CleanCandidate& candidate : candidates_()) {
    const Log& log = *candidate.log;
    if (log.offline() || log.uncleanable() || !log.settings().compact_policy) continue;
    if (given_up_.contains(log.id())) continue;
    const auto known = settled_.find(log.id());
    if (settled && known == settled_.end()) continue;
    const CleaningDecision decision =
        decide(candidate, settled ? known->second : settled_now(log), facts_of(log.segments(), log.end()));
    stats_.max_dirty_ratio = std::max(stats_.max_dirty_ratio, decision.dirty_ratio());
    stats_.max_overdue_ms = std::max(stats_.max_overdue_ms, decision.overdue_ms);
    if (decision.reason == CleaningReason::none || (best && decision.dirty_ratio() <= best_ratio)) continue;
    best_ratio = decision.dirty_ratio();
    best = std::move(candidate);
  }
  return best;
}

// Rule 6: whatever is cleaned lies below the checkpoint. What is sealed by now is settled afterwards.
Task<Result<void>> LogCleaner::settle_round() {
  std::map<LogId, Settled> bounds;
  for (const CleanCandidate& candidate : candidates_())
    bounds.emplace(candidate.log->id(), settled_now(*candidate.log));
  auto settling = store_.settle();
  const auto settled = co_await settling;
  if (!settled) co_return fail(settled.error());
  settled_ = std::move(bounds);
  co_return Result<void>();
}

Task<bool> LogCleaner::clean_one() {
  if (settled_.empty()) {
    if (!best_of_round(false)) co_return false;
    auto settling = settle_round();
    if (const auto settled = co_await settling; !settled) {
      ++stats_.given_up;
      co_return false;
    }
  }
  auto best = best_of_round(true);
  if (!best) {
    settled_.clear();
    given_up_.clear();
    std::erase_if(told_disk_error_, [this](LogId id) { return !store_.logs().contains(id); });
    co_return false;
  }
  const auto log = best->log;
  auto cleaning = clean_settled(*std::move(best), settled_.at(log->id()));
  const auto cleaned = co_await cleaning;
  if (cleaned) {
    told_disk_error_.erase(log->id());
    if (on_cleaned) on_cleaned(*log, *cleaned);
    co_return true;
  }
  const ErrorKind kind = cleaned.error().kind();
  // What a disk does not give now it may give later: only what it gives may be damaged.
  if (kind == ErrorKind::timeout || kind == ErrorKind::no_space || kind == ErrorKind::io || log->offline()) {
    ++stats_.given_up;
    given_up_.insert(log->id());
    const bool is_news =
        kind == ErrorKind::io && !log->offline() && told_disk_error_.insert(log->id()).second;
    if (is_news && on_disk_error) on_disk_error(*log, cleaned.error());
    co_return true;
  }
  ++stats_.failures;
  log->uncleanable_ = cleaned.error();
  if (on_failure) on_failure(*log, cleaned.error());
  co_return true;
}

Task<Result<CleaningStats>> LogCleaner::clean(CleanCandidate candidate) {
  const Settled bound = settled_now(*candidate.log);
  auto settling = store_.settle();
  const auto settled = co_await settling;
  if (!settled) co_return fail(settled.error());
  auto cleaning = clean_settled(std::move(candidate), bound);
  const auto cleaned = co_await cleaning;
  co_return cleaned;
}

Task<Result<CleaningStats>> LogCleaner::clean_settled(CleanCandidate candidate, Settled settled) {
  const auto log = candidate.log;
  if (log->offline()) co_return fail(changed_meanwhile(*log));
  auto cleaning = std::make_shared<Cleaning>();
  cleaning->log = log;
  cleaning->folder = log->folder();
  cleaning->segments = log->segments();
  cleaning->cuts = log->cuts();
  cleaning->gaps_below = log->state().gaps_below;
  cleaning->facts = facts_of(cleaning->segments, log->end());
  const CleaningDecision decision = decide(candidate, settled, cleaning->facts);
  cleaning->first_dirty = decision.first_dirty;
  cleaning->end = decision.end;
  if (decision.end <= decision.first_dirty) co_return CleaningStats{};
  auto working = clean(cleaning);
  const auto worked = co_await working;
  stats_.done += cleaning->stats;
  if (!worked) {
    // What it could not read may have been deleted meanwhile.
    const bool same = log->cuts() == cleaning->cuts && log->has_segment(cleaning->segments.front().base);
    if (!same || log->offline() || stopping_) co_return fail(changed_meanwhile(*log));
    co_return fail(worked.error());
  }
  ++stats_.cleanings;
  co_return cleaning->stats;
}

Task<Result<void>> LogCleaner::in_steps(std::shared_ptr<Cleaning> cleaning,
                                        std::function<Result<bool>(uint64_t max_bytes)> step) {
  while (true) {
    auto work = [cleaning, step] { return step(kStepBytes); };
    auto working = runtime::on_lane(store_.lanes_.clean, store_.loop_, std::move(work));
    const auto done = co_await working;
    if (!done) co_return fail(done.error());
    uint64_t moved = cleaning->scan ? cleaning->scan->bytes_read() : 0;
    if (cleaning->group) moved = cleaning->group->bytes_read() + cleaning->group->bytes_written();
    const uint64_t bytes = moved - std::min(moved, std::exchange(cleaning->bytes_seen, moved));
    auto pausing = pause(bytes);
    co_await pausing;
    if (*done) co_return Result<void>();
    if (stopping_ || cleaning->log->offline()) co_return fail(changed_meanwhile(*cleaning->log));
  }
}

Task<void> LogCleaner::pause(uint64_t bytes) {
  const runtime::MonoTime now = store_.loop_.mono();
  auto slowing = wait_until([this, now, bytes] {
    const uint64_t rate = std::max<uint64_t>(options_().bytes_per_second, 1);
    return now + std::chrono::nanoseconds(
                     static_cast<int64_t>(static_cast<double>(bytes) / static_cast<double>(rate) * 1e9));
  });
  co_await slowing;
  // Those who wait for an answer come first, and the longer they had to while it worked the longer it rests;
  // but nobody waits for ever.
  constexpr runtime::Duration kMost = std::chrono::seconds(1);
  const runtime::Duration yield_to = options_().yield_to;
  const runtime::Duration longest = store_.take_longest_wait();
  if (!stopping_ && longest > yield_to) {
    auto resting = changed_.wait_until(store_.loop_.mono() + std::min(longest, kMost));
    (void)co_await resting;
  }
  while (!stopping_ && store_.age(store_.loop_.mono()) > yield_to && store_.loop_.mono() < now + kMost) {
    auto sleeping = runtime::sleep_for(store_.loop_, yield_to);
    co_await sleeping;
  }
  (void)store_.take_longest_wait();  // while nothing was cleaned
}

Task<Result<void>> LogCleaner::clean(std::shared_ptr<Cleaning> cleaning) {
  const Log& log = *cleaning->log;
  const auto dirty = std::partition_point(
      cleaning->facts.begin(), cleaning->facts.end(),
      [&](const CleanableSegment& s) { return s.facts.next_offset <= cleaning->first_dirty; });
  const auto first = static_cast<size_t>(dirty - cleaning->facts.begin());
  size_t count = 0;
  uint64_t dirty_bytes = 0;
  while (first + count < cleaning->segments.size() &&
         cleaning->segments[first + count].base < cleaning->end) {
    dirty_bytes += cleaning->segments[first + count].bytes;
    ++count;
  }
  // A small log needs no large map: a record takes more bytes than an entry, mostly.
  const size_t map_bytes = std::clamp<uint64_t>(2 * dirty_bytes + 4096, OffsetMap::kMinBytes,
                                                std::max(options_().map_bytes, OffsetMap::kMinBytes));
  const DigestSecret secret{random_.next(), random_.next()};
  const DirtyPart part{cleaning->folder, cleaning->sources(first, count), cleaning->first_dirty, {}};
  auto scan = [raw = cleaning.get(), files = &store_.files_, map_bytes, load_factor = options_().load_factor,
               secret, part](uint64_t bytes) {
    if (!raw->scan) {  // here, because so much memory takes its time
      raw->map.emplace(map_bytes, load_factor, secret);
      raw->scan.emplace(*files, part, *raw->map);
    }
    return raw->scan->step(bytes);
  };
  auto scanning = in_steps(cleaning, std::move(scan));
  auto scanned = co_await scanning;
  if (!scanned) co_return scanned;
  cleaning->scan.reset();

  cleaning->end = std::min(cleaning->end, cleaning->map->end());
  cleaning->transactions.emplace(std::vector<AbortedTransaction>{});
  CleaningRules rules;
  rules.now_ms = runtime::unix_ms(store_.loop_.clock().wall());
  rules.delete_retention_ms = log.settings().delete_retention_ms;
  rules.end = cleaning->end;
  rules.producers = last_of_producers(log.producers(), log.durable());
  rules.planted = store_.options_.planted;
  cleaning->cleaner.emplace(*cleaning->map, *cleaning->transactions, std::move(rules));
  auto grouping = clean_groups(cleaning);
  auto grouped = co_await grouping;
  if (!grouped) co_return grouped;
  if (cleaning->cuts != log.cuts()) co_return fail(changed_meanwhile(log));
  cleaning->log->cleaned(cleaning->end);
  co_return Result<void>();
}

Task<Result<void>> LogCleaner::clean_groups(std::shared_ptr<Cleaning> cleaning) {
  const Log& log = *cleaning->log;
  auto measure = [cleaning, cache = &store_.cache_]() -> Result<void> {
    for (CleanableSegment& s : cleaning->facts) {
      const auto size = [&](std::string_view suffix) {
        const auto file = cache->get(segment_path(cleaning->folder, s.facts.base_offset, suffix));
        const auto bytes = file ? (*file)->size() : Result<uint64_t>(uint64_t{0});
        return bytes.value_or(0);
      };
      s.offset_index_bytes = size(kOffsetIndexSuffix);
      s.time_index_bytes = size(kTimeIndexSuffix);
    }
    return {};
  };
  auto measuring = runtime::on_lane(store_.lanes_.clean, store_.loop_, std::move(measure));
  auto measured = co_await measuring;
  if (!measured) co_return measured;
  const IndexLimits limits{static_cast<uint32_t>(log.settings().index_interval_bytes),
                           log.settings().segment_index_bytes};
  for (const SegmentGroup& g : group_segments(cleaning->facts, cleaning->end, settings_of(log))) {
    cleaning->bytes_seen = 0;
    cleaning->group.emplace(store_.files_, cleaning->folder, log.cleaning_mark(),
                            cleaning->sources(g.first, g.count), *cleaning->cleaner, *cleaning->transactions,
                            limits);
    auto writing =
        in_steps(cleaning, [raw = cleaning.get()](uint64_t bytes) { return raw->group->step(bytes); });
    auto written = co_await writing;
    bool is_placed = false;
    if (written) {
      auto placing = place(*cleaning, g);
      const auto placed = co_await placing;
      if (!placed) written = fail(placed.error());
      is_placed = placed && *placed;
    }
    if (!is_placed) {
      auto cancel = [cleaning] { return cleaning->group->cancel(); };
      auto cancelling = runtime::on_lane(store_.lanes_.clean, store_.loop_, std::move(cancel));
      (void)co_await cancelling;
    }
    if (!written) co_return written;
    cleaning->group.reset();
  }
  co_return Result<void>();
}

// False: nothing has changed in it, and nothing has to take its place.
Task<Result<bool>> LogCleaner::place(Cleaning& cleaning, SegmentGroup g) {
  const CleanedSegment result = cleaning.group->segment();
  const auto first = cleaning.segments.begin() + static_cast<ptrdiff_t>(g.first);
  std::vector<Segment> sources(first, first + static_cast<ptrdiff_t>(g.count));
  const bool is_same = g.count == 1 && result.bytes == sources.front().bytes &&
                       result.stats.batches_copied > 0 && result.stats.batches_rewritten == 0 &&
                       result.stats.batches_emptied == 0 && result.stats.batches_dropped == 0;
  if (!is_same) {
    auto exchanging = cleaning.log->exchange(std::move(sources), result, cleaning.cuts);
    const auto exchanged = co_await exchanging;
    if (!exchanged) co_return fail(exchanged.error());
    if (!*exchanged) co_return fail(changed_meanwhile(*cleaning.log));
  }
  cleaning.stats += result.stats;
  co_return !is_same;
}

}  // namespace tidemark::storage
