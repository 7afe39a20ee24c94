// Which transactions a cleaning is inside of, as it walks the batches of a log in order (KIP-98): records of
// aborted ones go, and a marker stays as long as a batch of its transaction does. Kafka's
// CleanedTransactionMetadata. One of these lives through all groups of a cleaning, because a transaction may
// span them; the scan that fills the offset map has its own. Pure.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "protocol/batch/batch_iterator.h"

namespace tidemark::storage {

// An entry of Kafka's .txnindex.
struct AbortedTransaction {
  ProducerId producer = kNoProducerId;
  Offset first_offset;
  Offset last_offset;  // its marker
  Offset last_stable_offset;
  bool operator==(const AbortedTransaction&) const = default;
};

// What a control batch may open to: its records are a few bytes each.
inline constexpr size_t kMaxControlBytes = 1 << 20;
// Of the producers whose commit marker has not come yet: none comes near it below the first unstable offset.
// Beyond it no commit marker is given up any more, which costs their bytes alone.
inline constexpr size_t kMaxOpenTransactions = 1'000'000;

class CleanedTransactions {
 public:
  // `aborted`: all that have a record at or behind the first batch walked, in any order.
  explicit CleanedTransactions(std::vector<AbortedTransaction> aborted,
                               size_t max_open = kMaxOpenTransactions);

  // A batch of data. True: its transaction was aborted, and none of its records is kept.
  [[nodiscard]] bool is_aborted(const protocol::BatchHeader& header);
  // A control batch. True: no batch of its transaction was walked, so that it may go. CORRUPT_MESSAGE: its
  // record cannot be read.
  [[nodiscard]] Result<bool> is_marker_spent(const protocol::BatchView& batch,
                                             protocol::Decompressor& decompressor);

  // The aborted transactions of which a batch is still there, in the order of their markers; then forgets
  // them: those of a segment are its .txnindex.
  [[nodiscard]] std::vector<AbortedTransaction> take_kept() { return std::exchange(kept_, {}); }

 private:
  struct Ongoing {
    AbortedTransaction transaction;
    bool walked = false;  // a batch of it
  };
  void begin_up_to(Offset offset);

  std::vector<AbortedTransaction> aborted_;        // by first offset
  size_t begun_ = 0;                               // of them
  std::map<ProducerId, Ongoing> ongoing_aborted_;  // Invariant: at most aborted_.size()
  std::set<ProducerId> open_committed_;            // Invariant: at most max_open_
  size_t max_open_;
  bool keeps_markers_ = false;  // there were more open ones than max_open_
  std::vector<AbortedTransaction> kept_;
};

}  // namespace tidemark::storage
