#include "config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "config/settings/rows.h"
#include "protocol/invariant.h"

namespace tidemark::config {
namespace {

constexpr size_t kScopes = 4;
constexpr size_t kMaxNameForNearest = 96;  // longer ones are no misspelling, and edits cost length squared

using Table = std::array<std::vector<const Setting*>, kScopes>;

Table build_table() {
  Table table;
  for (const std::span<const Setting> part :
       {node_settings(), network_settings(), log_settings(), topic_settings(), transaction_settings(),
        replication_settings(), quorum_settings(), group_coordinator_settings(), share_coordinator_settings(),
        group_settings(), remote_settings(), tls_settings(), sasl_settings(), access_settings(),
        own_settings(), removed_settings()}) {
    for (const Setting& setting : part) table[static_cast<size_t>(setting.scope)].push_back(&setting);
  }
  for (auto& rows : table) {
    std::ranges::sort(rows, {}, &Setting::name);
    const auto twin = std::ranges::adjacent_find(rows, {}, &Setting::name);
    INVARIANT(twin == rows.end(), "two rows for {}", (*twin)->name);
  }
  return table;
}

const Table& table() {
  static const Table built = build_table();
  return built;
}

// Levenshtein's distance, or anything above `limit` once it must be.
size_t edits(std::string_view a, std::string_view b, size_t limit) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > limit) return limit + 1;
  std::array<size_t, kMaxNameForNearest + 1> row{};
  std::iota(row.begin(), row.begin() + static_cast<ptrdiff_t>(b.size()) + 1, size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    size_t least = row[0];
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
      least = std::min(least, row[j + 1]);
    }
    if (least > limit) return limit + 1;
  }
  return row[b.size()];
}

}  // namespace

std::span<const Setting* const> settings_of(Scope scope) { return table()[static_cast<size_t>(scope)]; }

const Setting* find_setting(Scope scope, std::string_view name) {
  const auto rows = settings_of(scope);
  const auto found = std::ranges::lower_bound(rows, name, {}, &Setting::name);
  return found != rows.end() && (*found)->name == name ? *found : nullptr;
}

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known) {
  if (name.empty() || name.size() > kMaxNameForNearest) return {};
  const size_t limit = std::max<size_t>(2, name.size() / 4);
  std::string_view best;
  size_t best_edits = limit + 1;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kMaxNameForNearest) continue;
    const size_t distance = edits(name, candidate, best_edits - 1);
    if (distance < best_edits) {
      best = candidate;
      best_edits = distance;
    }
  }
  return best;
}

std::string_view nearest_setting(Scope scope, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Setting* setting : settings_of(scope)) names.push_back(setting->name);
  return nearest_name(name, names);
}

std::string did_you_mean(std::string_view nearest) {
  return nearest.empty() ? std::string() : fmt::format(" (did you mean {}?)", nearest);
}

std::vector<std::string_view> broker_synonyms(std::string_view name) {
  static constexpr std::array<std::string_view, 3> kRetention{"log.retention.ms", "log.retention.minutes",
                                                              "log.retention.hours"};
  static constexpr std::array<std::string_view, 2> kRoll{"log.roll.ms", "log.roll.hours"};
  static constexpr std::array<std::string_view, 2> kJitter{"log.roll.jitter.ms", "log.roll.jitter.hours"};
  // Kafka lists the scheduler's interval for log.flush.interval.ms only.
  static constexpr std::array<std::string_view, 2> kFlush{"log.flush.interval.ms",
                                                          "log.flush.scheduler.interval.ms"};
  for (const std::span<const std::string_view> family :
       {std::span<const std::string_view>(kRetention), std::span<const std::string_view>(kRoll),
        std::span<const std::string_view>(kJitter)}) {
    if (std::ranges::find(family, name) != family.end()) return {family.begin(), family.end()};
  }
  if (name == kFlush[0]) return {kFlush.begin(), kFlush.end()};
  return {name};
}

}  // namespace tidemark::config
