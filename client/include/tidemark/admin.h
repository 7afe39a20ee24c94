// Administers topics, settings, offsets and groups. Every call blocks until the cluster has answered, at most
// for default.api.timeout.ms; what changes something is not sent twice unless it surely never arrived. Any
// thread.
#pragma once

#include <optional>
#include <vector>

#include "tidemark/client.h"

namespace tidemark_client {

struct NewTopic {
  std::string name;
  int32_t partitions = -1;   // -1: the cluster's num.partitions
  int16_t replication = -1;  // -1: the cluster's default.replication.factor
  Properties configs{};
};

struct Partition {
  int32_t id = 0;
  int32_t leader = -1;  // -1: none
  std::vector<int32_t> replicas;
  std::vector<int32_t> in_sync;
};

struct Topic {
  std::string name;
  std::string id;  // as Kafka's tools write it
  std::vector<Partition> partitions;
};

struct Broker {
  int32_t id = 0;
  std::string host;
  uint16_t port = 0;
  std::optional<std::string> rack;
};

struct ClusterInfo {
  std::string id;
  int32_t controller = -1;
  std::vector<Broker> brokers;
};

struct Group {
  std::string id;
  std::string type;           // "classic", "consumer", ...; empty: the broker's version does not say
  std::string protocol_type;  // "consumer", "connect", ...; empty: it only holds offsets
  std::string state;          // "Stable", "Empty", ...; empty: the broker's version does not say
};

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string host;
  std::map<std::string, std::vector<int32_t>> assignment;  // partitions, by topic
};

struct GroupInfo {
  Group group;
  std::string protocol;      // the assignor that the members agreed on
  int32_t coordinator = -1;  // a broker
  std::vector<GroupMember> members;
};

// By topic and partition.
using GroupOffsets = std::map<std::pair<std::string, int32_t>, int64_t>;

class Admin {
 public:
  explicit Admin(const Client& client) : client_(client) {}

  Status create_topic(const NewTopic& topic);
  Status delete_topic(const std::string& name);
  // Grows it to so many.
  Status create_partitions(const std::string& topic, int32_t total);
  Answer<std::vector<std::string>> list_topics();
  Answer<Topic> describe_topic(const std::string& name);
  Answer<ClusterInfo> describe_cluster();

  // What is not null, defaults included.
  Answer<Properties> topic_configs(const std::string& topic);
  // Sets these, and takes those back to their defaults.
  Status alter_topic_configs(const std::string& topic, const Properties& set,
                             const std::vector<std::string>& unset = {});

  // The partition's first offset, and the next one to be written.
  struct Offsets {
    int64_t first = -1;
    int64_t next = -1;
  };
  Answer<Offsets> offsets(const std::string& topic, int32_t partition);
  // Removes all records before the offset (-1: all there are); the value is the new first offset.
  Answer<int64_t> delete_records(const std::string& topic, int32_t partition, int64_t before);

  // The groups of all brokers.
  Answer<std::vector<Group>> list_groups();
  // GROUP_ID_NOT_FOUND: there is none.
  Answer<GroupInfo> describe_group(const std::string& group);
  // NON_EMPTY_GROUP: it has members.
  Status delete_group(const std::string& group);
  // What it has committed; of a group that there is not, nothing.
  Answer<GroupOffsets> group_offsets(const std::string& group);
  // As one who is no member; makes the group if there is none. UNKNOWN_MEMBER_ID: it has members, and only
  // they may. The first partition's error, where some fail.
  Status commit_group_offsets(const std::string& group, const GroupOffsets& offsets);
  // Forgets them. GROUP_SUBSCRIBED_TO_TOPIC: its members read that topic.
  Status delete_group_offsets(const std::string& group, const std::string& topic,
                              const std::vector<int32_t>& partitions);

 private:
  Client client_;
};

}  // namespace tidemark_client
