// Decisions about client quotas (KIP-546), and what is told of them. Pure; words and codes are those of Kafka
// 4.3, with two differences: an address is an address or "localhost" (a core asks no name server), and a
// quota that is no number is refused.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/error.h"
#include "replication/controller/decision.h"

namespace tidemark::replication {

inline constexpr std::string_view kQuotaUser = "user";
inline constexpr std::string_view kQuotaClientId = "client-id";
inline constexpr std::string_view kQuotaIp = "ip";

inline constexpr std::string_view kProducerByteRate = "producer_byte_rate";
inline constexpr std::string_view kConsumerByteRate = "consumer_byte_rate";
inline constexpr std::string_view kRequestPercentage = "request_percentage";
inline constexpr std::string_view kControllerMutationRate = "controller_mutation_rate";
inline constexpr std::string_view kConnectionCreationRate = "connection_creation_rate";

// Of one request, as Kafka has it.
inline constexpr size_t kMaxQuotaRecords = 10'000;

// Each entity by itself, once, in the order of their first mention. One that is mentioned again is told so,
// though what was asked first is done.
Decision<std::vector<AlteredQuota>> alter_client_quotas(const MetadataImage& image,
                                                        std::span<const QuotaAlteration> alterations,
                                                        bool validate_only);

// What of the image a filter lets through, in the image's order. Every component must match; with `strict` an
// entity has no other part than those. Without components: all, or with `strict` none.
using DescribedQuotas = std::vector<std::pair<QuotaEntity, std::shared_ptr<const QuotaMap>>>;
Result<DescribedQuotas> describe_client_quotas(const MetadataImage& image, const QuotaFilter& filter);

[[nodiscard]] protocol::ClientQuotaRecord quota_record(const QuotaEntity& entity, std::string_view key,
                                                       double value);

}  // namespace tidemark::replication
