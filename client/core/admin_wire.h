// What the requests and answers of Admin and GroupAdmin have in common. Pure.
#pragma once

#include "client/core/admin.h"

namespace tidemark::client {

// None where the code says that all went well. Of several things asked about at once it must be seen which
// one failed, and not every broker's message says.
[[nodiscard]] std::optional<Error> error_of(int16_t code, const std::optional<std::string_view>& message,
                                            std::string_view name);
// Whether the broker could not be asked, or asks itself to be asked again.
[[nodiscard]] bool is_unreachable(const Error& error);

// A partition of a request whose topics come one after the other.
auto& add_partition(auto& request, const TopicPartition& tp) {
  if (request.topics.empty() || request.topics.back().name != tp.topic)
    request.topics.emplace_back().name = tp.topic;
  auto& wanted = request.topics.back().partitions.emplace_back();
  wanted.partition_index = tp.partition.value;
  return wanted;
}

// A partition's answer: its value, or its error.
template <class Value>
void take(PerPartition<Value>& results, std::string_view topic, const auto& answer, Value value) {
  const TopicPartition tp{std::string(topic), PartitionId(answer.partition_index)};
  const auto error = error_of(answer.error_code, std::nullopt, fmt::format("{}", tp));
  if (error) {
    results.emplace(tp, fail(Error(*error)));
  } else {
    results.emplace(tp, std::move(value));
  }
}

}  // namespace tidemark::client
