#include "broker/server/response_writer.h"

#include <algorithm>

namespace tidemark::broker {

size_t WritePins::share() const {
  return std::clamp(kShardBytes / std::max<size_t>(writers, 1), kLeastPerConnection, kMostPerConnection);
}

void ResponseWriter::put(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  pieces_.push_back(bytes);
  pending_ += bytes.size();
}

void ResponseWriter::end_pin() {
  if (std::exchange(pinning_, false)) --pins_.writers;
}

runtime::Task<Result<void>> ResponseWriter::add(Response response) {
  // Moving a response leaves its bytes where they are.
  const std::span<const std::byte> bytes(response.frame.bytes);
  const std::vector<protocol::RecordsHole> holes = std::move(response.frame.holes);
  std::vector<std::unique_ptr<ByteSource>> sources = std::move(response.sources);
  responses_.push_back(std::move(response));
  size_t position = 0;
  size_t next_source = 0;
  for (const protocol::RecordsHole& hole : holes) {
    put(bytes.subspan(position, hole.position - position));
    position = hole.position;
    if (!hole.bytes.empty()) {
      put(hole.bytes);
    } else {
      INVARIANT(next_source < sources.size(), "{} sources for {} holes", sources.size(), holes.size());
      if (!pinning_) {
        pinning_ = true;
        ++pins_.writers;
      }
      ByteSource& source = *sources[next_source++];
      auto added = add_from(source, hole.size);
      auto result = co_await added;
      if (!result) co_return result;
    }
    if (full()) {
      auto written = write_pieces();
      auto result = co_await written;
      if (!result) co_return result;
    }
  }
  put(bytes.subspan(position));
  if (full()) {
    auto flushed = flush();
    auto result = co_await flushed;
    co_return result;
  }
  co_return Result<void>();
}

runtime::Task<Result<void>> ResponseWriter::add_from(ByteSource& source, size_t bytes) {
  for (size_t left = bytes; left > 0;) {
    auto wanted = source.next(std::min(left, pins_.share()));
    Result<runtime::BufferSlice> slice = co_await wanted;
    if (!slice) co_return fail(std::move(slice).error());
    INVARIANT(slice->size() > 0 && slice->size() <= left, "a source gave {} bytes where {} were left",
              slice->size(), left);
    left -= slice->size();
    put(slice->bytes);
    slices_.push_back(std::move(*slice));
    if (!full()) continue;
    auto written = write_pieces();
    auto result = co_await written;
    if (!result) co_return result;
  }
  co_return Result<void>();
}

runtime::Task<Result<void>> ResponseWriter::write_pieces() {
  if (pieces_.empty()) co_return Result<void>();
  auto writing = stream_.write(pieces_);
  auto result = co_await writing;
  if (result) bytes_written_ += pending_;
  pieces_.clear();
  slices_.clear();
  pending_ = 0;
  co_return result;
}

runtime::Task<Result<void>> ResponseWriter::flush() {
  auto writing = write_pieces();
  auto result = co_await writing;
  responses_.clear();
  end_pin();
  co_return result;
}

}  // namespace tidemark::broker
