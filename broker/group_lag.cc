#include "broker/group_lag.h"

#include <algorithm>

#include "protocol/batch/header.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

// The time of the batch that holds the first record at or after `from`: of its first record, or, where the
// log sets the times, of all.
Task<Result<std::optional<int64_t>>> time_at(replication::Partition& partition, Offset from) {
  storage::Log& log = partition.log();
  auto locating = log.locate(from, partition.high_watermark(), protocol::kBatchHeaderBytes, true);
  const auto range = co_await locating;
  if (!range) co_return fail(range.error());
  if (range->bytes < protocol::kBatchHeaderBytes) co_return std::optional<int64_t>();
  auto reading = log.read(*range, protocol::kBatchHeaderBytes);
  const auto piece = co_await reading;
  if (!piece) co_return fail(piece.error());
  if (piece->bytes.bytes.size() < protocol::kBatchHeaderBytes) co_return std::optional<int64_t>();
  const auto header = protocol::read_batch_header(piece->bytes.bytes);
  const bool is_common = header.timestamp_type() == protocol::TimestampType::log_append_time;
  const int64_t time_ms =
      is_common || header.has_delete_horizon() ? header.max_timestamp : header.base_timestamp;
  co_return time_ms >= 0 ? std::optional(time_ms) : std::nullopt;
}

CoordinatorState state_of(const GroupShell& shell) {
  if (shell.failed()) return CoordinatorState::failed;
  return shell.core().standing() == coordinator::Standing::leader ? CoordinatorState::leader
                                                                  : CoordinatorState::loading;
}

}  // namespace

Task<GroupLag::Answers> look_at_partitions(Shard& shard, std::vector<GroupLag::Question> questions,
                                           DiskLooks disk_looks) {
  GroupLag::Answers all;
  all.disk_looks = disk_looks;
  all.answers.reserve(questions.size());
  for (const GroupLag::Question& question : questions) {
    GroupLag::Answer& answer = all.answers.emplace_back();
    const auto partition = shard.partition(question.id);
    if (!partition || partition->log().offline()) continue;
    storage::Log& log = partition->log();
    answer.high_watermark = partition->high_watermark();
    const Offset first = std::max(question.committed, log.start());
    answer.found.first = first;
    if (first >= answer.high_watermark || !question.known || !question.known->lacks(first)) continue;
    answer.found.asks_disk = !log.in_memory(first);
    if (answer.found.asks_disk && !question.known->may_read(first, all.disk_looks)) continue;
    auto looking = time_at(*partition, first);
    const auto time = co_await looking;
    answer.found.time = LagTimes::Time{time ? *time : std::nullopt};  // why it failed, its log says
  }
  co_return all;
}

Task<void> GroupLag::run() {
  while (true) {
    const runtime::MonoTime began = home_.loop().mono();
    place_ = {};
    at_end_ = false;
    goes_on_.reset();
    disk_looks_ = {};
    look_ = {};
    while (!at_end_) {
      Piece piece = gather();
      auto asking = ask(piece);
      co_await asking;
      take(std::move(piece));
      if (at_end_) break;
      auto pause = runtime::sleep_for(home_.loop(), kPause);
      co_await pause;
    }
    times_.end_look();
    look_.groups = groups_.take();
    look_.partitions = partitions_.take();
    look_.groups.left_out += std::exchange(unnamed_groups_, 0);
    look_.partitions.left_out += std::exchange(unnamed_partitions_, 0);
    for (const auto& [partition, shell] : coordinators_.all())
      ++look_.coordinators[static_cast<size_t>(state_of(*shell))];
    look_.seconds = std::chrono::duration<double>(home_.loop().mono() - began).count();
    metrics_.publish(home_.index(), std::move(look_));
    auto pause = runtime::sleep_for(home_.loop(), kLookEvery);
    co_await pause;
  }
}

GroupLag::Piece GroupLag::gather() {
  Piece piece;
  if (goes_on_) piece.groups.push_back(*std::exchange(goes_on_, std::nullopt));
  size_t room = kPiece;
  const auto& shells = coordinators_.all();
  for (auto shell = shells.lower_bound(place_.coordinator); shell != shells.end(); ++shell) {
    if (shell->first != place_.coordinator) place_ = {shell->first, {}, {}};
    if (!gather(*shell->second, piece, room)) return piece;
    place_ = {PartitionId(shell->first.value + 1), {}, {}};
  }
  at_end_ = true;
  return piece;
}

// False: there is no room for more, and `place_` says where it goes on.
bool GroupLag::gather(const GroupShell& shell, Piece& piece, size_t& room) {
  if (shell.core().standing() != coordinator::Standing::leader) return true;
  const auto& images = shell.core().image().groups();
  auto image = place_.group ? images.lower_bound(*place_.group) : images.begin();
  // Unless the group has gone since.
  const bool goes_on = place_.inside && image != images.end() && image->first == place_.group;
  if (!goes_on) place_.inside.reset();
  for (; image != images.end(); ++image) {
    place_.group = image->first;
    if (!place_.inside) {
      if (room == 0) return false;
      --room;
      piece.groups.push_back(standing_of(shell, image->first));
    }
    if (!gather(image->second, piece, room)) return false;
    place_.inside.reset();
  }
  return true;
}

