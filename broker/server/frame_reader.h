// Cuts a connection's bytes into frames. Sans-IO: the connection asks where the next bytes belong, reads them
// there, and says how many came. Owned by one connection. Its head buffer is all that a connection costs
// while no frame is under way.
//
// A frame that fits into what one read brought is copied out of the head (a few KiB at most: cheaper than the
// second system call that would avoid it); of a larger one only its first kHeadBytes are copied, the rest is
// read into its own buffer. That buffer is asked for when the head is full, never on the word of a length
// alone, and its pages are the kernel's until bytes arrive in them: 150 connections that announce 90 MB each
// cost 150 heads. (So it is not grown by doubling: that would copy what it reads.)
#pragma once

#include <array>
#include <optional>
#include <string>

#include "protocol/runtime/buffer.h"

namespace tidemark::broker {

class FrameReader {
 public:
  static constexpr size_t kHeadBytes = 4096;

  enum class State : uint8_t {
    reading,       // wants bytes: space(), then added()
    needs_memory,  // wants frame_bytes() paid for: admit()
    has_frame,     // take()
    refused,       // a length that is negative or too large: refusal()
  };

  // `max_frame_bytes`: socket.request.max.bytes.
  explicit FrameReader(size_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}

  [[nodiscard]] State state() const { return state_; }
  // Where the next bytes belong; never empty. REQUIRES: reading.
  [[nodiscard]] std::span<std::byte> space();
  // So many bytes were written to the start of space(). REQUIRES: reading, and count fits.
  void added(size_t count);
  // The frame under way, without its length. REQUIRES: its length is known.
  [[nodiscard]] size_t frame_bytes() const { return *length_; }
  // Allocates the frame. REQUIRES: needs_memory.
  void admit(runtime::Charge charge);
  // The frame, without its length. REQUIRES: has_frame.
  runtime::BufferSlice take();
  // What is wrong with the length.
  [[nodiscard]] std::string refusal() const;

  // A frame holds memory and is not complete.
  [[nodiscard]] bool holds_memory() const { return body_ != nullptr && state_ == State::reading; }
  // Bytes of that frame that have arrived.
  [[nodiscard]] size_t received() const { return filled_; }
  // Gives the memory of the frame under way back; nothing is read any more.
  void drop_frame() { body_.reset(); }
  // For frames to come; the one under way keeps its limit.
  void set_max_frame_bytes(size_t bytes) { max_frame_bytes_ = bytes; }

 private:
  void look();
  [[nodiscard]] size_t available() const { return end_ - begin_; }

  size_t max_frame_bytes_;
  State state_ = State::reading;
  // Invariant: begin_ <= end_ <= kHeadBytes; [begin_, end_) is read and not consumed.
  size_t begin_ = 0;
  size_t end_ = 0;
  std::optional<size_t> length_;
  int32_t announced_ = 0;
  std::shared_ptr<runtime::Buffer> body_;
  size_t filled_ = 0;  // of body_
  std::array<std::byte, kHeadBytes> head_;
};

}  // namespace tidemark::broker
