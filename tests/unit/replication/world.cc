#include "world.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "replication/controller/metadata_log.h"

namespace tidemark::replication::testing {

namespace {

constexpr runtime::WallTime kNow{std::chrono::milliseconds(1'760'000'000'000)};

void check_partition(const MetadataImage& image, const PartitionImage& p) {
  const std::set<BrokerId> replicas(p.replicas.begin(), p.replicas.end());
  MUST(!p.replicas.empty());
  MUST(replicas.size() == p.replicas.size());
  MUST(p.directories.size() == p.replicas.size());
  MUST(!p.isr.empty());
  for (const BrokerId member : p.isr) MUST(replicas.contains(member));
  MUST(p.leader_epoch.value >= 0);
  MUST(p.partition_epoch >= p.leader_epoch.value);
  if (p.leader != kNoBroker) {
    // An unfenced, in-sync leader; in its shutdown it may still lead what nobody else can.
    MUST(std::count(p.isr.begin(), p.isr.end(), p.leader) == 1);
    const BrokerImage* leader = image.broker(p.leader);
    MUST(leader != nullptr);
    MUST(!(leader->fenced));
  }
}

}  // namespace

void check_image(const MetadataImage& image) {
  MUST(image.topics.size() == image.topics_by_id.size());
  int64_t partitions = 0;
  for (const auto& [name, topic] : image.topics) {
    MUST(topic->name == name);
    MUST(image.topic(topic->id) == topic.get());
    MUST(!(topic->id.is_zero()));
    MUST(!topic->partitions.empty());
    partitions += topic->partition_count();
    for (const auto& partition : topic->partitions) check_partition(image, *partition);
    const auto* colliding = image.collisions.find(unify_collision_chars(name));
    MUST((colliding != nullptr) == has_collision_chars(name));
    if (colliding != nullptr) MUST(*colliding == std::vector{name});
  }
  MUST(partitions == image.partition_count);
  for (const auto& [resource, configs] : image.configs) {
    MUST(!configs->empty());
    if (resource.type == ConfigResourceType::topic) MUST(image.topic(resource.name) != nullptr);
  }
  for (const auto& [id, broker] : image.brokers) MUST(broker->id == id);
}

BrokerRegistration registration_of(BrokerId id, const Uuid& incarnation) {
  BrokerRegistration request;
  request.cluster_id = "cluster";
  request.broker = id;
  request.incarnation_id = incarnation;
  request.endpoints = {{"PLAINTEXT", "localhost", static_cast<uint16_t>(9090 + id.value), 0}};
  request.features = {{std::string(kMetadataVersionFeature), {30, 30}}};
  request.log_dirs = {Uuid::from_halves(0xD1, static_cast<uint64_t>(100 + id.value))};
  return request;
}

void World::start_term(BrokerId leader) {
  ++term_.value;
  const std::array voters{Voter{leader, {}}};
  const Offset base = controller_.next_offset();
  auto batch = encode_leader_change(base, term_, leader, voters, kNow);
  REQUIRE(batch.has_value());
  const auto delta = controller_.apply_log(*batch);
  REQUIRE(delta.has_value());
  REQUIRE(delta->controller_changed);
  REQUIRE(image().controller_id == leader);
  REQUIRE(image().controller_epoch == term_);
  REQUIRE(controller_.next_offset() == base + 1);
  log_.push_back({term_, {}, *std::move(batch)});
  RecordList first = controller_.begin_term();
  if (!first.empty()) append(std::move(first));
}

BrokerEpoch World::start_broker(BrokerId id, BrokerRegistration request) {
  if (request.cluster_id.empty()) {
    const auto log_dirs = std::move(request.log_dirs);
    request = registration_of(id, random_.uuid());
    if (!log_dirs.empty()) request.log_dirs = log_dirs;
    request.unfenced = true;
  }
  const RegisteredBroker registered = commit(controller_.register_broker(request));
  REQUIRE(registered.error == ApiError());
  return registered.epoch;
}

ImageDelta World::append(RecordList records) {
  const auto before = controller_.image();
  auto batch = encode_records(controller_.next_offset(), term_, records, kNow);
  MUST(batch.has_value());
  auto delta = controller_.apply(controller_.next_offset(), term_, records);
  if (!delta) FAIL(delta.error().to_string());
  log_.push_back({term_, std::move(records), *std::move(batch)});
  check_image(image());
  // What the builder noticed is all that a comparison of everything finds.
  const ImageDelta full = ImageDelta::between(before, controller_.image());
  MUST(full.configs == delta->configs);
  MUST(full.brokers == delta->brokers);
  MUST(full.topics.size() == delta->topics.size());
  for (size_t i = 0; i < full.topics.size(); ++i) {
    MUST(full.topics[i].before == delta->topics[i].before);
    MUST(full.topics[i].after == delta->topics[i].after);
  }
  return *std::move(delta);
}

CreatedTopic World::create(const NewTopic& topic) {
  return commit(controller_.create_topics(std::span(&topic, 1), false)).at(0);
}

DeletedTopic World::remove(const std::string& name) {
  const TopicToDelete topic{name, {}};
  return commit(controller_.delete_topics(std::span(&topic, 1))).at(0);
}

GrownTopic World::grow(const std::string& topic, int32_t count) {
  const MorePartitions request{topic, count, std::nullopt};
  return commit(controller_.create_partitions(std::span(&request, 1), false)).at(0);
}

ApiError World::alter_topic(const std::string& topic, const std::string& key,
                            std::optional<std::string> value) {
  const auto operation = value ? ConfigOperation::set : ConfigOperation::unset;
  const ResourceAlteration request{static_cast<int8_t>(ConfigResourceType::topic),
                                   topic,
                                   {{key, static_cast<int8_t>(operation), std::move(value)}}};
  return commit(controller_.alter_configs(BrokerId(1), std::span(&request, 1), false)).at(0).error;
}

std::vector<std::byte> World::bytes() const {
  std::vector<std::byte> all;
  for (const LogEntry& entry : log_) all.insert(all.end(), entry.batch.begin(), entry.batch.end());
  return all;
}

std::shared_ptr<const MetadataImage> World::replay(size_t batches_at_once) const {
  runtime::SeededRandom unused(0);
  Controller fresh("cluster", BrokerId(1), {}, unused);
  std::vector<std::byte> piece;
  size_t batches = 0;
  for (size_t i = 0; i < log_.size(); ++i) {
    piece.insert(piece.end(), log_[i].batch.begin(), log_[i].batch.end());
    if (++batches < batches_at_once && i + 1 < log_.size()) continue;
    const auto delta = fresh.apply_log(piece);
    if (!delta) FAIL(delta.error().to_string());
    piece.clear();
    batches = 0;
  }
  return fresh.image();
}

std::string World::transcript() const {
  std::string text;
  int64_t offset = 0;
  for (const LogEntry& entry : log_) {
    if (entry.records.empty()) text += fmt::format("{} LEADER_CHANGE term {}\n", offset++, entry.term);
    for (size_t i = 0; i < entry.records.size(); ++i) {
      const auto json = record_to_json(entry.records[i]);
      REQUIRE(json.has_value());
      text += fmt::format("{} {}\n", offset++, *json);
    }
  }
  return text;
}

}  // namespace tidemark::replication::testing
