#include "broker/telemetry/otlp.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace tidemark::broker {

namespace {

using Bytes = std::span<const std::byte>;

// Field numbers of opentelemetry/proto, metrics/v1 and common/v1.
namespace metrics_data {
constexpr uint32_t kResourceMetrics = 1;
}
namespace resource_metrics {
constexpr uint32_t kResource = 1, kScopeMetrics = 2;
}
namespace resource {
constexpr uint32_t kAttributes = 1;
}
namespace scope_metrics {
constexpr uint32_t kMetrics = 2;
}
namespace metric {
constexpr uint32_t kName = 1, kGauge = 5, kSum = 7;
}
namespace number_data {  // Gauge and Sum
constexpr uint32_t kPoints = 1, kTemporality = 2, kMonotonic = 3;
}
namespace point {
constexpr uint32_t kAsDouble = 4, kAsInt = 6, kAttributes = 7;
}
namespace key_value {
constexpr uint32_t kKey = 1, kValue = 2;
}
namespace any_value {
constexpr uint32_t kString = 1, kBool = 2, kInt = 3, kDouble = 4;
}
constexpr uint64_t kDelta = 1;  // AggregationTemporality

Unexpected damaged(std::string_view what) {
  return fail(ErrorCode::INVALID_RECORD, fmt::format("metrics that are no OTLP: {}", what));
}

// One field of a message: `number` for varints and fixed ones, `bytes` for what has a length.
struct Field {
  uint32_t id = 0;
  uint64_t number = 0;
  Bytes bytes;
};

class Fields {
 public:
  explicit Fields(Bytes bytes) : rest_(bytes) {}

  // False behind the last one.
  Result<bool> next(Field& field) {
    if (rest_.empty()) return false;
    TRY_ASSIGN(const uint64_t tag, varint());
    if (tag >> 3 == 0 || tag > UINT32_MAX) return damaged("a field's number");
    field = {static_cast<uint32_t>(tag >> 3), 0, {}};
    switch (tag & 7) {
      case 0: {
        TRY_ASSIGN(field.number, varint());
        return true;
      }
      case 1: return fixed(8, field);
      case 2: {
        TRY_ASSIGN(const uint64_t size, varint());
        if (size > rest_.size()) return damaged("a field beyond the end");
        field.bytes = rest_.first(size);
        rest_ = rest_.subspan(size);
        return true;
      }
      case 5: return fixed(4, field);
      default: return damaged("a field's type");
    }
  }

 private:
  Result<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_ = rest_.subspan(1);
      value |= static_cast<uint64_t>(byte & 0x7Fu) << shift;
      if (byte < 0x80) return value;
    }
    return damaged("a number");
  }
  // Little-endian, as the machines that this runs on.
  Result<bool> fixed(size_t size, Field& field) {
    static_assert(std::endian::native == std::endian::little);
    if (rest_.size() < size) return damaged("a field beyond the end");
    std::memcpy(&field.number, rest_.data(), size);
    field.bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return true;
  }

  Bytes rest_;
};

// Calls f(field) -> Result<void> for each field of a message.
template <class F>
Result<void> for_each_field(Bytes bytes, F f) {
  Fields fields(bytes);
  Field field;
  while (true) {
    TRY_ASSIGN(const bool more, fields.next(field));
    if (!more) return {};
    TRY(f(field));
  }
}

std::string_view text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

Result<std::string> read_value(Bytes bytes) {
  std::string value;
  TRY(for_each_field(bytes, [&](const Field& field) -> Result<void> {
    switch (field.id) {
      case any_value::kString: value = text(field.bytes); break;
      case any_value::kBool: value = field.number != 0 ? "true" : "false"; break;
      case any_value::kInt: value = fmt::format("{}", static_cast<int64_t>(field.number)); break;
      case any_value::kDouble: value = fmt::format("{}", std::bit_cast<double>(field.number)); break;
      default: break;
    }
    return {};
  }));
  return value;
}

Result<void> add_attribute(Bytes bytes, OtlpAttributes& attributes) {
  std::string_view key;
  std::string value;
  TRY(for_each_field(bytes, [&](const Field& field) -> Result<void> {
    if (field.id == key_value::kKey) key = text(field.bytes);
    if (field.id == key_value::kValue) {
      TRY_ASSIGN(value, read_value(field.bytes));
    }
    return {};
  }));
  if (attributes.size() < OtlpPoint::kMaxAttributes) attributes.emplace_back(key, std::move(value));
  return {};
}

class Reader {
 public:
  explicit Reader(const OtlpVisitor& visit) : visit_(visit) {}

  Result<void> read(Bytes bytes) {
    return for_each_field(bytes, [&](const Field& field) -> Result<void> {
      if (field.id != metrics_data::kResourceMetrics) return {};
      return read_resource_metrics(field.bytes);
    });
  }

 private:
  // Twice: what describes a thing may stand behind it.
  Result<void> read_resource_metrics(Bytes bytes) {
    of_client_.clear();
    TRY(for_each_field(bytes, [&](const Field& field) -> Result<void> {
      if (field.id != resource_metrics::kResource) return {};
      return for_each_field(field.bytes, [&](const Field& inner) -> Result<void> {
        return inner.id == resource::kAttributes ? add_attribute(inner.bytes, of_client_) : Result<void>();
      });
    }));
    return for_each_field(bytes, [&](const Field& field) -> Result<void> {
      if (field.id != resource_metrics::kScopeMetrics) return {};
      return for_each_field(field.bytes, [&](const Field& inner) -> Result<void> {
        return inner.id == scope_metrics::kMetrics ? read_metric(inner.bytes) : Result<void>();
      });
    });
  }

  Result<void> read_metric(Bytes bytes) {
    OtlpPoint described;
    described.of_client = &of_client_;
    TRY(for_each_field(bytes, [&](const Field& field) -> Result<void> {
      if (field.id == metric::kName) described.metric = text(field.bytes);
      return {};
    }));
    return for_each_field(bytes, [&](const Field& field) -> Result<void> {
      if (field.id != metric::kGauge && field.id != metric::kSum) return {};
      return read_points(field.bytes, field.id == metric::kSum, described);
    });
  }

  Result<void> read_points(Bytes bytes, bool is_sum, OtlpPoint described) const {
    TRY(for_each_field(bytes, [&](const Field& field) -> Result<void> {
      if (is_sum && field.id == number_data::kTemporality) described.is_delta = field.number == kDelta;
      if (is_sum && field.id == number_data::kMonotonic) described.is_counter = field.number != 0;
      return {};
    }));
    return for_each_field(bytes, [&](const Field& field) -> Result<void> {
      if (field.id != number_data::kPoints) return {};
      OtlpPoint one = described;
      TRY(for_each_field(field.bytes, [&](const Field& inner) -> Result<void> {
        if (inner.id == point::kAsDouble) one.value = std::bit_cast<double>(inner.number);
        if (inner.id == point::kAsInt) one.value = static_cast<double>(static_cast<int64_t>(inner.number));
        return inner.id == point::kAttributes ? add_attribute(inner.bytes, one.attributes) : Result<void>();
      }));
      return visit_(one);
    });
  }

  const OtlpVisitor& visit_;
  OtlpAttributes of_client_;
};

}  // namespace

Result<void> read_otlp(Bytes bytes, const OtlpVisitor& visit) { return Reader(visit).read(bytes); }

}  // namespace tidemark::broker
