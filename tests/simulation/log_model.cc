#include "tests/simulation/log_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/batch/header.h"
#include "protocol/invariant.h"

namespace tidemark::simulation {

namespace {

constexpr size_t kChecked = 17;  // bytes of a batch before its checksum: place, length, epoch, magic

}  // namespace

void LogModel::appended(ModelBatch batch) {
  INVARIANT(batch.base == end_, "{}: a batch at {}, and the end is {}", name_, batch.base, end_);
  end_ = batch.last + 1;
  if (batch.producer != kNoProducerId) {
    produced_[batch.producer].push_back(
        {batch.base, batch.last, batch.base_sequence, static_cast<int32_t>(batch.last - batch.base) + 1});
  }
  batches_.push_back(std::move(batch));
}

void LogModel::promise(Offset below) { promised_end_ = std::max(promised_end_, std::min(below, end_)); }

void LogModel::begin_trim(Offset most) {
  trimming_ = std::max(trimming_.value_or(most), most);
  ++trims_;
}

void LogModel::end_trim(Offset start_now) {
  trimmed(start_now);
  if (--trims_ == 0) trimming_.reset();
}

void LogModel::trimmed(Offset to) {
  if (to <= start_) return;
  start_ = to;
  ++cuts_;
  const auto kept = std::find_if(batches_.begin(), batches_.end(),
                                 [&](const ModelBatch& batch) { return batch.last >= start_; });
  batches_.erase(batches_.begin(), kept);
}

Offset LogModel::cut_point(Offset offset) const {
  offset = std::max(offset, start_);
  for (const ModelBatch& batch : batches_)
    if (batch.last >= offset) return std::min(batch.base, offset);
  return offset;
}

void LogModel::begin_truncate(Offset to) {
  truncating_ = cut_point(to);
  ++cuts_;
}

bool LogModel::is_cut(Offset start, Offset end) const {
  return truncating_ && (end == *truncating_ || (end > *truncating_ && end == start));
}

Verdict LogModel::truncated(Offset start, Offset end) {
  INVARIANT(truncating_.has_value(), "{}: no truncation under way", name_);
  if (!is_cut(start, end) || start > std::max(start_, trimming_.value_or(start_)))
    return fmt::format("{}: holds {} to {} after a truncation to {}", name_, start, end, *truncating_);
  cut(end);
  truncating_.reset();
  return std::nullopt;
}

void LogModel::cut(Offset end) {
  ++cuts_;
  while (!batches_.empty() && batches_.back().base >= end) batches_.pop_back();
  for (auto& [producer, produced] : produced_)
    while (!produced.empty() && produced.back().base >= end) produced.pop_back();
  end_ = end;
  promised_end_ = std::min(promised_end_, end);
  start_ = std::min(start_, end);
}

bool LogModel::is_boundary(Offset offset) const {
  return offset == end_ || offset == start_ ||
         std::any_of(batches_.begin(), batches_.end(),
                     [&](const ModelBatch& batch) { return batch.base == offset; });
}

Verdict LogModel::recovered(Offset start, Offset end, bool power_lost) {
  const bool was_cut = is_cut(start, end);
  const bool may_lose = caching && power_lost;
  // Without a journal a truncation may stop between two segments, and between the start, which it takes back
  // where the batch that holds it goes, and the files.
  const bool half_cut = caching && truncating_ && end >= *truncating_;
  const Offset earliest = half_cut ? std::min(start_, *truncating_) : start_;
  truncating_.reset();
  const auto trimming = std::exchange(trimming_, {});
  trims_ = 0;
  changing = false;
  const Offset latest_start = std::max(start_, trimming.value_or(start_));
  if (was_cut) {
    cut(end);
  } else if (end < promised_end_ && !may_lose && !half_cut) {
    return fmt::format("{}: ends at {}, but {} was promised", name_, end, promised_end_);
  } else if (end > end_ || !(is_boundary(end) || (may_lose && end == start))) {
    return fmt::format("{}: ends at {}, where no batch ever ended; the model ends at {}", name_, end, end_);
  }
  // write.caching: power loss may take the first files, too, and keep later ones; the log then starts there.
  const bool lost_its_first = may_lose && start > latest_start && is_boundary(start);
  if (start < std::min(earliest, end) || (start > std::max(latest_start, Offset(0)) && !lost_its_first)) {
    return fmt::format("{}: starts at {}, and not between {} and {}", name_, start, start_, latest_start);
  }
  start_ = std::min(start_, std::max(start, earliest));
  cut(end);
  trimmed(start);
  // write.caching: power loss took all that a trim, perhaps into the middle of a batch, had left; or the
  // first files, and with them what they told of producers.
  if (start_ == end_) batches_.clear();
  if (may_lose && (start_ == end_ || lost_its_first)) producers_known_ = false;
  promised_end_ = end_;
  existence = Existence::exists;
  return std::nullopt;
}

Verdict LogModel::judge_read(Offset from, Offset limit, std::span<const std::byte> bytes, Offset* next,
                             bool is_damaged) const {
  *next = from;
  auto expected = std::find_if(batches_.begin(), batches_.end(),
                               [&](const ModelBatch& batch) { return batch.last >= from; });
  for (bool first = true; !bytes.empty(); first = false, ++expected) {
    if (expected == batches_.end())
      return fmt::format("{}: a read from {} returns more than the model, which ends at {}", name_, from,
                         end_);
    const size_t count = std::min(bytes.size(), expected->bytes.size());
    if (std::memcmp(bytes.data(), expected->bytes.data(), count) != 0) {
      // Of its place and its length no checksum tells: those are the log's to look at.
      const bool is_whole = count == expected->bytes.size();
      const bool is_in_place =
          std::memcmp(bytes.data(), expected->bytes.data(), std::min(count, kChecked)) == 0;
      if (is_damaged && is_in_place && !(is_whole && protocol::batch_crc_holds(bytes.first(count))))
        return std::nullopt;
      // A read's end cuts off batches: by what it says of its length this is no whole one, and no reader
      // takes it.
      if (is_damaged && bytes.size() >= protocol::kBatchHeaderBytes &&
          protocol::read_batch_header(bytes).size_in_bytes() > bytes.size())
        return std::nullopt;
      const auto header = protocol::parse_batch_header(bytes);
      return fmt::format("{}: a read from {} returns the batch at {} instead of the one appended at {}",
                         name_, from, header ? header->base_offset : kNoOffset, expected->base);
    }
    // The last one may be cut short, as in Kafka; the first never is.
    if (count < expected->bytes.size()) {
      if (first) return fmt::format("{}: a read from {} returns less than a batch", name_, from);
      break;
    }
    if (expected->last >= limit)
      return fmt::format("{}: a read from {} returns the batch {} to {}, above the limit {}", name_, from,
                         expected->base, expected->last, limit);
    *next = expected->last + 1;
    bytes = bytes.subspan(count);
  }
  return std::nullopt;
}

std::optional<Offset> LogModel::find_by_time(int64_t timestamp_ms, Offset limit) const {
  for (const ModelBatch& batch : batches_) {
    if (batch.last < start_) continue;
    if (std::max(batch.base, start_) >= limit) break;
    if (batch.timestamp_ms >= timestamp_ms) return std::max(batch.base, start_);
  }
  return std::nullopt;
}

int64_t LogModel::greatest_time(Offset limit) const {
  int64_t greatest = -1;
  for (const ModelBatch& batch : batches_) {
    if (batch.last >= start_ && std::max(batch.base, start_) < limit)
      greatest = std::max(greatest, batch.timestamp_ms);
  }
  return greatest;
}

std::vector<std::pair<LeaderEpoch, Offset>> LogModel::epochs() const {
  std::vector<std::pair<LeaderEpoch, Offset>> result;
  for (const ModelBatch& batch : batches_) {
    if (batch.last < start_) continue;
    if (result.empty() || result.back().first != batch.epoch)
      result.emplace_back(batch.epoch, std::max(batch.base, start_));
  }
  return result;
}

std::optional<LogModel::Produced> LogModel::last_of(ProducerId producer) const {
  const auto it = produced_.find(producer);
  if (it == produced_.end() || it->second.empty()) return std::nullopt;
  return it->second.back();
}

}  // namespace tidemark::simulation
