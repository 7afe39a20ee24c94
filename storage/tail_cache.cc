#include "storage/tail_cache.h"

#include <algorithm>
#include <iterator>

#include "protocol/batch/header.h"
#include "protocol/invariant.h"

namespace tidemark::storage {
namespace {

// The batch at the front of `bytes`. What stands in the cache was checked before it was appended.
protocol::BatchHeader batch_at(std::span<const std::byte> bytes) {
  const auto header = protocol::parse_batch_header(bytes);
  INVARIANT(header && header->size_in_bytes() <= bytes.size(), "no batch in {} cached bytes", bytes.size());
  return *header;
}

}  // namespace

TailCache::Entries::const_iterator TailCache::entry_with(const Entries& entries, Offset offset) {
  auto after = entries.upper_bound(offset);
  if (after == entries.begin()) return entries.end();
  const auto found = std::prev(after);
  return found->second.last_offset >= offset ? found : entries.end();
}

TailCache::HeldBuffer TailCache::hold(const runtime::BufferSlice& slice) {
  const runtime::Buffer* buffer = slice.owner.get();
  if (const auto found = by_buffer_.find(buffer); found != by_buffer_.end()) return found->second;
  const HeldBuffer held = evictable_.insert(evictable_.end(), Held{buffer, slice.owner->size(), 0, {}});
  by_buffer_.emplace(buffer, held);
  bytes_ += held->bytes;
  slice.owner->release_charge();  // from now on this cache's bound counts it, not the requests'
  return held;
}

void TailCache::append(LogId log, TailAppend append) {
  REQUIRES(append.slice.owner != nullptr && append.last_offset >= append.base_offset);
  Tail& tail = logs_[log];
  INVARIANT(tail.entries.empty() || tail.entries.rbegin()->second.last_offset < append.base_offset,
            "log {}: {} is appended behind {}", log, append.base_offset,
            tail.entries.rbegin()->second.last_offset);
  const HeldBuffer held = hold(append.slice);
  if (held->pinned++ == 0) {
    pinned_bytes_ += held->bytes;
    pinned_.splice(pinned_.end(), evictable_, held);
  }
  held->entries.emplace_back(log, append.base_offset);
  tail.entries.emplace_hint(
      tail.entries.end(), append.base_offset,
      Entry{append.last_offset, append.segment_base, append.position, std::move(append.slice), true, held});
  evict();
}

void TailCache::unpin(Entry& entry) {
  if (!entry.pinned) return;
  entry.pinned = false;
  if (--entry.held->pinned > 0) return;
  pinned_bytes_ -= entry.held->bytes;
  evictable_.splice(evictable_.end(), pinned_, entry.held);
}

void TailCache::mark_written(LogId log, Offset end) {
  const auto found = logs_.find(log);
  if (found == logs_.end()) return;
  Tail& tail = found->second;
  for (auto it = tail.entries.lower_bound(tail.written_end);
       it != tail.entries.end() && it->second.last_offset < end; ++it) {
    unpin(it->second);
    tail.written_end = it->second.last_offset + 1;
  }
  evict();
}

TailRead TailCache::read(LogId log, Offset from, Offset limit, uint64_t max_bytes) const {
  TailRead result;
  const auto tail = logs_.find(log);
  if (tail == logs_.end() || from >= limit) return result;
  const Entries& entries = tail->second.entries;
  Offset expected = from;
  for (auto it = entry_with(entries, from); it != entries.end(); ++it) {
    if (!result.slices.empty() && it->first != expected) break;  // a hole
    const Entry& entry = it->second;
    // Batches of this entry that are wanted: [begin, end) of its bytes.
    size_t begin = 0;
    size_t end = 0;
    bool more = true;
    while (more && end < entry.slice.size()) {
      const protocol::BatchHeader batch = batch_at(entry.slice.bytes.subspan(end));
      const size_t size = batch.size_in_bytes();
      if (batch.last_offset() < from) {
        begin = end += size;
        continue;
      }
      const bool first = result.slices.empty() && begin == end;
      if (batch.last_offset() >= limit || (!first && result.bytes + (end - begin) + size > max_bytes)) {
        more = false;
        break;
      }
      if (first) {
        result.base_offset = batch.base_offset;
        result.segment_base = entry.segment_base;
        result.position = entry.position + begin;
      }
      end += size;
      result.next_offset = expected = batch.next_offset();
    }
    if (end > begin) {
      result.slices.push_back(entry.slice.sub(begin, end - begin));
      result.bytes += end - begin;
    }
    if (!more || end == begin) break;
  }
  return result;
}

bool TailCache::holds(LogId log, Offset from) const {
  const auto tail = logs_.find(log);
  return tail != logs_.end() && entry_with(tail->second.entries, from) != tail->second.entries.end();
}

Offset TailCache::first_pinned(LogId log) const {
  const auto tail = logs_.find(log);
  if (tail == logs_.end()) return kNoOffset;
  const auto first = tail->second.entries.lower_bound(tail->second.written_end);
  return first == tail->second.entries.end() ? kNoOffset : first->first;
}

void TailCache::let_go(LogId log, Offset base, Entry& entry) {
  unpin(entry);
  const HeldBuffer held = entry.held;
  std::erase(held->entries, std::pair(log, base));
  if (!held->entries.empty()) return;
  bytes_ -= held->bytes;
  by_buffer_.erase(held->buffer);
  evictable_.erase(held);  // nothing of it is pinned any more
}

void TailCache::truncate(LogId log, Offset end) {
  const auto found = logs_.find(log);
  if (found == logs_.end()) return;
  Tail& tail = found->second;
  while (!tail.entries.empty()) {
    const auto last = std::prev(tail.entries.end());
    Entry& entry = last->second;
    if (last->first >= end) {
      let_go(log, last->first, entry);
      tail.entries.erase(last);
      continue;
    }
    if (entry.last_offset >= end) {
      size_t keep = 0;
      Offset next = last->first;
      while (keep < entry.slice.size()) {
        const protocol::BatchHeader batch = batch_at(entry.slice.bytes.subspan(keep));
        if (batch.last_offset() >= end) break;
        keep += batch.size_in_bytes();
        next = batch.next_offset();
      }
      if (keep == 0) {
        let_go(log, last->first, entry);
        tail.entries.erase(last);
        continue;
      }
      entry.slice = entry.slice.sub(0, keep);
      entry.last_offset = next + -1;
    }
    break;
  }
  tail.written_end = std::min(tail.written_end, end);
  if (tail.entries.empty()) logs_.erase(found);
}

void TailCache::erase(LogId log) { truncate(log, Offset(INT64_MIN)); }

void TailCache::set_max_bytes(uint64_t max_bytes) {
  max_bytes_ = max_bytes;
  evict();
}

void TailCache::evict() {
  while (bytes_ > max_bytes_ && !evictable_.empty()) {
    const Held& oldest = evictable_.front();
    for (const auto& [log, base] : oldest.entries) {
      const auto tail = logs_.find(log);
      INVARIANT(tail != logs_.end(), "log {} has a buffer and no tail", log);
      tail->second.entries.erase(base);
      if (tail->second.entries.empty()) logs_.erase(tail);
    }
    bytes_ -= oldest.bytes;
    by_buffer_.erase(oldest.buffer);
    evictable_.pop_front();
    ++evicted_;
  }
}

}  // namespace tidemark::storage
