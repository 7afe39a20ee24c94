// What every FileSystem promises: the same cases on each version of the seam.
#include <catch2/catch.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/posix/posix_file_system.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/unit/seams/temporary_folder.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

struct Subject {
  virtual ~Subject() = default;
  virtual FileSystem& files() = 0;
  virtual std::string root() = 0;
};

struct PosixSubject final : Subject {
  FileSystem& files() override { return files_; }
  std::string root() override { return folder_.path(); }
  tests::TemporaryFolder folder_;
  PosixFileSystem files_;
};

struct SimulatedSubject final : Subject {
  SimulatedSubject() {
    disk_.syncs_whole = true;
    REQUIRE(files_.create_dir(root()));
  }
  FileSystem& files() override { return files_; }
  std::string root() override { return "/data/folder"; }
  simulation::FaultCounters counters_;
  simulation::SimDisk disk_{7, counters_};
  simulation::SimFileSystem files_{disk_};
};

struct Version {
  const char* name;
  std::function<std::unique_ptr<Subject>()> make;
};

const std::vector<Version>& versions() {
  static const std::vector<Version> all{
      {"posix", [] { return std::make_unique<PosixSubject>(); }},
      {"simulated", [] { return std::make_unique<SimulatedSubject>(); }},
  };
  return all;
}

std::unique_ptr<Subject> each_version() {
  const auto index = GENERATE(range(size_t{0}, versions().size()));
  UNSCOPED_INFO("version " << versions()[index].name);
  return versions()[index].make();
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string read_all(File& file, size_t most = 1 << 20) {
  std::string text(most, '\0');
  auto n = file.read(0, std::as_writable_bytes(std::span(text)));
  REQUIRE(n);
  text.resize(*n);
  return text;
}

std::string content(FileSystem& files, const std::string& path) {
  auto file = files.open(path, OpenMode::read);
  REQUIRE(file);
  return read_all(**file);
}

void put(FileSystem& files, const std::string& path, std::string_view text) {
  auto file = files.open(path, OpenMode::create);
  REQUIRE(file);
  REQUIRE((*file)->write(0, bytes_of(text)));
  REQUIRE((*file)->truncate(text.size()));
}

std::vector<std::string> names(FileSystem& files, const std::string& path) {
  auto entries = files.list(path);
  REQUIRE(entries);
  std::vector<std::string> result;
  for (const DirEntry& entry : *entries)
    result.push_back(entry.name + (entry.is_dir ? "/" : ":" + std::to_string(entry.size)));
  return result;
}

}  // namespace

TEST_CASE("a file gives back what was written, wherever it was written") {
  auto subject = each_version();
  auto file = subject->files().open(subject->root() + "/a", OpenMode::create);
  REQUIRE(file);
  REQUIRE((*file)->write(0, bytes_of("hello world")));
  REQUIRE((*file)->write(6, bytes_of("there")));
  CHECK(read_all(**file) == "hello there");
  REQUIRE((*file)->write(9, bytes_of("in is a hole")));
  CHECK(read_all(**file) == "hello thein is a hole");
  CHECK((*file)->size() == 21U);
}

TEST_CASE("a write past the end leaves zeros between") {
  auto subject = each_version();
  auto file = subject->files().open(subject->root() + "/a", OpenMode::create);
  REQUIRE(file);
  REQUIRE((*file)->write(1000, bytes_of("x")));
  CHECK((*file)->size() == 1001U);
  CHECK(read_all(**file) == std::string(1000, '\0') + "x");
}

TEST_CASE("a write takes any number of parts, empty ones too, in order") {
  auto subject = each_version();
  auto file = subject->files().open(subject->root() + "/a", OpenMode::create);
  REQUIRE(file);
  std::vector<std::string> texts;
  std::string whole;
  for (int i = 0; i < 5000; ++i) {
    texts.push_back(i % 7 == 0 ? "" : std::to_string(i));
    whole += texts.back();
  }
  std::vector<std::span<const std::byte>> parts;
  for (const std::string& text : texts) parts.push_back(bytes_of(text));
  REQUIRE((*file)->write(3, parts));
  CHECK(read_all(**file) == std::string(3, '\0') + whole);
  REQUIRE((*file)->write(0, std::span<const std::span<const std::byte>>()));
  CHECK((*file)->size() == whole.size() + 3);
}

