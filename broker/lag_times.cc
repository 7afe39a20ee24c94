#include "broker/lag_times.h"

#include <utility>

namespace tidemark::broker {

bool LagTimes::Known::may_read(Offset first, DiskLooks& looks) const {
  const bool has_none = offset == kNoOffset || offset > first;
  if (!has_none && !is_due) return false;
  if (looks.left <= (has_none ? 0 : DiskLooks::kForFirst)) return false;
  --looks.left;
  return true;
}

LagTimes::Known LagTimes::known(const Key& key) const {
  const auto found = known_.find(key);
  if (found == known_.end()) return {};
  const Remembered& is = found->second;
  return {is.offset, is.time.ms && look_ - is.look < kTrusted, look_ - is.look >= turn_};
}

std::optional<LagTimes::Time> LagTimes::take(const Key& key, const Found& found) {
  if (found.asks_disk) ++asking_;
  std::optional<Remembered> remembered;
  if (found.time) {
    remembered = {found.first, *found.time, look_};
  } else if (const auto before = known_.find(key);
             before != known_.end() && before->second.offset <= found.first) {
    remembered = before->second;
  }
  if (!remembered) return std::nullopt;
  if (taken_.size() < kMost) taken_.insert_or_assign(key, *remembered);
  return remembered->time;
}

void LagTimes::end_look() {
  known_ = std::exchange(taken_, {});
  ++look_;
  turn_ = 1 + std::exchange(asking_, 0) / (DiskLooks::kMost - DiskLooks::kForFirst);
}

}  // namespace tidemark::broker
