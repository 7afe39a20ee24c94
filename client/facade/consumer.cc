#include "tidemark/consumer.h"

#include "client/core/admin.h"
#include "client/core/consumer.h"
#include "client/facade/read_records.h"

namespace tidemark_client {
namespace {

using tidemark::PartitionId;
using tidemark::Result;
using tidemark::TopicPartition;
using tidemark::runtime::Task;

Truncation truncation_of(const core::LogTruncation& from) {
  Truncation truncation{from.partition.topic, from.partition.partition.value, from.position.offset.value,
                        from.position.epoch.value};
  if (from.diverged) truncation.diverged = from.diverged->offset.value;
  return truncation;
}

using Records = std::vector<Record>;

}  // namespace

class Consumer::Impl {
 public:
  Impl(std::shared_ptr<Client::Impl> client, OnTruncation on_truncation)
      : client_(std::move(client)), on_truncation_(std::move(on_truncation)) {
    client_->thread.run([this] {
      core_ = std::make_unique<core::Consumer>(client_->on_loop->cluster, client_->options.consumer,
                                               [this](const core::LogTruncation& truncation) {
                                                 truncations_.push_back(truncation_of(truncation));
                                               });
    });
  }
  ~Impl() {
    client_->thread.call<bool>([this] { return close(); });
    client_->thread.run([this] {
      open_.reset();
      core_.reset();
    });
  }

  void assign(const TopicPartition& partition, Start start) {
    client_->thread.run([&] {
      forget(partition);
      if (const auto time = time_of(start)) return core_->assign_at(partition, *time);
      core_->assign(partition, tidemark::Offset(start.number()), tidemark::LeaderEpoch(start.leader_epoch()));
    });
  }
  void unassign(const TopicPartition& partition) {
    client_->thread.run([&] {
      forget(partition);
      core_->unassign(partition);
    });
  }
  Result<Records> poll(std::chrono::milliseconds timeout, size_t at_most) {
    std::vector<Truncation> truncations;
    auto records =
        client_->thread.call<Result<Records>>([&] { return read_and_tell(timeout, at_most, truncations); });
    if (on_truncation_) {
      for (const Truncation& truncation : truncations) on_truncation_(truncation);
    }
    return records;
  }

 private:
  void forget(const TopicPartition& partition) {
    if (open_ && open_->partition() == partition) open_.reset();
  }

  Task<bool> close() {
    const auto wait = std::chrono::milliseconds(client_->options.consumer.fetch_max_wait_ms);
    Task<void> closing = core_->close(client_->on_loop->cluster.scheduler().mono() + wait);
    co_await closing;
    co_return true;
  }
  Task<Result<Records>> read_and_tell(std::chrono::milliseconds timeout, size_t at_most,
                                      std::vector<Truncation>& truncations) {
    Task<Result<Records>> reading = read(timeout, at_most);
    Result<Records> records = co_await reading;
    truncations = std::exchange(truncations_, {});
    co_return records;
  }
  Task<Result<Records>> read(std::chrono::milliseconds timeout, size_t at_most) {
    const auto deadline = client_->on_loop->cluster.scheduler().mono() + timeout;
    if (error_) co_return tidemark::fail(*std::exchange(error_, std::nullopt));
    Records records;
    while (records.size() < at_most) {
      if (!open_) {
        // What is there already is taken along; waiting is for the first alone.
        auto polling = core_->poll(records.empty() ? deadline : tidemark::runtime::MonoTime::min());
        auto polled = co_await polling;
        if (!polled && records.empty()) co_return tidemark::fail(tidemark::Error(polled.error()));
        if (!polled) {
          error_ = polled.error();
          break;
        }
        if (!*polled) break;
        open_ = std::move(*polled);
      }
      auto error = read_records(open_, at_most, records);
      if (error && records.empty()) co_return tidemark::fail(std::move(*error));
      if (error) {
        error_ = std::move(error);
        break;
      }
    }
    co_return records;
  }

  std::shared_ptr<Client::Impl> client_;
  const OnTruncation on_truncation_;
  // On the loop.
  std::unique_ptr<core::Consumer> core_;
  std::unique_ptr<core::PartitionRecords> open_;  // not read to its end
  std::optional<tidemark::Error> error_;          // came behind records, for the next call
  std::vector<Truncation> truncations_;           // not told yet
};

Consumer::Consumer(const Client& client, OnTruncation on_truncation)
    : impl_(std::make_unique<Impl>(client.impl(), std::move(on_truncation))) {}
Consumer::~Consumer() = default;
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;

void Consumer::assign(const std::string& topic, int32_t partition, Start start) {
  impl_->assign({topic, PartitionId(partition)}, start);
}
void Consumer::unassign(const std::string& topic, int32_t partition) {
  impl_->unassign({topic, PartitionId(partition)});
}

Answer<std::vector<Record>> Consumer::poll(std::chrono::milliseconds timeout, size_t at_most) {
  auto polled = impl_->poll(timeout, at_most);
  if (!polled) return status_of(polled.error());
  return std::move(*polled);
}

}  // namespace tidemark_client
