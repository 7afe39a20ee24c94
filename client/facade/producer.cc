#include "tidemark/producer.h"

#include <future>

#include "client/core/producer.h"
#include "client/facade/client_impl.h"

namespace tidemark_client {
namespace {

using tidemark::Result;
using tidemark::runtime::Task;

struct Sent {
  Record record;
  Producer::OnDelivery on_delivery;
  int64_t bytes = 0;
};

int64_t bytes_of(const Record& record) {
  size_t bytes = 64 + record.topic.size();
  if (record.key) bytes += record.key->size();
  if (record.value) bytes += record.value->size();
  for (const Header& header : record.headers)
    bytes += header.key.size() + (header.value ? header.value->size() : 0);
  return static_cast<int64_t>(bytes);
}

tidemark::protocol::NullableBytes view_of(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return std::as_bytes(std::span(*text));
}

core::OutgoingRecord outgoing(const Record& record) {
  core::OutgoingRecord out;
  out.topic = record.topic;
  if (record.partition) out.partition = tidemark::PartitionId(*record.partition);
  out.key = view_of(record.key);
  out.value = view_of(record.value);
  for (const Header& header : record.headers) out.headers.push_back({header.key, view_of(header.value)});
  out.timestamp_ms = record.timestamp_ms;
  return out;
}

}  // namespace

// The application's side adds to `inbox_`; the loop feeds the core's producer from it, one record after the
// other.
class Producer::Impl {
 public:
  explicit Impl(std::shared_ptr<Client::Impl> client)
      : client_(std::move(client)), gate_(client_->options.producer.buffer_bytes) {
    client_->thread.run([this] {
      core_ = std::make_unique<core::Producer>(client_->on_loop->cluster, client_->options.producer,
                                               [this](const core::Delivery& delivery) { settle(delivery); });
      fed_ = std::make_unique<tidemark::runtime::Signal>(client_->thread.loop());
    });
  }
  ~Impl() {
    flush();
    client_->thread.run([this] {
      scope_.destroy_all();
      core_.reset();
      fed_.reset();
    });
  }

  void send(Record record, OnDelivery on_delivery) {
    Sent sent{std::move(record), std::move(on_delivery), 0};
    sent.bytes = bytes_of(sent.record);
    gate_.take(sent.bytes);
    if (inbox_.add(std::move(sent))) {
      client_->thread.loop().post([this] {
        if (!feeding_) scope_.spawn(feed());
      });
    }
  }
  void flush() {
    client_->thread.call<bool>([this] { return flush_all(); });
  }

 private:
  Task<void> feed() {
    feeding_ = true;
    for (std::vector<Sent> taken = inbox_.take(); !taken.empty(); taken = inbox_.take()) {
      for (Sent& sent : taken) {
        const core::OutgoingRecord record = outgoing(sent.record);
        // Not through send() at once: a record that need not wait must not suspend, or the stack grows with
        // each one.
        Result<std::optional<core::RecordNumber>> number = core_->try_send(record);
        if (number && !*number) {
          Task<Result<core::RecordNumber>> sending = core_->send(record);
          const Result<core::RecordNumber> waited = co_await sending;
          if (waited) {
            number = std::optional(*waited);
          } else {
            number = tidemark::fail(tidemark::Error(waited.error()));
          }
        }
        if (number) {
          open_.emplace(**number, Open{std::move(sent.on_delivery), sent.bytes});
        } else {
          Delivery delivery{status_of(number.error()), sent.record.topic, sent.record.partition.value_or(-1),
                            -1};
          end({std::move(sent.on_delivery), sent.bytes}, delivery);
        }
      }
    }
    feeding_ = false;
    fed_->notify_all();
  }
  Task<bool> flush_all() {
    while (feeding_) {
      auto waiting = fed_->wait();
      co_await waiting;
    }
    Task<void> flushing = core_->flush();
    co_await flushing;
    co_return true;
  }

  struct Open {
    OnDelivery on_delivery;
    int64_t bytes = 0;
  };
  void settle(const core::Delivery& delivered) {
    Delivery delivery;
    delivery.topic = delivered.partition.topic;
    delivery.partition = delivered.partition.partition.value;
    if (!delivered.base_offset) delivery.status = status_of(delivered.base_offset.error());
    const bool placed = delivered.base_offset && *delivered.base_offset != tidemark::kNoOffset;
    int64_t next = placed ? delivered.base_offset->value : -1;
    for (const core::RecordNumber number : delivered.records) {
      delivery.offset = next;
      if (placed) ++next;
      auto found = open_.extract(number);
      if (!found.empty()) end(std::move(found.mapped()), delivery);
    }
  }
  void end(Open open, const Delivery& delivery) {
    if (open.on_delivery) open.on_delivery(delivery);
    gate_.give(open.bytes);
  }

  std::shared_ptr<Client::Impl> client_;
  core::ByteGate gate_;
  core::Inbox<Sent> inbox_;
  // On the loop.
  std::map<core::RecordNumber, Open> open_;
  bool feeding_ = false;
  std::unique_ptr<tidemark::runtime::Signal> fed_;
  std::unique_ptr<core::Producer> core_;
  tidemark::runtime::TaskScope scope_;
};

Producer::Producer(const Client& client) : impl_(std::make_unique<Impl>(client.impl())) {}
Producer::~Producer() = default;
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;

void Producer::send(Record record, OnDelivery on_delivery) {
  impl_->send(std::move(record), std::move(on_delivery));
}

Delivery Producer::deliver(Record record) {
  std::promise<Delivery> promise;
  auto answered = promise.get_future();
  impl_->send(std::move(record), [&promise](const Delivery& delivery) { promise.set_value(delivery); });
  return answered.get();
}

void Producer::flush() { impl_->flush(); }

}  // namespace tidemark_client
