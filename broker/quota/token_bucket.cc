#include "broker/quota/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace tidemark::broker {

using runtime::Duration;
using runtime::MonoTime;

namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

double most(double limit, const QuotaWindows& windows) { return limit * seconds(windows.covered()); }

}  // namespace

void TokenBucket::fill(double limit, const QuotaWindows& windows, MonoTime now) {
  const double full = most(limit, windows);
  tokens_ = filled_ == MonoTime::min()
                ? full
                : std::min(full, tokens_ + limit * seconds(std::max(now - filled_, Duration{})));
  filled_ = now;
}

bool TokenBucket::take_strictly(double tokens, double limit, const QuotaWindows& windows, MonoTime now) {
  fill(limit, windows, now);
  if (tokens_ < 0) return false;
  tokens_ -= tokens;
  return true;
}

void TokenBucket::take(double tokens, double limit, const QuotaWindows& windows, MonoTime now) {
  fill(limit, windows, now);
  tokens_ -= tokens;
}

Duration TokenBucket::debt(double limit) const {
  return tokens_ < 0 ? pause_for(-tokens_, limit, Duration{}) : Duration{};
}

MonoTime TokenBucket::full_at(double limit, const QuotaWindows& windows) const {
  return filled_ + pause_for(most(limit, windows) - tokens_, limit, Duration{});
}

}  // namespace tidemark::broker
