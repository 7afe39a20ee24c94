#include "client/core/consumer_protocol.h"

#include "protocol/invariant.h"
#include "protocol/message_codec.h"
#include "protocol/messages/consumer_protocol_assignment.h"
#include "protocol/messages/consumer_protocol_subscription.h"

namespace tidemark::client {
namespace {

using protocol::ConsumerProtocolAssignment;
using protocol::ConsumerProtocolSubscription;

// Its version, an int16, and then the message.
template <class Message>
std::vector<std::byte> write(const Message& message) {
  constexpr int16_t version = Message::kVersions.max;
  const auto encoded = protocol::encode_message(message, version);
  INVARIANT(encoded.has_value(), "{}", encoded.error().to_string());
  std::vector<std::byte> bytes{static_cast<std::byte>(version >> 8), static_cast<std::byte>(version & 0xFF)};
  const std::vector<std::byte> body = encoded->flatten();
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

template <class Message>
Result<Message> read(std::span<const std::byte> bytes) {
  protocol::Decoder in(bytes);
  const int16_t version = in.read_int16();
  if (in.failed() || version < 0)
    return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("{} of no version", Message::kName));
  // Newer versions only add to the end (KIP-429).
  return Message::decode(in, std::min(version, Message::kVersions.max));
}

void add_partitions(auto& topics, const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& tp : partitions) {
    if (topics.empty() || topics.back().topic != tp.topic) topics.emplace_back().topic = tp.topic;
    topics.back().partitions.push_back(tp.partition.value);
  }
}

std::vector<TopicPartition> partitions_of(const auto& topics) {
  std::vector<TopicPartition> partitions;
  for (const auto& topic : topics) {
    for (const int32_t id : topic.partitions)
      partitions.push_back({std::string(topic.topic), PartitionId(id)});
  }
  std::sort(partitions.begin(), partitions.end());
  return partitions;
}

}  // namespace

std::vector<std::byte> write_subscription(const Subscriber& subscriber) {
  ConsumerProtocolSubscription message;
  message.topics.assign(subscriber.topics.begin(), subscriber.topics.end());
  add_partitions(message.owned_partitions, subscriber.owned);
  message.generation_id = subscriber.generation;
  return write(message);
}

Result<Subscriber> read_subscription(std::span<const std::byte> bytes) {
  TRY_ASSIGN(const auto message, read<ConsumerProtocolSubscription>(bytes));
  Subscriber subscriber;
  subscriber.topics.insert(message.topics.begin(), message.topics.end());
  subscriber.owned = partitions_of(message.owned_partitions);
  subscriber.generation = message.generation_id;
  return subscriber;
}

std::vector<std::byte> write_assignment(const std::vector<TopicPartition>& partitions) {
  ConsumerProtocolAssignment message;
  add_partitions(message.assigned_partitions, partitions);
  return write(message);
}

Result<std::vector<TopicPartition>> read_assignment(std::span<const std::byte> bytes) {
  if (bytes.empty()) return std::vector<TopicPartition>();
  TRY_ASSIGN(const auto message, read<ConsumerProtocolAssignment>(bytes));
  return partitions_of(message.assigned_partitions);
}

}  // namespace tidemark::client
