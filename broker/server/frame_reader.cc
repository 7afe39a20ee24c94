#include "broker/server/frame_reader.h"

#include <algorithm>
#include <cstring>

#include "protocol/frame.h"
#include "protocol/invariant.h"

namespace tidemark::broker {

std::span<std::byte> FrameReader::space() {
  REQUIRES(state_ == State::reading);
  if (body_) return body_->bytes().subspan(filled_);
  if (begin_ > 0) {
    std::memmove(head_.data(), head_.data() + begin_, available());
    end_ -= std::exchange(begin_, 0);
  }
  return std::span(head_).subspan(end_);
}

void FrameReader::added(size_t count) {
  REQUIRES(state_ == State::reading);
  if (body_) {
    filled_ += count;
    INVARIANT(filled_ <= body_->size(), "{} bytes of a frame of {}", filled_, body_->size());
  } else {
    end_ += count;
    INVARIANT(end_ <= kHeadBytes, "{} bytes in a head of {}", end_, kHeadBytes);
  }
  look();
}

// Finds out what comes next.
void FrameReader::look() {
  state_ = State::reading;
  if (body_) {
    if (filled_ == body_->size()) state_ = State::has_frame;
    return;
  }
  if (!length_) {
    if (available() < protocol::kFrameLengthBytes) return;
    uint32_t wire;
    std::memcpy(&wire, head_.data() + begin_, sizeof(wire));
    announced_ = static_cast<int32_t>(__builtin_bswap32(wire));
    if (announced_ < 0 || static_cast<size_t>(announced_) > max_frame_bytes_) {
      state_ = State::refused;
      return;
    }
    begin_ += protocol::kFrameLengthBytes;
    length_ = static_cast<size_t>(announced_);
  }
  if (available() >= std::min(*length_, kHeadBytes)) state_ = State::needs_memory;
}

void FrameReader::admit(runtime::Charge charge) {
  REQUIRES(state_ == State::needs_memory);
  body_ = runtime::Buffer::allocate(*length_, std::move(charge));
  filled_ = std::min(*length_, available());
  if (filled_ > 0) std::memcpy(body_->bytes().data(), head_.data() + begin_, filled_);
  begin_ += filled_;
  look();
}

runtime::BufferSlice FrameReader::take() {
  REQUIRES(state_ == State::has_frame);
  runtime::BufferSlice frame = runtime::BufferSlice::whole(std::exchange(body_, nullptr));
  length_.reset();
  filled_ = 0;
  look();
  return frame;
}

std::string FrameReader::refusal() const {
  return fmt::format("a frame of {} bytes where 0 to {} are allowed (socket.request.max.bytes)", announced_,
                     max_frame_bytes_);
}

}  // namespace tidemark::broker