TEST_CASE("a read gives fewer bytes only at the end of the file") {
  auto subject = each_version();
  auto file = subject->files().open(subject->root() + "/a", OpenMode::create);
  REQUIRE(file);
  REQUIRE((*file)->write(0, bytes_of("0123456789")));
  std::array<std::byte, 4> buffer{};
  CHECK((*file)->read(0, buffer) == 4U);
  CHECK((*file)->read(8, buffer) == 2U);
  CHECK(std::memcmp(buffer.data(), "89", 2) == 0);
  CHECK((*file)->read(10, buffer) == 0U);
  CHECK((*file)->read(1 << 20, buffer) == 0U);
}

TEST_CASE("truncation cuts and grows, and what comes back after a cut is zeros") {
  auto subject = each_version();
  auto file = subject->files().open(subject->root() + "/a", OpenMode::create);
  REQUIRE(file);
  REQUIRE((*file)->write(0, bytes_of(std::string(2000, 'x'))));
  REQUIRE((*file)->truncate(700));
  CHECK(read_all(**file) == std::string(700, 'x'));
  REQUIRE((*file)->truncate(1500));
  CHECK(read_all(**file) == std::string(700, 'x') + std::string(800, '\0'));
}

TEST_CASE("reserving space does not change the size") {
  auto subject = each_version();
  auto file = subject->files().open(subject->root() + "/a", OpenMode::create);
  REQUIRE(file);
  REQUIRE((*file)->reserve(0, 1 << 16));
  CHECK((*file)->size() == 0U);
  REQUIRE((*file)->write(0, bytes_of("abc")));
  REQUIRE((*file)->reserve(0, 0));
  CHECK(read_all(**file) == "abc");
}

TEST_CASE("open modes: only create makes a file, and a reader cannot write") {
  auto subject = each_version();
  const std::string path = subject->root() + "/a";
  for (const OpenMode mode : {OpenMode::read, OpenMode::read_write}) {
    auto missing = subject->files().open(path, mode);
    REQUIRE(!missing);
    CHECK(missing.error().kind() == ErrorKind::io);
    CHECK(missing.error().message().find(path) != std::string::npos);
    CHECK(missing.error().message().find("No such file or directory") != std::string::npos);
  }
  put(subject->files(), path, "abc");
  auto reader = subject->files().open(path, OpenMode::read);
  REQUIRE(reader);
  CHECK(!(*reader)->write(0, bytes_of("x")));
  CHECK(!(*reader)->truncate(0));
  auto again = subject->files().open(path, OpenMode::create);
  REQUIRE(again);
  CHECK(read_all(**again) == "abc");
  CHECK(!subject->files().open(subject->root() + "/none/a", OpenMode::create));
  CHECK(!subject->files().open(subject->root(), OpenMode::read_write));
}

TEST_CASE("two handles see one file, and a removed file lives while it is open") {
  auto subject = each_version();
  const std::string path = subject->root() + "/a";
  auto one = subject->files().open(path, OpenMode::create);
  auto two = subject->files().open(path, OpenMode::read_write);
  REQUIRE(one);
  REQUIRE(two);
  REQUIRE((*one)->write(0, bytes_of("abc")));
  CHECK(read_all(**two) == "abc");
  REQUIRE(subject->files().remove(path));
  CHECK(subject->files().exists(path) == false);
  REQUIRE((*two)->write(3, bytes_of("def")));
  CHECK(read_all(**one) == "abcdef");
  put(subject->files(), path, "new");
  CHECK(read_all(**one) == "abcdef");
  CHECK(content(subject->files(), path) == "new");
  CHECK((*one)->sync_data());
}

TEST_CASE("rename replaces its target, of files and of folders with what is in them") {
  auto subject = each_version();
  FileSystem& files = subject->files();
  const std::string root = subject->root();
  put(files, root + "/a", "from a");
  put(files, root + "/b", "from b");
  REQUIRE(files.rename(root + "/a", root + "/b"));
  CHECK(names(files, root) == std::vector<std::string>{"b:6"});
  CHECK(content(files, root + "/b") == "from a");
  CHECK(!files.rename(root + "/a", root + "/c"));
  CHECK(!files.rename(root + "/b", root + "/none/b"));

  REQUIRE(files.create_dir(root + "/d/e"));
  put(files, root + "/d/e/f", "deep");
  auto open = files.open(root + "/d/e/f", OpenMode::read_write);
  REQUIRE(open);
  REQUIRE(files.rename(root + "/d", root + "/g"));
  CHECK(content(files, root + "/g/e/f") == "deep");
  CHECK(files.exists(root + "/d/e/f") == false);
  REQUIRE((*open)->write(4, bytes_of("er")));
  CHECK(content(files, root + "/g/e/f") == "deeper");
  REQUIRE(files.create_dir(root + "/h"));
  REQUIRE(files.rename(root + "/g", root + "/h"));
  CHECK(content(files, root + "/h/e/f") == "deeper");
  REQUIRE(files.create_dir(root + "/full/x"));
  CHECK(!files.rename(root + "/h", root + "/full"));
}

