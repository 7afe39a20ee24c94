#include "tidemark/group_consumer.h"

#include "client/core/group_consumer.h"
#include "client/facade/read_records.h"

namespace tidemark_client {
namespace {

using tidemark::Error;
using tidemark::ErrorCode;
using tidemark::Offset;
using tidemark::PartitionId;
using tidemark::Result;
using tidemark::TopicPartition;
using tidemark::runtime::Task;
using Event = core::GroupConsumer::Event;

constexpr std::chrono::seconds kLongestClose(5);

std::vector<PartitionPlace> places_of(const auto& partitions) {
  std::vector<PartitionPlace> places;
  for (const TopicPartition& tp : partitions) places.emplace_back(tp.topic, tp.partition.value);
  return places;
}

}  // namespace

class GroupConsumer::Impl {
 public:
  Impl(std::shared_ptr<Client::Impl> client, std::vector<std::string> topics, RebalanceListener listener)
      : client_(std::move(client)), listener_(std::move(listener)) {
    if (client_->options.group.id.empty()) {
      failure_ = Error(ErrorCode::INVALID_GROUP_ID, "group.id is not set");
      return;
    }
    client_->thread.run([&] {
      core_ = std::make_unique<core::GroupConsumer>(client_->on_loop->cluster, client_->options.consumer,
                                                    client_->options.group);
      core_->subscribe({topics.begin(), topics.end()});
    });
  }
  ~Impl() {
    close(kLongestClose);
    client_->thread.run([this] {
      open_.reset();
      core_.reset();
    });
  }

  Result<std::vector<Record>> poll(std::chrono::milliseconds timeout, size_t at_most) {
    if (failure_) return tidemark::fail(*failure_);
    std::optional<tidemark::runtime::MonoTime> deadline;
    for (;;) {
      std::vector<Record> records;
      const auto event = client_->thread.call<Result<Event>>([&] {
        if (!deadline) deadline = client_->on_loop->cluster.scheduler().mono() + timeout;
        return next(*deadline, at_most, records);
      });
      if (!event) return tidemark::fail(event.error());
      if (!records.empty() || event->kind == Event::Kind::nothing) return records;
      if (event->kind != Event::Kind::records) tell(*event);
    }
  }

  Status commit() {
    if (failure_) return status_of(*failure_);
    const auto committed = client_->thread.call<Result<void>>([this] {
      settle();
      return core_->commit();
    });
    return committed ? Status() : status_of(committed.error());
  }
  Status commit(const PartitionOffsets& offsets) {
    if (failure_) return status_of(*failure_);
    core::GroupAdmin::Offsets wanted;
    for (const auto& [place, offset] : offsets)
      wanted[{place.first, PartitionId(place.second)}].offset = Offset(offset);
    const auto committed = client_->thread.call<Result<void>>([&] { return core_->commit(wanted); });
    return committed ? Status() : status_of(committed.error());
  }

  void seek(const TopicPartition& tp, Start start) {
    if (failure_) return;
    client_->thread.run([&] {
      if (!core_->membership().holds(tp)) return;
      if (open_ && open_->partition() == tp) open_.reset();
      read_.erase(tp);
      homeless_.erase(tp);
      if (const auto time = time_of(start)) {
        core_->seek_to_time(tp, *time);
      } else {
        core_->seek(tp, Offset(start.number()), tidemark::LeaderEpoch(start.leader_epoch()));
      }
    });
  }

  std::vector<PartitionPlace> assignment() {
    std::vector<PartitionPlace> places;
    if (!failure_) client_->thread.run([&] { places = places_of(core_->membership().held()); });
    return places;
  }

  void close(std::chrono::milliseconds timeout) {
    if (failure_) return;
    client_->thread.call<bool>([&] { return say_goodbye(timeout); });
    failure_ = Error::closed("the consumer is closed");
  }

 private:
  // What was returned is read.
  void settle() {
    for (const auto& [tp, position] : std::exchange(read_, {})) core_->processed(tp, position);
  }

