#include "storage/data_folder.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::storage {

std::string DataFolder::own_path(std::string_view name) const {
  return fmt::format("{}/{}/{}", options_.path, kOwnFolder, name);
}

std::string DataFolder::identity_path(std::string_view path) {
  return fmt::format("{}/{}/identity", path, kOwnFolder);
}

Result<std::unique_ptr<DataFolder>> DataFolder::open(DataFolderOptions options, FileSystem& files,
                                                     const OpenStore& open_store, runtime::Random& random) {
  std::unique_ptr<DataFolder> folder(new DataFolder(std::move(options), files));
  TRY(files.create_dir(folder->journal_folder()));
  TRY_ASSIGN(folder->lock_, files.lock(folder->own_path("lock")));
  folder->whole_sync_ = files.whole_sync(folder->path(), folder->own_path("lock"));
  TRY(folder->take_reserve());
  TRY(folder->begin_generation(random));
  const Planted planted = folder->options_.planted;
  TRY_ASSIGN(folder->journals_,
             JournalRecovery::open(files, folder->journal_folder(), planted, folder->was_clean_));
  const ReplayHome home{folder->identity().folder_id, folder->options_.takes_unnamed};
  TRY_ASSIGN(folder->replay_, replay_journals(files, folder->path(), home, folder->journals_, planted,
                                              folder->options_.max_open_files));
  // Before anything else may be made under their names. Once such a folder's state is restored, nothing else
  // tells that its log may have gone on.
  for (const std::string& name : folder->replay_.passed_over)
    TRY(files.open(fmt::format("{}/{}/{}", folder->path(), name, kPassedOverName), OpenMode::create));
  TRY_ASSIGN(folder->keeps_old_journals_, files.exists(folder->keep_marker()));
  if (!folder->journals_.corruption().empty() || !folder->replay_.passed_over.empty())
    folder->keeps_old_journals_ = true;
  if (open_store) {
    TRY_ASSIGN(folder->derived_, open_store(folder->own_path("derived")));
  }
  if (!folder->options_.cache)
    files.on_no_descriptors([cache = folder->cache_.get()] { return cache->give_back(); });
  return folder;
}

Result<void> DataFolder::begin_generation(runtime::Random& random) {
  const std::string path = identity_path(options_.path);
  TRY_ASSIGN(identity_, IdentityFile::open(files_, path));
  Identity identity;
  if (const auto& found = identity_.identity()) {
    identity = *found;
    if (identity.node != options_.node) {
      return fail(Error::format(
          fmt::format("{} belongs to node {}, and this is node {}: use its folder, or start with "
                      "--node-id {}",
                      options_.path, identity.node, options_.node, identity.node)));
    }
    if (!options_.cluster_id.is_zero() && identity.cluster_id != options_.cluster_id) {
      return fail(Error::format(fmt::format("{} belongs to cluster {}, not to {}", options_.path,
                                            identity.cluster_id, options_.cluster_id)));
    }
    was_clean_ = identity.clean_stop == identity.generation;
  } else {
    TRY_ASSIGN(const auto entries, files_.list(options_.path));
    TRY_ASSIGN(const auto journals, files_.list(journal_folder()));
    if (identity_.damaged() && (entries.size() > 1 || !journals.empty())) {
      return fail(Error::format(
          fmt::format("{} is damaged, and the folder is not empty: restore it from a copy, or start "
                      "with an empty folder",
                      path)));
    }
    identity.cluster_id = options_.cluster_id.is_zero() ? random.uuid() : options_.cluster_id;
    identity.folder_id = random.uuid();
    identity.node = options_.node;
  }
  identity.generation = Generation(identity.generation.value + 1);
  TRY(identity_.write(identity));
  // The entries of our own files, once and for all.
  TRY(files_.sync_dir(fmt::format("{}/{}", options_.path, kOwnFolder)));
  TRY(files_.sync_dir(options_.path));
  // And the folder's own entry: we may have made it, now or in a start that was killed. A parent that we may
  // not open was not made by us.
  const size_t slash = options_.path.find_last_of('/', options_.path.find_last_not_of('/'));
  if (slash != std::string::npos) (void)files_.sync_dir(options_.path.substr(0, slash + 1));
  return {};
}

