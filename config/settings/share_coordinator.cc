// Share groups.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    broker("group.share.assignment.interval.ms", kInt, "1000", at_least(0), kMedium, kClusterWide,
           refused(kNoShareGroups), "Shortest time between two assignments of a share group."),
    broker("group.share.assignors", kList, "simple", kAny, kMedium, kReadOnly, refused(kNoShareGroups),
           "Assignors that share groups may use."),
    broker("group.share.delivery.count.limit", kInt, "5", between(2, 10), kMedium, kReadOnly,
           refused(kNoShareGroups), "Deliveries after which a record is given up."),
    broker("group.share.heartbeat.interval.ms", kInt, "5000", at_least(1), kMedium, kReadOnly,
           refused(kNoShareGroups), "Heartbeat interval of share groups."),
    broker("group.share.max.assignment.interval.ms", kInt, "15000", at_least(0), kMedium, kReadOnly,
           refused(kNoShareGroups), "Largest share.assignment.interval.ms that a group may set."),
    broker("group.share.max.delivery.count.limit", kInt, "10", between(5, 25), kMedium, kReadOnly,
           refused(kNoShareGroups), "Largest share.delivery.count.limit that a group may set."),
    broker("group.share.max.heartbeat.interval.ms", kInt, "15000", at_least(1), kMedium, kReadOnly,
           refused(kNoShareGroups), "Largest share.heartbeat.interval.ms that a group may set."),
    broker("group.share.max.partition.max.record.locks", kInt, "4000", between(2000, 10000), kMedium,
           kReadOnly, refused(kNoShareGroups),
           "Largest share.partition.max.record.locks that a group may set."),
    broker("group.share.max.record.lock.duration.ms", kInt, "60000", between(30000, 3600000), kMedium,
           kReadOnly, refused(kNoShareGroups), "Largest share.record.lock.duration.ms that a group may set."),
    broker("group.share.max.session.timeout.ms", kInt, "60000", at_least(1), kMedium, kReadOnly,
           refused(kNoShareGroups), "Largest share.session.timeout.ms that a group may set."),
    broker("group.share.max.share.sessions", kInt, "2000", at_least(1), kMedium, kReadOnly,
           refused(kNoShareGroups), "Most share sessions of a broker."),
    broker("group.share.max.size", kInt, "200", between(1, 1000), kMedium, kReadOnly, refused(kNoShareGroups),
           "Most members of a share group."),
    broker("group.share.min.assignment.interval.ms", kInt, "0", at_least(0), kMedium, kReadOnly,
           refused(kNoShareGroups), "Smallest share.assignment.interval.ms that a group may set."),
    broker("group.share.min.delivery.count.limit", kInt, "2", between(2, 5), kMedium, kReadOnly,
           refused(kNoShareGroups), "Smallest share.delivery.count.limit that a group may set."),
    broker("group.share.min.heartbeat.interval.ms", kInt, "5000", at_least(1), kMedium, kReadOnly,
           refused(kNoShareGroups), "Smallest share.heartbeat.interval.ms that a group may set."),
    broker("group.share.min.partition.max.record.locks", kInt, "100", between(100, 2000), kMedium, kReadOnly,
           refused(kNoShareGroups), "Smallest share.partition.max.record.locks that a group may set."),
    broker("group.share.min.record.lock.duration.ms", kInt, "15000", between(1000, 30000), kMedium, kReadOnly,
           refused(kNoShareGroups), "Smallest share.record.lock.duration.ms that a group may set."),
    broker("group.share.min.session.timeout.ms", kInt, "45000", at_least(1), kMedium, kReadOnly,
           refused(kNoShareGroups), "Smallest share.session.timeout.ms that a group may set."),
    broker("group.share.partition.max.record.locks", kInt, "2000", between(100, 10000), kMedium, kReadOnly,
           refused(kNoShareGroups), "Records of a partition that may be locked at once."),
    broker("group.share.record.lock.duration.ms", kInt, "30000", between(1000, 3600000), kMedium, kReadOnly,
           refused(kNoShareGroups), "How long a consumer holds a record it acquired."),
    broker("group.share.session.timeout.ms", kInt, "45000", at_least(1), kMedium, kReadOnly,
           refused(kNoShareGroups), "Silence after which a share group's member is removed."),
    broker("share.coordinator.append.linger.ms", kInt, "-1", at_least(-1), kMedium, kReadOnly,
           refused(kNoShareGroups),
           "How long the share coordinator gathers records before it writes them; -1 adapts."),
    broker("share.coordinator.cached.buffer.max.bytes", kInt, "1048588", at_least(524288), kMedium,
           kClusterWide, refused(kNoShareGroups), "Largest write buffer that the share coordinator keeps."),
    broker("share.coordinator.load.buffer.size", kInt, "5242880", at_least(1), kHigh, kReadOnly,
           refused(kNoShareGroups), "Bytes read at once when share state is loaded."),
    broker("share.coordinator.snapshot.update.records.per.snapshot", kInt, "500", between(0, 500), kMedium,
           kReadOnly, refused(kNoShareGroups), "Updates of share state between two snapshots."),
    broker("share.coordinator.state.topic.compression.codec", kInt, "0", kAny, kHigh, kReadOnly,
           refused(kNoShareGroups), "Codec of the share state topic."),
    accepting(broker("share.coordinator.state.topic.min.isr", kShort, "2", at_least(1), kHigh, kReadOnly,
                     refused(kNoShareGroups), "min.insync.replicas of the share state topic."),
              "1"),
    broker("share.coordinator.state.topic.num.partitions", kInt, "50", at_least(1), kHigh, kReadOnly,
           refused(kNoShareGroups), "Partitions of the share state topic."),
    accepting(broker("share.coordinator.state.topic.replication.factor", kShort, "3", at_least(1), kHigh,
                     kReadOnly, refused(kNoShareGroups), "Replicas of the share state topic."),
              "1"),
    broker("share.coordinator.state.topic.segment.bytes", kInt, "104857600", at_least(1), kHigh, kReadOnly,
           refused(kNoShareGroups), "Segment size of the share state topic."),
    broker("share.coordinator.threads", kInt, "1", at_least(1), kMedium, kReadOnly, ignored(kThreads),
           "Threads of Kafka's share coordinator."),
    broker("share.coordinator.write.timeout.ms", kInt, "5000", at_least(1), kHigh, kReadOnly,
           refused(kNoShareGroups), "How long the share coordinator waits for its topic's replicas."),
};

}  // namespace

std::span<const Setting> share_coordinator_settings() { return kSettings; }

}  // namespace tidemark::config
