// Answers about partitions that come from two sides: what this node refused itself, and what a coordinator
// answered.
#pragma once

#include <map>
#include <utility>
#include <vector>

namespace tidemark::broker {

// `answered` behind `refused`; a topic that was named before gets its further partitions. Where nothing is
// refused, `answered` as it is (as in Kafka, even if it names a topic twice). `key_of(topic)`: what tells
// topics apart, as a value.
template <class Topic, class KeyOf>
std::vector<Topic> merge_topics(std::vector<Topic> refused, std::vector<Topic> answered, KeyOf key_of) {
  if (refused.empty()) return answered;
  std::vector<Topic> merged;
  std::map<decltype(key_of(refused.front())), size_t> places;
  for (auto* topics : {&refused, &answered}) {
    for (Topic& topic : *topics) {
      const auto [place, is_new] = places.emplace(key_of(topic), merged.size());
      if (is_new) {
        merged.push_back(std::move(topic));
      } else {
        auto& partitions = merged[place->second].partitions;
        partitions.insert(partitions.end(), topic.partitions.begin(), topic.partitions.end());
      }
    }
  }
  return merged;
}

// Rows of a partition's index and its error.
template <class Partition, class Row>
void write_errors(const std::vector<Partition>& partitions, std::vector<Row>& rows) {
  rows.reserve(partitions.size());
  for (const Partition& partition : partitions) {
    Row& row = rows.emplace_back();
    row.partition_index = partition.partition.value;
    row.error_code = static_cast<int16_t>(partition.error);
  }
}

}  // namespace tidemark::broker
