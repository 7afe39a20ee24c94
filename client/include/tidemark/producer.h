// Writes records, in batches, idempotently unless the properties say otherwise: no retry writes one twice,
// and the records of a partition keep their order. Any thread may call it.
#pragma once

#include <functional>

#include "tidemark/client.h"
#include "tidemark/record.h"

namespace tidemark_client {

struct Delivery {
  Status status;
  std::string topic;
  int32_t partition = -1;
  int64_t offset = -1;  // -1: not written, or the broker did not say where (acks=0)
};

class Producer {
 public:
  explicit Producer(const Client& client);
  // Waits for what was taken, as flush() does.
  ~Producer();
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;

  // Called once for each record, on the client's thread: it must not block.
  using OnDelivery = std::function<void(const Delivery&)>;
  // Takes the record, and waits while buffer.memory is full. What goes wrong, on_delivery hears.
  void send(Record record, OnDelivery on_delivery = {});
  // Sends it and waits for the answer; for single records that matter.
  Delivery deliver(Record record);
  // Until everything that was taken before is answered, at the latest after delivery.timeout.ms.
  void flush();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark_client
