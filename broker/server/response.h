// An answer on its way to the socket: an encoded frame with holes where record bytes belong. A hole is
// filled while the frame is sent, piece by piece, so that a large fetch response pins a bounded piece of log
// at a time. A value of one connection; lives on its shard.
#pragma once

#include <memory>
#include <vector>

#include "protocol/message_codec.h"
#include "protocol/runtime/buffer.h"
#include "protocol/runtime/task.h"

namespace tidemark::broker {

// The bytes of one hole.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next 1..max_bytes bytes, never more than what the hole still lacks (the caller asks for no more). The
  // slice is kept until those bytes have been written. An error ends the connection: the frame's length has
  // been sent.
  virtual runtime::Task<Result<runtime::BufferSlice>> next(size_t max_bytes) = 0;
};

struct Response {
  // A whole frame with its length and header: protocol::encode_response_frame(). No bytes at all: the request
  // has no answer (acks=0).
  protocol::EncodedMessage frame;
  // One for each hole that is deferred (whose `bytes` are empty), in the holes' order.
  std::vector<std::unique_ptr<ByteSource>> sources;
  // What the views in the other holes point to.
  std::shared_ptr<const void> keep_alive;

  static Response none() { return {}; }
  static Response of(protocol::EncodedMessage frame) { return {std::move(frame), {}, {}}; }
  [[nodiscard]] bool has_frame() const { return !frame.bytes.empty(); }
};

}  // namespace tidemark::broker
