#include "broker/api/partition_read.h"

#include <fmt/format.h>

namespace tidemark::broker {

using runtime::Task;

Task<PartitionReadResult> read_partition(Shard& shard, PartitionRead read) {
  PartitionReadResult result;
  result.index = read.index;
  result.id = read.id;
  const auto partition = shard.partition(read.id);
  if (!partition) {
    result.error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    co_return result;
  }
  storage::Log& log = partition->log();
  result.error = partition->check_readable(read.current_leader_epoch);
  if (result.error != ErrorCode::NONE) co_return result;
  result.high_watermark = partition->high_watermark();
  result.last_stable_offset = partition->last_stable_offset();
  result.log_start = log.start();
  if (read.last_fetched_epoch != kNoLeaderEpoch) {
    const auto end = partition->epochs().end_offset_for(read.last_fetched_epoch, log.end());
    if (end.epoch == kNoLeaderEpoch || end.end_offset == kNoOffset) {
      result.error = ErrorCode::OFFSET_OUT_OF_RANGE;
      co_return result;
    }
    if (end.epoch < read.last_fetched_epoch || end.end_offset < read.fetch_offset) {
      result.diverging = end;
      co_return result;
    }
  }
  auto locating = log.locate(read.fetch_offset, result.high_watermark,
                             static_cast<uint32_t>(std::max(0, read.max_bytes)), read.at_least_one);
  auto range = co_await locating;
  if (range) {
    result.range = *range;
  } else {
    result.error = range.error().code();
  }
  co_return result;
}

namespace {

class PartitionBytes final : public ByteSource {
 public:
  PartitionBytes(Shard& owner, runtime::Scheduler& home, TopicIdPartition id, storage::LogRange range)
      : owner_(owner), home_(home), id_(id), rest_(range) {}

  Task<Result<runtime::BufferSlice>> next(size_t max_bytes) override {
    const auto wanted = static_cast<uint32_t>(std::min<size_t>(max_bytes, rest_.bytes));
    auto make = [owner = &owner_, id = id_, rest = rest_, wanted] { return read(*owner, id, rest, wanted); };
    auto reading = owner_.call(home_, std::move(make));
    auto piece = co_await reading;
    if (!piece) co_return fail(piece.error());
    rest_ = piece->rest;
    co_return std::move(piece->bytes);
  }

 private:
  static Task<Result<storage::LogPiece>> read(Shard& owner, TopicIdPartition id, storage::LogRange range,
                                              uint32_t wanted) {
    const auto partition = owner.partition(id);
    if (!partition)
      co_return fail(Error::closed(fmt::format("partition {}-{} is gone", id.topic_id, id.partition)));
    auto reading = partition->log().read(range, wanted);
    auto piece = co_await reading;
    co_return piece;
  }

  Shard& owner_;
  runtime::Scheduler& home_;
  const TopicIdPartition id_;
  storage::LogRange rest_;
};

}  // namespace

Task<std::vector<PartitionReadResult>> read_partitions(Shard& shard, std::vector<PartitionRead> reads,
                                                       std::shared_ptr<runtime::Job> wake) {
  std::vector<PartitionReadResult> results;
  results.reserve(reads.size());
  for (const PartitionRead& read : reads) {
    const auto partition = wake ? shard.partition(read.id) : nullptr;
    if (partition) partition->on_change(wake);
    auto reading = read_partition(shard, read);
    results.push_back(co_await reading);
    if (results.size() % kReadsAtOnce != 0) continue;
    auto breathing = runtime::let_others_run(shard.loop());
    co_await breathing;
  }
  co_return results;
}

std::unique_ptr<ByteSource> partition_bytes(Shard& owner, runtime::Scheduler& home, TopicIdPartition id,
                                            storage::LogRange range) {
  return std::make_unique<PartitionBytes>(owner, home, id, range);
}

}  // namespace tidemark::broker
