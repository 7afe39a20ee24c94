// What must hold for any bytes that a message type decodes: the memory stays within its multiple of the
// input, the values encode, and what was encoded decodes to the same values and encodes to the same bytes.
#pragma once

#include "protocol/messages.h"

namespace tidemark::fuzz {

inline void check_roundtrip(const protocol::MessageType& type, std::span<const std::byte> bytes,
                            int16_t version) {
  const auto first = type.inspect(bytes, version);
  if (!first) {
    // Nothing that decodes may fail to encode: that would be UNSUPPORTED_VERSION.
    INVARIANT(first.error().code() == ErrorCode::INVALID_REQUEST, "{}", first.error().message());
    return;
  }
  INVARIANT(first->memory_charged <= bytes.size() * protocol::kMemoryPerFrameByte,
            "{} version {} took {} of {}", type.name, version, first->memory_charged, bytes.size());
  const auto second = type.inspect(first->encoded, version);
  INVARIANT(second.has_value(), "{} version {}: {}", type.name, version, second.error().message());
  INVARIANT(second->consumed == first->encoded.size(), "{} version {} leaves bytes", type.name, version);
  INVARIANT(second->encoded == first->encoded, "{} version {} encodes differently", type.name, version);
  INVARIANT(second->json_with_defaults == first->json_with_defaults, "{} version {}: {} and {}", type.name,
            version, first->json_with_defaults, second->json_with_defaults);
}

}  // namespace tidemark::fuzz
