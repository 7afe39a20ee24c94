#include "broker/coordinator/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>
#include <utility>

#include "broker/coordinator/offsets.h"

namespace tidemark::coordinator {

namespace {

constexpr std::string_view kClassicType = "classic";

// Filters are compared without case and without blanks around them, as Kafka does.
std::string plain(std::string_view text) {
  const auto is_blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return out;
}

class Filter {
 public:
  explicit Filter(const std::vector<std::string>& wanted) {
    for (const std::string& text : wanted) wanted_.insert(plain(text));
  }
  [[nodiscard]] bool takes(std::string_view text) const {
    return wanted_.empty() || wanted_.contains(plain(text));
  }

 private:
  std::set<std::string> wanted_;
};

DescribeGroupsReply::Member describe(const Group& group, const Member& member) {
  DescribeGroupsReply::Member out;
  out.member = member.id;
  out.instance = member.instance;
  out.client_id = member.client_id;
  out.client_host = member.client_host;
  out.assignment = member.assignment;  // the last one, also while the next is being made
  if (group.state != GroupState::stable) return out;
  if (const Bytes* metadata = member.metadata(*group.protocol)) out.metadata = *metadata;
  return out;
}

DescribeGroupsReply::Group describe(const Group* group, const std::string& id) {
  DescribeGroupsReply::Group out;
  out.group = id;
  out.state = state_name(group != nullptr ? group->state : GroupState::empty);
  if (group == nullptr) return out;
  out.protocol_type = group->protocol_type.value_or("");
  if (group->state == GroupState::stable) out.protocol = group->protocol.value_or("");
  for (const auto& [member_id, member] : group->members()) out.members.push_back(describe(*group, member));
  return out;
}

DescribeGroupsReply::Rebalances rebalances(const Group* group, int64_t now_ms) {
  if (group == nullptr) return {};
  return {group->history.rebalances(), loop_of(group->history.rebalances(), now_ms)};
}

}  // namespace

void list_groups(Turn& turn, const Groups& groups, RequestToken token, const ListGroupsRequest& request) {
  const Filter states(request.states), types(request.types);
  ListGroupsReply reply;
  // Every running group has a record, so the image names them all.
  const auto& images = turn.image.groups();
  auto place = request.after ? images.upper_bound(*request.after) : images.begin();
  for (size_t looked_at = 0; place != images.end() && looked_at < kMaxGroupsPerList; ++place, ++looked_at) {
    const std::string& id = place->first;
    const Group* group = find_group(groups, id);
    const std::string_view state = state_name(group != nullptr ? group->state : GroupState::empty);
    if (!states.takes(state) || !types.takes(kClassicType)) continue;
    reply.groups.push_back({id, group != nullptr ? group->protocol_type.value_or("") : "", std::string(state),
                            std::string(kClassicType)});
  }
  if (place != images.end()) reply.next = std::prev(place)->first;
  turn.reply(token, std::move(reply));
}

void describe_groups(Turn& turn, const Groups& groups, RequestToken token,
                     const DescribeGroupsRequest& request) {
  DescribeGroupsReply reply;
  for (const std::string& id : request.groups) {
    if (turn.image.group(id) != nullptr) {
      const Group* group = find_group(groups, id);
      auto& described = reply.groups.emplace_back(describe(group, id));
      if (request.wants_rebalances) described.rebalances = rebalances(group, turn.wall_ms());
      continue;
    }
    DescribeGroupsReply::Group& missing = reply.groups.emplace_back();
    missing.group = id;
    missing.state = kDeadState;
    if (!request.knows_group_not_found) continue;
    missing.error = ErrorCode::GROUP_ID_NOT_FOUND;
    missing.message = fmt::format("Group {} not found.", id);
  }
  turn.reply(token, std::move(reply));
}

void delete_groups(Turn& turn, const Groups& groups, RequestToken token, const DeleteGroupsRequest& request) {
  DeleteGroupsReply reply;
  std::set<std::string_view> buried;
  for (const std::string& id : request.groups) {
    ErrorCode error = ErrorCode::NONE;
    const Group* group = find_group(groups, id);
    if (turn.image.group(id) == nullptr) {
      error = ErrorCode::GROUP_ID_NOT_FOUND;
    } else if (group != nullptr && group->state != GroupState::empty) {
      error = ErrorCode::NON_EMPTY_GROUP;
    } else if (buried.insert(id).second) {
      bury_group(turn, id);
    }
    reply.results.push_back({id, error});
  }
  turn.reply(token, std::move(reply));
}

}  // namespace tidemark::coordinator
