// Reads OpenTelemetry's metrics (OTLP, a MetricsData message of protobuf) as clients push them: gauges and
// sums with their attributes; the rest (histograms, exemplars, units) is passed over. Depth is fixed, and the
// work is proportional to the bytes. Pure; fuzzed.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/error.h"

namespace tidemark::broker {

using OtlpAttributes = std::vector<std::pair<std::string_view, std::string>>;

struct OtlpPoint {
  static constexpr size_t kMaxAttributes = 8;  // more are passed over

  std::string_view metric;
  const OtlpAttributes* of_client = nullptr;  // never null
  OtlpAttributes attributes;                  // of the point itself
  double value = 0;
  bool is_counter = false;  // only ever rises
  bool is_delta = false;    // what came since the last push, not since the client's start
};

// `visit` is called for each point until it fails; views live as long as `bytes`. INVALID_RECORD: no such
// message.
using OtlpVisitor = std::function<Result<void>(const OtlpPoint&)>;
Result<void> read_otlp(std::span<const std::byte> bytes, const OtlpVisitor& visit);

}  // namespace tidemark::broker
