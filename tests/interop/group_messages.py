"""The requests of classic consumer groups in every version that clients send, and what a consumer keeps inside of them."""

from message_codec import Api, Decoder, Field, encode

ERROR = Field("error", "int16")
THROTTLE = "throttle_time_ms"

FIND_COORDINATOR = Api("FindCoordinator", 10, 3, (
    Field("key", "string", 0, 3), Field("key_type", "int8", 1, default=0), Field("keys", ["string"], 4)), (
        Field(THROTTLE, "int32", 1), Field("error", "int16", 0, 3), Field("message", "string", 1, 3),
        Field("node", "int32", 0, 3), Field("host", "string", 0, 3), Field("port", "int32", 0, 3),
        Field("coordinators", [(Field("key", "string"), Field("node", "int32"), Field("host", "string"),
                                Field("port", "int32"), ERROR, Field("message", "string"))], 4)))

JOIN_GROUP = Api("JoinGroup", 11, 6, (
    Field("group", "string"), Field("session_timeout_ms", "int32", default=10_000),
    Field("rebalance_timeout_ms", "int32", 1, default=10_000), Field("member", "string", default=""),
    Field("instance", "string", 5, default=None), Field("protocol_type", "string", default="consumer"),
    Field("protocols", [(Field("name", "string"), Field("metadata", "bytes"))]),
    Field("reason", "string", 8, default=None)), (
        Field(THROTTLE, "int32", 2), ERROR, Field("generation", "int32"), Field("protocol_type", "string", 7),
        Field("protocol", "string"), Field("leader", "string"), Field("skip_assignment", "bool", 9),
        Field("member", "string"),
        Field("members", [(Field("member", "string"), Field("instance", "string", 5), Field("metadata", "bytes"))])))

SYNC_GROUP = Api("SyncGroup", 14, 4, (
    Field("group", "string"), Field("generation", "int32"), Field("member", "string"),
    Field("instance", "string", 3, default=None), Field("protocol_type", "string", 5, default="consumer"),
    Field("protocol", "string", 5, default="range"),
    Field("assignments", [(Field("member", "string"), Field("assignment", "bytes"))], default=())), (
        Field(THROTTLE, "int32", 1), ERROR, Field("protocol_type", "string", 5), Field("protocol", "string", 5),
        Field("assignment", "bytes")))

HEARTBEAT = Api("Heartbeat", 12, 4, (
    Field("group", "string"), Field("generation", "int32"), Field("member", "string"),
    Field("instance", "string", 3, default=None)), (Field(THROTTLE, "int32", 1), ERROR))

LEAVE_GROUP = Api("LeaveGroup", 13, 4, (
    Field("group", "string"), Field("member", "string", 0, 2),
    Field("members", [(Field("member", "string"), Field("instance", "string", default=None),
                       Field("reason", "string", 5, default=None))], 3)), (
        Field(THROTTLE, "int32", 1), ERROR,
        Field("members", [(Field("member", "string"), Field("instance", "string"), ERROR)], 3)))

OFFSET_COMMIT = Api("OffsetCommit", 8, 8, (
    Field("group", "string"), Field("generation", "int32", default=-1), Field("member", "string", default=""),
    Field("instance", "string", 7, default=None), Field("retention_time_ms", "int64", 2, 4, -1),
    Field("topics", [(Field("topic", "string"), Field("partitions", [(
        Field("partition", "int32"), Field("offset", "int64"), Field("leader_epoch", "int32", 6, default=-1),
        Field("metadata", "string", default=""))]))])), (
            Field(THROTTLE, "int32", 3),
            Field("topics", [(Field("topic", "string"), Field("partitions", [(Field("partition", "int32"), ERROR)]))])))

FETCHED = [(Field("topic", "string"), Field("partitions", [(
    Field("partition", "int32"), Field("offset", "int64"), Field("leader_epoch", "int32", 5), Field("metadata", "string"),
    ERROR)]))]
WANTED = [(Field("topic", "string"), Field("partitions", ["int32"]))]

OFFSET_FETCH = Api("OffsetFetch", 9, 6, (
    Field("group", "string", 0, 7), Field("topics", WANTED, 0, 7),
    Field("groups", [(Field("group", "string"), Field("member", "string", 9, default=None),
                      Field("epoch", "int32", 9, default=-1), Field("topics", WANTED))], 8),
    Field("require_stable", "bool", 7, default=False)), (
        Field(THROTTLE, "int32", 3), Field("topics", FETCHED, 0, 7), Field("error", "int16", 2, 7),
        Field("groups", [(Field("group", "string"), Field("topics", FETCHED), ERROR)], 8)))

OFFSET_DELETE = Api("OffsetDelete", 47, 99, (
    Field("group", "string"),
    Field("topics", [(Field("topic", "string"), Field("partitions", [(Field("partition", "int32"),)]))])), (
        ERROR, Field(THROTTLE, "int32"),
        Field("topics", [(Field("topic", "string"), Field("partitions", [(Field("partition", "int32"), ERROR)]))])))

DESCRIBE_GROUPS = Api("DescribeGroups", 15, 5, (
    Field("groups", ["string"]), Field("include_authorized_operations", "bool", 3, default=False)), (
        Field(THROTTLE, "int32", 1),
        Field("groups", [(ERROR, Field("message", "string", 6), Field("group", "string"), Field("state", "string"),
                          Field("protocol_type", "string"), Field("protocol", "string"),
                          Field("members", [(Field("member", "string"), Field("instance", "string", 4),
                                             Field("client_id", "string"), Field("client_host", "string"),
                                             Field("metadata", "bytes"), Field("assignment", "bytes"))]),
                          Field("authorized_operations", "int32", 3))])))

LIST_GROUPS = Api("ListGroups", 16, 3, (
    Field("states", ["string"], 4, default=()), Field("types", ["string"], 5, default=())), (
        Field(THROTTLE, "int32", 1), ERROR,
        Field("groups", [(Field("group", "string"), Field("protocol_type", "string"), Field("state", "string", 4),
                          Field("type", "string", 5))])))

DELETE_GROUPS = Api("DeleteGroups", 42, 2, (Field("groups", ["string"]),), (
    Field(THROTTLE, "int32"), Field("results", [(Field("group", "string"), ERROR)])))

# What the broker only looks into to learn who is subscribed to a topic: version 0 of the consumer's own format.
SUBSCRIPTION = (Field("version", "int16", default=0), Field("topics", ["string"]), Field("user_data", "bytes", default=None))
ASSIGNMENT = (Field("version", "int16", default=0),
              Field("topics", [(Field("topic", "string"), Field("partitions", ["int32"]))]),
              Field("user_data", "bytes", default=None))


def subscription(topics):
    return encode(SUBSCRIPTION, {"topics": topics}, 0, False)


def assignment(topics):
    """`topics`: {topic: partitions}"""
    listed = [{"topic": topic, "partitions": partitions} for topic, partitions in topics.items()]
    return encode(ASSIGNMENT, {"topics": listed}, 0, False)


def assigned(data):
    """The reverse: {(topic, partition)}. Newer versions only append fields."""
    found = Decoder(data, 0, False).decode(ASSIGNMENT)
    return {(entry["topic"], partition) for entry in found["topics"] for partition in entry["partitions"]}
