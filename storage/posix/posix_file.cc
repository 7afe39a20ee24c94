#include "storage/posix/posix_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace tidemark::storage {
namespace {

// IOV_MAX is 1024 on Linux; a group of many small records goes in chunks of this many parts.
constexpr size_t kMaxParts = 1024;

// Repeats a call that a signal has interrupted.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

Error posix_error(int code, const std::string& path, const char* verb) {
  std::string message = fmt::format("{}: cannot {}: {}", path, verb, std::generic_category().message(code));
  if (code == ENOSPC || code == EDQUOT) return Error::no_space(std::move(message));
  return Error::io(std::move(message));
}

PosixFile::~PosixFile() { ::close(descriptor_); }

Unexpected PosixFile::error(const char* verb) const { return fail(posix_error(errno, path_, verb)); }

Result<size_t> PosixFile::read(uint64_t position, std::span<std::byte> buffer) {
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n = uninterrupted([&] {
      return ::pread(descriptor_, buffer.data() + done, buffer.size() - done,
                     static_cast<off_t>(position + done));
    });
    if (n < 0) return error("read");
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

std::optional<size_t> PosixFile::read_now(uint64_t position, std::span<std::byte> buffer) {
  size_t done = 0;
  while (done < buffer.size()) {
    const iovec rest{buffer.data() + done, buffer.size() - done};
    const ssize_t n = uninterrupted(
        [&] { return ::preadv2(descriptor_, &rest, 1, static_cast<off_t>(position + done), RWF_NOWAIT); });
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

Result<void> PosixFile::write(uint64_t position, std::span<const std::span<const std::byte>> parts) {
  std::array<iovec, kMaxParts> chunk;  // only what is used is filled
  size_t next = 0;                     // first part not yet written whole
  size_t offset = 0;                   // bytes of it that are
  for (;;) {
    size_t count = 0;
    size_t skip = offset;
    for (size_t i = next; i < parts.size() && count < kMaxParts; ++i) {
      if (parts[i].size() > skip) {
        // writev never writes through iov_base.
        chunk[count++] = {const_cast<std::byte*>(parts[i].data()) + skip, parts[i].size() - skip};
      }
      skip = 0;
    }
    if (count == 0) return {};
    const ssize_t n = uninterrupted([&] {
      return ::pwritev(descriptor_, chunk.data(), static_cast<int>(count), static_cast<off_t>(position));
    });
    if (n < 0) return error("write");
    if (n == 0) return fail(Error::io(fmt::format("{}: cannot write: nothing was taken", path_)));
    position += static_cast<uint64_t>(n);
    offset += static_cast<size_t>(n);
    while (next < parts.size() && offset >= parts[next].size()) offset -= parts[next++].size();
  }
}

Result<void> PosixFile::sync_data() {
  const std::lock_guard lock(sync_mutex_);
  if (sync_failed_ == 0 && ::fdatasync(descriptor_) != 0) sync_failed_ = errno;
  if (sync_failed_ != 0) return fail(posix_error(sync_failed_, path_, "sync"));
  return {};
}

Result<void> PosixFile::truncate(uint64_t size) {
  if (uninterrupted([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) != 0)
    return error("truncate");
  return {};
}

Result<uint64_t> PosixFile::size() {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return error("stat");
  return static_cast<uint64_t>(status.st_size);
}

Result<void> PosixFile::reserve(uint64_t from, uint64_t length) {
  if (length == 0) return {};
  const int failed = uninterrupted([&] {
    return ::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
                       static_cast<off_t>(length));
  });
  if (failed != 0 && errno != EOPNOTSUPP && errno != ENOSYS) return error("reserve");
  return {};
}

}  // namespace tidemark::storage
