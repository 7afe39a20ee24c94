// What a broker's answer to a produced batch means for it. Pure: one table over every error code, so that
// nobody decides it twice.
#pragma once

#include "protocol/error.h"

namespace tidemark::client {

enum class Verdict : uint8_t {
  delivered,    // it is in the log
  retry,        // the same leader may take it later
  move,         // the leader is another one: ask for metadata, then retry
  out_of_turn,  // a sequence that is not the next one: its predecessors may be under way
  state_lost,   // the broker knows nothing of the producer any more: new epoch, sequences from 0
  fenced,       // the producer id is used up: a new one
  refused,      // it never will be taken, and is not in the log
};

struct Judgement {
  Verdict verdict;
  // The batch may stand in the log in spite of the error: it must not be written under another sequence.
  bool possibly_persisted = false;
};

[[nodiscard]] Judgement judge_produce(ErrorCode code);

}  // namespace tidemark::client
