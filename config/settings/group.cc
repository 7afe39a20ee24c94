// A group's own settings, and the subscriptions of client metrics.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    group("consumer.assignment.interval.ms", kInt, "1000", at_least(0),
          "group.consumer.assignment.interval.ms", refused(kNoNewerGroups),
          "Shortest time between two assignments of this group."),
    group("consumer.heartbeat.interval.ms", kInt, "5000", at_least(1), "group.consumer.heartbeat.interval.ms",
          refused(kNoNewerGroups), "Heartbeat interval of this group."),
    group("consumer.session.timeout.ms", kInt, "45000", at_least(1), "group.consumer.session.timeout.ms",
          refused(kNoNewerGroups), "Silence after which a member of this group is removed."),
    group("share.assignment.interval.ms", kInt, "1000", at_least(0), "group.share.assignment.interval.ms",
          refused(kNoShareGroups), "Shortest time between two assignments of this share group."),
    group("share.auto.offset.reset", kString, "latest", kShareOffsetReset, "", refused(kNoShareGroups),
          "Where this share group starts to read."),
    group("share.delivery.count.limit", kInt, "5", at_least(2), "group.share.delivery.count.limit",
          refused(kNoShareGroups), "Deliveries after which this group gives a record up."),
    group("share.heartbeat.interval.ms", kInt, "5000", at_least(1), "group.share.heartbeat.interval.ms",
          refused(kNoShareGroups), "Heartbeat interval of this share group."),
    group("share.isolation.level", kString, "read_uncommitted", one_of("read_committed, read_uncommitted"),
          "", refused(kNoShareGroups), "Whether this group sees records of open and aborted transactions."),
    group("share.partition.max.record.locks", kInt, "2000", at_least(100),
          "group.share.partition.max.record.locks", refused(kNoShareGroups),
          "Records of a partition that this group may lock at once."),
    group("share.record.lock.duration.ms", kInt, "30000", at_least(1000),
          "group.share.record.lock.duration.ms", refused(kNoShareGroups),
          "How long a consumer of this group holds a record."),
    group("share.renew.acknowledge.enable", kBoolean, "true", kAny, "", refused(kNoShareGroups),
          "Whether consumers of this group may prolong a record's lock."),
    group("share.session.timeout.ms", kInt, "45000", at_least(1), "group.share.session.timeout.ms",
          refused(kNoShareGroups), "Silence after which a member of this share group is removed."),
    group("streams.assignment.interval.ms", kInt, "1000", at_least(0), "group.streams.assignment.interval.ms",
          refused(kNoStreamsGroups), "Shortest time between two assignments of this streams group."),
    group("streams.heartbeat.interval.ms", kInt, "5000", at_least(1), "group.streams.heartbeat.interval.ms",
          refused(kNoStreamsGroups), "Heartbeat interval of this streams group."),
    group("streams.initial.rebalance.delay.ms", kInt, "3000", at_least(0),
          "group.streams.initial.rebalance.delay.ms", refused(kNoStreamsGroups),
          "How long this group's first assignment waits for further members."),
    group("streams.num.standby.replicas", kInt, "0", at_least(0), "group.streams.num.standby.replicas",
          refused(kNoStreamsGroups), "Standby copies of each task of this group."),
    group("streams.session.timeout.ms", kInt, "45000", at_least(1), "group.streams.session.timeout.ms",
          refused(kNoStreamsGroups), "Silence after which a member of this streams group is removed."),
    client_metrics("interval.ms", kInt, "300000",
                   honoured("interop/raw_client_metrics_test.py: test_pushes_come_an_interval_apart"),
                   "How often clients push their metrics."),
    client_metrics(
        "match", kList, "",
        honoured("interop/raw_client_metrics_test.py: test_subscriptions_come_together_and_are_matched"),
        "Which clients a subscription is for."),
    client_metrics(
        "metrics", kList, "",
        honoured("interop/raw_client_metrics_test.py: test_subscriptions_come_together_and_are_matched"),
        "Which metrics a subscription asks for."),
};

}  // namespace

std::span<const Setting> group_settings() { return kSettings; }

}  // namespace tidemark::config
