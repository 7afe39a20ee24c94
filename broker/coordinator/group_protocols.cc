// What a group's members offer: counting, voting, and the topics of consumers.
#include <algorithm>

#include "broker/coordinator/group.h"
#include "protocol/decoder.h"
#include "protocol/invariant.h"
#include "protocol/messages/consumer_protocol_subscription.h"

namespace tidemark::coordinator {

void Group::count_protocols(const Member& member, int step) {
  for (const Protocol& protocol_offered : member.protocols) {
    const size_t bytes = protocol_offered.name.size() + protocol_offered.metadata.size();
    if (step > 0) {
      ++offered_[protocol_offered.name];
      metadata_bytes_ += bytes;
      continue;
    }
    const auto found = offered_.find(protocol_offered.name);
    INVARIANT(found != offered_.end() && found->second > 0 && metadata_bytes_ >= bytes,
              "{}: protocol {} was not counted", id_, protocol_offered.name);
    if (--found->second == 0) offered_.erase(found);
    metadata_bytes_ -= bytes;
  }
}

void Group::set_protocols(Member& member, std::vector<Protocol> protocols) {
  count_protocols(member, -1);
  member.protocols = std::move(protocols);
  count_protocols(member, +1);
}

bool Group::supports(std::string_view type, const std::vector<Protocol>& protocols) const {
  if (type.empty() || protocols.empty()) return false;
  if (members_.empty()) return state == GroupState::empty || protocol_type == type;
  if (protocol_type != type) return false;
  return std::any_of(protocols.begin(), protocols.end(), [&](const Protocol& candidate) {
    const auto found = offered_.find(candidate.name);
    return found != offered_.end() && found->second == members_.size();
  });
}

std::string Group::select_protocol() const {
  REQUIRES(!members_.empty());
  std::map<std::string_view, size_t> votes;
  for (const auto& [id, member] : members_) {
    const auto preferred = std::find_if(
        member.protocols.begin(), member.protocols.end(),
        [&](const Protocol& candidate) { return offered_.find(candidate.name)->second == members_.size(); });
    INVARIANT(preferred != member.protocols.end(), "{}: {} offers nothing that all offer", id_, id);
    ++votes[preferred->name];
  }
  const auto winner = std::max_element(votes.begin(), votes.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::string(winner->first);
}

std::optional<std::set<std::string, std::less<>>> Group::subscriptions() const {
  if (!is_consumer_group()) return std::nullopt;
  std::set<std::string, std::less<>> all;
  if (members_.empty()) return all;
  if (!protocol) return std::nullopt;
  for (const auto& [id, member] : members_) {
    const Bytes* subscription = member.metadata(*protocol);
    auto topics = subscription != nullptr ? subscribed_topics(*subscription) : std::nullopt;
    if (!topics) return std::nullopt;
    all.merge(*topics);
  }
  return all;
}

bool Group::is_subscribed_to(std::string_view topic) const {
  return subscribed ? subscribed->contains(topic) : is_consumer_group();
}

std::optional<std::set<std::string, std::less<>>> subscribed_topics(std::span<const std::byte> subscription) {
  protocol::Decoder in(subscription);
  const int16_t version = in.read_int16();
  if (in.failed() || version < 0) return std::nullopt;
  // Every later version begins with what version 0 has.
  const auto decoded = protocol::ConsumerProtocolSubscription::decode(in, 0);
  if (!decoded) return std::nullopt;
  std::set<std::string, std::less<>> topics;
  for (const std::string_view topic : decoded->topics) topics.emplace(topic);
  return topics;
}

}  // namespace tidemark::coordinator
