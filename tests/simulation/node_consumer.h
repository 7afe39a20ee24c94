// A consumer of the node world: reads on from where it was, with or without a fetch session, seeks to times
// and to any offset, and asks for the metadata now and then.
#pragma once

#include "tests/simulation/node_reader.h"

namespace tidemark::simulation {

class NodeConsumer final : public NodeReader {
 public:
  using NodeReader::NodeReader;

 private:
  using Place = std::pair<Uuid, PartitionId>;
  // An incremental session, as its client sees it (KIP-227).
  struct Session {
    int32_t id = 0;
    int32_t epoch = 0;
    std::map<Place, Wish> wishes;
    std::vector<Place> changed;  // to be told with the next fetch
    std::vector<Place> forgotten;
  };

  runtime::Task<void> operate() override;
  runtime::Task<void> read_on();
  runtime::Task<void> seek_by_time();
  runtime::Task<void> fetch_in_session();
  void change_session(Session& session);
  void take_session_answer(Session& session, const protocol::FetchResponse& body, int32_t max_bytes);
  Offset some_offset(const PartitionModel& model);

  std::map<Place, Offset> positions_;
  std::optional<Session> session_;
};

}  // namespace tidemark::simulation
