#include "broker/quota/usages.h"

#include <fmt/format.h>

namespace tidemark::broker {

namespace {

// How often the known ones are looked through while there are more than fit, or at all.
constexpr runtime::Duration kLookEvery = std::chrono::seconds(1);

// FNV-1a.
uint64_t digest(std::string_view text) {
  uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 1'099'511'628'211U;
  return hash;
}

}  // namespace

std::string bounded_name(std::string_view name) {
  if (name.size() <= Usages::kLongestName) return std::string(name);
  const std::string tail = fmt::format("#{:016x}", digest(name));
  return std::string(name.substr(0, Usages::kLongestName - tail.size())) + tail;
}

std::shared_ptr<Usage> Usages::find(QuotaKind kind, std::string_view user, std::string_view client_id,
                                    runtime::MonoTime now) {
  Key key{kind, bounded_name(user), bounded_name(client_id)};
  const std::lock_guard lock(mutex_);
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  if (now >= next_look_) {
    next_look_ = now + kLookEvery;
    forget_empty(now);
  }
  if (known_.size() < most_tracked_) {
    auto usage = std::make_shared<Usage>(windows_, shards_);
    known_.emplace(std::move(key), usage);
    tracked_.store(known_.size(), std::memory_order_relaxed);
    return usage;
  }
  overflows_.fetch_add(1, std::memory_order_relaxed);
  auto& shared = others_[index_of(kind)];
  if (!shared) shared = std::make_shared<Usage>(windows_, shards_);
  return shared;
}

void Usages::forget_empty(runtime::MonoTime now) {
  std::erase_if(known_,
                [now](const auto& one) { return one.second.use_count() == 1 && one.second->is_empty(now); });
  tracked_.store(known_.size(), std::memory_order_relaxed);
}

}  // namespace tidemark::broker
