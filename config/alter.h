// Changes of settings: what a topic, a broker or the cluster's default may be set to, in Kafka's words, and
// the four operations of IncrementalAlterConfigs. Pure functions: the caller writes the record.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/node_config.h"
#include "config/setting.h"
#include "protocol/error.h"

namespace tidemark::config {

// IncrementalAlterConfigs' numbers.
enum class AlterOp : int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct Alteration {
  std::string_view name;
  int8_t op = 0;  // as it came: an unknown one is answered, not trusted
  std::optional<std::string_view> value;
};

// One topic setting. INVALID_CONFIG: unknown name (with the nearest known), type, range, refused.
Result<void> validate_topic_config(std::string_view name, std::string_view value);
// All overrides of a topic, also against each other; CreateTopics calls it.
Result<void> validate_topic_configs(const Properties& overrides);
// One dynamic change of a broker (or of the cluster's default). INVALID_REQUEST, as Kafka has it, for a value
// or a name that is read-only; INVALID_CONFIG for an unknown name.
Result<void> validate_broker_config(std::string_view name, std::string_view value);
// A group's or a client metrics subscription's (client_metrics.h).
Result<void> validate_resource_config(Scope scope, std::string_view name, std::string_view value);

// `current` overrides with `changes` applied and the changed ones validated. Nothing changes unless all
// succeed. DELETE of what is not set succeeds; APPEND and SUBTRACT start from Kafka's default where nothing
// is set.
Result<Properties> alter_configs(Scope scope, const Properties& current, std::span<const Alteration> changes);

}  // namespace tidemark::config
