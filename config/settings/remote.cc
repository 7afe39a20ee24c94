// Tiered storage.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    broker("follower.fetch.last.tiered.offset.enable", kBoolean, "false", kAny, kMedium, kClusterWide,
           refused(kNoTiering), "Whether a new replica starts at the last tiered offset."),
    broker("remote.fetch.max.wait.ms", kInt, "500", at_least(1), kMedium, kClusterWide, refused(kNoTiering),
           "Longest wait for a tiered read."),
    broker("remote.list.offsets.request.timeout.ms", kLong, "30000", at_least(1), kMedium, kClusterWide,
           refused(kNoTiering), "Longest wait for an offset that is looked up in tiered segments."),
    broker("remote.log.index.file.cache.total.size.bytes", kLong, "1073741824", at_least(1), kLow,
           kClusterWide, refused(kNoTiering), "Disk space for indexes of tiered segments."),
    broker("remote.log.manager.copier.thread.pool.size", kInt, "10", at_least(1), kMedium, kClusterWide,
           refused(kNoTiering), "Threads that copy segments away."),
    broker("remote.log.manager.copy.max.bytes.per.second", kLong, "9223372036854775807", at_least(1), kMedium,
           kClusterWide, refused(kNoTiering), "Bound on copying segments away."),
    broker("remote.log.manager.copy.quota.window.num", kInt, "11", at_least(1), kMedium, kReadOnly,
           refused(kNoTiering), "Samples kept for the bound on copying."),
    broker("remote.log.manager.copy.quota.window.size.seconds", kInt, "1", at_least(1), kMedium, kReadOnly,
           refused(kNoTiering), "Length of a sample for the bound on copying."),
    broker("remote.log.manager.expiration.thread.pool.size", kInt, "10", at_least(1), kMedium, kClusterWide,
           refused(kNoTiering), "Threads that remove expired tiered segments."),
    broker("remote.log.manager.fetch.max.bytes.per.second", kLong, "9223372036854775807", at_least(1),
           kMedium, kClusterWide, refused(kNoTiering), "Bound on reading tiered segments."),
    broker("remote.log.manager.fetch.quota.window.num", kInt, "11", at_least(1), kMedium, kReadOnly,
           refused(kNoTiering), "Samples kept for the bound on reading."),
    broker("remote.log.manager.fetch.quota.window.size.seconds", kInt, "1", at_least(1), kMedium, kReadOnly,
           refused(kNoTiering), "Length of a sample for the bound on reading."),
    broker("remote.log.manager.follower.thread.pool.size", kInt, "2", at_least(1), kMedium, kClusterWide,
           refused(kNoTiering), "Threads that follow tiering on replicas."),
    broker("remote.log.manager.task.interval.ms", kLong, "30000", at_least(1), kLow, kReadOnly,
           refused(kNoTiering), "How often tiering looks for work."),
    broker("remote.log.manager.thread.pool.size", kInt, "2", at_least(1), kMedium, kReadOnly,
           refused(kNoTiering), "Threads of tiering's scheduler."),
    broker("remote.log.metadata.custom.metadata.max.bytes", kInt, "128", at_least(0), kLow, kReadOnly,
           refused(kNoTiering), "Most metadata that a store may add to a segment."),
    broker("remote.log.metadata.manager.class.name", kString,
           "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
           kNonEmpty, kMedium, kReadOnly, refused(kNoTiering),
           "Java class that keeps the list of tiered segments."),
    broker("remote.log.metadata.manager.class.path", kString, kNull, kAny, kMedium, kReadOnly,
           refused(kNoTiering), "Where that class is loaded from."),
    broker("remote.log.metadata.manager.impl.prefix", kString, "rlmm.config.", kNonEmpty, kMedium, kReadOnly,
           refused(kNoTiering), "Prefix of that class's own settings."),
    broker("remote.log.metadata.manager.listener.name", kString, kNull, kNonEmpty, kMedium, kReadOnly,
           refused(kNoTiering), "Listener that class connects to."),
    broker("remote.log.reader.max.pending.tasks", kInt, "100", at_least(1), kMedium, kReadOnly,
           refused(kNoTiering), "Tiered reads that may wait."),
    broker("remote.log.reader.threads", kInt, "10", at_least(1), kMedium, kClusterWide, refused(kNoTiering),
           "Threads for tiered reads."),
    broker("remote.log.storage.manager.class.name", kString, kNull, kNonEmpty, kMedium, kReadOnly,
           refused(kNoTiering), "Java class that stores tiered segments."),
    broker("remote.log.storage.manager.class.path", kString, kNull, kAny, kMedium, kReadOnly,
           refused(kNoTiering), "Where that class is loaded from."),
    broker("remote.log.storage.manager.impl.prefix", kString, "rsm.config.", kNonEmpty, kMedium, kReadOnly,
           refused(kNoTiering), "Prefix of that class's own settings."),
    broker("remote.log.storage.system.enable", kBoolean, "false", kAny, kMedium, kReadOnly,
           refused(kNoTiering), "Whether tiering is on at all."),
};

}  // namespace

std::span<const Setting> remote_settings() { return kSettings; }

}  // namespace tidemark::config
