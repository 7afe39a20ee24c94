// The client of a request as client metrics know it.
#pragma once

#include "broker/server/request.h"
#include "broker/telemetry/subscriptions.h"

namespace tidemark::broker {

inline TelemetryClient telemetry_client(const RequestContext& request, const Uuid& instance) {
  const ConnectionInfo& connection = request.connection;
  // Kafka's word for a client that has not told.
  const auto told = [](const std::string& text) { return text.empty() ? std::string("unknown") : text; };
  return {instance,
          std::string(request.header.client_id.value_or("")),
          told(connection.client_software_name),
          told(connection.client_software_version),
          connection.remote.host,
          connection.remote.port};
}

}  // namespace tidemark::broker
