// Reference-counted memory that crosses shards: a frame read from a socket is validated, journaled, cached
// and sent again from the same bytes. A Buffer carries the Charge that pays for it out of a ByteBudget, and
// gives it back when the last holder lets go, on whatever thread that is. The bytes are written only before
// the buffer is shared.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace tidemark::runtime {

// A bound on bytes, shared by all shards. Taking never waits: who is refused waits in its own way.
class ByteBudget {
 public:
  explicit ByteBudget(uint64_t limit) : limit_(limit) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  [[nodiscard]] bool try_take(uint64_t bytes) {
    uint64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit_ || used > limit_ - bytes) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_acq_rel));
    return true;
  }
  void give_back(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_acq_rel); }
  [[nodiscard]] uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t limit() const { return limit_; }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> used_{0};
};

// Bytes taken from a budget; given back on destruction.
class Charge {
 public:
  Charge() = default;
  // Empty (false) if the budget has no room.
  static Charge take(ByteBudget& budget, uint64_t bytes) {
    Charge charge;
    if (budget.try_take(bytes)) {
      charge.budget_ = &budget;
      charge.bytes_ = bytes;
    }
    return charge;
  }
  Charge(Charge&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    if (this != &other) {
      release();
      budget_ = std::exchange(other.budget_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  ~Charge() { release(); }
  explicit operator bool() const { return budget_ != nullptr; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  void release() {
    if (budget_ != nullptr) std::exchange(budget_, nullptr)->give_back(std::exchange(bytes_, 0));
  }

 private:
  ByteBudget* budget_ = nullptr;
  uint64_t bytes_ = 0;
};

class Buffer {
 public:
  // Uninitialised bytes.
  static std::shared_ptr<Buffer> allocate(size_t bytes, Charge charge = {}) {
    return std::make_shared<Buffer>(bytes, std::move(charge));
  }
  Buffer(size_t bytes, Charge charge)
      : bytes_(std::make_unique_for_overwrite<std::byte[]>(bytes)),
        size_(bytes),
        charge_(std::move(charge)) {}
  [[nodiscard]] std::span<std::byte> bytes() { return {bytes_.get(), size_}; }
  [[nodiscard]] size_t size() const { return size_; }
  // Pays the budget back early: for a cache with a bound of its own, which keeps the buffer from now on. Only
  // the first call counts, so that several shards may each do this.
  void release_charge() {
    if (!charge_released_.exchange(true, std::memory_order_acq_rel)) charge_.release();
  }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  size_t size_;
  Charge charge_;
  std::atomic<bool> charge_released_{false};
};

// A piece of a buffer that keeps the whole buffer alive.
struct BufferSlice {
  std::shared_ptr<Buffer> owner;
  std::span<std::byte> bytes;

  static BufferSlice whole(std::shared_ptr<Buffer> buffer) {
    const std::span<std::byte> all = buffer->bytes();
    return {std::move(buffer), all};
  }
  [[nodiscard]] BufferSlice sub(size_t from, size_t count) const {
    return {owner, bytes.subspan(from, count)};
  }
  [[nodiscard]] size_t size() const { return bytes.size(); }
};

}  // namespace tidemark::runtime
