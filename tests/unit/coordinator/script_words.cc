// Replies and records in the words of the transcripts.
#include <fmt/format.h>

#include "script.h"

namespace tidemark::coordinator::testing {

namespace {

std::string joined_ids(const auto& members, auto id_of) {
  std::string out;
  for (const auto& member : members) out += (out.empty() ? "" : ",") + id_of(member);
  return out;
}

struct Words {
  std::string operator()(const JoinReply& r) const {
    if (r.error != ErrorCode::NONE)
      return fmt::format("join {}{}", error_name(r.error), r.member.empty() ? "" : " member " + r.member);
    std::string out =
        fmt::format("join generation {} {} {} leader {} member {}", r.generation,
                    r.protocol_type.value_or("-"), r.protocol.value_or("-"), r.leader, r.member);
    if (!r.members.empty())
      out += " members " + joined_ids(r.members, [](const JoinedMember& m) { return m.member; });
    if (r.skip_assignment) out += " skip-assignment";
    return out;
  }
  std::string operator()(const SyncReply& r) const {
    if (r.error != ErrorCode::NONE) return fmt::format("sync {}", error_name(r.error));
    return fmt::format("sync {} {} assignment '{}'", r.protocol_type.value_or("-"), r.protocol.value_or("-"),
                       text(r.assignment));
  }
  std::string operator()(const HeartbeatReply& r) const {
    return fmt::format("heartbeat {}", error_name(r.error));
  }
  std::string operator()(const LeaveReply& r) const {
    std::string out = fmt::format("leave {}", error_name(r.error));
    for (const auto& member : r.members) {
      out +=
          fmt::format(" {}{} {}", member.member, member.instance ? fmt::format("({})", *member.instance) : "",
                      error_name(member.error));
    }
    return out;
  }
  std::string operator()(const OffsetCommitReply& r) const {
    std::string out = "commit";
    for (const auto& topic : r.topics)
      for (const auto& p : topic.partitions)
        out += fmt::format(" {}-{} {}", topic.name, p.partition, error_name(p.error));
    return out;
  }
  std::string operator()(const OffsetFetchReply& r) const {
    std::string out = "fetch";
    for (const auto& group : r.groups) {
      if (group.error != ErrorCode::NONE) out += fmt::format(" {}", error_name(group.error));
      for (const auto& topic : group.topics) {
        for (const auto& p : topic.partitions) {
          out += fmt::format(" {}-{}={}", topic.name, p.partition, p.offset);
          if (p.leader_epoch != kNoLeaderEpoch) out += fmt::format(" epoch {}", p.leader_epoch);
          if (!p.metadata.empty()) out += fmt::format(" '{}'", p.metadata);
        }
      }
    }
    return out;
  }
  std::string operator()(const OffsetDeleteReply& r) const {
    std::string out = fmt::format("delete-offsets {}", error_name(r.error));
    for (const auto& topic : r.topics)
      for (const auto& p : topic.partitions)
        out += fmt::format(" {}-{} {}", topic.name, p.partition, error_name(p.error));
    return out;
  }
  std::string operator()(const ListGroupsReply& r) const {
    std::string out = fmt::format("list {}", error_name(r.error));
    for (const auto& g : r.groups)
      out += fmt::format(" {}({},{},{})", g.group, g.protocol_type, g.state, g.type);
    return out;
  }
  std::string operator()(const DescribeGroupsReply& r) const {
    std::string out = "describe";
    for (const auto& g : r.groups) {
      out += fmt::format(" {} {}{} {} type '{}' protocol '{}'", g.group, error_name(g.error),
                         g.message ? ": " + *g.message : "", g.state, g.protocol_type, g.protocol);
      for (const auto& m : g.members) {
        out += fmt::format(" [{}{} {} {} {} bytes '{}']", m.member, m.instance ? "(" + *m.instance + ")" : "",
                           m.client_id, m.client_host, m.metadata.size(), text(m.assignment));
      }
    }
    return out;
  }
  std::string operator()(const DeleteGroupsReply& r) const {
    std::string out = "delete";
    for (const auto& result : r.results) out += fmt::format(" {} {}", result.group, error_name(result.error));
    return out;
  }
  std::string operator()(const GroupChange& change) const {
    if (!change.metadata) return fmt::format("group {} tombstone", change.group);
    const GroupMetadata& m = *change.metadata;
    std::string out =
        fmt::format("group {} generation {} type '{}' protocol '{}' leader '{}'", change.group, m.generation,
                    m.protocol_type, m.protocol.value_or(""), m.leader.value_or(""));
    for (const MemberMetadata& member : m.members) {
      out += fmt::format(" [{}{} '{}']", member.id, member.instance ? "(" + *member.instance + ")" : "",
                         text(member.assignment));
    }
    return out;
  }
  std::string operator()(const OffsetChange& change) const {
    const std::string of = fmt::format("offset {} {}-{}", change.group, change.topic, change.partition);
    if (!change.offset) return of + " tombstone";
    return fmt::format("{} = {}{}", of, change.offset->offset,
                       change.offset->expire_timestamp_ms ? " with an expiry" : "");
  }
};

}  // namespace

std::string words_of(const ReplyBody& reply) { return std::visit(Words(), reply); }

std::string words_of(const Record& record) {
  const auto change = decode_record(record.key, record.value);
  REQUIRE(change);
  REQUIRE(*change);
  return std::visit(Words(), **change);
}

}  // namespace tidemark::coordinator::testing
