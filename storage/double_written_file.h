// A small file of ours that no log holds and no crash may take: two slots of one sector, written together and
// synced, each with a format version, a count and a checksum; the valid slot with the higher count is the
// content. A disk writes a sector or does not, so a crash leaves each slot old or new, and bits that flip in
// one of them cost nothing. Blocking; runs in a lane or before a node serves.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/file.h"

namespace tidemark::storage {

class DoubleWrittenFile {
 public:
  static constexpr size_t kSlotBytes = 512;
  static constexpr size_t kMaxPayload = kSlotBytes - 24;

  // Opens `path`, or makes it. `kind` (four letters) tells our files apart; `format` is the newest version
  // known.
  static Result<DoubleWrittenFile> open(FileSystem& files, const std::string& path, uint32_t kind,
                                        uint16_t format);

  // Nothing: new, or both slots damaged (`damaged()` tells which; rotten(): not by a first write that was cut
  // short, which leaves zeros).
  [[nodiscard]] const std::optional<std::vector<std::byte>>& payload() const { return payload_; }
  [[nodiscard]] bool damaged() const { return damaged_; }
  [[nodiscard]] bool rotten() const { return rotten_; }

  // Durable on return (unless `sync` is false: then only after sync()). REQUIRES: payload.size() <=
  // kMaxPayload.
  Result<void> write(std::vector<std::byte> payload, bool sync = true);
  Result<void> sync() { return file_->sync_data(); }

 private:
  std::unique_ptr<File> file_;
  uint32_t kind_ = 0;
  uint16_t format_ = 0;
  uint64_t count_ = 0;
  bool damaged_ = false;
  bool rotten_ = false;
  std::optional<std::vector<std::byte>> payload_;
};

}  // namespace tidemark::storage
