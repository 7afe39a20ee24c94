"""The requests of administration in every version that clients send."""

from message_codec import Api, Field

ERROR = Field("error", "int16")
MESSAGE = Field("message", "string")
THROTTLE = Field("throttle_time_ms", "int32")

API_VERSIONS = Api("ApiVersions", 18, 3, (Field("software_name", "string", 3), Field("software_version", "string", 3)), ())

DESCRIBE_CONFIGS = Api("DescribeConfigs", 32, 4, (
    Field("resources", [(Field("type", "int8"), Field("name", "string"), Field("keys", ["string"], default=None))]),
    Field("include_synonyms", "bool", 1, default=True), Field("include_documentation", "bool", 3, default=False)), (
        THROTTLE, Field("results", [(ERROR, MESSAGE, Field("type", "int8"), Field("name", "string"), Field("configs", [(
            Field("name", "string"), Field("value", "string"), Field("read_only", "bool"), Field("source", "int8"),
            Field("is_sensitive", "bool"), Field("synonyms", [(
                Field("name", "string"), Field("value", "string"), Field("source", "int8"))]),
            Field("type", "int8", 3), Field("documentation", "string", 3))]))])))

ALTERED = (THROTTLE, Field("responses", [(ERROR, MESSAGE, Field("type", "int8"), Field("name", "string"))]))
ALTER_CONFIGS = Api("AlterConfigs", 33, 2, (
    Field("resources", [(Field("type", "int8"), Field("name", "string"),
                         Field("configs", [(Field("name", "string"), Field("value", "string"))]))]),
    Field("validate_only", "bool", default=False)), ALTERED)
INCREMENTAL_ALTER_CONFIGS = Api("IncrementalAlterConfigs", 44, 1, (
    Field("resources", [(Field("type", "int8"), Field("name", "string"), Field("configs", [(
        Field("name", "string"), Field("operation", "int8", default=0), Field("value", "string", default=None))]))]),
    Field("validate_only", "bool", default=False)), ALTERED)

LIST_CONFIG_RESOURCES = Api("ListConfigResources", 74, 0, (Field("types", ["int8"], 1, default=()),), (
    THROTTLE, ERROR, Field("resources", [(Field("name", "string"), Field("type", "int8", 1))])))

ELECT_LEADERS = Api("ElectLeaders", 43, 2, (
    Field("type", "int8", 1, default=0),
    Field("topics", [(Field("topic", "string"), Field("partitions", ["int32"]))]), Field("timeout_ms", "int32", default=10_000)), (
        THROTTLE, Field("error", "int16", 1),
        Field("results", [(Field("topic", "string"), Field("partitions", [(Field("partition", "int32"), ERROR, MESSAGE)]))])))

ALTER_PARTITION_REASSIGNMENTS = Api("AlterPartitionReassignments", 45, 0, (
    Field("timeout_ms", "int32", default=10_000), Field("allow_replication_factor_change", "bool", 1, default=True),
    Field("topics", [(Field("name", "string"), Field("partitions", [(
        Field("partition", "int32"), Field("replicas", ["int32"]))]))])), (
            THROTTLE, Field("allow_replication_factor_change", "bool", 1), ERROR, MESSAGE,
            Field("responses", [(Field("name", "string"), Field("partitions", [(
                Field("partition", "int32"), ERROR, MESSAGE)]))])))

LIST_PARTITION_REASSIGNMENTS = Api("ListPartitionReassignments", 46, 0, (
    Field("timeout_ms", "int32", default=10_000),
    Field("topics", [(Field("name", "string"), Field("partitions", ["int32"]))])), (
        THROTTLE, ERROR, MESSAGE, Field("topics", [(Field("name", "string"), Field("partitions", [(
            Field("partition", "int32"), Field("replicas", ["int32"]), Field("adding", ["int32"]),
            Field("removing", ["int32"]))]))])))

UPDATE_FEATURES = Api("UpdateFeatures", 57, 0, (
    Field("timeout_ms", "int32", default=10_000),
    Field("updates", [(Field("feature", "string"), Field("level", "int16"), Field("allow_downgrade", "bool", 0, 0, False),
                       Field("upgrade_type", "int8", 1, default=1))]),
    Field("validate_only", "bool", 1, default=False)), (
        THROTTLE, ERROR, MESSAGE, Field("results", [(Field("feature", "string"), ERROR, MESSAGE)], 0, 1)))

DESCRIBE_PRODUCERS = Api("DescribeProducers", 61, 0, (
    Field("topics", [(Field("name", "string"), Field("partitions", ["int32"]))]),), (
        THROTTLE, Field("topics", [(Field("name", "string"), Field("partitions", [(
            Field("partition", "int32"), ERROR, MESSAGE, Field("producers", [(
                Field("id", "int64"), Field("epoch", "int32"), Field("last_sequence", "int32"),
                Field("last_timestamp", "int64"), Field("coordinator_epoch", "int32"),
                Field("transaction_start", "int64"))]))]))])))

UNREGISTER_BROKER = Api("UnregisterBroker", 64, 0, (Field("broker", "int32"),), (THROTTLE, ERROR, MESSAGE))

GET_TELEMETRY_SUBSCRIPTIONS = Api("GetTelemetrySubscriptions", 71, 0, (Field("instance", "uuid", default=bytes(16)),), (
    THROTTLE, ERROR, Field("instance", "uuid"), Field("subscription", "int32"), Field("compression_types", ["int8"]),
    Field("interval_ms", "int32"), Field("max_bytes", "int32"), Field("delta_temporality", "bool"),
    Field("metrics", ["string"])))

PUSH_TELEMETRY = Api("PushTelemetry", 72, 0, (
    Field("instance", "uuid"), Field("subscription", "int32"), Field("terminating", "bool", default=False),
    Field("compression_type", "int8", default=0), Field("metrics", "bytes", default=b"")), (THROTTLE, ERROR))

# Without a cursor, in the request and in the answer: -1.
DESCRIBE_TOPIC_PARTITIONS = Api("DescribeTopicPartitions", 75, 0, (
    Field("topics", [(Field("name", "string"),)]), Field("limit", "int32", default=2000), Field("cursor", "int8", default=-1)), (
        THROTTLE, Field("topics", [(ERROR, Field("name", "string"), Field("id", "uuid"), Field("is_internal", "bool"),
                                    Field("partitions", [(
                                        ERROR, Field("partition", "int32"), Field("leader", "int32"),
                                        Field("leader_epoch", "int32"), Field("replicas", ["int32"]), Field("isr", ["int32"]),
                                        Field("elr", ["int32"]), Field("last_known_elr", ["int32"]),
                                        Field("offline", ["int32"]))]),
                                    Field("operations", "int32"))]), Field("cursor", "int8")))
