// Settings that Kafka does not have, and few they are.
#include "config/broker_config.h"
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    beyond_kafka(topic("write.caching", kBoolean, "false", kAny, "write.caching",
                       honoured("settings/topics_test.py: test_write_caching"),
                       "Kafka's durability: acks=all answers once the page cache has the records, and power "
                       "loss may take them.")),
    beyond_kafka(broker("write.caching", kBoolean, "false", kAny, kHigh, kClusterWide,
                        honoured("settings/defaults_test.py: test_write_caching"),
                        "The default of the topic setting of this name.")),
    beyond_kafka(
        broker("memory.limit", kLong, kNull, size_at_least(33554432), kHigh, kReadOnly,
               honoured("settings/broker_test.py: test_queued_max_request_bytes_and_memory_limit"),
               "Bytes for the tail cache and for requests together; answers, fetch sessions and what "
               "requests of many elements become have at most five eighths as much beside that. "
               "Unset, a quarter of the cgroup's or machine's memory, at most 1 GiB.")),
    beyond_kafka(broker(
        "journal.size", kLong, "134217728", size_at_least(8388608), kHigh, kReadOnly,
        honoured("settings/broker_test.py: test_journal_size"),
        "Bytes of the journal that each shard has in each data folder; recovery after a crash reads no "
        "more than all of these.")),
    beyond_kafka(broker(
        "log.scrub.bytes.per.second", kLong, "4194304", size_at_least(0), kMedium, kReadOnly,
        honoured("settings/broker_test.py: test_log_scrub_bytes_per_second"),
        "How fast sealed segments are read through in the background, once a day at most, to find what "
        "has rotted on the disk; 0 turns that off.")),
    beyond_kafka(broker("http.address", kString, "127.0.0.1:9644", kAddress, kMedium, kReadOnly,
                        honoured("settings/broker_test.py: test_http_address"),
                        "Where /metrics, /healthz and /readyz are served.")),
    beyond_kafka(broker("shards", kInt, "0", between(0, kMostShards), kMedium, kReadOnly,
                        honoured("settings/broker_test.py: test_shards"),
                        "Event loops, each with its connections and partitions; 0 is one for each core.")),
    beyond_kafka(broker("connection.max.in.flight", kInt, "64", between(1, 100000), kMedium, kReadOnly,
                        honoured("settings/broker_test.py: test_connection_max_in_flight"),
                        "Requests of one connection in work at once; then its socket is not read.")),
    beyond_kafka(broker(
        "request.queue.time.max.ms", kLong, "30000", at_least(1), kMedium, kReadOnly,
        honoured("settings/broker_test.py: test_request_queue_time_max_ms"),
        "A request that waited longer than this before its turn is dropped: its client has given up.")),
};

}  // namespace

std::span<const Setting> own_settings() { return kSettings; }

}  // namespace tidemark::config
