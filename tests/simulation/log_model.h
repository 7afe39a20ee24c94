// What one log must hold: every batch that was appended, which of them were promised, and what is under way.
// The judge of the storage simulation; it lives outside of every process. A promise is an acknowledgement, or
// that a reader was shown it. Each judging function returns what is wrong, or nothing.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/ids.h"

namespace tidemark::simulation {

using Verdict = std::optional<std::string>;

struct ModelBatch {
  Offset base;
  Offset last;
  LeaderEpoch epoch;
  int64_t timestamp_ms = -1;
  ProducerId producer = kNoProducerId;
  int32_t base_sequence = -1;
  std::vector<std::byte> bytes;  // as they stand in the log
};

class LogModel {
 public:
  LogModel(std::string name, Uuid topic_id) : name_(std::move(name)), topic_id_(topic_id) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Uuid topic_id() const { return topic_id_; }

  // Whether the log is there, after a crash at this point.
  enum class Existence : uint8_t { maybe_created, exists, maybe_erased };
  Existence existence = Existence::maybe_created;
  // A truncation, deletion or change of settings is under way.
  bool changing = false;
  // write.caching: a power cut may take any suffix.
  bool caching = false;

  [[nodiscard]] Offset start() const { return start_; }
  [[nodiscard]] Offset end() const { return end_; }
  [[nodiscard]] Offset promised_end() const { return promised_end_; }
  [[nodiscard]] const std::vector<ModelBatch>& batches() const { return batches_; }
  // Moves with every cut of the log: what began before may fail without being wrong. Nothing while one is
  // under way: then anything may.
  [[nodiscard]] std::optional<uint64_t> stable() const {
    if (changing || trims_ > 0) return std::nullopt;
    return cuts_;
  }

  // REQUIRES: batch.base == end().
  void appended(ModelBatch batch);
  void promise(Offset below);
  void begin_trim(Offset most);
  void end_trim(Offset start_now);
  void begin_truncate(Offset to);
  [[nodiscard]] std::optional<Offset> truncating() const { return truncating_; }
  [[nodiscard]] Verdict truncated(Offset start, Offset end);

  // What a restart found. Forgets what did not survive; what did is promised from now on.
  [[nodiscard]] Verdict recovered(Offset start, Offset end, bool power_lost);
  // Bytes that a read from `from` returned, with nothing beyond `limit`; `next`: where the next one goes on.
  // `is_damaged`: bits of the log were flipped, and a batch may be another one whose checksum does not hold:
  // nobody takes it for what was appended.
  [[nodiscard]] Verdict judge_read(Offset from, Offset limit, std::span<const std::byte> bytes, Offset* next,
                                   bool is_damaged = false) const;
  // Where a search by time must lead below `limit`: the offset, or nothing.
  [[nodiscard]] std::optional<Offset> find_by_time(int64_t timestamp_ms, Offset limit) const;
  // -1: there is none.
  [[nodiscard]] int64_t greatest_time(Offset limit) const;
  // Epochs and their first offsets, from the batches at or above start().
  [[nodiscard]] std::vector<std::pair<LeaderEpoch, Offset>> epochs() const;

  // The producer's newest batch that survives in the log (below the start too), and the sequence after it.
  struct Produced {
    Offset base;
    Offset last;
    int32_t base_sequence;
    int32_t records;
  };
  // False once power loss took batches from the middle of a write.caching log's history.
  [[nodiscard]] bool producers_known() const { return producers_known_; }
  [[nodiscard]] std::optional<Produced> last_of(ProducerId producer) const;

 private:
  void cut(Offset end);
  // Whether a log of this extent has seen the truncation under way. It never falls below the start, which a
  // trim may have moved meanwhile.
  [[nodiscard]] bool is_cut(Offset start, Offset end) const;
  void trimmed(Offset to);
  [[nodiscard]] bool is_boundary(Offset offset) const;
  // Where a truncation to `offset` really cuts: a batch that holds it goes whole.
  [[nodiscard]] Offset cut_point(Offset offset) const;

  const std::string name_;
  const Uuid topic_id_;
  std::vector<ModelBatch> batches_;  // contiguous, up to end_; those wholly below start_ go in time
  std::map<ProducerId, std::vector<Produced>> produced_;
  Offset start_;
  Offset end_;
  Offset promised_end_;
  std::optional<Offset> trimming_;  // the furthest that a trim under way may reach
  int trims_ = 0;
  std::optional<Offset> truncating_;
  bool producers_known_ = true;
  uint64_t cuts_ = 0;
};

}  // namespace tidemark::simulation
