// Turns responses into gathering writes on a connection's stream. Owned by one connection. It collects pieces
// until about a piece limit, then writes them with one call; record bytes come from their sources piece by
// piece, so that a response of 50 MB pins no more than that.
#pragma once

#include <vector>

#include "broker/server/response.h"
#include "protocol/runtime/stream.h"

namespace tidemark::broker {

// How much the connections of one shard may pin while they write, shared among those that do: readers too
// slow for their connection get small pieces when they are many.
struct WritePins {
  static constexpr size_t kShardBytes = 64 << 20;
  static constexpr size_t kMostPerConnection = 1 << 20;
  static constexpr size_t kLeastPerConnection = 16 << 10;
  size_t writers = 0;
  [[nodiscard]] size_t share() const;
};

class ResponseWriter {
 public:
  ResponseWriter(runtime::Stream& stream, WritePins& pins) : stream_(stream), pins_(pins) {}
  ~ResponseWriter() { end_pin(); }
  ResponseWriter(const ResponseWriter&) = delete;
  ResponseWriter& operator=(const ResponseWriter&) = delete;

  // Takes the response; some of it may stay unwritten until flush().
  runtime::Task<Result<void>> add(Response response);
  runtime::Task<Result<void>> flush();

  [[nodiscard]] bool has_pending() const { return !responses_.empty(); }
  [[nodiscard]] uint64_t bytes_written() const { return bytes_written_; }

 private:
  static constexpr size_t kMostPieces = 64;

  void put(std::span<const std::byte> bytes);
  [[nodiscard]] bool full() const { return pending_ >= pins_.share() || pieces_.size() >= kMostPieces; }
  runtime::Task<Result<void>> add_from(ByteSource& source, size_t bytes);
  // Writes the pieces; the responses that they belong to stay.
  runtime::Task<Result<void>> write_pieces();
  void end_pin();

  runtime::Stream& stream_;
  WritePins& pins_;
  bool pinning_ = false;
  size_t pending_ = 0;  // bytes in pieces_
  std::vector<std::span<const std::byte>> pieces_;
  // What pieces_ point into.
  std::vector<runtime::BufferSlice> slices_;
  std::vector<Response> responses_;
  uint64_t bytes_written_ = 0;
};

}  // namespace tidemark::broker
