// Reading in the node world: fetches by offset, without and within sessions, searches by time, the log's two
// ends; every answer is held against the model. The base of the consumers and of the verifier.
#pragma once

#include "protocol/batch/batch_iterator.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "tests/simulation/node_client.h"

namespace tidemark::simulation {

class NodeReader : public NodeClient {
 public:
  using NodeClient::NodeClient;

 protected:
  // One partition of a fetch, as it was when the request was sent.
  struct Wish {
    TopicPtr topic;
    PartitionId partition;
    Offset from;
    PartitionModel::View view;
    uint64_t version = 0;
    bool gone = false;
    [[nodiscard]] PartitionModel& model() const { return topic->partition(partition); }
  };
  Wish wish(const TopicPtr& topic, PartitionId partition, Offset from);
  // Judges what a fetch says of a partition; returns the offset after what was read. `must_return`: it was
  // the only one asked for, with room.
  Offset judge_fetched(const Wish& wish, const protocol::FetchResponse::PartitionData& data, int16_t version,
                       bool must_return);

  // Fetches one partition without a session; the next offset, or nothing without an answer.
  runtime::Task<std::optional<Offset>> fetch_one(TopicPtr topic, PartitionId partition, Offset from,
                                                 int32_t max_bytes, int16_t version);
  // Where set: the newest record of each key that fetches return.
  std::optional<KeyTable> table_;
  // ListOffsets of one timestamp (-1: the high watermark, -2: the start). kNoOffset: none.
  runtime::Task<std::optional<Offset>> list_offset(TopicPtr topic, PartitionId partition, int64_t timestamp);

 private:
  Offset judge_records(const Wish& wish, std::span<const std::byte> records, Offset high_watermark);
  [[nodiscard]] Verdict judge_batch(const Wish& wish, std::span<const std::byte> bytes, Offset base,
                                    LeaderEpoch epoch);
  [[nodiscard]] Verdict judge_place(const Wish& wish, const SentBatch& batch, Offset base) const;
  // Of a topic that may be compacted: each record is one that was sent, at its offset.
  [[nodiscard]] Verdict judge_compacted(const Wish& wish, const protocol::BatchView& view);
};

}  // namespace tidemark::simulation
