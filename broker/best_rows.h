// Which of many have series of their own in the metrics: a bounded number, those first that want attention,
// of these the largest. One that has a name and wants attention keeps it as long as it does: an alert that
// counts minutes must not lose sight of it because another has overtaken it. The rest is counted. The owner's
// thread; no metrics in here.
#pragma once

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace tidemark::broker {

// A Row has a Key and key(), wants_attention(), and size(), by which rows of one kind compete.
template <class Row>
class BestRows {
 public:
  explicit BestRows(size_t most) : most_(most) {}

  void offer(Row row) {
    ++offered_;
    const int kind = (row.wants_attention() ? 2 : 0) + (named_.contains(row.key()) ? 1 : 0);
    rows_.push_back({kind, std::move(row)});
    if (rows_.size() >= 2 * most_ + 1) shrink();
  }

  struct Chosen {
    std::vector<Row> rows;
    size_t left_out = 0;
  };
  // Of what was offered since the last time.
  Chosen take() {
    shrink();
    Chosen chosen;
    named_.clear();
    for (Ranked& ranked : std::exchange(rows_, {})) {
      named_.insert(ranked.row.key());
      chosen.rows.push_back(std::move(ranked.row));
    }
    chosen.left_out = std::exchange(offered_, 0) - chosen.rows.size();
    return chosen;
  }

 private:
  struct Ranked {
    int kind;
    Row row;
    bool operator<(const Ranked& other) const {  // the better one first
      if (kind != other.kind) return kind > other.kind;
      if (row.size() != other.row.size()) return row.size() > other.row.size();
      return row.key() < other.row.key();
    }
  };
  void shrink() {
    if (rows_.size() <= most_) return;
    std::nth_element(rows_.begin(), rows_.begin() + static_cast<ptrdiff_t>(most_), rows_.end());
    rows_.resize(most_);
  }

  const size_t most_;
  size_t offered_ = 0;
  std::set<typename Row::Key> named_;
  std::vector<Ranked> rows_;  // at most twice as many
};

}  // namespace tidemark::broker
