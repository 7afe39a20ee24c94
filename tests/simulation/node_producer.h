// A producer of the node world, raw: it makes its batches itself and decides what is sent again. Plain ones
// with every acks, and idempotent ones with several batches on their way, sent again after a lost connection
// until they are acknowledged.
#pragma once

#include "protocol/messages/produce_response.h"
#include "protocol/runtime/buffer.h"
#include "tests/simulation/node_client.h"

namespace tidemark::simulation {

class NodeProducer final : public NodeClient {
 public:
  using NodeClient::NodeClient;

  // Appends one batch to a partition, acks=all, again and again until it is acknowledged.
  runtime::Task<void> insist(TopicPtr topic, PartitionId partition);

 private:
  // A batch on its way.
  struct Out {
    TopicPtr topic;
    SentBatch* batch = nullptr;
    runtime::BufferSlice bytes;
    Offset was_promised;
    uint64_t first_version = 0;  // of its topic's name, when it was first sent
    // lost_place: its sequence is not the next one, or so the broker says.
    enum class Fate : uint8_t { unknown, acked, refused, lost_place, of_the_future };
    Fate fate = Fate::unknown;
  };
  using Outs = std::vector<std::shared_ptr<Out>>;
  // An idempotent producer of one partition.
  struct Session {
    TopicPtr topic;
    PartitionId partition;
    ProducerId id = kNoProducerId;
    int32_t next_sequence = 0;
  };

  runtime::Task<void> operate() override;
  runtime::Task<void> produce_plain();
  runtime::Task<void> produce_idempotent();
  runtime::Task<bool> open_session();
  // `session`: of an idempotent producer, which it is the next batch of.
  std::shared_ptr<Out> make(const TopicPtr& topic, PartitionId partition, bool by_id, Session* session);
  // Sends each in a request of its own, without waiting in between, and waits for all answers.
  runtime::Task<void> send_pipelined(Outs outs, int16_t acks, int16_t version);
  runtime::Task<void> send(Outs outs, int16_t acks, int16_t version);
  runtime::Task<void> send_counted(Outs outs, int16_t acks, int16_t version, size_t* missing,
                                   runtime::Signal* done);
  void judge(Out& out, ErrorCode code, Offset base, int16_t acks, uint64_t version_at_send, uint64_t life,
             runtime::MonoTime sent);
  int16_t some_version(bool by_id) { return static_cast<int16_t>(by_id ? 13 : run_.random.between(3, 12)); }

  std::optional<Session> session_;
};

}  // namespace tidemark::simulation