Result<RecoveredLog> DataFolder::recover(const ReplayedLog& replayed, const LogRecoveryOptions& options,
                                         runtime::WallTime now, RecoveryStats& stats) {
  LogRecoveryOptions planted = options;
  planted.planted = options_.planted;
  return recover_log(files_, options_.path, replayed, derived_.get(), planted, now, stats);
}

Result<void> DataFolder::sync_replay() {
  if (std::exchange(whole_sync_tried_, true) || !whole_sync_) return {};
  const auto changed =
      std::ranges::count_if(replay_.logs, [](const auto& log) { return log.second.changed; });
  if (static_cast<size_t>(changed) < options_.whole_sync_from) return {};
  TRY_ASSIGN(replay_covered_, whole_sync_->sync());
  return {};
}

Result<bool> DataFolder::finish_replay() {
  TRY(sync_replay());
  constexpr size_t kAtOnce = 8;  // logs
  auto log = replay_.logs.upper_bound(replay_synced_);
  for (size_t synced = 0; synced < kAtOnce && log != replay_.logs.end(); ++log) {
    replay_synced_ = log->first;
    if (replay_covered_ && whole_sync_->covers(options_.path + "/" + log->second.folder_name)) continue;
    TRY(sync_replayed(files_, options_.path, log->second));
    ++synced;
  }
  if (log != replay_.logs.end()) return false;
  const bool any =
      !replay_.graves.empty() || std::any_of(replay_.logs.begin(), replay_.logs.end(),
                                             [](const auto& replayed) { return replayed.second.changed; });
  if (any) TRY(files_.sync_dir(options_.path));
  if (keeps_old_journals_) {
    // Before the floor passes them: the next start does not read them any more.
    TRY(files_.open(keep_marker(), OpenMode::create));
    TRY(files_.sync_dir(journal_folder()));
  }
  for (const std::string& name : replay_.passed_over) {
    if (auto synced = files_.sync_dir(options_.path + "/" + name); !synced) {
      TRY_ASSIGN(const bool exists, files_.exists(options_.path + "/" + name));
      if (exists) return fail(synced.error());  // else somebody has moved it away
    }
  }
  for (const std::string& grave : replay_.graves) {
    if (auto removed = remove_all(files_, options_.path + "/" + grave); !removed)
      stuck_graves_.push_back(removed.error());
  }
  return true;
}

Result<void> DataFolder::take_reserve() {
  const std::string path = own_path("reserve");
  TRY_ASSIGN(const DiskSpace space, files_.space(options_.path));
  TRY_ASSIGN(const bool exists, files_.exists(path));
  return exists && space.available < options_.reserve_bytes ? files_.remove(path) : Result<void>();
}

Result<bool> DataFolder::keep_reserve() {
  TRY_ASSIGN(const auto file, files_.open(own_path("reserve"), OpenMode::create));
  TRY_ASSIGN(uint64_t size, file->size());
  const std::vector<std::byte> zeros(64 << 10);
  for (; size < options_.reserve_bytes; size += zeros.size()) {
    auto wrote = file->write(size, std::span(zeros));
    if (!wrote && wrote.error().kind() == ErrorKind::no_space) return false;  // what it got, it keeps
    if (!wrote) return fail(wrote.error());
  }
  return true;
}

Result<void> DataFolder::write_term(LeaderEpoch term, BrokerId vote) {
  Identity identity = this->identity();
  identity.term = term;
  identity.vote = vote;
  return identity_.write(identity);
}

Result<void> DataFolder::write_served_term(LeaderEpoch term) {
  Identity identity = this->identity();
  identity.served_term = term;
  return identity_.write(identity);
}

Result<void> DataFolder::mark_clean_stop() {
  Identity identity = this->identity();
  identity.clean_stop = identity.generation;
  return identity_.write(identity);
}

}  // namespace tidemark::storage
