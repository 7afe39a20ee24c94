// What clients know of one partition of one topic (by its id), from answers alone: which batch stands where,
// up to where nothing may be lost any more, where the log may start, who led in which epoch. The judge of the
// node world; it lives outside of every process. Each judging function returns what is wrong, or nothing.
//
// An answer is held against what was certain when its request was sent (View): answers overtake each other.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/ids.h"
#include "tests/simulation/log_model.h"

namespace tidemark::simulation {

inline constexpr Offset kAnyOffset{INT64_MAX};

// A batch that a client has sent, once or several times.
struct SentBatch {
  uint64_t identity = 0;
  std::string topic;
  Uuid topic_id;         // that the client knew
  bool by_id = false;    // named by id; else the broker may put it into a later topic of the same name
  uint64_t sent_at = 0;  // ClusterModel::changes() when it was first sent
  PartitionId partition;
  int32_t records = 0;
  int64_t timestamp_ms = -1;
  uint32_t crc = 0;
  ProducerId producer = kNoProducerId;
  int32_t base_sequence = -1;
  int attempts = 0;
  std::map<Uuid, std::vector<Offset>> places;  // where it stands, by topic id
  // Where the run has compacted topics.
  std::vector<int32_t> keys;
  std::vector<bool> tombstones;
  size_t value_bytes = 0;
};

// The newest record of a key.
struct KeyedRecord {
  Offset offset = kAnyOffset;
  bool tombstone = false;
};
using KeyTable = std::map<int32_t, KeyedRecord>;

class PartitionModel {
 public:
  PartitionModel(std::string name, Uuid topic_id) : name_(std::move(name)), topic_id_(topic_id) {}

  struct View {
    Offset certain_end;  // nothing below may be lost, and no reader may see a high watermark below it
    Offset start;        // the log starts here or later
  };
  [[nodiscard]] View view() const { return {promised_end_, start_}; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Offset start() const { return start_; }
  [[nodiscard]] Offset start_limit() const { return start_limit_; }
  // No crash of any kind may take what lies below.
  [[nodiscard]] Offset promised_end() const { return promised_end_; }

  // A produce request was answered with an offset. `life`: the process's that answered. `was_promised`:
  // promised_end() when the batch was first sent.
  [[nodiscard]] Verdict acked(SentBatch& batch, Offset base, uint64_t life, Offset was_promised);
  // From now on records may be missing that have newer ones of their keys, and batches be empty.
  void may_be_compacted() { compacted_ = true; }
  // What is known to have been appended last of each key. `find`: a batch by its identity.
  [[nodiscard]] KeyTable newest_by_key(const std::function<const SentBatch&(uint64_t)>& find) const;
  // Whether a tombstone of the key is known to have been appended above `offset`.
  [[nodiscard]] bool deleted_above(int32_t key, Offset offset,
                                   const std::function<const SentBatch&(uint64_t)>& find) const;
  // A fetch has returned a batch without records.
  [[nodiscard]] Verdict read_empty(Offset base, Offset last) const;
  // One batch of a fetch response.
  [[nodiscard]] Verdict read(SentBatch& batch, Offset base, LeaderEpoch epoch);
  // A fetch or ListOffsets response says this.
  [[nodiscard]] Verdict saw_high_watermark(Offset high_watermark, View at_send);
  [[nodiscard]] Verdict saw_start(Offset start, View at_send);
  // Everything below `end` was read by a client.
  void was_read(Offset end) { promised_end_ = std::max(promised_end_, end); }
  // The partition was led in `epoch` by the process's life `life`.
  [[nodiscard]] Verdict saw_leader(LeaderEpoch epoch, uint64_t life);
  // A search by time was answered: kNoOffset if no record is that late.
  [[nodiscard]] Verdict found_by_time(int64_t timestamp, Offset found, int64_t found_timestamp,
                                      View at_send) const;

  // The folder that its log was in is lost, after `life`: nobody serves it any more, and nothing is made in
  // its place. `is_certain`: it was known to be there.
  void lose(uint64_t life, bool is_certain) {
    lost_after_ = life;
    is_certainly_lost_ = is_certain;
  }
  // Or may have been.
  void lose_perhaps(uint64_t life) {
    if (!may_be_lost(life + 1)) lose(life, false);
  }
  [[nodiscard]] bool may_be_lost(uint64_t life) const { return lost_after_ != 0 && life > lost_after_; }
  [[nodiscard]] bool is_lost(uint64_t life) const { return is_certainly_lost_ && may_be_lost(life); }
  // It was answered by `life` as if it were there.
  [[nodiscard]] Verdict served(uint64_t life) const;

  void begin_trim(Offset to) { start_limit_ = std::max(start_limit_, to); }
  [[nodiscard]] Verdict trimmed(Offset to, Offset low_watermark, View at_send);

 private:
  struct Entry {
    Offset last;
    uint64_t identity;
    LeaderEpoch epoch = kNoLeaderEpoch;  // known once read
    int64_t timestamp_ms;
    uint64_t life = 0;  // of the process that appended it, where that is known
  };
  using Content = std::map<Offset, Entry>;
  [[nodiscard]] Verdict place(SentBatch& batch, Offset base);
  [[nodiscard]] Verdict judge_order(const SentBatch& batch, Offset base);
  [[nodiscard]] Verdict judge_epoch(Content::iterator at);

  const std::string name_;
  const Uuid topic_id_;
  Content content_;  // by base offset; what clients were told, with gaps
  std::map<ProducerId, std::map<int32_t, Offset>> sequences_;
  std::map<LeaderEpoch, uint64_t> led_in_;  // epoch -> life
  Offset promised_end_;                     // acknowledged, or seen by a reader
  Offset start_;                            // the highest start that anybody was told
  bool compacted_ = false;
  uint64_t lost_after_ = 0;  // 0: it is not
  bool is_certainly_lost_ = false;
  Offset start_limit_;  // no start beyond it: the furthest trim that was ever asked for
};

}  // namespace tidemark::simulation
