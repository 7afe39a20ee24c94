#include "tests/simulation/sim_key_value_store.h"

#include <utility>

namespace tidemark::simulation {
namespace {

constexpr std::string_view kName = "(key-value store)";

Unexpected dead() { return fail(Error::io("the key-value store of a dying process")); }

}  // namespace

SimStoreContent::SimStoreContent(SimDisk& disk, FaultCounters& counters)
    : disk_(disk),
      suffix_lost_(counters.declare("store: unsynced suffix lost")),
      removed_(counters.declare("store: removed")) {
  disk.on_power_crash.push_back([this](runtime::Random& random) { crash(random); });
}

void SimStoreContent::apply(Map& map, const Batch& batch) {
  for (const auto& write : batch) {
    if (write.value) {
      map[write.key] = *write.value;
    } else {
      map.erase(write.key);
    }
  }
}

void SimStoreContent::crash(runtime::Random& random) {
  const size_t kept = random.below(unsynced_.size() + 1);
  if (kept < unsynced_.size()) ++suffix_lost_;
  for (size_t i = 0; i < kept; ++i) apply(synced_, unsynced_[i]);
  unsynced_.clear();
  seen_ = synced_;
}

void SimStoreContent::remove_all() {
  ++removed_;
  seen_.clear();
  synced_.clear();
  unsynced_.clear();
}

void SimStoreContent::remove(const std::string& prefix) {
  const auto is_its = [&](const std::string& key) { return key.starts_with(prefix); };
  for (Map* map : {&seen_, &synced_}) std::erase_if(*map, [&](const auto& e) { return is_its(e.first); });
  for (Batch& batch : unsynced_) std::erase_if(batch, [&](const auto& write) { return is_its(write.key); });
}

Result<std::optional<std::string>> SimKeyValueStore::get(std::string_view key) {
  if (content_.disk_.dying()) return dead();
  content_.disk_.operation(DiskOp::kv_read, kName, 0, 0);
  const auto it = content_.seen_.find(prefix_ + std::string(key));
  if (it == content_.seen_.end()) return std::optional<std::string>();
  return std::optional<std::string>(it->second);
}

Result<void> SimKeyValueStore::scan(
    std::string_view prefix, const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  if (content_.disk_.dying()) return dead();
  content_.disk_.operation(DiskOp::kv_read, kName, 0, 0);
  const std::string whole = prefix_ + std::string(prefix);
  for (auto it = content_.seen_.lower_bound(whole);
       it != content_.seen_.end() && it->first.starts_with(whole); ++it)
    if (!visit(std::string_view(it->first).substr(prefix_.size()), it->second)) break;
  return {};
}

Result<void> SimKeyValueStore::write(const std::vector<storage::KeyValueWrite>& written) {
  if (content_.disk_.dying()) return dead();
  auto batch = written;
  for (storage::KeyValueWrite& write : batch) write.key.insert(0, prefix_);
  const auto act = [&] {
    SimStoreContent::apply(content_.seen_, batch);
    content_.unsynced_.push_back(batch);
  };
  content_.disk_.operation(DiskOp::kv_write, kName, 0, 0, act);
  act();
  return {};
}

Result<void> SimKeyValueStore::sync() {
  if (content_.disk_.dying()) return dead();
  const auto act = [&] {
    for (const auto& batch : std::exchange(content_.unsynced_, {}))
      SimStoreContent::apply(content_.synced_, batch);
  };
  content_.disk_.operation(DiskOp::kv_sync, kName, 0, 0, act);
  act();
  return {};
}

}  // namespace tidemark::simulation
