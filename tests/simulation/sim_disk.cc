#include "tests/simulation/sim_disk.h"

#include <algorithm>
#include <set>

#include "protocol/invariant.h"

namespace tidemark::simulation {
namespace {

using namespace std::chrono_literals;

// The next part of `path` between slashes; "." and empty parts are skipped.
std::string_view next_part(std::string_view& path) {
  for (;;) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    if (part != ".") return part;
  }
}

// Cheapest and dearest cost of an operation on a healthy disk; a written or read byte adds a nanosecond.
std::pair<runtime::Duration, runtime::Duration> cost_range(DiskOp op) {
  switch (op) {
    case DiskOp::sync:
    case DiskOp::sync_dir:
    case DiskOp::kv_sync: return {50us, 2ms};
    case DiskOp::sync_all: return {200us, 20ms};
    case DiskOp::read:
    case DiskOp::list:
    case DiskOp::kv_read: return {5us, 200us};
    case DiskOp::write:
    case DiskOp::kv_write:
    case DiskOp::reserve:
    case DiskOp::truncate: return {3us, 40us};
    case DiskOp::open:
    case DiskOp::rename:
    case DiskOp::remove:
    case DiskOp::create_dir: return {3us, 60us};
    case DiskOp::size:
    case DiskOp::exists:
    case DiskOp::space:
    case DiskOp::lock: return {1us, 5us};
  }
  return {};
}

// Of a number of things to keep: none.
struct Lowest final : runtime::Random {
  uint64_t next() override { return 0; }
};

template <class Visit>
void walk(const std::shared_ptr<SimInode>& dir, const std::string& path, const Visit& visit) {
  for (const auto& [name, inode] : dir->entries) {
    const std::string at = path + "/" + name;
    visit(at, inode);
    if (inode->is_dir) walk(inode, at, visit);
  }
}

}  // namespace

std::string_view disk_op_name(DiskOp op) {
  static constexpr std::array<std::string_view, kDiskOps> kNames{
      "open",   "read",   "write",      "sync",     "truncate", "size", "reserve",
      "rename", "remove", "create_dir", "sync_dir", "sync_all", "list", "exists",
      "space",  "lock",   "kv_read",    "kv_write", "kv_sync"};
  return kNames[static_cast<size_t>(op)];
}

SimDisk::SimDisk(uint64_t seed, FaultCounters& c, TraceHash* trace)
    : random_(seed),
      trace_(trace),
      counts_{c.declare("disk: process killed"),
              c.declare("disk: power cut"),
              c.declare("disk: crash within an operation"),
              c.declare("disk: unsynced sector lost"),
              c.declare("disk: unsynced sector kept"),
              c.declare("disk: file torn"),
              c.declare("disk: unsynced size lost"),
              c.declare("disk: zeros where data was lost"),
              c.declare("disk: unsynced directory operation lost"),
              c.declare("disk: unsynced directory operation kept"),
              c.declare("disk: sync failed"),
              c.declare("disk: synced as a whole"),
              c.declare("disk: read failed"),
              c.declare("disk: write failed"),
              c.declare("disk: operation stalled"),
              c.declare("disk: written back unasked"),
              c.declare("disk: full"),
              c.declare("disk: bit flipped"),
              c.declare("disk: folder removed"),
              c.declare("disk: folder emptied")} {}

void SimDisk::operation(DiskOp op, std::string_view path, uint64_t position, uint64_t bytes,
                        const std::function<void()>& before_crash) {
  ++operations_;
  ++by_op_[static_cast<size_t>(op)];
  if (trace_ != nullptr) {
    trace_->add(static_cast<uint64_t>(op) << 56 ^ bytes);
    trace_->add(position);
    trace_->add(path);
  }
  if (on_operation) on_operation(op, path, position, bytes);
  const auto [least, most] = cost_range(op);
  // Squared, so that most draws lie near the cheap end.
  const double draw = static_cast<double>(random_.below(1 << 20)) / (1 << 20);
  auto cost = least + std::chrono::duration_cast<runtime::Duration>((most - least) * (draw * draw)) +
              runtime::Duration(bytes);
  cost = std::chrono::duration_cast<runtime::Duration>(cost * faults.slowness);
  if (strikes(faults.stalls, counts_.stalled)) {
    const runtime::Duration stall(random_.below(static_cast<uint64_t>(faults.longest_stall.count())));
    stalled_ += stall;
    cost += stall;
  }
  cost_ += cost;
  const bool counts = counted_names_.empty() ||
                      ((op == DiskOp::sync || op == DiskOp::rename) && path.ends_with(counted_names_));
  if (counts && countdown_ > 0 && --countdown_ == 0) {
    dying_ = true;
    ++counts_.crash_in_operation;
    if (before_crash && random_.chance(0.5)) before_crash();
    throw SimCrash();
  }
}

