#include "storage/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "protocol/invariant.h"

namespace tidemark::storage {

using runtime::BufferSlice;

namespace {

constexpr size_t kZeroChunk = 256 << 10;
// The end of each stretch is kept free of records: where all stretches are full, the mark that frees one must
// still find room.
constexpr uint64_t kMarkReserve = kJournalAlignment;
constexpr auto kRetryGrowth = std::chrono::seconds(1);
const std::array<std::byte, kJournalAlignment> kPadding{};

}  // namespace

// One group on its way to the disk: everything that the lane needs, so that it touches nothing of the
// shard's.
struct Journal::GroupWrite {
  GroupHeader header;
  StretchHeader stretch;
  bool write_stretch_header = false;
  std::shared_ptr<File> file;
  uint64_t position = 0;
  uint64_t padded_bytes = 0;
  std::vector<std::byte> heads;
  std::vector<Pending> entries;
  bool retry_sync = false;
  uint32_t checksum = 0;
  Result<void> outcome{};

  void run() {
    std::array<std::byte, kGroupHeaderBytes> header_bytes{};
    std::vector<std::span<const std::byte>> parts;
    parts.reserve(2 + 2 * entries.size());
    parts.emplace_back(header_bytes);
    size_t payload = 0;
    for (const Pending& entry : entries) {
      parts.emplace_back(std::span(heads).subspan(entry.head_begin, entry.head_bytes));
      payload += entry.head_bytes;
      if (!entry.data.bytes.empty()) parts.emplace_back(entry.data.bytes);
      payload += entry.data.bytes.size();
    }
    checksum = encode_group_header(header, std::span(parts).subspan(1), header_bytes);
    const size_t pad = padded_bytes - kGroupHeaderBytes - payload;
    if (pad > 0) parts.emplace_back(std::span(kPadding).first(pad));
    outcome = write(parts);
  }

