// A File in memory for tests of what reads files. Counts reads; `fail_reads` makes every read an Error.
#pragma once

#include <algorithm>
#include <vector>

#include "storage/file.h"

namespace tidemark::storage {

struct MemoryFile final : File {
  std::vector<std::byte> bytes;
  size_t reads = 0;
  bool fail_reads = false;

  MemoryFile() = default;
  explicit MemoryFile(std::vector<std::byte> b) : bytes(std::move(b)) {}

  Result<size_t> read(uint64_t position, std::span<std::byte> buffer) override {
    ++reads;
    if (fail_reads) return fail(Error::io("planned"));
    if (position >= bytes.size()) return size_t{0};
    const size_t n = std::min<size_t>(buffer.size(), bytes.size() - position);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(position), n, buffer.begin());
    return n;
  }
  using File::write;
  Result<void> write(uint64_t position, std::span<const std::span<const std::byte>> parts) override {
    for (const auto& part : parts) {
      bytes.resize(std::max<size_t>(bytes.size(), position + part.size()));
      std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(position));
      position += part.size();
    }
    return {};
  }
  Result<void> sync_data() override { return {}; }
  Result<void> truncate(uint64_t size) override {
    bytes.resize(size);
    return {};
  }
  Result<uint64_t> size() override { return uint64_t{bytes.size()}; }
  Result<void> reserve(uint64_t, uint64_t) override { return {}; }
};

}  // namespace tidemark::storage