TEST_CASE("remove takes files and empty folders, and does not mind a missing one") {
  auto subject = each_version();
  FileSystem& files = subject->files();
  const std::string root = subject->root();
  REQUIRE(files.create_dir(root + "/d"));
  put(files, root + "/d/a", "x");
  CHECK(!files.remove(root + "/d"));
  REQUIRE(files.remove(root + "/d/a"));
  REQUIRE(files.remove(root + "/d/a"));
  REQUIRE(files.remove(root + "/d"));
  CHECK(names(files, root).empty());
}

TEST_CASE("folders are made with their parents, listed by name with sizes, and synced") {
  auto subject = each_version();
  FileSystem& files = subject->files();
  const std::string root = subject->root();
  REQUIRE(files.create_dir(root + "/b/c"));
  REQUIRE(files.create_dir(root + "/b/c"));
  REQUIRE(files.create_dir(root + "/b"));
  put(files, root + "/z", "12345");
  put(files, root + "/a", "");
  CHECK(names(files, root) == std::vector<std::string>{"a:0", "b/", "z:5"});
  CHECK(names(files, root + "/b") == std::vector<std::string>{"c/"});
  CHECK(!files.create_dir(root + "/z"));
  CHECK(!files.create_dir(root + "/z/x"));
  CHECK(!files.list(root + "/none"));
  CHECK(!files.list(root + "/z"));
  CHECK(files.sync_dir(root));
  CHECK(!files.sync_dir(root + "/none"));
  CHECK(files.exists(root + "/b/c") == true);
  CHECK(files.exists(root + "/z/x") == false);
  auto space = files.space(root);
  REQUIRE(space);
  CHECK(space->total > 0);
  CHECK(space->available <= space->total);
}

TEST_CASE("a sync of everything succeeds on a disk that works, again and again") {
  auto subject = each_version();
  FileSystem& files = subject->files();
  const std::string own = subject->root() + "/own";
  CHECK(files.whole_sync(subject->root(), own) == nullptr);  // it is to be there
  put(files, own, "");
  const auto whole = files.whole_sync(subject->root(), own);
  if (!whole) return;  // not on every file system
  CHECK(whole->covers(subject->root()));
  for (const char* name : {"a", "b"}) {
    put(files, subject->root() + "/" + name, "12345");
    const auto synced = whole->sync();
    INFO((synced ? "" : synced.error().message()));
    REQUIRE(synced.has_value());
    CHECK((*synced || name[0] == 'a'));  // only the first one may be told what is older
  }
  CHECK(files.whole_sync(subject->root() + "/none", own) == nullptr);
}

TEST_CASE("a sync of everything does not cover what a link has elsewhere") {
  PosixSubject subject;
  put(subject.files(), subject.root() + "/own", "");
  const auto whole = subject.files().whole_sync(subject.root(), subject.root() + "/own");
  if (!whole) return;
  REQUIRE(subject.files().create_dir(subject.root() + "/here"));
  std::filesystem::create_directory_symlink(subject.root() + "/here", subject.root() + "/near");
  std::filesystem::create_directory_symlink("/proc", subject.root() + "/far");
  CHECK(whole->covers(subject.root() + "/here"));
  CHECK(whole->covers(subject.root() + "/near"));
  CHECK_FALSE(whole->covers(subject.root() + "/far"));
  CHECK_FALSE(whole->covers(subject.root() + "/none"));
}

TEST_CASE("a lock is held by one, named to the next, and free again when dropped") {
  auto subject = each_version();
  const std::string path = subject->root() + "/.lock";
  {
    auto first = subject->files().lock(path);
    REQUIRE(first);
    auto second = subject->files().lock(path);
    REQUIRE(!second);
    CHECK(second.error().kind() == ErrorKind::config);
    CHECK(second.error().message().find(" is held by ") != std::string::npos);
  }
  CHECK(subject->files().lock(path));
  CHECK(!subject->files().lock(subject->root() + "/none/.lock"));
}
