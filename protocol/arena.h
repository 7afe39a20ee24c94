// Owns the strings and bytes of a message that is being built: generated structs hold views, and a handler
// copies what it makes up (an error text, a host name) into the response's arena. Freed all at once; one loop
// at a time; views stay valid until the arena dies, also when it is moved.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace tidemark::protocol {

class Arena {
 public:
  Arena() = default;
  Arena(Arena&& other) noexcept { *this = std::move(other); }
  Arena& operator=(Arena&& other) noexcept {
    chunks_ = std::exchange(other.chunks_, {});
    free_ = std::exchange(other.free_, {});
    allocated_ = std::exchange(other.allocated_, 0);
    return *this;
  }

  std::string_view copy(std::string_view text) {
    const auto bytes = copy(std::as_bytes(std::span(text)));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::span<const std::byte> copy(std::span<const std::byte> bytes) {
    const std::span<std::byte> place = allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(place.data(), bytes.data(), bytes.size());
    return place;
  }
  // Uninitialised bytes, not aligned.
  std::span<std::byte> allocate(size_t size) {
    if (size > free_.size()) grow(size);
    const std::span<std::byte> place = free_.first(size);
    free_ = free_.subspan(size);
    return place;
  }
  // What the chunks take, used or not.
  [[nodiscard]] size_t allocated_bytes() const { return allocated_; }

 private:
  static constexpr size_t kFirstChunkBytes = 1024;
  static constexpr size_t kMaxChunkBytes = 64 * 1024;

  void grow(size_t at_least) {
    const size_t next = std::clamp(allocated_, kFirstChunkBytes, kMaxChunkBytes);
    const size_t size = std::max(at_least, next);
    chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
    free_ = {chunks_.back().get(), size};
    allocated_ += size;
  }

  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::span<std::byte> free_;
  size_t allocated_ = 0;
};

}  // namespace tidemark::protocol
