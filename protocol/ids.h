// Strong ids: two bare integers never stand side by side in a signature. Each is a value with ordering, a
// hash and fmt output; `.value` is the wire's integer.
#pragma once

#include <fmt/format.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark {

template <class Tag, class Integer>
struct StrongId {
  using ValueType = Integer;
  Integer value{};
  constexpr StrongId() = default;
  constexpr explicit StrongId(Integer v) : value(v) {}
  constexpr auto operator<=>(const StrongId&) const = default;
};

// A position in a partition's log: 0, 1, 2, ... one per record.
struct Offset : StrongId<struct OffsetTag, int64_t> {
  using StrongId::StrongId;
  constexpr Offset operator+(int64_t n) const { return Offset(value + n); }
  constexpr int64_t operator-(Offset other) const { return value - other.value; }
  constexpr auto operator<=>(const Offset&) const = default;
};
struct LeaderEpoch : StrongId<struct LeaderEpochTag, int32_t> {
  using StrongId::StrongId;
};
struct BrokerId : StrongId<struct BrokerIdTag, int32_t> {
  using StrongId::StrongId;
};
// One life of a broker process, as the controller registered it.
struct BrokerEpoch : StrongId<struct BrokerEpochTag, int64_t> {
  using StrongId::StrongId;
};
struct PartitionId : StrongId<struct PartitionIdTag, int32_t> {
  using StrongId::StrongId;
};
struct ProducerId : StrongId<struct ProducerIdTag, int64_t> {
  using StrongId::StrongId;
};
struct ProducerEpoch : StrongId<struct ProducerEpochTag, int16_t> {
  using StrongId::StrongId;
};

inline constexpr Offset kNoOffset{-1};
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr BrokerId kNoBroker{-1};
inline constexpr ProducerId kNoProducerId{-1};
inline constexpr ProducerEpoch kNoProducerEpoch{-1};

// 128 bits in network order; all zero is Kafka's "no id". Text form: URL-safe base64 without padding (22
// chars).
struct Uuid {
  std::array<std::byte, 16> bytes{};
  constexpr auto operator<=>(const Uuid&) const = default;
  [[nodiscard]] bool is_zero() const { return *this == Uuid{}; }
  static Uuid from_halves(uint64_t most, uint64_t least);
  [[nodiscard]] std::string to_string() const;
  static std::optional<Uuid> parse(std::string_view text);
};

struct TopicPartition {
  std::string topic;
  PartitionId partition;
  auto operator<=>(const TopicPartition&) const = default;
};
struct TopicIdPartition {
  Uuid topic_id;
  PartitionId partition;
  auto operator<=>(const TopicIdPartition&) const = default;
};

}  // namespace tidemark

template <class T>
  requires requires { typename T::ValueType; }
struct fmt::formatter<T> : fmt::formatter<typename T::ValueType> {
  auto format(const T& id, fmt::format_context& ctx) const {
    return fmt::formatter<typename T::ValueType>::format(id.value, ctx);
  }
};
template <>
struct fmt::formatter<tidemark::Uuid> : fmt::formatter<std::string> {
  auto format(const tidemark::Uuid& id, fmt::format_context& ctx) const {
    return fmt::formatter<std::string>::format(id.to_string(), ctx);
  }
};
template <>
struct fmt::formatter<tidemark::TopicPartition> : fmt::formatter<std::string> {
  auto format(const tidemark::TopicPartition& tp, fmt::format_context& ctx) const {
    return fmt::format_to(ctx.out(), "{}-{}", tp.topic, tp.partition.value);
  }
};

template <class T>
  requires requires { typename T::ValueType; }
struct std::hash<T> {
  size_t operator()(const T& id) const noexcept { return std::hash<typename T::ValueType>()(id.value); }
};
template <>
struct std::hash<tidemark::Uuid> {
  size_t operator()(const tidemark::Uuid& id) const noexcept {
    uint64_t a = 0, b = 0;
    std::memcpy(&a, id.bytes.data(), 8);
    std::memcpy(&b, id.bytes.data() + 8, 8);
    return static_cast<size_t>(a ^ (b * 0x9E3779B97F4A7C15ULL));
  }
};
template <>
struct std::hash<tidemark::TopicIdPartition> {
  size_t operator()(const tidemark::TopicIdPartition& id) const noexcept {
    return std::hash<tidemark::Uuid>()(id.topic_id) * 31 + static_cast<size_t>(id.partition.value);
  }
};
