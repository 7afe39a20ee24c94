// Whole messages to and from bytes, for any generated message type.
#pragma once

#include <span>
#include <vector>

#include "protocol/json_writer.h"
#include "protocol/message.h"

namespace tidemark::protocol {

// An encoded message: `bytes` without the record bytes, which belong into the holes.
struct EncodedMessage {
  std::vector<std::byte> bytes;
  std::vector<RecordsHole> holes;
  size_t wire_bytes = 0;  // with the record bytes

  // All of it in one piece, copying records. REQUIRES: no hole is deferred.
  [[nodiscard]] std::vector<std::byte> flatten() const;
  // The pieces in wire order, for a gathering write. REQUIRES: no hole is deferred. The pieces are views.
  [[nodiscard]] std::vector<std::span<const std::byte>> pieces() const;
};

[[nodiscard]] Error unsupported_version(std::string_view message, VersionRange versions, int16_t version);
[[nodiscard]] Result<void> check_version(std::string_view message, VersionRange versions, int16_t version,
                                         const Sizer& sizer);

template <class M>
Result<M> decode_as(Decoder& in, int16_t version) {
  if (!M::kVersions.contains(version)) return fail(unsupported_version(M::kName, M::kVersions, version));
  Result<M> message;
  message->read(in, version);
  if (in.failed()) return fail(in.finish(M::kName).error());
  return message;
}

template <class M>
Sizer measure_as(const M& message, int16_t version) {
  Sizer sizer;
  message.write(sizer, version);
  return sizer;
}

// A message from bytes that hold nothing else: stored records. Bytes behind it are an error, as in Kafka's
// metadata log.
template <class M>
Result<M> decode_all(std::span<const std::byte> bytes, int16_t version) {
  Decoder in(bytes);
  Result<M> message = M::decode(in, version);
  if (message && in.remaining() > 0) in.fail("bytes behind the end of the message");
  if (message && in.failed()) return fail(in.finish(M::kName).error());
  return message;
}

// A message to bytes. UNSUPPORTED_VERSION if this version cannot carry what it holds.
template <class M>
Result<EncodedMessage> encode_message(const M& message, int16_t version) {
  const Sizer sizer = message.measure(version);
  TRY(check_version(M::kName, M::kVersions, version, sizer));
  Encoder out(sizer.buffer_bytes());
  message.encode(out, version);
  return EncodedMessage{
      .bytes = out.take_buffer(), .holes = out.take_holes(), .wire_bytes = sizer.wire_bytes()};
}

}  // namespace tidemark::protocol
