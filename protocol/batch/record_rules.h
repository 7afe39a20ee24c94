// The rules that single records of a produced batch must keep: offset deltas, timestamps, keys. Sees each
// record once, in order, and gives the verdict at the end. Part of the produce check, apart because it is its
// hot loop.
#pragma once

#include <vector>

#include "protocol/batch/produce_check.h"

namespace tidemark::protocol {

class RecordRules {
 public:
  RecordRules(const BatchHeader& header, const ProduceLimits& limits, std::vector<RecordError>& errors);

  // False: nothing that follows can change the verdict.
  bool see(int32_t index, int64_t timestamp_delta, int32_t offset_delta, bool has_key) {
    if (offset_delta != index) [[unlikely]]
      return refuse_offset(index, offset_delta);
    const auto timestamp = static_cast<int64_t>(base_timestamp_ + static_cast<uint64_t>(timestamp_delta));
    if (timestamp > max_timestamp_) {
      max_timestamp_ = timestamp;
      max_timestamp_index_ = index;
    }
    if (needs_key_ && !has_key) [[unlikely]]
      return refuse_key(index);
    if ((timestamp < earliest_ || timestamp > latest_) && timestamp != kNoTimestamp) [[unlikely]]
      return refuse_timestamp(index, timestamp);
    return true;
  }

  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] Result<void> verdict() const;
  [[nodiscard]] int64_t max_timestamp() const { return max_timestamp_; }
  [[nodiscard]] int32_t max_timestamp_index() const { return max_timestamp_index_; }

 private:
  bool refuse_offset(int32_t index, int32_t offset_delta);
  bool refuse_key(int32_t index);
  bool refuse_timestamp(int32_t index, int64_t timestamp);
  bool add(int32_t index, std::string message);

  uint64_t base_timestamp_;
  int64_t earliest_;
  int64_t latest_;
  int64_t max_timestamp_ = kNoTimestamp;
  int32_t max_timestamp_index_ = 0;
  bool needs_key_;
  bool wrong_timestamp_ = false;
  bool stopped_ = false;
  std::vector<RecordError>& errors_;
};

}  // namespace tidemark::protocol
