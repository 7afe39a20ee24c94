// The KeyValueStore seam on a SimDisk: SimStoreContent is what survives a process, and loses its unsynced
// suffix in a power cut; SimKeyValueStore is one process's handle on it.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "storage/key_value_store.h"
#include "tests/simulation/sim_disk.h"

namespace tidemark::simulation {

class SimStoreContent {
 public:
  explicit SimStoreContent(SimDisk& disk, FaultCounters& counters);
  SimStoreContent(const SimStoreContent&) = delete;
  SimStoreContent& operator=(const SimStoreContent&) = delete;

  // Somebody removed the database's folder.
  void remove_all();
  // Of one of the stores that share it, the folder went with all that was around it.
  void remove(const std::string& prefix);

 private:
  friend class SimKeyValueStore;
  using Map = std::map<std::string, std::string, std::less<>>;
  using Batch = std::vector<storage::KeyValueWrite>;
  static void apply(Map& map, const Batch& batch);
  void crash(runtime::Random& random);

  SimDisk& disk_;
  uint64_t& suffix_lost_;
  uint64_t& removed_;
  Map seen_;
  Map synced_;
  std::deque<Batch> unsynced_;
};

class SimKeyValueStore final : public storage::KeyValueStore {
 public:
  // Stores of several folders share the content, each below a prefix of its own.
  explicit SimKeyValueStore(SimStoreContent& content, std::string prefix = "")
      : content_(content), prefix_(std::move(prefix)) {}
  Result<std::optional<std::string>> get(std::string_view key) override;
  Result<void> scan(std::string_view prefix,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit) override;
  Result<void> write(const std::vector<storage::KeyValueWrite>& batch) override;
  Result<void> sync() override;

 private:
  SimStoreContent& content_;
  const std::string prefix_;
};

}  // namespace tidemark::simulation
