// Every message type by name: what the vectors tool, the fuzzers and log dumps need without knowing the type.
// The table is generated; nothing on a request's path uses it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/message_codec.h"

namespace tidemark::protocol {

// One message taken apart and put together again.
struct InspectedMessage {
  std::string json;                // tagged fields that hold their default are left out
  std::string json_with_defaults;  // ... and here they are in
  std::vector<std::byte> encoded;  // of the decoded values, in the same version
  size_t consumed = 0;             // of the input
  size_t memory_charged = 0;       // by the decoder, in bytes
};

struct MessageType {
  std::string_view name;
  MessageKind kind;
  int16_t key;  // the API key of requests and responses; the type id of records that have one; else -1
  VersionRange versions;
  VersionRange flexible;
  Result<InspectedMessage> (*inspect)(std::span<const std::byte> bytes, int16_t version);
};

// By name.
[[nodiscard]] std::span<const MessageType> all_message_types();
// nullptr: no such message.
[[nodiscard]] const MessageType* find_message_type(std::string_view name);
// By API key or record type. REQUIRES: the kind is request, response or (remote log) metadata; keys are
// unique there.
[[nodiscard]] const MessageType* find_message_type(MessageKind kind, int16_t key);

template <class M>
Result<InspectedMessage> inspect_as(std::span<const std::byte> bytes, int16_t version) {
  Decoder in(bytes);
  TRY_ASSIGN(const M message, M::decode(in, version));
  InspectedMessage out;
  out.consumed = in.position();
  out.memory_charged = in.memory_charged();
  for (const bool defaults : {false, true}) {
    JsonWriter json(defaults);
    message.dump(json, version);
    (defaults ? out.json_with_defaults : out.json) = json.take();
  }
  TRY_ASSIGN(const EncodedMessage encoded, encode_message(message, version));
  out.encoded = encoded.flatten();
  return out;
}

template <class M>
constexpr MessageType message_type() {
  int16_t key = -1;
  if constexpr (requires { M::kApiKey; }) key = static_cast<int16_t>(M::kApiKey);
  if constexpr (requires { M::kTypeId; }) key = M::kTypeId;
  return {M::kName, M::kKind, key, M::kVersions, M::kFlexible, &inspect_as<M>};
}

}  // namespace tidemark::protocol