bool GroupLag::gather(const coordinator::GroupImage& group, Piece& piece, size_t& room) {
  const auto view = home_.view();
  auto topic = place_.inside ? group.offsets.lower_bound(place_.inside->first) : group.offsets.begin();
  for (; topic != group.offsets.end(); ++topic) {
    const bool goes_on = place_.inside && place_.inside->first == topic->first;
    auto committed = goes_on ? topic->second.lower_bound(place_.inside->second) : topic->second.begin();
    const TopicView* known = view->topic(topic->first);
    for (; committed != topic->second.end(); ++committed) {
      if (room == 0) {
        place_.inside.emplace(topic->first, committed->first);
        piece.last_goes_on = true;
        return false;
      }
      --room;
      const auto index = static_cast<size_t>(committed->first.value);
      const bool is_of_other = known == nullptr || (!committed->second.topic_id.is_zero() &&
                                                    committed->second.topic_id != known->image->id);
      if (is_of_other || committed->first.value < 0 || index >= known->shards.size() ||
          known->shards[index] == kNoShard)
        continue;
      Row& row = piece.rows.emplace_back();
      row.group = piece.groups.size() - 1;
      row.topic = topic->first;
      row.shard = known->shards[index];
      row.question.id = {known->image->id, committed->first};
      row.question.committed = committed->second.offset;
      const GroupStanding& of = piece.groups.back();
      if (of.has_label) row.question.known = times_.known({of.group, row.topic, committed->first.value});
    }
  }
  return true;
}

GroupStanding GroupLag::standing_of(const GroupShell& shell, const std::string& id) const {
  GroupStanding standing;
  standing.group = id;
  standing.has_label = may_be_label(id);
  const auto found = shell.core().groups().find(id);
  if (found == shell.core().groups().end()) return standing;
  const coordinator::Group& group = found->second;
  standing.state = group.state;
  standing.members = group.members().size();
  standing.generation = group.generation;
  const int64_t now_ms = runtime::unix_ms(home_.loop().clock().wall());
  const auto loop = coordinator::loop_of(group.history.rebalances(), now_ms);
  if (loop) standing.loop_rebalances = loop->rebalances;
  return standing;
}

Task<void> GroupLag::ask(Piece& piece) {
  for (const auto& shard : shards_) {
    std::vector<Question> questions;
    for (const Row& row : piece.rows) {
      if (row.shard == shard->index()) questions.push_back(row.question);
    }
    if (questions.empty()) continue;
    auto make = [target = shard.get(), questions = std::move(questions), looks = disk_looks_] {
      return look_at_partitions(*target, questions, looks);
    };
    auto calling = shard->call(home_.loop(), std::move(make));
    Answers all = co_await calling;
    disk_looks_ = all.disk_looks;
    auto answer = all.answers.begin();
    for (Row& row : piece.rows) {
      if (row.shard == shard->index()) row.answer = *answer++;
    }
  }
}

void GroupLag::take(Piece piece) {
  for (const Row& row : piece.rows) {
    if (row.answer.high_watermark == kNoOffset) continue;
    GroupStanding& group = piece.groups[row.group];
    if (!group.has_label) {
      group.lag += std::max<int64_t>(row.answer.high_watermark - row.question.committed, 0);
      ++unnamed_partitions_;
      continue;
    }
    PartitionLag lag{group.group,
                     row.topic,
                     row.question.id.partition.value,
                     row.question.committed.value,
                     row.answer.high_watermark - row.question.committed,
                     {}};
    group.lag += std::max<int64_t>(lag.lag, 0);
    take_seconds(row, lag, group);
    partitions_.offer(std::move(lag));
  }
  if (piece.last_goes_on) {
    goes_on_ = std::move(piece.groups.back());
    piece.groups.pop_back();
  }
  for (GroupStanding& group : piece.groups) {
    ++look_.by_state[static_cast<size_t>(group.state)];
    if (group.loop_rebalances > 0) ++look_.in_loop;
    if (group.waits) group.seconds.reset();
    if (group.has_label) {
      groups_.offer(std::move(group));
    } else {
      ++unnamed_groups_;
    }
  }
}

void GroupLag::take_seconds(const Row& row, PartitionLag& lag, GroupStanding& group) {
  if (row.answer.found.first >= row.answer.high_watermark) {
    lag.seconds = 0;
  } else if (const auto time = times_.take(lag.key(), row.answer.found); !time) {
    group.waits = true;
  } else if (time->ms) {
    const int64_t now_ms = runtime::unix_ms(home_.loop().clock().wall());
    lag.seconds = static_cast<double>(std::max<int64_t>(now_ms - *time->ms, 0)) / 1000;
  }
  if (lag.seconds) group.seconds = std::max(group.seconds.value_or(0), *lag.seconds);
}

}  // namespace tidemark::broker
