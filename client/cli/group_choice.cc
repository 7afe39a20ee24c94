#include "client/cli/group_choice.h"

#include "client/core/nearest.h"

namespace tidemark::cli {

using runtime::Task;

Result<TopicChoice> parse_topic_choice(std::string_view text) {
  const size_t colon = text.find(':');
  TopicChoice choice{std::string(text.substr(0, colon)), {}};
  if (choice.topic.empty()) return fail(Error::config(fmt::format("'{}' names no topic", text)));
  if (colon == std::string_view::npos) return choice;
  for (std::string_view rest = text.substr(colon + 1);;) {
    const size_t comma = rest.find(',');
    const auto id = parse_number(rest.substr(0, comma), "partition", 0, INT32_MAX);
    if (!id)
      return fail(Error::config(fmt::format("'{}' is neither TOPIC nor TOPIC:PARTITION,PARTITION", text)));
    choice.partitions.push_back(static_cast<int32_t>(*id));
    if (comma == std::string_view::npos) return choice;
    rest.remove_prefix(comma + 1);
  }
}

Task<Error> explain(client::GroupAdmin& groups, std::string name, Error error) {
  if (error.code() != ErrorCode::GROUP_ID_NOT_FOUND) co_return error;
  std::vector<std::string> states;
  auto listing = groups.list(states);
  const auto listed = co_await listing;
  if (!listed) co_return error;
  std::vector<std::string_view> names;
  for (const client::ListedGroup& group : listed->groups) {
    names.push_back(group.id);
    if (group.id == name)
      co_return Error(error.code(), fmt::format("{} is a {} group; this is for classic and consumer groups",
                                                name, group.type));
  }
  const std::string_view nearest = client::nearest_word(name, names);
  co_return Error(error.code(), nearest.empty()
                                    ? fmt::format("there is no group {}", name)
                                    : fmt::format("there is no group {}; did you mean {}?", name, nearest));
}

Error still_active(const client::GroupDescription& group) {
  constexpr size_t kShown = 3;
  std::string who;
  for (size_t i = 0; i < std::min(kShown, group.members.size()); ++i) {
    const client::GroupMember& member = group.members[i];
    who += fmt::format("{}{} at {}", i == 0 ? " (" : ", ", member.client_id, member.host);
  }
  if (!who.empty()) who += group.members.size() > kShown ? ", ...)" : ")";
  return {ErrorCode::NON_EMPTY_GROUP,
          fmt::format("{} is {} and has {} member{}{}: stop {} first", group.id, group.state,
                      group.members.size(), group.members.size() == 1 ? "" : "s", who,
                      group.members.size() == 1 ? "it" : "them")};
}

}  // namespace tidemark::cli
