// The KeyValueStore seam: RocksDB in production, an ordered map that loses its unsynced suffix in the
// simulator. It holds only what can be derived again from the logs (durability.md, rule 12), so it is never
// on a request's path, and a node whose store was removed starts and loses nothing. All calls block: they run
// in the background lane.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/error.h"

namespace tidemark::storage {

struct KeyValueWrite {
  std::string key;
  std::optional<std::string> value;  // nullopt deletes
};

class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  // Calls `visit` for each key with `prefix`, in order, until it returns false.
  virtual Result<void> scan(
      std::string_view prefix,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) = 0;
  // All or nothing, ordered after earlier batches; durable only after sync().
  virtual Result<void> write(const std::vector<KeyValueWrite>& batch) = 0;
  virtual Result<void> sync() = 0;
};

}  // namespace tidemark::storage
