// Replication between brokers.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    broker("alter.log.dirs.replication.quota.window.num", kInt, "11", at_least(1), kLow, kReadOnly,
           refused(kNoReplication), "Samples kept for the throttle of moves between folders."),
    broker("alter.log.dirs.replication.quota.window.size.seconds", kInt, "1", at_least(1), kLow, kReadOnly,
           refused(kNoReplication), "Length of a sample for the throttle of moves between folders."),
    broker("auto.leader.rebalance.enable", kBoolean, "true", kAny, kHigh, kReadOnly, refused(kNoReplication),
           "Whether leadership returns to preferred replicas by itself."),
    broker("leader.imbalance.check.interval.seconds", kLong, "300", at_least(1), kHigh, kReadOnly,
           refused(kNoReplication), "How often leadership's balance is looked at."),
    broker("replica.fetch.backoff.ms", kInt, "1000", at_least(0), kMedium, kReadOnly, refused(kNoReplication),
           "A follower's pause after a failed fetch."),
    broker("replica.fetch.max.bytes", kInt, "1048576", at_least(0), kMedium, kReadOnly,
           refused(kNoReplication), "Most bytes of a partition in a follower's fetch."),
    broker("replica.fetch.min.bytes", kInt, "1", kAny, kHigh, kReadOnly, refused(kNoReplication),
           "Fewest bytes that answer a follower's fetch at once."),
    broker("replica.fetch.response.max.bytes", kInt, "10485760", at_least(0), kMedium, kReadOnly,
           refused(kNoReplication), "Most bytes in a whole fetch of a follower."),
    broker("replica.fetch.wait.max.ms", kInt, "500", kAny, kHigh, kReadOnly, refused(kNoReplication),
           "Longest wait of a follower's fetch."),
    broker("replica.high.watermark.checkpoint.interval.ms", kLong, "5000", kAny, kHigh, kReadOnly,
           refused(kNoCheckpoints), "How often Kafka writes its high watermarks."),
    broker("replica.lag.time.max.ms", kLong, "30000", kAny, kHigh, kReadOnly, refused(kNoReplication),
           "How long a follower may lag before it leaves the in-sync replicas."),
    broker("replica.selector.class", kString, kNull, kAny, kMedium, kReadOnly, refused(kNoPlugins),
           "Java class that picks the replica a consumer reads from."),
    broker("replica.socket.receive.buffer.bytes", kInt, "65536", kAny, kHigh, kReadOnly,
           refused(kNoReplication), "Receive buffer of a follower's connection."),
    broker("replica.socket.timeout.ms", kInt, "30000", kAny, kHigh, kReadOnly, refused(kNoReplication),
           "Timeout of a follower's connection."),
    broker("replication.quota.window.num", kInt, "11", at_least(1), kLow, kReadOnly, refused(kNoReplication),
           "Samples kept for the replication throttle."),
    broker("replication.quota.window.size.seconds", kInt, "1", at_least(1), kLow, kReadOnly,
           refused(kNoReplication), "Length of a sample for the replication throttle."),
    broker("unclean.leader.election.enable", kBoolean, "false", kAny, kHigh, kClusterWide,
           refused(kNoReplication),
           "Whether a replica that is not in sync may lead by default, losing records."),
};

}  // namespace

std::span<const Setting> replication_settings() { return kSettings; }

}  // namespace tidemark::config
