#include "storage/journal_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

namespace tidemark::storage {
namespace {

// Files one after the other into the same memory, which nobody clears in between.
class ReadBuffer {
 public:
  // What the file begins with, at most so much of it; until the next call.
  Result<std::span<const std::byte>> read(FileSystem& files, const std::string& path,
                                          uint64_t at_most = UINT64_MAX) {
    TRY_ASSIGN(auto file, files.open(path, OpenMode::read));
    TRY_ASSIGN(const uint64_t size, file->size());
    const uint64_t wanted = std::min(size, at_most);
    if (wanted > capacity_) {
      bytes_ = std::make_unique_for_overwrite<std::byte[]>(wanted);
      capacity_ = wanted;
    }
    TRY_ASSIGN(const size_t got, file->read(0, {bytes_.get(), wanted}));
    return std::span<const std::byte>(bytes_.get(), got);
  }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  uint64_t capacity_ = 0;
};

}  // namespace

Result<JournalRecovery> JournalRecovery::open(FileSystem& files, std::string folder, Planted planted,
                                              bool clean) {
  JournalRecovery recovery;
  recovery.files_ = &files;
  recovery.folder_ = std::move(folder);
  recovery.planted_ = planted;
  TRY(recovery.read_files(clean));
  if (clean) return recovery;
  recovery.order_and_check();
  TRY(recovery.find_residents());
  for (const Stretch& stretch : recovery.stretches_) {
    TRY_ASSIGN(auto file, files.open(stretch.path, OpenMode::read_write));
    TRY(recovery.rewrite_last_group(stretch, *file));
    TRY(file->sync_data());
  }
  return recovery;
}

// A group is written when the one before it is synced, so the last is the only one whose sync may have
// failed. Then the system has forgotten that it is not on the disk (rule 13), and no sync would put it there.
Result<void> JournalRecovery::rewrite_last_group(const Stretch& stretch, File& file) {
  if (stretch.scan.end_position <= stretch.last_group) return {};
  const uint64_t from = stretch.last_group == kStretchHeaderBytes ? 0 : stretch.last_group;
  std::vector<std::byte> bytes(stretch.scan.end_position - from);
  TRY_ASSIGN(const size_t read, file.read(from, bytes));
  if (read != bytes.size())
    return fail(Error::io(fmt::format("{}: {} bytes instead of {}", stretch.path, read, bytes.size())));
  return file.write(from, std::span<const std::byte>(bytes));
}

Result<void> JournalRecovery::read_files(bool clean) {
  TRY_ASSIGN(const auto entries, files_->list(folder_));
  for (const DirEntry& entry : entries) {
    if (entry.is_dir || !entry.name.ends_with(".journal")) continue;
    const std::string path = folder_ + "/" + entry.name;
    if (clean) {
      paths_.push_back(path);
      continue;
    }
    TRY_ASSIGN(auto file, files_->open(path, OpenMode::read));
    std::vector<std::byte> head(kStretchHeaderBytes);
    TRY_ASSIGN(const size_t read, file->read(0, head));
    const auto decoded = decode_stretch_header(std::span(head).first(read));
    if (!decoded) return fail(Error::format(path + ": " + decoded.error().message()));
    if (!*decoded) {
      TRY(read_headless(path));
      continue;
    }
    paths_.push_back(path);
    const StretchHeader& header = **decoded;
    floor_ = std::max(floor_, header.floor);
    newest_ = std::max(newest_, header.generation);
    stretches_.push_back(Stretch{path, header, {}, {}, header.checkpoint});
  }
  // By generation, journal, ordinal: the order of every log's history, for a log lives in one journal per
  // generation.
  std::sort(stretches_.begin(), stretches_.end(), [](const Stretch& a, const Stretch& b) {
    return std::tie(a.header.generation, a.header.journal, a.header.ordinal) <
           std::tie(b.header.generation, b.header.journal, b.header.ordinal);
  });
  ReadBuffer buffer;
  for (size_t i = stretches_.size();
       i-- > 0;) {  // newest first: its groups may raise the floor past the older ones
    Stretch& s = stretches_[i];
    if (s.header.generation < floor_) continue;
    TRY_ASSIGN(const auto bytes, buffer.read(*files_, s.path));
    const bool has_next = i + 1 < stretches_.size() &&
                          stretches_[i + 1].header.generation == s.header.generation &&
                          stretches_[i + 1].header.journal == s.header.journal &&
                          stretches_[i + 1].header.ordinal == s.header.ordinal + 1;
    s.scan = scan_stretch(bytes, s.header, has_next ? &stretches_[i + 1].header : nullptr, planted_);
    s.last = GroupSequence(s.scan.next.value - 1);
    s.last_group = s.scan.end_position;
    for (const Group& group : s.scan.groups) {
      s.last_group = static_cast<uint64_t>(group.payload.data() - bytes.data()) - kGroupHeaderBytes;
      floor_ = std::max(floor_, group.header.floor);
      s.max_checkpoint = std::max(s.max_checkpoint, group.header.checkpoint);
      std::span<const std::byte> payload = group.payload;
      while (!payload.empty()) {
        auto record = decode_record(payload);
        if (!record) {
          const GroupSequence number = group.header.sequence;
          s.scan.gaps.push_back({number, GroupSequence(number.value + 1), s.last_group});
          break;
        }
        if (record->type == JournalRecordType::erase) dead_.insert(record->log);
      }
    }
    s.scan.groups.clear();  // views into bytes
  }
  return {};
}

// A file without a header is new, or torn at its first group, or its header was destroyed afterwards. What
// whole groups in it state is true in any case.
Result<void> JournalRecovery::read_headless(const std::string& path) {
  ReadBuffer buffer;
  TRY_ASSIGN(const auto bytes, buffer.read(*files_, path));
  // Made, and never written to.
  const bool empty = std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
  if (empty && files_->remove(path)) return {};
  paths_.push_back(path);
  std::map<JournalKey, Headless> found;
  for (uint64_t at = kStretchHeaderBytes; at < bytes.size();) {
    const auto group = decode_group(bytes.subspan(at));
    at += group ? align_journal(kGroupHeaderBytes + group->header.payload_bytes) : kJournalAlignment;
    if (!group) continue;
    const GroupHeader& header = group->header;
    floor_ = std::max(floor_, header.floor);
    Headless& headless = found[{header.generation, header.journal}];
    headless.path = path;
    headless.synced = std::max(headless.synced, header.synced_up_to);
    headless.needed = std::max(
        {headless.needed, headless.synced, header.record_count > 0 ? header.sequence : GroupSequence()});
    headless.checkpoint = std::max(headless.checkpoint, header.checkpoint);
  }
  headless_.insert(headless_.end(), found.begin(), found.end());
  return {};
}

void JournalRecovery::order_and_check() {
  std::erase_if(stretches_, [&](const Stretch& s) { return s.header.generation < floor_; });
  std::erase_if(headless_, [&](const auto& entry) { return entry.first.first < floor_; });
  // A checkpoint that any whole group states frees everything up to it, whether that is whole or not: its
  // segments are synced.
  std::map<JournalKey, GroupSequence> checkpoints;
  std::map<JournalKey, GroupSequence> ends;  // the last group known
  for (const Stretch& s : stretches_) {
    GroupSequence& checkpoint = checkpoints[{s.header.generation, s.header.journal}];
    checkpoint = std::max(checkpoint, s.max_checkpoint);
  }
  for (const auto& [key, headless] : headless_)
    checkpoints[key] = std::max(checkpoints[key], headless.checkpoint);
  std::vector<Stretch> kept;
  for (size_t begin = 0; begin < stretches_.size();) {
    size_t end = begin;
    const JournalKey key(stretches_[begin].header.generation, stretches_[begin].header.journal);
    const GroupSequence checkpoint = checkpoints[key];
    while (end < stretches_.size() && stretches_[end].header.generation == key.first &&
           stretches_[end].header.journal == key.second)
      ++end;
    // A stretch is stale where its successors start at or below the checkpoint's next group.
    size_t first = begin;
    while (first + 1 < end && stretches_[first + 1].header.first.value <= checkpoint.value + 1) ++first;
    GroupSequence expected(checkpoint.value + 1);
    for (size_t i = first; i < end; ++i) {
      Stretch& s = stretches_[i];
      const bool newest = i + 1 == end;
      if (s.header.first > expected) {
        corruption_.push_back(
            {key.first, key.second,
             fmt::format("{}: groups {} to {} of journal {} in generation {} are missing before it", s.path,
                         expected, s.header.first.value - 1, key.second, key.first)});
      }
      expected = std::max(expected, s.scan.next);
      for (const StretchGap& gap : s.scan.gaps) {
        expected = std::max(expected, gap.next);
        if (gap.next.value <= checkpoint.value + 1) continue;
        corruption_.push_back({key.first, key.second,
                               fmt::format("{}: damage at byte {}, in group {}, which was synced", s.path,
                                           gap.position, gap.first)});
      }
      if (newest && s.scan.end == StretchEnd::torn) ++torn_tails_;
      ends[key] = GroupSequence(s.scan.next.value - 1);
      s.max_checkpoint = checkpoint;
      live_bytes_ += s.scan.end_position;
      kept.push_back(std::move(s));
    }
    begin = end;
  }
  stretches_ = std::move(kept);
  // Groups without a header of their own that continue a journal, of which a later one states an earlier one
  // to be synced, prove that the header was destroyed.
  for (const auto& [key, headless] : headless_) {
    if (headless.synced <= ends[key] || headless.needed <= checkpoints[key]) continue;
    corruption_.push_back(
        {key.first, key.second,
         fmt::format("{}: its header is destroyed, and it holds groups up to {}, which were synced",
                     headless.path, headless.needed)});
  }
}

// What vouches for a log where a journal is damaged: records of it in another journal of that generation.
Result<void> JournalRecovery::find_residents() {
  const auto damaged = [&](Generation generation) {
    return std::any_of(corruption_.begin(), corruption_.end(),
                       [&](const JournalDamage& damage) { return damage.generation == generation; });
  };
  ReadBuffer buffer;
  for (const Stretch& s : stretches_) {
    if (!damaged(s.header.generation)) continue;
    TRY_ASSIGN(const auto bytes, buffer.read(*files_, s.path, s.scan.end_position));
    for (const Group& group : scan_stretch(bytes, s.header, nullptr, planted_).groups) {
      std::span<const std::byte> payload = group.payload;
      while (!payload.empty()) {
        const auto record = decode_record(payload);
        if (!record) break;
        residents_[{s.header.generation, record->log}] = s.header.journal;
      }
    }
  }
  return {};
}

const JournalDamage* JournalRecovery::damage_of(LogId log) const {
  const auto concerns = [&](const JournalDamage& damage) {
    // The metadata log has a journal of its own, always.
    if (may_be_of(log, kMetadataJournal) != (damage.journal == kMetadataJournal)) return false;
    if (generation_of(log) > damage.generation) return false;
    if (generation_of(log) == damage.generation) return may_be_of(log, damage.journal);
    // A log lives in one journal a generation; in which one is anew for each start to say.
    const auto lived = residents_.find({damage.generation, log});
    return lived == residents_.end() || lived->second == damage.journal;
  };
  const auto found = std::find_if(corruption_.begin(), corruption_.end(), concerns);
  return found == corruption_.end() ? nullptr : &*found;
}

Result<void> JournalRecovery::replay(const Visit& visit, const Settle& settle) {
  ReadBuffer buffer;
  for (const Stretch& s : stretches_) {
    TRY_ASSIGN(const auto bytes, buffer.read(*files_, s.path, s.scan.end_position));
    StretchScan scan = scan_stretch(bytes, s.header, nullptr, planted_);
    for (const Group& group : scan.groups) {
      if (group.header.sequence <= s.max_checkpoint || group.header.sequence >= s.scan.next) continue;
      std::span<const std::byte> payload = group.payload;
      while (!payload.empty()) {
        auto record = decode_record(payload);
        if (!record) break;  // stated in corruption()
        TRY(visit(*record));
      }
    }
    TRY(settle());
  }
  return {};
}

}  // namespace tidemark::storage
