// Names that Kafka 4.3 no longer documents, or never did though its tools and guides use them.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting removed(std::string_view name, Type type, Default value, std::string_view why,
                          std::string_view doc) {
  return beyond_kafka(broker(name, type, value, kAny, kLow, kReadOnly, ignored(why), doc));
}

constexpr Setting kSettings[] = {
    removed("zookeeper.connect", kString, kNull, kZooKeeper, "The servers of the ensemble."),
    removed("zookeeper.session.timeout.ms", kInt, "18000", kZooKeeper, "Session timeout."),
    removed("zookeeper.connection.timeout.ms", kInt, kNull, kZooKeeper, "Connection timeout."),
    removed("zookeeper.set.acl", kBoolean, "false", kZooKeeper, "Whether nodes in ZooKeeper are protected."),
    removed("zookeeper.max.in.flight.requests", kInt, "10", kZooKeeper, "Requests under way."),
    removed("zookeeper.metadata.migration.enable", kBoolean, "false", kZooKeeper,
            "The way from ZooKeeper to KRaft."),
    removed("zookeeper.clientCnxnSocket", kString, kNull, kZooKeeper, "Java class of the connection."),
    removed("zookeeper.ssl.client.enable", kBoolean, "false", kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.cipher.suites", kList, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.crl.enable", kBoolean, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.enabled.protocols", kList, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.endpoint.identification.algorithm", kString, kNull, kZooKeeper,
            "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.keystore.location", kString, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.keystore.password", kPassword, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.keystore.type", kString, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.ocsp.enable", kBoolean, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.protocol", kString, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.truststore.location", kString, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.truststore.password", kPassword, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("zookeeper.ssl.truststore.type", kString, kNull, kZooKeeper, "TLS towards ZooKeeper."),
    removed("inter.broker.protocol.version", kString, kNull, kRemoved,
            "The version between brokers during an upgrade."),
    removed("log.message.format.version", kString, kNull, kRemoved,
            "The record format; it is always version 2."),
    removed("log.message.downconversion.enable", kBoolean, "true", kRemoved,
            "Whether old consumers got old record formats."),
    removed("log.message.timestamp.difference.max.ms", kLong, kNull, kRemoved,
            "How far a record's time may be off; log.message.timestamp.before.max.ms and .after.max.ms took "
            "its place."),
    removed("broker.id.generation.enable", kBoolean, "true", kRemoved,
            "Whether ZooKeeper gave out broker ids."),
    removed("reserved.broker.max.id", kInt, "1000", kRemoved, "Largest id that was not given out."),
    removed("controlled.shutdown.max.retries", kInt, "3", kRemoved, "Tries to hand over before stopping."),
    removed("controlled.shutdown.retry.backoff.ms", kLong, "5000", kRemoved, "Pause between those tries."),
    removed("leader.imbalance.per.broker.percentage", kInt, "10", kRemoved,
            "Imbalance at which leadership returned."),
    removed("control.plane.listener.name", kString, kNull, kRemoved,
            "A listener for the controller's requests."),
    removed("offsets.commit.required.acks", kShort, "-1", kRemoved, "Acks of a commit."),
    removed("auto.include.jmx.reporter", kBoolean, "true", kRemoved, "Whether JMX was on by itself."),
    removed("password.encoder.iterations", kInt, "4096", kRemoved,
            "How passwords in ZooKeeper were encrypted."),
    removed("password.encoder.key.length", kInt, "128", kRemoved,
            "How passwords in ZooKeeper were encrypted."),
    removed("password.encoder.cipher.algorithm", kString, "AES/CBC/PKCS5Padding", kRemoved,
            "How passwords in ZooKeeper were encrypted."),
    removed("password.encoder.keyfactory.algorithm", kString, kNull, kRemoved,
            "How passwords in ZooKeeper were encrypted."),
    removed("password.encoder.secret", kPassword, kNull, kRemoved,
            "How passwords in ZooKeeper were encrypted."),
    removed("password.encoder.old.secret", kPassword, kNull, kRemoved,
            "How passwords in ZooKeeper were encrypted."),

    // Topics may carry these from older clusters.
    beyond_kafka(topic("message.format.version", kString, kNull, kAny, "", ignored(kRemoved),
                       "The record format; it is always version 2.")),
    beyond_kafka(topic("message.downconversion.enable", kBoolean, "true", kAny, "", ignored(kRemoved),
                       "Whether old consumers got old record formats.")),
    beyond_kafka(topic("message.timestamp.difference.max.ms", kLong, kNull, kAny, "", ignored(kRemoved),
                       "How far a record's time may be off; message.timestamp.before.max.ms and "
                       ".after.max.ms took its place.")),

    // The standard authorizer's own, and a key that was renamed. They protect: refused.
    beyond_kafka(broker("super.users", kString, "", kAny, kHigh, kReadOnly, refused(kNoAccess),
                        "Users that may do everything.")),
    accepting(beyond_kafka(broker("allow.everyone.if.no.acl.found", kBoolean, "false", kAny, kHigh, kReadOnly,
                                  refused(kNoAccess),
                                  "Whether what no ACL covers is open to all; without an authorizer it is.")),
              "true"),
    beyond_kafka(broker("delegation.token.master.key", kPassword, kNull, kAny, kMedium, kReadOnly,
                        refused(kNoAccess), "An older name of delegation.token.secret.key.")),
};

}  // namespace

std::span<const Setting> removed_settings() { return kSettings; }

}  // namespace tidemark::config
