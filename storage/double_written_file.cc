#include "storage/double_written_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "protocol/batch/crc32c.h"
#include "protocol/invariant.h"

namespace tidemark::storage {
namespace {

// kind u32, crc u32 (of all that follows), count u64, format u16, payload length u16, reserved u32, payload.
constexpr size_t kHeadBytes = 24;

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void store(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

}  // namespace

Result<DoubleWrittenFile> DoubleWrittenFile::open(FileSystem& files, const std::string& path, uint32_t kind,
                                                  uint16_t format) {
  DoubleWrittenFile result;
  TRY_ASSIGN(result.file_, files.open(path, OpenMode::create));
  result.kind_ = kind;
  result.format_ = format;
  std::array<std::byte, 2 * kSlotBytes> bytes{};
  TRY_ASSIGN(const size_t read, result.file_->read(0, bytes));
  result.damaged_ = read > 0;
  const auto is_written = [&](size_t slot) {
    return std::ranges::any_of(std::span(bytes).subspan(slot * kSlotBytes, kSlotBytes),
                               [](std::byte byte) { return byte != std::byte{0}; });
  };
  result.rotten_ = is_written(0) && is_written(1);
  for (size_t slot = 0; slot < 2; ++slot) {
    const std::byte* at = bytes.data() + slot * kSlotBytes;
    const auto length = load<uint16_t>(at + 18);
    if (load<uint32_t>(at) != kind || length > kMaxPayload) continue;
    if (load<uint32_t>(at + 4) != protocol::crc32c(std::span(at + 8, kSlotBytes - 8))) continue;
    if (const auto version = load<uint16_t>(at + 16); version > format) {
      return fail(
          Error::format(fmt::format("{} has format version {}, and this release reads up to {}: start the "
                                    "newer release",
                                    path, version, format)));
    }
    result.damaged_ = result.rotten_ = false;
    const auto count = load<uint64_t>(at + 8);
    if (result.payload_ && count <= result.count_) continue;
    result.count_ = count;
    result.payload_.emplace(at + kHeadBytes, at + kHeadBytes + length);
  }
  return result;
}

Result<void> DoubleWrittenFile::write(std::vector<std::byte> payload, bool sync) {
  REQUIRES(payload.size() <= kMaxPayload);
  std::array<std::byte, 2 * kSlotBytes> slots{};
  const std::span<std::byte> slot = std::span(slots).first(kSlotBytes);
  store(slot.data(), kind_);
  store(slot.data() + 8, count_ + 1);
  store(slot.data() + 16, format_);
  store(slot.data() + 18, static_cast<uint16_t>(payload.size()));
  std::memcpy(slot.data() + kHeadBytes, payload.data(), payload.size());
  store(slot.data() + 4, protocol::crc32c(slot.subspan(8)));
  std::ranges::copy(slot, slots.data() + kSlotBytes);
  TRY(file_->write(0, std::span<const std::byte>(slots)));
  if (sync) TRY(file_->sync_data());
  ++count_;
  payload_ = std::move(payload);
  return {};
}

}  // namespace tidemark::storage
