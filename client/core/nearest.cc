#include "client/core/nearest.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tidemark::client {
namespace {

constexpr size_t kMaxLength = 250;

// How many letters it takes to get from one to the other.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> candidates) {
  word = word.substr(0, kMaxLength);
  std::string_view nearest;
  // More than half of the letters wrong is another word: 0 is not what somebody meant who wrote 2.
  size_t least = word.size() / 2 + 1;
  for (const std::string_view candidate : candidates) {
    const size_t edits = distance(word, candidate.substr(0, kMaxLength));
    if (edits >= least) continue;
    least = edits;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace tidemark::client
