#include "replication/controller/brokers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "protocol/encoder.h"
#include "replication/controller/assignment.h"
#include "replication/controller/configs.h"
#include "replication/controller/election.h"
#include "replication/controller/features.h"
#include "replication/controller/image_builder.h"

namespace tidemark::replication {

namespace {

constexpr int16_t kRegisterBrokerVersion = 4;
constexpr int16_t kRegistrationChangeVersion = 1;  // fencing and controlled shutdown need no later field

// Asks `decide` about every partition and adds what it says; returns how many the broker leads afterwards.
template <class Decide>
int32_t change_partitions(const MetadataImage& image, BrokerId broker, RecordList& records, Decide decide) {
  constexpr int32_t kUnchanged = -2;
  const int16_t version = partition_change_record_version(image);
  int32_t leaderships = 0;
  for (const auto& [name, topic] : image.topics) {
    for (PartitionId id(0); id.value < topic->partition_count(); ++id.value) {
      const PartitionImage& partition = *topic->partition(id);
      const PartitionVerdict verdict = decide(*topic, PartitionRef{topic->id, id, partition});
      if (verdict) records.add(*verdict, version);
      const int32_t leader =
          verdict && verdict->leader != kUnchanged ? verdict->leader : partition.leader.value;
      if (leader == broker.value) ++leaderships;
    }
  }
  return leaderships;
}

Result<void> check_log_dirs(const MetadataImage& image, const BrokerRegistration& request) {
  const auto refuse = [](std::string why) { return fail(ErrorCode::INVALID_REGISTRATION, std::move(why)); };
  if (request.log_dirs.empty()) return refuse("No directories specified in request");
  std::set<Uuid> seen;
  for (const Uuid& dir : request.log_dirs) {
    if (is_reserved_directory(dir)) return refuse("Reserved directory ID in request");
    if (!seen.insert(dir).second) return refuse("Duplicate directory ID in request");
  }
  for (const auto& [id, broker] : image.brokers) {
    if (id == request.broker) continue;
    for (const Uuid& dir : broker->log_dirs) {
      if (seen.contains(dir))
        return refuse(fmt::format("Broker {} is already registered with directory {}", id, dir));
    }
  }
  return {};
}

// The broker must understand every finalized level; our own feature is checked when the log is read.
Result<void> check_features(const MetadataImage& image, const BrokerRegistration& request) {
  for (const auto& [name, level] : image.features) {
    if (name == kMetadataFormatFeature) continue;
    const auto found = request.features.find(name);
    const FeatureRange range = found != request.features.end() ? found->second : FeatureRange{};
    if (level >= range.min && level <= range.max) continue;
    return fail(
        ErrorCode::UNSUPPORTED_VERSION,
        fmt::format("Unable to register because the broker does not support finalized version {} of {}. The "
                    "broker wants a version between {} and {}, inclusive.",
                    level, name, range.min, range.max));
  }
  return {};
}

Result<void> check_registration(const MetadataImage& image, const BrokerRegistration& request) {
  if (request.cluster_id != image.cluster_id) {
    return fail(
        ErrorCode::INCONSISTENT_CLUSTER_ID,
        fmt::format("Expected cluster ID {}, but got cluster ID {}", image.cluster_id, request.cluster_id));
  }
  TRY(check_log_dirs(image, request));
  return check_features(image, request);
}

// As the log will have it, but for its epoch and state.
BrokerImage life_of(const BrokerRegistration& request) {
  BrokerImage broker;
  broker.id = request.broker;
  broker.incarnation_id = request.incarnation_id;
  broker.endpoints = request.endpoints;
  broker.features = request.features;
  broker.rack = request.rack;
  broker.log_dirs = request.log_dirs;
  return broker;
}

// nullptr with `error` set if the request is not from the broker's present life.
const BrokerImage* present_life(const MetadataImage& image, BrokerId id, BrokerEpoch epoch, ApiError& error) {
  const BrokerImage* broker = image.broker(id);
  if (broker == nullptr) {
    error = {ErrorCode::BROKER_ID_NOT_REGISTERED,
             fmt::format("No broker registration found for broker id {}", id)};
    return nullptr;
  }
  if (broker->epoch != epoch) {
    error = {ErrorCode::STALE_BROKER_EPOCH,
             fmt::format("Expected broker epoch {}, but got broker epoch {}", broker->epoch, epoch)};
    return nullptr;
  }
  return broker;
}

void add_registration_change(RecordList& records, const BrokerImage& broker, int8_t fenced, int8_t shutdown) {
  protocol::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.id.value;
  record.broker_epoch = broker.epoch.value;
  record.fenced = fenced;
  record.in_controlled_shutdown = shutdown;
  records.add(record, kRegistrationChangeVersion);
}

// Where it was never told: `to` from now on.
void change_untold(const PartitionRef& ref, BrokerId broker, const Uuid& to, PartitionVerdict& verdict) {
  const auto replica = std::ranges::find(ref.partition.replicas, broker);
  if (replica == ref.partition.replicas.end()) return;
  const auto index = static_cast<size_t>(replica - ref.partition.replicas.begin());
  const Uuid& directory = ref.partition.directories[index];
  if (!is_reserved_directory(directory) || directory == to) return;
  if (!verdict) {
    verdict.emplace();
    verdict->topic_id = ref.topic_id;
    verdict->partition_id = ref.id.value;
  }
  verdict->directories = ref.partition.directories;
  (*verdict->directories)[index] = to;
}

// What the new life begins without.
std::vector<LeftOutDirectory> left_out_of(const BrokerImage* old_life, const BrokerRegistration& request) {
  std::vector<LeftOutDirectory> left_out;
  if (old_life == nullptr) return left_out;
  const auto is_here = [&](const Uuid& dir) {
    return std::ranges::find(request.log_dirs, dir) != request.log_dirs.end();
  };
  for (const LeftOutDirectory& directory : old_life->left_out) {
    if (!is_here(directory.id)) left_out.push_back(directory);
  }
  for (const Uuid& dir : old_life->log_dirs) {
    if (!is_here(dir)) left_out.push_back({dir, old_life->term, request.term});
  }
  return left_out;
}

std::vector<std::byte> folders_tag(const BrokerImage& broker) {
  const auto write = [&](auto& out) {
    out.put(broker.term.value);
    for (const LeftOutDirectory& directory : broker.left_out) {
      out.put(directory.id);
      out.put(directory.served.value);
      out.put(directory.left_out.value);
    }
  };
  protocol::Sizer size;
  write(size);
  protocol::Encoder out(size.buffer_bytes());
  write(out);
  return out.take_buffer();
}

}  // namespace

RegistrationRecord::RegistrationRecord(const BrokerImage& broker)
    : clean_{static_cast<std::byte>(broker.clean_start)} {
  protocol::RegisterBrokerRecord& record = record_;
  record.broker_id = broker.id.value;
  record.incarnation_id = broker.incarnation_id;
  record.broker_epoch = broker.epoch.value;
  for (const BrokerEndpoint& endpoint : broker.endpoints) {
    protocol::RegisterBrokerRecord::BrokerEndpoint out;
    out.name = endpoint.name;
    out.host = endpoint.host;
    out.port = endpoint.port;
    out.security_protocol = endpoint.security_protocol;
    record.end_points.push_back(out);
  }
  for (const auto& [name, range] : broker.features) {
    protocol::RegisterBrokerRecord::BrokerFeature out;
    out.name = name;
    out.min_supported_version = range.min;
    out.max_supported_version = range.max;
    record.features.push_back(out);
  }
  record.rack.reset();
  if (broker.rack) record.rack = *broker.rack;
  record.fenced = broker.fenced;
  record.in_controlled_shutdown = broker.in_controlled_shutdown;
  record.log_dirs = broker.log_dirs;
  record.cordoned_log_dirs = broker.cordoned_log_dirs;
  record.unknown_tags.add({kCleanStartTag, clean_});
  if (broker.log_dirs.size() == 1 && broker.left_out.empty()) return;
  folders_ = folders_tag(broker);
  record.unknown_tags.add({kFoldersTag, folders_});
}

Decision<RegisteredBroker> register_broker(const MetadataImage& image, const config::BrokerLayers& layers,
                                           const BrokerRegistration& request) {
  Decision<RegisteredBroker> decision;
  if (const auto valid = check_registration(image, request); !valid) {
    decision.response.error = valid.error();
    return decision;
  }
  const BrokerImage* old_life = image.broker(request.broker);
  BrokerImage life = life_of(request);
  if (old_life != nullptr && old_life->incarnation_id == request.incarnation_id) {
    life.epoch = old_life->epoch;
    life.fenced = old_life->fenced;
    life.in_controlled_shutdown = old_life->in_controlled_shutdown;
    life.clean_start = old_life->clean_start;
    life.term = old_life->term;
    life.left_out = old_life->left_out;
    decision.records.add(RegistrationRecord(life).record(), kRegisterBrokerVersion);
    decision.response.epoch = old_life->epoch;
    return decision;
  }

  const bool clean = old_life != nullptr && request.clean_stop_of == old_life->epoch;
  life.fenced = !request.unfenced;
  life.epoch = BrokerEpoch(image.last_applied.value + 1);
  life.clean_start = clean;
  life.term = request.term;
  life.left_out = left_out_of(old_life, request);
  decision.records.add(RegistrationRecord(life).record(), kRegisterBrokerVersion);
  decision.response.epoch = life.epoch;

  const std::set<TopicIdPartition> found_short(request.short_partitions.begin(),
                                               request.short_partitions.end());
  std::optional<Uuid> untold;  // what is known now of replicas whose folder was never told
  if (old_life != nullptr && life.left_out.empty() && !old_life->left_out.empty())
    untold = kUnassignedDirectory;
  const auto was_left_out = [&](const LeftOutDirectory& directory) {
    return old_life != nullptr &&
           std::ranges::find(old_life->left_out, directory) != old_life->left_out.end();
  };
  if (!std::ranges::all_of(life.left_out, was_left_out)) untold = kLostDirectory;
  const TopicImage* last_topic = nullptr;
  bool cached = false;  // last_topic, and the stop was not clean
  change_partitions(image, request.broker, decision.records,
                    [&](const TopicImage& topic, const PartitionRef& ref) {
                      if (&topic != last_topic) {
                        last_topic = &topic;
                        cached = !clean && writes_are_cached(image, topic.name, layers);
                      }
                      const bool data_lost = cached || found_short.contains({topic.id, ref.id});
                      auto verdict = on_new_life(image, ref, request.broker, request.unfenced, data_lost);
                      if (untold) change_untold(ref, request.broker, *untold, verdict);
                      return verdict;
                    });
  return decision;
}

Decision<BrokerState> unfence_broker(const MetadataImage& image, BrokerId id, BrokerEpoch epoch) {
  Decision<BrokerState> decision;
  const BrokerImage* broker = present_life(image, id, epoch, decision.response.error);
  if (broker == nullptr) return decision;
  if (broker->fenced) add_registration_change(decision.records, *broker, -1, 0);
  decision.response.leaderships =
      change_partitions(image, id, decision.records, [&](const TopicImage&, const PartitionRef& ref) {
        return broker->fenced ? on_unfenced(image, ref, id) : std::nullopt;
      });
  return decision;
}

Decision<BrokerState> begin_controlled_shutdown(const MetadataImage& image, BrokerId id, BrokerEpoch epoch) {
  Decision<BrokerState> decision;
  const BrokerImage* broker = present_life(image, id, epoch, decision.response.error);
  if (broker == nullptr) return decision;
  if (!broker->in_controlled_shutdown) add_registration_change(decision.records, *broker, 0, 1);
  decision.response.leaderships = change_partitions(
      image, id, decision.records,
      [&](const TopicImage&, const PartitionRef& ref) { return on_controlled_shutdown(image, ref, id); });
  return decision;
}

Decision<BrokerState> fence_broker(const MetadataImage& image, BrokerId id, BrokerEpoch epoch) {
  Decision<BrokerState> decision;
  const BrokerImage* broker = present_life(image, id, epoch, decision.response.error);
  if (broker == nullptr) return decision;
  if (!broker->fenced) add_registration_change(decision.records, *broker, 1, 0);
  decision.response.leaderships = change_partitions(
      image, id, decision.records,
      [&](const TopicImage&, const PartitionRef& ref) { return on_fenced(image, ref, id); });
  return decision;
}

Decision<ApiError> unregister_broker(const MetadataImage& image, BrokerId id) {
  const BrokerImage* broker = image.broker(id);
  if (broker == nullptr) {
    return {
        {},
        {ErrorCode::BROKER_ID_NOT_REGISTERED, fmt::format("Broker ID {} is not currently registered", id)}};
  }
  if (!broker->fenced) {
    return {{},
            {ErrorCode::INVALID_REQUEST,
             fmt::format("Broker ID {} is running: stop it before it is unregistered", id)}};
  }
  Decision<ApiError> decision;
  change_partitions(image, id, decision.records,
                    [&](const TopicImage&, const PartitionRef& ref) { return on_fenced(image, ref, id); });
  protocol::UnregisterBrokerRecord record;
  record.broker_id = id.value;
  record.broker_epoch = broker->epoch.value;
  decision.records.add(record, 0);
  return decision;
}

Decision<ProducerIdBlock> allocate_producer_ids(const MetadataImage& image, BrokerId id, BrokerEpoch epoch) {
  Decision<ProducerIdBlock> decision;
  if (present_life(image, id, epoch, decision.response.error) == nullptr) return decision;
  if (image.next_producer_id > std::numeric_limits<int64_t>::max() - kProducerIdBlockSize) {
    decision.response.error = {
        ErrorCode::UNKNOWN_SERVER_ERROR,
        "Exhausted all producerIds as the next block's end producerId has exceeded the int64 "
        "type limit"};
    return decision;
  }
  decision.response.first = ProducerId(image.next_producer_id);
  decision.response.count = kProducerIdBlockSize;
  protocol::ProducerIdsRecord record;
  record.broker_id = id.value;
  record.broker_epoch = epoch.value;
  record.next_producer_id = image.next_producer_id + kProducerIdBlockSize;
  decision.records.add(record, 0);
  return decision;
}

}  // namespace tidemark::replication
