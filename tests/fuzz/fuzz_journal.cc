// A folder of journal files. The first byte says how the rest is read: 0, each file as a length (2 bytes) and
// its bytes; 1, packed: per file a header's fields and its groups, which get their magic, place, chain and
// checksums here, so that what lies behind these is reached. Whatever the files hold, the reader says the
// same twice, a scan keeps its promises, and a record that is handed out is the same after a round trip.
#include <algorithm>
#include <cstring>
#include <map>

#include "protocol/batch/crc32c.h"
#include "protocol/invariant.h"
#include "storage/journal_recovery.h"
#include "tests/unit/storage/memory_file.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

using Bytes = std::vector<std::byte>;
using View = std::span<const std::byte>;

constexpr size_t kMaxFiles = 6;
constexpr size_t kHeaderFields = 60;  // a stretch header's, without its magic and version
constexpr size_t kGroupFields = 56;   // a group header's, without its magic and checksum

// Reads only; what recovery must not do fails.
class JournalFiles final : public FileSystem {
 public:
  std::map<std::string, Bytes> files;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    INVARIANT(mode != OpenMode::create, "recovery makes {}", path);
    const auto found = files.find(path.substr(path.rfind('/') + 1));
    INVARIANT(found != files.end(), "recovery opens {}, which nobody listed", path);
    return std::make_unique<MemoryFile>(found->second);
  }
  Result<std::vector<DirEntry>> list(const std::string&) override {
    std::vector<DirEntry> entries;
    for (const auto& [name, bytes] : files) entries.push_back({name, false, bytes.size()});
    return entries;
  }
  Result<void> rename(const std::string&, const std::string&) override { return refused(); }
  Result<void> remove(const std::string&) override { return refused(); }
  Result<void> create_dir(const std::string&) override { return refused(); }
  Result<void> sync_dir(const std::string&) override { return refused(); }
  Result<bool> exists(const std::string&) override { return refused<bool>(); }
  Result<DiskSpace> space(const std::string&) override { return refused<DiskSpace>(); }
  Result<std::unique_ptr<FileLock>> lock(const std::string&) override {
    return refused<std::unique_ptr<FileLock>>();
  }

 private:
  template <class T = void>
  static Result<T> refused() {
    return fail(Error::io("not while journals are read"));
  }
};

View take(View& from, size_t count) {
  const View taken = from.first(std::min(count, from.size()));
  from = from.subspan(taken.size());
  return taken;
}

size_t take_length(View& from) {
  const View bytes = take(from, 2);
  size_t length = 0;
  for (size_t i = bytes.size(); i-- > 0;) length = length << 8 | std::to_integer<size_t>(bytes[i]);
  return length;
}

void write_at(Bytes& out, size_t position, View bytes) {
  out.resize(std::max(out.size(), position + bytes.size()));
  if (!bytes.empty()) std::memcpy(out.data() + position, bytes.data(), bytes.size());
}
void write_number(Bytes& out, size_t position, uint32_t number) {
  write_at(out, position, std::as_bytes(std::span(&number, 1)));
}
uint32_t number_at(const Bytes& bytes, size_t position) {
  uint32_t number;
  std::memcpy(&number, bytes.data() + position, sizeof number);
  return number;
}

// Offsets of the format: header: version 4, chain 64, checksum 508; group: checksum 4, chain 48, payload
// bytes 52.
Bytes unpack(View packed) {
  Bytes file(kStretchHeaderBytes);
  write_number(file, 0, 0x534A4454);
  write_number(file, 4, kJournalFormat);
  write_at(file, 8, take(packed, kHeaderFields));
  write_number(file, kStretchHeaderBytes - 4, protocol::crc32c(View(file).first(kStretchHeaderBytes - 4)));
  uint32_t chain = number_at(file, 64);
  while (!packed.empty()) {
    const size_t length = take_length(packed);
    const size_t start = align_journal(file.size());
    file.resize(start + kGroupHeaderBytes);
    write_number(file, start, 0x474A4454);
    write_at(file, start + 8, take(packed, kGroupFields));
    const View payload = take(packed, length & 0x7FFF);
    write_at(file, start + kGroupHeaderBytes, payload);
    // The highest bit leaves chain and length as they came: a group out of place.
    if ((length & 0x8000) == 0) {
      write_number(file, start + 48, chain);
      write_number(file, start + 52, static_cast<uint32_t>(payload.size()));
    }
    chain = protocol::crc32c(View(file).subspan(start + 8));
    write_number(file, start + 4, chain);
  }
  return file;
}

