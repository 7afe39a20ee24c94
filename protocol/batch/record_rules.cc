#include "protocol/batch/record_rules.h"

#include <fmt/format.h>

namespace tidemark::protocol {
namespace {

int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return b < 0 ? INT64_MIN : INT64_MAX;
  return sum;
}

}  // namespace

RecordRules::RecordRules(const BatchHeader& header, const ProduceLimits& limits,
                         std::vector<RecordError>& errors)
    : base_timestamp_(static_cast<uint64_t>(header.base_timestamp)),
      earliest_(saturating_add(limits.now_ms, -limits.timestamp_before_max_ms)),
      latest_(saturating_add(limits.now_ms, limits.timestamp_after_max_ms)),
      needs_key_(limits.compacted),
      errors_(errors) {
  // The broker's own timestamps replace them: any will do.
  const bool replaced = limits.timestamp_type == TimestampType::log_append_time;
  if (replaced || limits.timestamp_before_max_ms == INT64_MAX) earliest_ = INT64_MIN;
  if (replaced) latest_ = INT64_MAX;
}

bool RecordRules::add(int32_t index, std::string message) {
  errors_.push_back({index, std::move(message)});
  stopped_ = errors_.size() == kMaxRecordErrors;
  return !stopped_;
}

bool RecordRules::refuse_offset(int32_t index, int32_t offset_delta) {
  add(index, fmt::format("the offset delta of record {} is {}", index, offset_delta));
  stopped_ = true;
  return false;
}

bool RecordRules::refuse_key(int32_t index) {
  return add(index, "a compacted topic takes no record without a key");
}

bool RecordRules::refuse_timestamp(int32_t index, int64_t timestamp) {
  wrong_timestamp_ = true;
  return add(index, fmt::format("timestamp {} is not within {} and {}", timestamp, earliest_, latest_));
}

Result<void> RecordRules::verdict() const {
  if (errors_.empty()) return {};
  if (wrong_timestamp_)
    return fail(ErrorCode::INVALID_TIMESTAMP,
                fmt::format("{} records of the batch have a wrong timestamp or key", errors_.size()));
  return fail(ErrorCode::INVALID_RECORD, fmt::format("{} records of the batch were refused, the first: {}",
                                                     errors_.size(), errors_.front().message));
}

}  // namespace tidemark::protocol
