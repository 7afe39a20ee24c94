#include "broker/topic_traffic.h"

#include <algorithm>
#include <array>

namespace tidemark::broker {

namespace {

// Kafka's failed requests are those that a broker did not expect: what a client mends by itself, by asking
// for metadata or sending less, does not count, and has its own counter by error.
bool is_expected(ErrorCode code) {
  switch (code) {
    case ErrorCode::NONE:
    case ErrorCode::UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode::UNKNOWN_TOPIC_ID:
    case ErrorCode::INCONSISTENT_TOPIC_ID:
    case ErrorCode::NOT_LEADER_OR_FOLLOWER:
    case ErrorCode::FENCED_LEADER_EPOCH:
    case ErrorCode::UNKNOWN_LEADER_EPOCH:
    case ErrorCode::REPLICA_NOT_AVAILABLE:
    case ErrorCode::KAFKA_STORAGE_ERROR:
    case ErrorCode::OFFSET_OUT_OF_RANGE:
    case ErrorCode::CORRUPT_MESSAGE:
    case ErrorCode::MESSAGE_TOO_LARGE:
    case ErrorCode::RECORD_LIST_TOO_LARGE: return true;
    default: return false;
  }
}

constexpr std::array kColumns{&TopicTraffic::messages_in,
                              &TopicTraffic::bytes_in,
                              &TopicTraffic::bytes_out,
                              &TopicTraffic::bytes_rejected,
                              &TopicTraffic::produce_requests,
                              &TopicTraffic::fetch_requests,
                              &TopicTraffic::failed_produce_requests,
                              &TopicTraffic::failed_fetch_requests};

}  // namespace

void TopicTraffic::count_produce(ErrorCode code, uint64_t bytes, uint64_t records) {
  ++produce_requests;
  if (!is_expected(code)) ++failed_produce_requests;
  if (code == ErrorCode::MESSAGE_TOO_LARGE) bytes_rejected += bytes;
  if (code != ErrorCode::NONE) return;
  bytes_in += bytes;
  messages_in += records;
}

void TopicTraffic::count_fetch(ErrorCode code, uint64_t bytes) {
  ++fetch_requests;
  if (!is_expected(code)) ++failed_fetch_requests;
  bytes_out += bytes;
}

TopicTraffic& TopicTraffic::operator+=(const TopicTraffic& other) {
  for (const auto column : kColumns) this->*column += other.*column;
  return *this;
}

std::vector<std::pair<std::string, TopicTraffic>> NamedTopics::series(
    const std::map<std::string, TopicTraffic>& all) {
  std::erase_if(named_, [&](const std::string& name) { return !all.contains(name); });
  if (named_.size() < most_ && named_.size() < all.size()) {
    std::vector<std::pair<uint64_t, std::string>> unnamed;
    for (const auto& [name, traffic] : all) {
      if (!named_.contains(name)) unnamed.emplace_back(traffic.bytes(), name);
    }
    const size_t room = std::min(most_ - named_.size(), unnamed.size());
    std::partial_sort(unnamed.begin(), unnamed.begin() + static_cast<ptrdiff_t>(room), unnamed.end(),
                      std::greater<>());
    for (size_t i = 0; i < room; ++i) named_.insert(unnamed[i].second);
  }
  std::vector<std::pair<std::string, TopicTraffic>> series;
  TopicTraffic unnamed;
  for (const auto& [name, traffic] : all) {
    if (named_.contains(name)) {
      series.emplace_back(name, traffic);
    } else {
      unnamed += traffic;
    }
  }
  // A sum that falls has lost a topic; what the rest has risen by meanwhile is lost with it, this once.
  for (const auto column : kColumns)
    others_.*column += std::max(unnamed.*column, unnamed_.*column) - unnamed_.*column;
  unnamed_ = unnamed;
  if (series.size() < all.size() || others_ != TopicTraffic())
    series.emplace_back(std::string(kOtherTopics), others_);
  return series;
}

}  // namespace tidemark::broker