void check_record(const JournalRecord& record) {
  Bytes encoded;
  encode_record_head(record, encoded);
  encoded.insert(encoded.end(), record.data.begin(), record.data.end());
  INVARIANT(encoded.size() == encoded_record_bytes(record), "a record's size is not what was foretold");
  View rest = encoded;
  const auto again = decode_record(rest);
  INVARIANT(again && rest.empty(), "our own record is damaged");
  INVARIANT(again->type == record.type && again->log == record.log && again->folder == record.folder &&
                again->base_offset == record.base_offset && again->last_offset == record.last_offset &&
                again->position == record.position && again->data_bytes == record.data_bytes &&
                std::ranges::equal(again->data, record.data),
            "another record after a round trip");
}

void check_scan(View file) {
  const auto header = decode_stretch_header(file);
  if (!header || !*header) return;
  const StretchScan scan = scan_stretch(file, **header, nullptr);
  INVARIANT(scan.end_position <= file.size(), "an end behind the file");
  uint64_t missing = 0;
  for (const StretchGap& gap : scan.gaps) missing += gap.next.value - gap.first.value;
  INVARIANT(scan.next.value == (*header)->first.value + scan.groups.size() + missing, "groups are left out");
  for (const Group& group : scan.groups) {
    INVARIANT(group.payload.data() >= file.data() &&
                  group.payload.data() + group.payload.size() <= file.data() + scan.end_position,
              "a group outside of the scanned part");
  }
  const StretchScan prefix = scan_stretch(file.first(scan.end_position), **header, nullptr);
  INVARIANT(prefix.groups.size() == scan.groups.size() && prefix.chain == scan.chain,
            "the good part reads otherwise");
  INVARIANT(prefix.end == (scan.gaps.empty() ? StretchEnd::clean : StretchEnd::corrupt),
            "the good part has an end of its own");
}

struct Found {
  size_t records = 0;
  uint64_t data_bytes = 0;
  std::vector<std::string> corruption;
  uint64_t torn_tails = 0;
  bool operator==(const Found&) const = default;
};

Found recover(JournalFiles& files) {
  Found found;
  auto recovery = JournalRecovery::open(files, "journal", Planted::none);
  if (!recovery) return found;
  const auto replayed = recovery->replay([&](const JournalRecord& record) -> Result<void> {
    check_record(record);
    ++found.records;
    found.data_bytes += record.data.size();
    return {};
  });
  INVARIANT(replayed, "a replay in memory failed: {}", replayed.error().message());
  INVARIANT(recovery->paths().size() == files.files.size(), "a file was overlooked");
  for (const JournalDamage& damage : recovery->corruption()) found.corruption.push_back(damage.what);
  found.torn_tails = recovery->torn_tails();
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || data[0] > 1) return -1;
  View input = std::as_bytes(std::span(data, size)).subspan(1);
  JournalFiles files;
  while (!input.empty() && files.files.size() < kMaxFiles) {
    const size_t length = take_length(input);
    const View given = take(input, length);
    Bytes file = data[0] == 0 ? Bytes(given.begin(), given.end()) : unpack(given);
    check_scan(file);
    files.files.emplace(std::to_string(files.files.size()) + ".journal", std::move(file));
  }
  INVARIANT(recover(files) == recover(files), "the second reading is another");
  return 0;
}
