// File on POSIX calls: whole reads and writes whatever the kernel does in one call, a full disk told apart,
// errors with the path and errno's words. Owned by whoever opened it; any lane may call it (the calls used
// take a position and keep none). Never retries a sync: once one has failed, all of this file fail.
#pragma once

#include <mutex>
#include <string>

#include "storage/file.h"

namespace tidemark::storage {

// "PATH: cannot VERB: WORDS" as the Error that `code` (errno) stands for.
[[nodiscard]] Error posix_error(int code, const std::string& path, const char* verb);

class PosixFile final : public File {
 public:
  // Takes over the descriptor.
  PosixFile(int descriptor, std::string path) : path_(std::move(path)), descriptor_(descriptor) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override;

  using File::write;
  Result<size_t> read(uint64_t position, std::span<std::byte> buffer) override;
  std::optional<size_t> read_now(uint64_t position, std::span<std::byte> buffer) override;
  Result<void> write(uint64_t position, std::span<const std::span<const std::byte>> parts) override;
  Result<void> sync_data() override;
  Result<void> truncate(uint64_t size) override;
  Result<uint64_t> size() override;
  // A file system that cannot reserve says yes: its full disk then shows at the write.
  Result<void> reserve(uint64_t from, uint64_t length) override;

 private:
  [[nodiscard]] Unexpected error(const char* verb) const;

  const std::string path_;
  const int descriptor_;
  // Linux tells an error of writing back once for each open file: of two lanes that sync, one would hear
  // nothing.
  std::mutex sync_mutex_;
  int sync_failed_ = 0;  // errno
};

}  // namespace tidemark::storage