  Result<void> write(std::span<const std::span<const std::byte>> parts) {
    if (write_stretch_header) {
      std::array<std::byte, kStretchHeaderBytes> bytes{};
      encode_stretch_header(stretch, bytes);
      TRY(file->write(0, std::span<const std::byte>(bytes)));
    }
    TRY(file->write(position, parts));
    auto synced = file->sync_data();
    if (!synced && retry_sync) return file->sync_data();
    return synced;
  }
};

Journal::Journal(JournalOptions options, runtime::Scheduler& loop, runtime::Lane& lane,
                 runtime::Lane& background, FileSystem& files)
    : options_(std::move(options)),
      loop_(loop),
      lane_(lane),
      background_(background),
      files_(files),
      next_stretch_bytes_(align_journal(options_.first_stretch_bytes)),
      floor_(options_.floor),
      alive_(std::make_shared<Journal*>(this)) {}

Journal::~Journal() {
  *alive_ = nullptr;
  loop_.cancel(idle_timer_);
  loop_.cancel(retry_timer_);
}

size_t Journal::max_record_bytes() const {
  return std::min<uint64_t>(options_.max_group_bytes, options_.first_stretch_bytes) - kStretchHeaderBytes -
         kGroupHeaderBytes - kJournalAlignment - kMarkReserve;
}

// Makes a stretch file: zeros written and synced, and its entry in the folder too, so that a later sync of
// its data changes no metadata.
Result<Journal::Stretch> Journal::make_stretch(FileSystem& files, const JournalOptions& options,
                                               uint64_t number, uint64_t bytes) {
  const std::string path =
      fmt::format("{}/{}-{}-{}.journal", options.folder, options.generation.value, options.id.value, number);
  const auto make = [&]() -> Result<Stretch> {
    TRY_ASSIGN(auto file, files.open(path, OpenMode::create));
    const std::vector<std::byte> zeros(std::min<uint64_t>(bytes, kZeroChunk));
    for (uint64_t at = 0; at < bytes; at += zeros.size())
      TRY(file->write(at, std::span(zeros).first(std::min<uint64_t>(zeros.size(), bytes - at))));
    TRY(file->sync_data());
    if (options.planted != Planted::forget_folder_sync) TRY(files.sync_dir(options.folder));
    return Stretch{path, std::move(file), bytes, 0, {}};
  };
  auto made = make();
  if (!made) (void)files.remove(path);
  return made;
}

// Two stretches: the one in use can be freed only when another takes over, and that must not need disk space.
runtime::Task<Result<void>> Journal::start(std::vector<std::string> old_files) {
  old_files_ = std::move(old_files);
  for (int i = 0; i < 2; ++i) {
    auto make = [files = &files_, options = options_, number = files_made_++, bytes = next_stretch_bytes_] {
      return make_stretch(*files, options, number, bytes);
    };
    auto making = runtime::on_lane(lane_, loop_, std::move(make));  // nothing else wants it yet
    auto made = co_await making;
    if (!made) co_return fail(made.error());
    total_bytes_ += made->bytes;
    free_.push_back(std::move(*made));
  }
  next_stretch_bytes_ = std::min(next_stretch_bytes_ * 4, align_journal(options_.stretch_bytes));
  co_return Result<void>();
}

void Journal::add(const JournalRecord& record, BufferSlice data, std::shared_ptr<JournalClient> client,
                  uint64_t token) {
  if (failed_) {
    loop_.post([alive = alive_, client = std::move(client), token] {
      if (*alive) client->journaled(token, false);
    });
    return;
  }
  INVARIANT(data.bytes.size() == (record.type == JournalRecordType::append ? record.data_bytes : 0),
            "{} bytes of data", data.bytes.size());
  const size_t begin = heads_.size();
  encode_record_head(record, heads_);
  pending_.push_back(
      Pending{begin, heads_.size() - begin, std::move(data), std::move(client), token, loop_.mono()});
  INVARIANT(pending_.back().head_bytes + pending_.back().data.bytes.size() <= max_record_bytes(),
            "record of {} bytes", pending_.back().data.bytes.size());
  if (!writing_) write_next();
}

bool Journal::take_stretch(uint64_t group_bytes) {
  if (current_ && position_ + group_bytes + kMarkReserve <= current_->bytes) return true;
  const auto fits = [&](const Stretch& s) {
    return kStretchHeaderBytes + group_bytes + kMarkReserve <= s.bytes;
  };
  auto it = std::find_if(free_.begin(), free_.end(), fits);
  if (it == free_.end()) {
    grow();
    if (!starved_) {
      starved_ = true;
      if (on_pressure) on_pressure();
    }
    return false;
  }
  starved_ = false;
  if (current_) {
    if (options_.planted == Planted::early_stretch_reuse) {
      free_.push_back(std::move(*current_));
      it = std::find_if(free_.begin(), free_.end(), fits);
    } else {
      sealed_.push_back(std::move(*current_));
    }
    if (on_pressure) on_pressure();
  }
  current_ = std::make_unique<Stretch>(std::move(*it));
  free_.erase(it);
  current_->ordinal = next_ordinal_++;
  current_->last = last_;
  position_ = kStretchHeaderBytes;
  header_due_ = true;
  if (free_.empty()) grow();
  return true;
}

// Whether a synced mark of the checkpoint as it stands would free a stretch.
bool Journal::mark_frees() const {
  return mark_wanted_ && current_ && position_ + kJournalAlignment <= current_->bytes && !sealed_.empty() &&
         sealed_.front().last > checkpoint_synced_ && sealed_.front().last <= checkpoint_;
}

void Journal::write_next() {
  if (failed_ || abandoned_ || writing_ || (pending_.empty() && !mark_wanted_)) return;
  // As many records as fit into one group; the first always goes.
  const auto bytes_of = [](const Pending& p) { return p.head_bytes + p.data.bytes.size(); };
  uint64_t first = kGroupHeaderBytes + (pending_.empty() ? 0 : bytes_of(pending_.front()));
  const bool starved = !take_stretch(align_journal(first));
  if (starved && !mark_frees()) return;
  const uint64_t room = starved
                            ? kJournalAlignment
                            : std::min(options_.max_group_bytes, current_->bytes - kMarkReserve - position_);
  auto group = std::make_shared<GroupWrite>();
  uint64_t used = kGroupHeaderBytes;
  size_t count = 0;
  while (!starved && count < pending_.size() && align_journal(used + bytes_of(pending_[count])) <= room)
    used += bytes_of(pending_[count++]);
  INVARIANT(count > 0 || starved || pending_.empty(), "a group of nothing, room {}", room);
  if (count == pending_.size()) {
    group->heads = std::exchange(heads_, {});
    group->entries.assign(std::make_move_iterator(pending_.begin()), std::make_move_iterator(pending_.end()));
    pending_.clear();
  } else {
    const size_t cut = pending_[count].head_begin;
    group->heads.assign(heads_.begin(), heads_.begin() + static_cast<ptrdiff_t>(cut));
    heads_.erase(heads_.begin(), heads_.begin() + static_cast<ptrdiff_t>(cut));
    for (size_t i = 0; i < count; ++i) {
      group->entries.push_back(std::move(pending_.front()));
      pending_.pop_front();
    }
    for (Pending& p : pending_) p.head_begin -= cut;
  }
  mark_wanted_ = false;
  loop_.cancel(idle_timer_);
  idle_timer_ = {};

  const GroupSequence sequence(last_.value + 1);
  group->header = GroupHeader{options_.id,
                              options_.generation,
                              sequence,
                              durable_,
                              checkpoint_,
                              floor_,
                              chain_,
                              static_cast<uint32_t>(used - kGroupHeaderBytes),
                              static_cast<uint32_t>(group->entries.size())};
  group->padded_bytes = align_journal(used);
  group->position = position_;
  group->file = current_->file;
  group->retry_sync = options_.planted == Planted::retry_failed_sync;
  if (std::exchange(header_due_, false)) {
    group->write_stretch_header = true;
    group->stretch =
        StretchHeader{options_.id, options_.generation, current_->ordinal, sequence, chain_, checkpoint_,
                      floor_,      current_->bytes};
  }
  last_ = sequence;
  current_->last = sequence;
  position_ += group->padded_bytes;
  last_holds_records_ = !group->entries.empty();
  writing_ = true;
  writing_since_ = group->entries.empty() ? loop_.mono() : group->entries.front().since;
  stats_.groups += 1;
  stats_.records += group->entries.size();
  stats_.bytes += group->padded_bytes;
  lane_.submit([group] { group->run(); }, loop_,
               [alive = alive_, group] {
                 if (*alive) (*alive)->written(group);
               });
  if (options_.planted == Planted::ack_before_sync) {
    for (const Pending& entry : group->entries) {
      loop_.post([alive = alive_, client = entry.client, token = entry.token] {
        if (*alive) client->journaled(token, true);
      });
    }
  }
}

void Journal::written(std::shared_ptr<GroupWrite> group) {
  writing_ = false;
  if (!group->outcome) {
    // Rule 13: a failed sync is final. Nothing after it is tried, everything that waits may have been
    // persisted.
    if (options_.planted == Planted::ack_before_sync) group->entries.clear();  // they were told already
    for (Pending& entry : pending_) group->entries.push_back(std::move(entry));
    fail_all(group->outcome.error(), std::move(group->entries));
    return;
  }
  INVARIANT(group->header.sequence.value == durable_.value + 1, "group {} after {}", group->header.sequence,
            durable_);
  if (!group->entries.empty()) longest_wait_ = std::max(longest_wait_, loop_.mono() - writing_since_);
  durable_ = group->header.sequence;
  chain_ = group->checksum;
  checkpoint_synced_ = group->header.checkpoint;
  floor_synced_ = group->header.floor;
  write_next();
  release_checkpointed();
  if (options_.planted != Planted::ack_before_sync) {
    const auto alive = alive_;
    answering_ = true;
    for (Pending& entry : group->entries) {
      entry.client->journaled(entry.token, true);
      if (!*alive) return;
    }
    answering_ = false;
  }
  answered_ = group->header.sequence;
  if (abandoned_ && !writing_) return fail_pending();
  if (!writing_) {
    write_next();
    if (!writing_ && last_holds_records_) arm_idle_mark();
  }
}

// Rule 5: without a closing mark, damage to the last group could not be told from a group that was never
// finished.
void Journal::arm_idle_mark() {
  if (idle_timer_) return;
  idle_timer_ = loop_.after(options_.idle_mark, [this] {
    idle_timer_ = {};
    mark_wanted_ = true;
    write_next();
  });
}

void Journal::fail_all(const Error& error, std::vector<Pending> waiting) {
  failed_ = true;
  failure_ = error.message();
  pending_.clear();
  heads_.clear();
  const auto alive = alive_;
  if (on_failure) on_failure(error);
  for (Pending& entry : waiting) {
    if (!*alive) return;
    entry.client->journaled(entry.token, false);
  }
}

void Journal::abandon(const Error& error) {
  if (failed_ || abandoned_) return;
  abandoned_ = error;
  if (!writing_ && !answering_) fail_pending();
}

void Journal::fail_pending() {
  std::vector<Pending> waiting(std::make_move_iterator(pending_.begin()),
                               std::make_move_iterator(pending_.end()));
  fail_all(*abandoned_, std::move(waiting));
}

void Journal::mark_checkpoint(GroupSequence up_to) {
  INVARIANT(up_to >= checkpoint_ && up_to <= answered_, "checkpoint {} of {}, before {}", up_to, answered_,
            checkpoint_);
  if (up_to == checkpoint_) return;
  checkpoint_ = up_to;
  mark_wanted_ = true;
  write_next();
}

void Journal::raise_floor(Generation floor) {
  floor_ = floor;
  mark_wanted_ = true;
  write_next();
}

void Journal::release_checkpointed() {
  bool released = false;
  while (!sealed_.empty() && sealed_.front().last <= checkpoint_synced_) {
    free_.push_back(std::move(sealed_.front()));
    sealed_.pop_front();
    released = true;
  }
  if (floor_synced_ == options_.generation && !old_files_.empty()) {
    // Stretches of earlier generations are simply removed: this journal makes its own.
    background_.submit(
        [files = &files_, paths = std::exchange(old_files_, {}), folder = options_.folder,
         keep = options_.keep_old_files] {
          bool kept = keep;
          for (const std::string& path : paths)
            kept = (keep ? files->rename(path, path + ".damaged") : files->remove(path)).has_value() && kept;
          if (kept && files->sync_dir(folder)) (void)files->remove(fmt::format("{}/{}", folder, kKeepMarker));
        },
        loop_, [] {});
  }
  if (released && !writing_) write_next();
}

void Journal::grow() {
  if (growing_ || total_bytes_ + next_stretch_bytes_ > options_.max_bytes) return;
  growing_ = true;
  auto made = std::make_shared<std::optional<Result<Stretch>>>();
  background_.submit(
      [files = &files_, options = options_, number = files_made_++, bytes = next_stretch_bytes_, made] {
        made->emplace(make_stretch(*files, options, number, bytes));
      },
      loop_,
      [alive = alive_, made] {
        if (!*alive) return;
        Journal& self = **alive;
        self.growing_ = false;
        if (!**made) return self.retry_later();  // until then appends wait for checkpoints
        self.total_bytes_ += (**made)->bytes;
        self.next_stretch_bytes_ =
            std::min(self.next_stretch_bytes_ * 4, align_journal(self.options_.stretch_bytes));
        self.free_.push_back(std::move(***made));
        if (!self.writing_) self.write_next();
      });
}

// A full disk may have room again, and appends that wait ask for nothing.
void Journal::retry_later() {
  if (retry_timer_) return;
  retry_timer_ = loop_.after(kRetryGrowth, [this] {
    retry_timer_ = {};
    if (!starved_) return;
    if (on_pressure) on_pressure();
    grow();
  });
}

uint64_t Journal::live_bytes() const {
  uint64_t bytes = current_ ? position_ : 0;
  for (const Stretch& s : sealed_) bytes += s.bytes;
  return bytes;
}

}  // namespace tidemark::storage
