#include "broker/coordinator/image.h"

#include <iterator>
#include <utility>

#include "protocol/invariant.h"

namespace tidemark::coordinator {

const CommittedOffset* GroupImage::offset(std::string_view topic, PartitionId partition) const {
  const auto found = offsets.find(topic);
  if (found == offsets.end()) return nullptr;
  const auto committed = found->second.find(partition);
  return committed != found->second.end() ? &committed->second : nullptr;
}

const GroupImage* Image::group(std::string_view id) const {
  const auto found = groups_.find(id);
  return found != groups_.end() ? &found->second : nullptr;
}

bool Image::operator==(const Image& other) const {
  if (offset_count_ != other.offset_count_) return false;
  const auto to_next = [](auto place, auto end) {
    while (place != end && place->second.is_shell()) ++place;
    return place;
  };
  auto mine = to_next(groups_.begin(), groups_.end());
  auto theirs = to_next(other.groups_.begin(), other.groups_.end());
  while (mine != groups_.end() && theirs != other.groups_.end() && *mine == *theirs) {
    mine = to_next(std::next(mine), groups_.end());
    theirs = to_next(std::next(theirs), other.groups_.end());
  }
  return mine == groups_.end() && theirs == other.groups_.end();
}

void Image::apply(Change change) {
  if (auto* group = std::get_if<GroupChange>(&change)) {
    apply_group(std::move(*group));
  } else {
    apply_offset(std::move(std::get<OffsetChange>(change)));
  }
}

void Image::apply_group(GroupChange change) {
  if (change.metadata) {
    groups_[std::move(change.group)].metadata = std::move(change.metadata);
    return;
  }
  const auto found = groups_.find(change.group);
  if (found == groups_.end()) return;
  // The offsets have tombstones of their own: only so does the image not depend on the order of keys.
  found->second.metadata.reset();
  if (found->second.offsets.empty()) groups_.erase(found);
}

void Image::apply_offset(OffsetChange change) {
  if (change.offset) {
    PartitionOffsets& partitions = groups_[std::move(change.group)].offsets[std::move(change.topic)];
    const auto [place, is_new] = partitions.insert_or_assign(change.partition, std::move(*change.offset));
    if (is_new) ++offset_count_;
    return;
  }
  const auto group = groups_.find(change.group);
  if (group == groups_.end()) return;
  TopicOffsets& topics = group->second.offsets;
  const auto topic = topics.find(change.topic);
  if (topic == topics.end()) return;
  const size_t removed = topic->second.erase(change.partition);
  INVARIANT(removed <= offset_count_, "removed={} of {}", removed, offset_count_);
  offset_count_ -= removed;
  if (topic->second.empty()) topics.erase(topic);
}

}  // namespace tidemark::coordinator
