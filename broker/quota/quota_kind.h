// What quotas limit: Kafka's quota managers (KIP-13, KIP-124, KIP-599, KIP-612).
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace tidemark::broker {

enum class QuotaKind : size_t {
  produce,              // producer_byte_rate
  fetch,                // consumer_byte_rate
  request,              // request_percentage
  controller_mutation,  // controller_mutation_rate
  connection,           // connection_creation_rate
};
// Those of users and client ids; the last kind is of addresses.
inline constexpr size_t kClientQuotaKinds = 4;
inline constexpr size_t kQuotaKinds = 5;

inline constexpr std::array<std::string_view, kQuotaKinds> kQuotaKindNames{
    "produce", "fetch", "request", "controller_mutation", "connection"};
[[nodiscard]] constexpr size_t index_of(QuotaKind kind) { return static_cast<size_t>(kind); }

}  // namespace tidemark::broker
