// Writes records: batches them by partition, sends them to the leaders, tries again where that is safe, and
// reports what became of each. Lives on its Cluster's loop; destroying it forgets what is not answered.
//
// With `idempotent` (and acks=all) no retry writes a record twice, and the records of a partition keep their
// order. Without, a retry may do either.
#pragma once

#include "client/core/accumulator.h"
#include "client/core/cluster.h"
#include "client/core/metadata_refresher.h"
#include "client/core/partitioner.h"

namespace tidemark::client {

class Producer {
 public:
  using OnDelivery = std::move_only_function<void(const Delivery&)>;
  // `on_delivery` is called for every batch, on the loop; it must not destroy the producer.
  Producer(Cluster& cluster, ProducerOptions options, OnDelivery on_delivery);
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Takes a record: waits for the topic's metadata and for room in the buffer, not for delivery. Errors:
  // MESSAGE_TOO_LARGE; UNKNOWN_TOPIC_OR_PARTITION after the cluster's api timeout; what ended the producer.
  // What `record` views must live until the task ends.
  runtime::Task<Result<RecordNumber>> send(OutgoingRecord record);
  // The fast way: nullopt where send() would have to wait.
  [[nodiscard]] Result<std::optional<RecordNumber>> try_send(OutgoingRecord record);
  // Until everything taken so far is settled.
  runtime::Task<void> flush();

  [[nodiscard]] uint64_t unsettled_records() const { return accumulator_.unsettled_records(); }

 private:
  runtime::Task<void> run();
  runtime::Task<Result<void>> obtain_identity();
  runtime::Task<void> deliver(BrokerId leader, std::vector<Draft> drafts);
  runtime::Task<Result<void>> exchange(BrokerId leader, const std::vector<Draft>& drafts);
  void report();

  Cluster& cluster_;
  const ProducerOptions options_;
  OnDelivery on_delivery_;
  Accumulator accumulator_;
  Partitioner partitioner_;
  std::optional<Error> fatal_;
  runtime::Signal work_;     // the sender has something to look at
  runtime::Signal settled_;  // room, and fewer records to wait for
  MetadataRefresher refresher_;
  runtime::TaskScope scope_;
};

}  // namespace tidemark::client
