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

class GroupAdmin {
 public:
  explicit GroupAdmin(Cluster& cluster) : cluster_(cluster) {}

  // The groups of every broker; of these states only, if any are given (UNSUPPORTED_VERSION where a broker's
  // version cannot tell).
  runtime::Task<Result<GroupListing>> list(std::vector<std::string> states);
  // Classic groups, and those of KIP-848. GROUP_ID_NOT_FOUND: there is none of that name and these types.
  runtime::Task<Result<ByGroup<GroupDescription>>> describe(std::vector<std::string> groups);
  runtime::Task<Result<std::vector<Outcome>>> remove(std::vector<std::string> groups);
  // All that the group has committed; of a group that there is not, nothing.
  runtime::Task<Result<PerPartition<CommittedOffset>>> committed(std::string group);
  // As one who is no member. UNKNOWN_MEMBER_ID: the group has members, and only they may.
  runtime::Task<Result<PerPartition<Offset>>> commit(std::string group,
                                                     std::map<TopicPartition, Offset> offsets);
  runtime::Task<Result<PartitionOutcomes>> remove_offsets(std::string group,
                                                          std::vector<TopicPartition> partitions);

 private:
  using Link = Cluster::Link;
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
  runtime::Task<Result<Link>> link_to(BrokerId broker);
  runtime::Task<Result<std::vector<ListedGroup>>> list_of(BrokerId broker, std::vector<std::string> states);

  runtime::Task<Result<ByGroup<GroupDescription>>> describe_classic(Link link,
                                                                    std::vector<std::string> groups);
  runtime::Task<Result<ByGroup<GroupDescription>>> describe_consumer(Link link,
                                                                     std::vector<std::string> groups);
  runtime::Task<Result<ByGroup<std::optional<Error>>>> remove_at(Link link, std::vector<std::string> groups);
  runtime::Task<Result<ByGroup<PerPartition<CommittedOffset>>>> committed_at(Link link,
                                                                             std::vector<std::string> groups);
  runtime::Task<Result<ByGroup<PerPartition<Offset>>>> commit_at(Link link, std::string group,
                                                                 std::map<TopicPartition, Offset> offsets);
  runtime::Task<Result<ByGroup<PartitionOutcomes>>> remove_offsets_at(Link link, std::string group,
                                                                      std::vector<TopicPartition> partitions);

  Cluster& cluster_;
  // At most kMaxKnown; begun anew beyond.
  std::map<std::string, BrokerNode> coordinators_;
};

}  // namespace tidemark::client
