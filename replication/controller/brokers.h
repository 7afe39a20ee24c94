// Decisions about brokers: a new life registers, is unfenced, shuts down under control, is fenced; producer
// ids are handed out in blocks. Pure functions of an image and a request. Sessions and heartbeats are soft
// state and live beside this.
#pragma once

#include <array>
#include <vector>

#include "config/resolver.h"
#include "protocol/ids.h"
#include "replication/controller/decision.h"

namespace tidemark::replication {

inline constexpr int32_t kProducerIdBlockSize = 1'000;

// One batch: the broker's new life, in the epoch `image.last_applied + 1`, and the end of every leadership of
// the old one. With `unfenced` it leads again at once, in new leader epochs; without, another in-sync replica
// does, or nobody until unfence_broker(). If the clean-stop mark does not name the old life's epoch, the
// broker leaves the ISR of partitions whose log may have lost its end: those of `write.caching` topics, and
// those in `short_partitions` in any case. `layers`: what topics that set nothing get.
//
// If a folder of the old life is not among `log_dirs`, the broker's replicas of which no folder was ever told
// may be in that one: from then on they are in kLostDirectory, until no folder is left out any more.
//
// The same incarnation again amends its registration: no epoch changes.
//
// Errors: INCONSISTENT_CLUSTER_ID, INVALID_REGISTRATION, UNSUPPORTED_VERSION (a finalized feature level).
Decision<RegisteredBroker> register_broker(const MetadataImage& image, const config::BrokerLayers& layers,
                                           const BrokerRegistration& request);

// What the metadata log holds of a broker's life. Views `broker`, and owns the tagged fields of ours.
class RegistrationRecord {
 public:
  explicit RegistrationRecord(const BrokerImage& broker);
  RegistrationRecord(const RegistrationRecord&) = delete;
  RegistrationRecord& operator=(const RegistrationRecord&) = delete;
  [[nodiscard]] const protocol::RegisterBrokerRecord& record() const { return record_; }

 private:
  const std::array<std::byte, 1> clean_;
  std::vector<std::byte> folders_;
  protocol::RegisterBrokerRecord record_;
};

// All three: BROKER_ID_NOT_REGISTERED, STALE_BROKER_EPOCH; no records where nothing changes.
Decision<BrokerState> unfence_broker(const MetadataImage& image, BrokerId broker, BrokerEpoch epoch);
// Leaderships move to other in-sync replicas; those without one stay until the broker is fenced.
Decision<BrokerState> begin_controlled_shutdown(const MetadataImage& image, BrokerId broker,
                                                BrokerEpoch epoch);
Decision<BrokerState> fence_broker(const MetadataImage& image, BrokerId broker, BrokerEpoch epoch);

// The broker is gone from the cluster's metadata. BROKER_ID_NOT_REGISTERED; INVALID_REQUEST for one that
// runs, where Kafka would take it out of service until its next start.
Decision<ApiError> unregister_broker(const MetadataImage& image, BrokerId broker);

// Also UNKNOWN_SERVER_ERROR when 2^63 ids have been given out.
Decision<ProducerIdBlock> allocate_producer_ids(const MetadataImage& image, BrokerId broker,
                                                BrokerEpoch epoch);

}  // namespace tidemark::replication
