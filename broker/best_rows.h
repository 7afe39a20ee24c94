// Which of many have series of their own in the metrics: a bounded number, those first that need it most, of
// these the largest. One that has a name keeps it before others that need it as much, and is taken to need it
// as much as it lately did: an alert that counts minutes must not lose sight of it because another overtakes
// it or because it rests between two bursts. But it makes way for one that needs it more, or else who has
// come first would hide what is worst. The rest is counted. The owner's thread; no metrics in here.
#pragma once

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace tidemark::broker {

// A Row has a Key and key(), urgency(): how much it needs a name, in few and wide steps, so that two that are
// much alike do not take turns, and size(), by which rows of one urgency compete.
template <class Row>
class BestRows {
 public:
  // So many times the urgency of one that has a name lasts after it has gone down.
  static constexpr int kHeld = 30;

  explicit BestRows(size_t most) : most_(most) {}

  void offer(Row row) {
    ++offered_;
    Name name{row.urgency(), 0};
    const auto before = named_.find(row.key());
    const bool is_named = before != named_.end();
    if (is_named && before->second.urgency > name.urgency && before->second.held < kHeld)
      name = {before->second.urgency, before->second.held + 1};
    rows_.push_back({name, is_named, std::move(row)});
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
      named_.emplace(ranked.row.key(), ranked.name);
      chosen.rows.push_back(std::move(ranked.row));
    }
    chosen.left_out = std::exchange(offered_, 0) - chosen.rows.size();
    return chosen;
  }

 private:
  struct Name {
    int urgency;
    int held;  // times in a row that it has gone down
  };
  struct Ranked {
    Name name;  // that it has, or would get
    bool is_named;
    Row row;
    bool operator<(const Ranked& other) const {  // the better one first
      if (name.urgency != other.name.urgency) return name.urgency > other.name.urgency;
      if (is_named != other.is_named) return is_named;
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
  std::map<typename Row::Key, Name> named_;
  std::vector<Ranked> rows_;  // at most twice as many
};

}  // namespace tidemark::broker
