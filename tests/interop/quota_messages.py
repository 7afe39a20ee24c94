"""The requests of client quotas (KIP-546) in every version, and what a client by hand says with them."""

from message_codec import Api, Field, decode_response, encode_request
from raw_client import RawClient
from raw_frames import framed, request
from served_apis import receive

USER, CLIENT, IP = "user", "client-id", "ip"
EXACT, DEFAULT, ANY = 0, 1, 2  # how a filter's component matches

ENTITY = Field("entity", [(Field("type", "string"), Field("name", "string"))])

DESCRIBE_QUOTAS = Api("DescribeClientQuotas", 48, 1, (
    Field("components", [(Field("type", "string"), Field("match_type", "int8"), Field("match", "string"))]),
    Field("strict", "bool")), (
        Field("throttle_time_ms", "int32"), Field("error", "int16"), Field("message", "string"),
        Field("entries", [(ENTITY, Field("values", [(Field("key", "string"), Field("value", "float64"))]))])))

ALTER_QUOTAS = Api("AlterClientQuotas", 49, 1, (
    Field("entries", [(ENTITY, Field("ops", [(Field("key", "string"), Field("value", "float64"), Field("remove", "bool"))]))]),
    Field("validate_only", "bool")), (
        Field("throttle_time_ms", "int32"),
        Field("entries", [(Field("error", "int16"), Field("message", "string"), ENTITY)])))

DESCRIBE_SCRAM = Api("DescribeUserScramCredentials", 50, 0, (Field("users", [(Field("name", "string"),)]),), (
    Field("throttle_time_ms", "int32"), Field("error", "int16"), Field("message", "string"),
    Field("results", [(Field("user", "string"), Field("error", "int16"), Field("message", "string"),
                       Field("infos", [(Field("mechanism", "int8"), Field("iterations", "int32"))]))])))


def entity(**names):
    """entity(user="alice", client=None): None is the default."""
    types = {"user": USER, "client": CLIENT, "ip": IP}
    return [{"type": types[kind], "name": name} for kind, name in names.items()]


def entry(who, **values):
    """A value of None removes the key."""
    return {"entity": who, "ops": [{"key": key, "value": value or 0.0, "remove": value is None} for key, value in values.items()]}


class QuotaClient(RawClient):
    """A raw client with a client id of its own."""

    def __init__(self, bootstrap, client_id="raw"):
        super().__init__(bootstrap)
        self.client_id = client_id

    def send(self, api, version, **fields):
        self.connection.sendall(framed(request(api.key, version, encode_request(api, version, **fields), client=self.client_id)))

    def receive(self, api, version):
        response = receive(self.connection)
        assert response is not None, "the connection was closed"
        return decode_response(api, version, response[4:])

    def call(self, api, version, **fields):
        self.send(api, version, **fields)
        return self.receive(api, version)

    def alter(self, *entries, validate_only=False, version=1):
        """[(error, message)] in the entries' order."""
        answer = self.call(ALTER_QUOTAS, version, entries=list(entries), validate_only=validate_only)
        return [(one["error"], one["message"]) for one in answer["entries"]]

    def describe(self, *components, strict=False, version=1):
        """{((type, name), ...): {key: value}}; raises on an error."""
        answer = self.describe_raw(*components, strict=strict, version=version)
        assert answer["error"] == 0, answer
        return {tuple(sorted((part["type"], part["name"]) for part in found["entity"])):
                {value["key"]: value["value"] for value in found["values"]} for found in answer["entries"]}

    def describe_raw(self, *components, strict=False, version=1):
        listed = [{"type": kind, "match_type": match_type, "match": match} for kind, match_type, match in components]
        return self.call(DESCRIBE_QUOTAS, version, components=listed, strict=strict)


TOPIC = Field("topic", "string")
CREATE_TOPICS = Api("CreateTopics", 19, 5, (
    Field("topics", [(TOPIC, Field("partitions", "int32"), Field("replication", "int16"),
                      Field("assignments", ["int32"], default=()), Field("configs", ["int32"], default=()))]),
    Field("timeout_ms", "int32", default=10_000), Field("validate_only", "bool", default=False)), (
        Field("throttle_time_ms", "int32"), Field("topics", [(
            TOPIC, Field("id_high", "int64", 7), Field("id_low", "int64", 7), Field("error", "int16"), Field("message", "string"),
            Field("partitions", "int32", 5), Field("replication", "int16", 5), Field("configs", [(
                Field("key", "string"), Field("value", "string"), Field("read_only", "bool"), Field("source", "int8"),
                Field("sensitive", "bool"))], 5))])))
# By name: up to version 5.
DELETE_TOPICS = Api("DeleteTopics", 20, 4, (Field("topics", ["string"]), Field("timeout_ms", "int32", default=10_000)), (
    Field("throttle_time_ms", "int32"),
    Field("topics", [(TOPIC, Field("error", "int16"), Field("message", "string", 5))])))
CREATE_PARTITIONS = Api("CreatePartitions", 37, 2, (
    Field("topics", [(TOPIC, Field("count", "int32"), Field("assignments", ["int32"], default=None))]),
    Field("timeout_ms", "int32", default=10_000), Field("validate_only", "bool", default=False)), (
        Field("throttle_time_ms", "int32"),
        Field("topics", [(TOPIC, Field("error", "int16"), Field("message", "string"))])))
