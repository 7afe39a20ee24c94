// What every generated message header includes. A message M (FetchRequest, TopicRecord, ...) is a plain
// struct whose members start at the schema's defaults, and
//   M::decode(decoder, version)   reads it; bytes behind the message are left in the decoder (Kafka ignores
//   them behind a
//                                 request or response, and refuses them behind a metadata record:
//                                 decode_all() does);
//   m.check_encodable(version)    an Error if the version lacks a field that holds something and is not
//   `ignorable`,
//                                 if null stands where that version has none, or if a string is too long;
//   m.encode(encoder, version)    REQUIRES check_encodable: use encode_message() of protocol/message_codec.h;
//   m.dump(json, version)         the JSON form of logs and test vectors.
// read() and write() are the halves that nested structs share. Strings and bytes are views: into the frame
// after decoding, into whatever the builder keeps alive (protocol/arena.h) when encoding. Any thread; values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/decoder.h"
#include "protocol/encoder.h"
#include "protocol/error.h"
#include "protocol/ids.h"
#include "protocol/messages/api_key.h"
#include "protocol/records.h"
#include "protocol/unknown_tags.h"
#include "protocol/version_range.h"

namespace tidemark::protocol {

class JsonWriter;

enum class MessageKind : uint8_t {
  request,
  response,
  header,
  data,      // embedded or stored data without a type of its own
  metadata,  // a record of __cluster_metadata, behind a frame of its own; kTypeId is the record type
  remote_log_metadata,  // ... of __remote_log_metadata
  coordinator_key,      // a record key behind its int16 type, kTypeId
  coordinator_value,    // a record value behind its int16 version
};

}  // namespace tidemark::protocol