  Task<Result<Event>> next(tidemark::runtime::MonoTime deadline, size_t at_most,
                           std::vector<Record>& records) {
    settle();
    if (error_) co_return tidemark::fail(*std::exchange(error_, std::nullopt));
    Event event;
    if (open_) {
      Task<Result<Event>> looking = core_->poll_changes();
      Result<Event> change = co_await looking;
      if (!change) co_return change;
      if (change->kind == Event::Kind::revoked || change->kind == Event::Kind::lost) {
        const auto& gone = change->partitions;
        if (std::find(gone.begin(), gone.end(), open_->partition()) != gone.end()) open_.reset();
      }
      if (change->kind != Event::Kind::nothing) co_return check_placed(std::move(*change));
    }
    while (records.size() < at_most) {
      if (!open_) {
        // What is there already is taken along; waiting, and what else happens, is for the first alone.
        if (!records.empty()) {
          auto more = core_->take_records();
          if (!more) break;
          if (!*more) {
            error_ = more->error();
            break;
          }
          open_ = std::move(**more);
        } else {
          auto polling = core_->poll(deadline);
          Result<Event> polled = co_await polling;
          if (!polled) co_return polled;
          event = std::move(*polled);
          if (event.kind != Event::Kind::records) co_return check_placed(std::move(event));
          open_ = std::move(event.records);
        }
      }
      const TopicPartition tp = open_->partition();
      core::FetchPosition position{tidemark::kNoOffset};
      auto error = read_records(open_, at_most, records, &position);
      if (position.offset != tidemark::kNoOffset) read_[tp] = position;
      if (error && records.empty()) co_return tidemark::fail(std::move(*error));
      if (error) {
        error_ = std::move(error);
        break;
      }
    }
    co_return event;
  }

  // Partitions that are read from nowhere are told once, and read when seek() has said from where.
  Event check_placed(Event event) {
    if (event.kind == Event::Kind::assigned &&
        client_->options.consumer.offset_reset == core::OffsetReset::none) {
      for (const TopicPartition& tp : event.partitions) {
        if (!event.committed.contains(tp)) homeless_.insert(tp);
      }
    }
    return event;
  }

  void tell(const Event& event) {
    const auto places = places_of(event.partitions);
    const auto& call = event.kind == Event::Kind::assigned                    ? listener_.on_assigned
                       : event.kind == Event::Kind::lost && listener_.on_lost ? listener_.on_lost
                                                                              : listener_.on_revoked;
    if (call) call(places);
    if (event.kind == Event::Kind::assigned) {
      client_->thread.run([this] {
        if (homeless_.empty()) return;
        std::string names;
        for (const TopicPartition& tp : std::exchange(homeless_, {}))
          names += fmt::format("{}{}", names.empty() ? "" : ", ", tp);
        error_ =
            Error(ErrorCode::OFFSET_OUT_OF_RANGE,
                  fmt::format("{}: the group has committed nothing, and auto.offset.reset is none", names));
      });
    }
  }

  Task<bool> say_goodbye(std::chrono::milliseconds timeout) {
    settle();
    auto& scheduler = client_->on_loop->cluster.scheduler();
    const auto deadline = scheduler.mono() + timeout;
    const auto held =
        scheduler.mono() + std::chrono::milliseconds(client_->options.consumer.fetch_max_wait_ms);
    Task<void> closing = core_->close(deadline, std::min(deadline, held));
    co_await closing;
    co_return true;
  }

  std::shared_ptr<Client::Impl> client_;
  const RebalanceListener listener_;
  std::optional<Error> failure_;  // from the beginning, or closed
  // On the loop.
  std::unique_ptr<core::GroupConsumer> core_;
  std::unique_ptr<core::PartitionRecords> open_;        // not read to its end
  std::map<TopicPartition, core::FetchPosition> read_;  // returned by the last poll
  std::set<TopicPartition> homeless_;                   // assigned, without a place to begin
  std::optional<Error> error_;                          // for the next call
};

GroupConsumer::GroupConsumer(const Client& client, std::vector<std::string> topics,
                             RebalanceListener listener)
    : impl_(std::make_unique<Impl>(client.impl(), std::move(topics), std::move(listener))) {}
GroupConsumer::~GroupConsumer() = default;
GroupConsumer::GroupConsumer(GroupConsumer&&) noexcept = default;
GroupConsumer& GroupConsumer::operator=(GroupConsumer&&) noexcept = default;

Answer<std::vector<Record>> GroupConsumer::poll(std::chrono::milliseconds timeout, size_t at_most) {
  auto polled = impl_->poll(timeout, at_most);
  if (!polled) return status_of(polled.error());
  return std::move(*polled);
}
Status GroupConsumer::commit() { return impl_->commit(); }
Status GroupConsumer::commit(const PartitionOffsets& offsets) { return impl_->commit(offsets); }
void GroupConsumer::seek(const std::string& topic, int32_t partition, Start start) {
  impl_->seek({topic, PartitionId(partition)}, start);
}
std::vector<PartitionPlace> GroupConsumer::assignment() const { return impl_->assignment(); }
void GroupConsumer::close(std::chrono::milliseconds timeout) { impl_->close(timeout); }

}  // namespace tidemark_client
