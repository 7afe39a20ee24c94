// Administration of consumer groups: each function goes to the groups' coordinators, which it finds, and
// finds again where they moved, within default.api.timeout.ms. Lives beside Admin, on its Cluster's loop.
// What changes something is not sent twice unless it surely never arrived.
#pragma once

#include <functional>

#include "client/core/group_answers.h"

namespace tidemark::client {

struct GroupListing {
  std::vector<ListedGroup> groups;   // by id
  std::map<BrokerId, Error> failed;  // whose groups are not among them
};
using PartitionOutcomes = std::map<TopicPartition, std::optional<Error>>;

// Who commits; by itself one who is no member.
struct Committer {
  std::string member;
  int32_t generation = -1;
  std::optional<std::string> instance_id;
  [[nodiscard]] bool is_member() const { return generation >= 0; }
};

class GroupAdmin {
 public:
  explicit GroupAdmin(Cluster& cluster, Cluster::Lane lane = Cluster::Lane::requests)
      : cluster_(cluster), lane_(lane) {}

  // The groups of every broker; of these states only, if any are given (UNSUPPORTED_VERSION where a broker's
  // version cannot tell).
  runtime::Task<Result<GroupListing>> list(std::vector<std::string> states);
  // Classic groups, and those of KIP-848. GROUP_ID_NOT_FOUND: there is none of that name and these types.
  runtime::Task<Result<ByGroup<GroupDescription>>> describe(std::vector<std::string> groups);
  runtime::Task<Result<std::vector<Outcome>>> remove(std::vector<std::string> groups);
  // What the group has committed, of these partitions or (none) of all; of a group that there is not,
  // nothing. `stable`: UNSTABLE_OFFSET_COMMIT of partitions for which a transaction is still to commit.
  using Wanted = std::optional<std::vector<TopicPartition>>;
  runtime::Task<Result<PerPartition<CommittedOffset>>> committed(std::string group, Wanted wanted = {},
                                                                 bool stable = false);
  // As a member, or as one who is none. UNKNOWN_MEMBER_ID: the group has members, and only they may.
  using Offsets = std::map<TopicPartition, CommittedOffset>;
  runtime::Task<Result<PerPartition<Offset>>> commit(std::string group, Offsets offsets, Committer as = {});
  runtime::Task<Result<PartitionOutcomes>> remove_offsets(std::string group,
                                                          std::vector<TopicPartition> partitions);

  using Link = Cluster::Link;
  // A connection to the group's coordinator, asked for once: COORDINATOR_NOT_AVAILABLE and the like are the
  // caller's to try again.
  runtime::Task<Result<Link>> coordinator(std::string group, Cluster::Lane lane);
  // It is not the one that was known.
  void forget_coordinator(const std::string& group) { coordinators_.erase(group); }

 private:
  // Asks one coordinator about groups of its; the answer's error stands for each of them.
  template <class Value>
  using AskGroups = std::function<runtime::Task<Result<ByGroup<Value>>>(Link, std::vector<std::string>)>;

  template <class Value>
  runtime::Task<Result<ByGroup<Value>>> ask_coordinators(std::vector<std::string> groups,
                                                         AskGroups<Value> ask, bool repeatable);
  template <class Value>
  runtime::Task<Result<Value>> ask_coordinator(std::string group, AskGroups<Value> ask, bool repeatable);
  // Where the groups' coordinators are; asks for those that are not known. Error: nobody can be asked.
  runtime::Task<Result<ByGroup<BrokerNode>>> find(std::vector<std::string> groups);
  runtime::Task<Result<Link>> link_to(BrokerId broker, Cluster::Lane lane);
  runtime::Task<Result<std::vector<ListedGroup>>> list_of(BrokerId broker, std::vector<std::string> states);
  runtime::Task<void> list_into(BrokerId broker, std::vector<std::string> states,
                                Result<std::vector<ListedGroup>>& out);

  runtime::Task<Result<ByGroup<GroupDescription>>> describe_classic(Link link,
                                                                    std::vector<std::string> groups);
  runtime::Task<Result<ByGroup<GroupDescription>>> describe_consumer(Link link,
                                                                     std::vector<std::string> groups);
  runtime::Task<Result<ByGroup<std::optional<Error>>>> remove_at(Link link, std::vector<std::string> groups);
  runtime::Task<Result<ByGroup<PerPartition<CommittedOffset>>>> committed_at(Link link, std::string group,
                                                                             Wanted wanted, bool stable);
  runtime::Task<Result<ByGroup<PerPartition<Offset>>>> commit_at(Link link, std::string group,
                                                                 Offsets offsets, Committer as);
  runtime::Task<Result<ByGroup<PartitionOutcomes>>> remove_offsets_at(Link link, std::string group,
                                                                      std::vector<TopicPartition> partitions);

  Cluster& cluster_;
  const Cluster::Lane lane_;
  // At most kMaxKnown; begun anew beyond.
  std::map<std::string, BrokerNode> coordinators_;
};

}  // namespace tidemark::client