bool SimDisk::strikes(double rate, uint64_t& counter) {
  if (rate <= 0 || !random_.chance(rate)) return false;
  ++counter;
  return true;
}

std::shared_ptr<SimInode> SimDisk::find(std::string_view path) const {
  std::shared_ptr<SimInode> at = root_;
  for (std::string_view part = next_part(path); !part.empty(); part = next_part(path)) {
    const auto it = at->entries.find(std::string(part));
    if (it == at->entries.end()) return nullptr;
    at = it->second;
  }
  return at;
}

std::pair<std::shared_ptr<SimInode>, std::string> SimDisk::find_parent(std::string_view path) const {
  while (path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  const size_t name = slash == std::string_view::npos ? 0 : slash + 1;
  auto dir = find(path.substr(0, name));
  if (!dir || !dir->is_dir) return {};
  return {std::move(dir), std::string(path.substr(name))};
}

void SimDisk::link(const std::shared_ptr<SimInode>& dir, const std::string& name,
                   const std::shared_ptr<SimInode>& inode) {
  unlink(dir, name);
  dir->entries[name] = inode;
  ++inode->links;
}

void SimDisk::unlink(const std::shared_ptr<SimInode>& dir, const std::string& name) {
  const auto it = dir->entries.find(name);
  if (it == dir->entries.end()) return;
  const auto inode = it->second;
  dir->entries.erase(it);
  --inode->links;
  closed(*inode);
}

// On the platter. What an earlier, lost operation would have given may be missing: then it is as if it were
// there.
void SimDisk::apply(const DirOp& op) {
  const auto is_it = [&](const auto& entry) { return entry.second == op.inode; };
  if (op.from_dir) std::erase_if(op.from_dir->synced, is_it);
  if (!op.to_dir) return;
  std::erase_if(op.to_dir->synced, is_it);
  op.to_dir->synced[op.to] = op.inode;
}

void SimDisk::sync_entries(const std::shared_ptr<SimInode>& dir) {
  // A rename is one transaction of a journaling file system; it is certain once its target's folder is
  // synced.
  std::erase_if(dir_ops_, [&](const DirOp& op) {
    const bool here = op.to_dir ? op.to_dir == dir : op.from_dir == dir;
    if (here) apply(op);
    return here;
  });
}

void SimDisk::sync_all(const std::string& folder, double part) {
  std::set<SimInode*> folders{find(folder).get()};
  walk(find(folder), folder, [&](const std::string& at, const std::shared_ptr<SimInode>& inode) {
    if (is_elsewhere(at)) return;
    if (inode->is_dir) folders.insert(inode.get());
    if (inode->content.dirty() && random_.chance(part)) inode->content.sync();
  });
  size_t names = part < 1 ? random_.below(dir_ops_.size() + 1) : dir_ops_.size();
  std::erase_if(dir_ops_, [&](const DirOp& op) {
    if (!folders.contains(op.to_dir ? op.to_dir.get() : op.from_dir.get()) || names == 0) return false;
    --names;
    apply(op);
    return true;
  });
}

void SimDisk::fail_sync_all(const std::string& folder) {
  walk(find(folder), folder, [&](const std::string& at, const std::shared_ptr<SimInode>& inode) {
    if (!inode->content.dirty() || is_elsewhere(at) || random_.chance(0.5)) return;
    inode->content.fail_sync(random_);
    inode->failed_unseen = true;
  });
  sync_all(folder, 1);
}

bool SimDisk::allocate(SimInode& inode, uint64_t end) {
  const uint64_t wanted = round_to_blocks(end);
  if (wanted <= inode.allocated) return true;
  const uint64_t more = wanted - inode.allocated;
  if (used_ + more > quota_bytes) {
    ++counts_.full;
    return false;
  }
  used_ += more;
  inode.allocated = wanted;
  return true;
}

void SimDisk::release(SimInode& inode, uint64_t size) {
  const uint64_t kept = std::min(inode.allocated, round_to_blocks(size));
  used_ -= inode.allocated - kept;
  inode.allocated = kept;
}

void SimDisk::closed(SimInode& inode) {
  if (inode.links == 0 && inode.handles == 0) release(inode, 0);
}

void SimDisk::recount() {
  used_ = 0;
  walk(root_, "", [&](const std::string&, const std::shared_ptr<SimInode>& inode) {
    inode->allocated = std::max(inode->allocated, round_to_blocks(inode->content.size()));
    used_ += inode->allocated;
  });
}

void SimDisk::forget_handles() {
  INVARIANT(handles_ == 0, "{} open files outlive their process", handles_);
  dying_ = false;
  countdown_ = 0;
  cost_ = {};
}

void SimDisk::crash_process() {
  exit_process();
  ++counts_.process_crash;
}

void SimDisk::exit_process() {
  forget_handles();
  walk(root_, "", [](const std::string&, const std::shared_ptr<SimInode>& inode) { inode->locked = false; });
}

void SimDisk::crash_power() {
  forget_handles();
  ++counts_.power_crash;
  const bool keeps_nothing = power_cut && power_cut->keeps_nothing;
  if (power_cut) random_ = runtime::SeededRandom(power_cut->seed);
  // Of directory operations: all, none, or any, like the sectors of a file.
  const double drawn = std::array{0.0, 1.0, 0.5, 0.8}[random_.below(4)];
  const double kept = keeps_nothing ? 0.0 : drawn;
  for (const DirOp& op : std::exchange(dir_ops_, {})) {
    if (random_.chance(kept)) {
      ++counts_.entry_kept;
      apply(op);
    } else {
      ++counts_.entry_lost;
    }
  }
  // What no folder names any more is gone; everything else is now what the platter says.
  root_->links = 1;
  std::set<SimInode*> reached;
  std::vector<std::shared_ptr<SimInode>> folders{root_};
  while (!folders.empty()) {
    const auto dir = folders.back();
    folders.pop_back();
    // One inode, one name: of two that survived, the first.
    std::erase_if(dir->synced, [&](const auto& entry) { return !reached.insert(entry.second.get()).second; });
    dir->entries = dir->synced;
    for (const auto& [name, inode] : dir->entries) {
      inode->links = 1;
      inode->handles = 0;
      inode->failed_unseen = false;
      inode->locked = false;
      if (inode->is_dir) folders.push_back(inode);
    }
  }
  walk(root_, "", [&](const std::string&, const std::shared_ptr<SimInode>& inode) {
    if (inode->is_dir) return;
    const auto outcome = keeps_nothing ? inode->content.crash_to_synced() : inode->content.crash(random_);
    counts_.sectors_lost += outcome.sectors_lost;
    counts_.sectors_kept += outcome.sectors_kept;
    counts_.torn_file += outcome.sectors_lost > 0 && outcome.sectors_kept > 0 ? 1 : 0;
    counts_.size_lost += outcome.size_lost ? 1 : 0;
    counts_.zeros_exposed += outcome.zeros_exposed ? 1 : 0;
    inode->allocated = 0;  // reservations beyond the size are not promised to survive
  });
  recount();
  Lowest lowest;
  runtime::Random& draws = keeps_nothing ? static_cast<runtime::Random&>(lowest) : random_;
  for (const auto& also : on_power_crash) also(draws);
}

void SimDisk::lose(const std::shared_ptr<SimInode>& dir, const std::string& name) {
  const auto inode = dir->entries.at(name);
  std::erase_if(dir_ops_, [&](const DirOp& op) { return op.inode == inode; });
  dir->synced.erase(name);
  unlink(dir, name);
  if (inode->is_dir) {
    walk(inode, "", [&](const std::string&, const std::shared_ptr<SimInode>& below) {
      --below->links;
      closed(*below);
    });
  }
}

void SimDisk::remove_tree(const std::string& path) {
  const auto [dir, name] = find_parent(path);
  if (!dir || !dir->entries.contains(name)) return;
  if (dir->entries.at(name)->is_dir) ++counts_.tree_removed;
  lose(dir, name);
}

void SimDisk::empty_folder(const std::string& path) {
  const auto dir = find(path);
  if (!dir || dir->entries.empty()) return;
  ++counts_.folder_emptied;
  while (!dir->entries.empty()) lose(dir, std::string(dir->entries.begin()->first));
  dir->synced.clear();
}

std::optional<SimDisk::Flip> SimDisk::flip_bit(const std::function<bool(const std::string& path)>& filter,
                                               const MayHit& may_hit) {
  std::vector<std::string> paths;
  for (const std::string& path : all_files())
    if (filter(path) && find(path)->content.size() > 0) paths.push_back(path);
  if (paths.empty()) return std::nullopt;
  const std::string& path = paths[random_.below(paths.size())];
  SimFileContent& content = find(path)->content;
  const uint64_t position = random_.below(content.size());
  if (may_hit && !may_hit(content.seen(), position)) return std::nullopt;
  if (!content.flip_bit(position, static_cast<unsigned>(random_.below(8)))) return std::nullopt;
  ++counts_.bit_flipped;
  return Flip{path, position};
}

std::vector<std::string> SimDisk::all_files() const {
  std::vector<std::string> paths;
  walk(root_, "", [&](const std::string& path, const std::shared_ptr<SimInode>& inode) {
    if (!inode->is_dir) paths.push_back(path);
  });
  return paths;
}

}  // namespace tidemark::simulation
