// Open files when there are no descriptors left, on a real folder.
#include "storage/file_cache.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "storage/data_folder.h"
#include "storage/posix/posix_file_system.h"
#include "tests/unit/seams/temporary_folder.h"

namespace tidemark::storage {

namespace {

// So many files more may be opened while it lives.
class FewDescriptors {
 public:
  explicit FewDescriptors(int more) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int next = ::open("/dev/null", O_RDONLY);  // the lowest that is free
    ::close(next);
    const rlimit few{static_cast<rlim_t>(next + more), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  }
  ~FewDescriptors() { (void)::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("where no descriptor is left the cache gives the oldest back, and every open succeeds") {
  const tests::TemporaryFolder folder;
  PosixFileSystem files;
  runtime::SeededRandom random(1);
  DataFolderOptions options;
  options.path = folder.path() + "/data";
  options.node = BrokerId(1);
  auto data = DataFolder::open(options, files, {}, random);
  REQUIRE(data);
  FileCache& cache = (*data)->cache();
  // UBSan needs a pipe to look at a type for the first time, and not afterwards.
  (void)files.open(folder.path() + "/first", OpenMode::create);
  const FewDescriptors few(20);
  for (int i = 0; i < 200; ++i) {
    const std::string path = fmt::format("{}/{}", folder.path(), i);
    auto file = cache.get(path, true);
    REQUIRE(file);
    CHECK((*file)->write(0, std::as_bytes(std::span(path))));
    file = fail(Error::closed(""));
    CHECK(files.sync_dir(folder.path()));
    CHECK(files.list(folder.path()));
    CHECK(cache.open_files() <= 20);
  }
  const std::string last = folder.path() + "/199";
  CHECK(cache.get(last));
}

TEST_CASE("without anybody to give one back an open without descriptors fails") {
  PosixFileSystem files;
  const FewDescriptors few(0);
  const auto opened = files.open("/dev/null", OpenMode::read);
  REQUIRE(!opened);
  CHECK(opened.error().message().find("Too many open files") != std::string::npos);
}

}  // namespace tidemark::storage
