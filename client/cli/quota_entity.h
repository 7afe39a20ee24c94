// Whose quotas: as they are typed, and as they are shown. Pure.
#pragma once

#include "client/cli/commands.h"
#include "client/cli/value.h"
#include "client/core/admin.h"

namespace tidemark::cli {

// Error (config): nobody is named, or a type both by name and as its default, or an address with another.
Result<client::QuotaEntity> quota_entity(const QuotaWho& who);
// "producer_byte_rate=1048576". Error (config): not such a pair, or not a number.
Result<client::QuotaChange> parse_quota(const std::string& text);

// "user alice, client-id <default>"
[[nodiscard]] std::string entity_text(const client::QuotaEntity& entity);
// For JSON: an object an entity, its parts by type (null: the default) and its quotas by key.
[[nodiscard]] Value quotas_value(const std::vector<client::EntityQuotas>& all);
// For tables: a row a quota.
[[nodiscard]] Value quotas_rows(const std::vector<client::EntityQuotas>& all);

}  // namespace tidemark::cli
