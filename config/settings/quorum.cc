// Controllers and the metadata log.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    broker("broker.heartbeat.interval.ms", kInt, "2000", kAny, kMedium, kReadOnly, refused(kNoQuorum),
           "How often a broker tells the controller that it lives."),
    broker("broker.session.timeout.ms", kInt, "9000", kAny, kMedium, kReadOnly, refused(kNoQuorum),
           "Silence after which the controller fences a broker."),
    broker("controller.quorum.append.linger.ms", kInt, "25", at_least(0), kMedium, kReadOnly,
           refused(kNoQuorum), "How long the controller gathers records before it writes them."),
    broker("controller.quorum.auto.join.enable", kBoolean, "false", kAny, kLow, kReadOnly, refused(kNoQuorum),
           "Whether a new controller joins the voters by itself."),
    broker("controller.quorum.bootstrap.servers", kList, "", kNonEmptyList, kHigh, kReadOnly,
           honoured("settings/broker_test.py: test_controller_quorum"),
           "Where controllers are found; in a cluster of one at most one address."),
    broker("controller.quorum.election.backoff.max.ms", kInt, "1000", at_least(0), kHigh, kReadOnly,
           refused(kNoQuorum), "Longest pause before another election."),
    broker("controller.quorum.election.timeout.ms", kInt, "1000", at_least(0), kHigh, kReadOnly,
           refused(kNoQuorum), "How long a candidate waits for votes."),
    broker("controller.quorum.fetch.max.bytes", kInt, "1048576", at_least(1), kLow, kReadOnly,
           refused(kNoQuorum), "Most bytes in a controller's fetch."),
    broker("controller.quorum.fetch.snapshot.max.bytes", kInt, "1048576", at_least(1), kLow, kReadOnly,
           refused(kNoQuorum), "Most bytes in one piece of a snapshot."),
    broker("controller.quorum.fetch.timeout.ms", kInt, "2000", at_least(0), kHigh, kReadOnly,
           refused(kNoQuorum), "Silence of the leader after which an election starts."),
    broker("controller.quorum.request.timeout.ms", kInt, "2000", at_least(0), kMedium, kReadOnly,
           refused(kNoQuorum), "How long controllers wait for each other's answers."),
    broker("controller.quorum.retry.backoff.ms", kInt, "20", at_least(0), kLow, kReadOnly, refused(kNoQuorum),
           "Pause before a request between controllers is tried again."),
    broker("controller.quorum.voters", kList, "", kNonEmptyList, kHigh, kReadOnly,
           honoured("settings/broker_test.py: test_controller_quorum"),
           "The voters as ID@HOST:PORT; in a cluster of one only this node."),
    broker("controller.socket.timeout.ms", kInt, "30000", kAny, kMedium, kReadOnly, refused(kNoQuorum),
           "Timeout of connections to the controller."),
    broker("initial.broker.registration.timeout.ms", kInt, "60000", kAny, kMedium, kReadOnly,
           refused(kNoQuorum), "How long a starting broker tries to register."),
    broker("metadata.log.dir", kString, kNull, kAny, kHigh, kReadOnly, refused(kMetadataLog),
           "A folder of its own for the metadata log."),
    broker("metadata.log.max.record.bytes.between.snapshots", kLong, "20971520", at_least(1), kHigh,
           kReadOnly, honoured("settings/broker_test.py: test_metadata_snapshots"),
           "Bytes of metadata behind which a snapshot is taken, at the latest."),
    broker("metadata.log.max.snapshot.interval.ms", kLong, "3600000", at_least(0), kHigh, kReadOnly,
           honoured("settings/broker_test.py: test_metadata_snapshots"),
           "Time after which a metadata snapshot is taken if there is anything new; 0: never for that."),
    broker("metadata.log.segment.bytes", kInt, "1073741824", at_least(8388608), kHigh, kReadOnly,
           refused(kMetadataLog), "Segment size of the metadata log."),
    broker("metadata.log.segment.ms", kLong, "604800000", kAny, kHigh, kReadOnly,
           honoured("settings/broker_test.py: test_metadata_log_segment_ms"),
           "Age at which a segment of the metadata log is rolled."),
    broker("metadata.max.idle.interval.ms", kInt, "500", at_least(0), kLow, kReadOnly, refused(kMetadataLog),
           "How often an idle controller writes a record that does nothing."),
    broker("metadata.max.retention.bytes", kLong, "104857600", kAny, kHigh, kReadOnly, refused(kMetadataLog),
           "Bytes of old metadata that are kept."),
    broker("metadata.max.retention.ms", kLong, "604800000", kAny, kHigh, kReadOnly, refused(kMetadataLog),
           "How long old metadata is kept."),
};

}  // namespace

std::span<const Setting> quorum_settings() { return kSettings; }

}  // namespace tidemark::config
