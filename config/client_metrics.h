// A client metrics subscription's settings (KIP-714): what they may be, and whom `match` is for. Pure
// functions; words and codes are those of Kafka 4.3.
#pragma once

#include <string_view>
#include <vector>

#include "config/pattern.h"
#include "protocol/error.h"

namespace tidemark::config {

// What `match` may look at.
enum class ClientAttribute : uint8_t {
  instance_id,
  client_id,
  software_name,
  software_version,
  source_address,
  source_port
};

struct ClientMatch {
  ClientAttribute attribute;
  Pattern pattern;
};

// "client_id=a.*,client_software_name=apache.*": all of them have to match. Of an attribute that comes twice
// the last one counts. INVALID_CONFIG: not such a list.
Result<std::vector<ClientMatch>> parse_client_match(std::string_view text);

// One setting of a subscription.
Result<void> validate_client_metrics_config(std::string_view name, std::string_view value);

}  // namespace tidemark::config
