// Listeners, connections, and the limits of requests.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    differing(broker("listeners", kList, "PLAINTEXT://127.0.0.1:9092", kAny, kHigh, kPerBroker,
                     honoured("settings/broker_test.py: test_listeners_and_advertised_listeners"),
                     "Where clients connect, as NAME://HOST:PORT separated by commas; an empty host is every "
                     "address."),
              "PLAINTEXT://:9092"),
    broker("advertised.listeners", kList, kNull, kAny, kHigh, kReadOnly,
           honoured("settings/broker_test.py: test_listeners_and_advertised_listeners"),
           "What clients are told to connect to, by listener name; without it, the address that they "
           "connected to."),
    broker("listener.security.protocol.map", kString,
           "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", kAny, kLow,
           kPerBroker, honoured("settings/broker_test.py: test_listener_security_protocol_map"),
           "The protocol of each listener name; only PLAINTEXT works in this release."),
    broker("early.start.listeners", kList, kNull, kAny, kHigh, kReadOnly, refused(kNoQuorum),
           "Listeners that open before the metadata is loaded."),
    broker("inter.broker.listener.name", kString, kNull, kAny, kMedium, kReadOnly, refused(kNoReplication),
           "The listener that other brokers use; any of this node's own may be named."),
    differing(broker("controller.listener.names", kList, "", kAny, kHigh, kReadOnly,
                     honoured("settings/broker_test.py: test_controller_listener_names"),
                     "Listeners for controllers; a cluster of one does not open them."),
              "(required)"),
    broker("security.inter.broker.protocol", kString, "PLAINTEXT",
           one_of("PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"), kMedium, kReadOnly, refused(kNoTls),
           "The protocol between brokers."),
    broker("connections.max.idle.ms", kLong, "600000", kAny, kMedium, kReadOnly,
           honoured("settings/broker_test.py: test_connections_max_idle_ms"),
           "A connection without traffic for this long is closed; negative for never."),
    broker("connections.max.reauth.ms", kLong, "0", kAny, kMedium, kReadOnly, refused(kNoSasl),
           "How long an authenticated session may last."),
    broker("connection.failed.authentication.delay.ms", kInt, "100", at_least(0), kLow, kReadOnly,
           refused(kNoSasl), "Delay before a connection that failed to authenticate is closed."),
    broker("max.connection.creation.rate", kInt, "2147483647", at_least(0), kMedium, kClusterWide,
           refused(kNoCreationRate), "New connections a second that the broker takes."),
    broker("max.connections", kInt, "2147483647", at_least(0), kMedium, kClusterWide,
           honoured("settings/broker_test.py: test_max_connections"),
           "Connections that the broker keeps open; further ones are closed at once."),
    broker("max.connections.per.ip", kInt, "2147483647", at_least(0), kMedium, kClusterWide,
           honoured("settings/broker_test.py: test_max_connections_per_ip"),
           "Connections from one address; further ones are closed at once."),
    broker("max.connections.per.ip.overrides", kString, "", kAny, kMedium, kClusterWide,
           refused(kNoOverrides), "Other limits for some addresses, as HOST:COUNT separated by commas."),
    broker("max.incremental.fetch.session.cache.slots", kInt, "1000", at_least(0), kMedium, kReadOnly,
           honoured("settings/broker_test.py: test_max_incremental_fetch_session_cache_slots"),
           "Incremental fetch sessions that are remembered; 0 for none."),
    broker("max.request.partition.size.limit", kInt, "2000", at_least(1), kMedium, kReadOnly,
           honoured("settings/broker_test.py: test_max_request_partition_size_limit"),
           "Most partitions in one answer to DescribeTopicPartitions."),
    broker("queued.max.request.bytes", kLong, "-1", kAny, kMedium, kReadOnly,
           honoured("settings/broker_test.py: test_queued_max_request_bytes_and_memory_limit"),
           "Bytes of requests that may wait or be in work before sockets are no longer read; -1 leaves it to "
           "memory.limit."),
    broker("queued.max.requests", kInt, "500", at_least(1), kHigh, kReadOnly,
           honoured("settings/broker_test.py: test_queued_max_requests"),
           "Requests that may wait or be in work on a shard before its sockets are no longer read."),
    broker("socket.connection.setup.timeout.max.ms", kLong, "30000", kAny, kMedium, kReadOnly,
           refused(kNoReplication), "Longest wait for a connection to another broker."),
    broker("socket.connection.setup.timeout.ms", kLong, "10000", kAny, kMedium, kReadOnly,
           refused(kNoReplication), "First wait for a connection to another broker."),
    broker("socket.listen.backlog.size", kInt, "50", at_least(1), kMedium, kReadOnly, refused(kSystemBacklog),
           "Connections that may wait to be accepted."),
    accepting(broker("socket.receive.buffer.bytes", kInt, "102400", kAny, kHigh, kReadOnly,
                     refused(kSystemBuffers), "The kernel's receive buffer of a connection."),
              "-1"),
    accepting(broker("socket.send.buffer.bytes", kInt, "102400", kAny, kHigh, kReadOnly,
                     refused(kSystemBuffers), "The kernel's send buffer of a connection."),
              "-1"),
    broker("socket.request.max.bytes", kInt, "104857600", at_least(1), kHigh, kReadOnly,
           honoured("settings/broker_test.py: test_socket_request_max_bytes"),
           "Largest request; a connection that announces more is closed."),
    broker("fetch.max.bytes", kInt, "57671680", at_least(1024), kMedium, kReadOnly,
           honoured("settings/broker_test.py: test_fetch_max_bytes"),
           "Most record bytes in one fetch response, unless its first batch alone is larger."),
    broker("delete.records.purgatory.purge.interval.requests", kInt, "1", kAny, kMedium, kReadOnly,
           ignored(kPurgatory), "When Kafka tidies its waiting DeleteRecords requests."),
    broker("fetch.purgatory.purge.interval.requests", kInt, "1000", kAny, kMedium, kReadOnly,
           ignored(kPurgatory), "When Kafka tidies its waiting fetches."),
    broker("producer.purgatory.purge.interval.requests", kInt, "1000", kAny, kMedium, kReadOnly,
           ignored(kPurgatory), "When Kafka tidies its waiting produce requests."),
    broker("share.fetch.purgatory.purge.interval.requests", kInt, "1000", kAny, kMedium, kReadOnly,
           ignored(kPurgatory), "When Kafka tidies its waiting share fetches."),
};

}  // namespace

std::span<const Setting> network_settings() { return kSettings; }

}  // namespace tidemark::config
