// KIP-599's quota of topic changes: a bucket that fills at the quota's rate, up to what all windows together
// allow, and may go below zero: a large request is let through whole, and the next ones wait for it. Lives on
// one loop, and takes the time as an argument.
#pragma once

#include "broker/quota/rate.h"

namespace tidemark::broker {

class TokenBucket {
 public:
  // Takes `tokens` unless the bucket is below zero already; false: it is, and nothing was taken.
  bool take_strictly(double tokens, double limit, const QuotaWindows& windows, runtime::MonoTime now);
  // Takes them whatever is left.
  void take(double tokens, double limit, const QuotaWindows& windows, runtime::MonoTime now);
  // Until it is not below zero any more, in whole milliseconds. REQUIRES: limit > 0
  [[nodiscard]] runtime::Duration debt(double limit) const;
  // When it will be full again if nothing is taken.
  [[nodiscard]] runtime::MonoTime full_at(double limit, const QuotaWindows& windows) const;

 private:
  void fill(double limit, const QuotaWindows& windows, runtime::MonoTime now);

  double tokens_ = 0;
  runtime::MonoTime filled_ = runtime::MonoTime::min();  // min: never; the first request finds it full
};

}  // namespace tidemark::broker
