// The scrub: sealed segments are read through, slowly, whether anybody asks for them or not, so that what
// rots on the disk is known while there may still be a copy of it.
#include <algorithm>

#include "storage/log_reader.h"
#include "storage/log_store.h"

namespace tidemark::storage {

using runtime::Task;

Task<std::optional<ScrubPlace>> Log::scrub(ScrubPlace from, uint64_t max_bytes) {
  // Those before it may have been deleted since.
  const auto s = std::partition_point(segments_.begin(), segments_.end(), [&](const Segment& segment) {
    return segment.base < from.segment_base;
  });
  const size_t index = static_cast<size_t>(s - segments_.begin());
  if (offline_ || index + 1 >= segments_.size() || written_ < segments_[index + 1].base)
    co_return std::nullopt;
  if (exchanging(s->base)) {
    auto look_again = changed_.wait();
    co_await look_again;
    co_return from;
  }
  const Offset base = s->base;
  const Offset next = segments_[index + 1].base;
  if (start() >= next) co_return ScrubPlace{next, 0, next, cuts_};  // about to be deleted
  const uint32_t version = s->version;
  if (base != from.segment_base || cuts_ != from.cuts || version != from.version)
    from = {base, 0, base, cuts_, version};
  const SealedPiece piece{folder(), base,      s->bytes,          next,           from.position, from.offset,
                          start(),  max_bytes, state_.gaps_below, shared_epochs()};
  auto work = [files = &store_.files_, cache = &store_.cache_, piece] {
    return check_sealed(*files, *cache, piece);
  };
  const uint32_t exchanges = exchanges_;
  auto checking = runtime::on_lane(store_.lanes_.scrub, store_.loop_, std::move(work));
  const auto checked = co_await checking;
  if (checked) store_.scrub_stats_.bytes += checked->bytes;
  if (offline_ || from.cuts != cuts_) co_return std::nullopt;
  if (exchanges != exchanges_) co_return ScrubPlace{base, 0, base, cuts_, version};  // once more
  if (!checked && has_segment(base)) {
    ++store_.scrub_stats_.errors;
    // What the disk does not give now, the next pass asks for again.
    if (store_.on_scrub_error && checked.error().kind() != ErrorKind::corruption)
      store_.on_scrub_error(*this, checked.error());
    (void)unreadable(checked.error());
  }
  if (checked && checked->position < piece.bytes)
    co_return ScrubPlace{base, checked->position, checked->offset, cuts_, version};
  co_return ScrubPlace{next, 0, next, cuts_};
}

Task<void> LogStore::scrub(std::shared_ptr<Log> log) {
  constexpr uint64_t kPiece = 1 << 20;
  const uint64_t rate = options_.scrub_bytes_per_second;
  const uint64_t piece = std::min(rate, kPiece);
  std::optional<ScrubPlace> place = ScrubPlace{};
  while (place && !stopping_ && !offline_) {
    const ScrubStats before = scrub_stats_;
    auto scrubbing = log->scrub(*place, piece);
    place = co_await scrubbing;
    uint64_t bytes = scrub_stats_.bytes - before.bytes;
    if (scrub_stats_.errors > before.errors)
      bytes = std::max(bytes, piece);  // a disk that fails is not asked at once again
    if (bytes == 0) continue;
    auto pause = runtime::sleep_for(loop_, std::chrono::nanoseconds(bytes * 1'000'000'000 / rate));
    co_await pause;
  }
}

Task<void> LogStore::scrub_loop() {
  constexpr runtime::Duration kFirst = std::chrono::seconds(5);
  runtime::MonoTime due = loop_.mono() + std::min(kFirst, options_.scrub_interval);
  while (!stopping_ && !offline_) {
    auto waiting = runtime::sleep_for(loop_, due - loop_.mono());
    co_await waiting;
    due = loop_.mono() + options_.scrub_interval;
    std::vector<LogId> ids;
    for (const auto& [id, log] : logs_) ids.push_back(id);
    if (ids.empty()) continue;
    // A pass may take longer than a life: each begins with other logs.
    const uint64_t first = (options_.journal.generation.value * 0x9E3779B97F4A7C15 >> 32) % ids.size();
    std::rotate(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(first), ids.end());
    for (const LogId id : ids) {
      const auto log = logs_.find(id);
      if (log == logs_.end()) continue;
      auto scrubbing = scrub(log->second);
      co_await scrubbing;
    }
  }
}

}  // namespace tidemark::storage
