#include "script.h"

#include <fmt/format.h>

#include <sstream>

#include "protocol/error.h"

namespace tidemark::coordinator::testing {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

std::string Command::option(const std::string& key, const std::string& otherwise) const {
  const auto found = options.find(key);
  return found != options.end() ? found->second : otherwise;
}

int Command::number(const std::string& key, int otherwise) const {
  return options.contains(key) ? std::stoi(option(key)) : otherwise;
}

std::optional<std::string> Command::optional(const std::string& key) const {
  return options.contains(key) ? std::optional(option(key)) : std::nullopt;
}

Command parse_command(const std::string& line) {
  Command command;
  for (const std::string& part : split(line, ' ')) {
    const size_t equals = part.find('=');
    if (command.verb.empty()) {
      command.verb = part;
    } else if (equals == part.npos) {
      command.words.push_back(part);
    } else {
      command.options.emplace(part.substr(0, equals), part.substr(equals + 1));
    }
  }
  return command;
}

namespace {

// "orders-0" -> orders, 0.
std::pair<std::string, PartitionId> partition_of(const std::string& text) {
  const size_t dash = text.rfind('-');
  return {text.substr(0, dash), PartitionId(std::stoi(text.substr(dash + 1)))};
}

std::string group_of(const Command& c) { return c.words.empty() ? "" : c.words[0]; }

Request join(const Command& c) {
  JoinRequest request;
  request.group = group_of(c);
  request.client_id = c.option("client", "client");
  request.client_host = "/127.0.0.1";
  request.member = c.option("member");
  request.instance = c.optional("instance");
  request.session_timeout_ms = c.number("session", 10'000);
  request.rebalance_timeout_ms = c.number("rebalance", 60'000);
  request.protocol_type = c.option("type", "consumer");
  for (const std::string& protocol : split(c.option("protocols", "range"), ','))
    request.protocols.push_back({protocol, subscription(split(c.option("topics", "orders"), ','))});
  request.reason = c.optional("reason");
  request.member_id_required = c.number("v", 9) >= 4;
  request.can_skip_assignment = c.number("v", 9) >= 9;
  return request;
}

Request sync(const Command& c) {
  SyncRequest request;
  request.group = group_of(c);
  request.generation = c.number("generation", -1);
  request.member = c.option("member");
  request.instance = c.optional("instance");
  request.protocol_type = c.optional("type");
  request.protocol = c.optional("protocol");
  for (const std::string& assignment : split(c.option("assign"), ',')) {
    const auto parts = split(assignment, ':');
    request.assignments.push_back({parts.at(0), bytes(parts.at(1))});
  }
  return request;
}

Request leave(const Command& c) {
  LeaveRequest request;
  request.group = group_of(c);
  for (const auto& [key, value] : c.options) {
    // member=ID, instance=NAME, or both=ID:NAME
    const auto parts = split(value, ':');
    if (key == "member") request.members.push_back({value, std::nullopt, "wanted to"});
    if (key == "instance") request.members.push_back({"", value, std::nullopt});
    if (key == "both") request.members.push_back({parts.at(0), parts.at(1), std::nullopt});
  }
  return request;
}

Request commit(const Command& c) {
  OffsetCommitRequest request;
  request.group = group_of(c);
  request.generation = c.number("generation", -1);
  request.member = c.option("member");
  request.instance = c.optional("instance");
  request.retention_ms = c.number("retention", -1);
  request.knows_group_not_found = c.number("v", 9) >= 9;
  for (const auto& [key, value] : c.options) {
    if (key.find('-') == key.npos) continue;
    const auto [topic, partition] = partition_of(key);
    request.topics.push_back({topic,
                              {},
                              {{partition, Offset(std::stoll(value)), LeaderEpoch(c.number("epoch", -1)),
                                c.optional("metadata")}}});
  }
  return request;
}

Request fetch(const Command& c) {
  OffsetFetchRequest request;
  OffsetFetchRequest::Group& group = request.groups.emplace_back();
  group.group = group_of(c);
  for (size_t i = 1; i < c.words.size(); ++i) {
    if (!group.topics) group.topics.emplace();
    const auto [topic, partition] = partition_of(c.words[i]);
    group.topics->push_back({topic, {}, {partition}});
  }
  return request;
}

Request delete_offsets(const Command& c) {
  OffsetDeleteRequest request;
  request.group = group_of(c);
  for (size_t i = 1; i < c.words.size(); ++i) {
    const auto [topic, partition] = partition_of(c.words[i]);
    request.topics.push_back({topic, {partition}});
  }
  return request;
}

}  // namespace

std::optional<Request> request_of(const Command& c) {
  if (c.verb == "join") return join(c);
  if (c.verb == "sync") return sync(c);
  if (c.verb == "heartbeat") {
    return HeartbeatRequest{group_of(c), c.number("generation", -1), c.option("member"),
                            c.optional("instance")};
  }
  if (c.verb == "leave") return leave(c);
  if (c.verb == "commit") return commit(c);
  if (c.verb == "fetch") return fetch(c);
  if (c.verb == "delete-offsets") return delete_offsets(c);
  if (c.verb == "list")
    return ListGroupsRequest{split(c.option("states"), ','), split(c.option("types"), ','), std::nullopt};
  if (c.verb == "describe") return DescribeGroupsRequest{c.words, c.number("v", 6) >= 6, false};
  if (c.verb == "delete") return DeleteGroupsRequest{c.words};
  return std::nullopt;
}

}  // namespace tidemark::coordinator::testing
