"""Genuine Kafka and Tidemark side by side: the same request to both, in every version that both serve, and their answers compared
field by field. The messages are those of protocol/schemas."""

import json
import unittest
import uuid

import broker as brokers
import group_broker
import schema_codec
from raw_client import RawClient, await_led
from raw_frames import framed, request
from served_apis import connect, receive, served_apis

ANSWER_SECONDS = 5
# Another value on every broker; only whether there is one is compared.
OF_THE_BROKER = {"TopicId", "ClusterId", "Port", "TotalBytes", "UsableBytes", "LogDir", "DirectoryId", "ProducerId",
                 "LastFetchTimestamp", "LastCaughtUpTimestamp"}
# Of a topic: the first is Tidemark's own, the other one stands in Kafka's metadata from the start.
OF_THE_SETTINGS = {"write.caching", "min.insync.replicas"}
NO_ID = bytes(16)
EVERY = range(1 << 15)


class Side:
    """One of the two brokers."""

    def __init__(self, bootstrap, apis):
        self.bootstrap, self.apis = bootstrap, apis
        self.served = served_apis(bootstrap)
        self.connection = connect(bootstrap, ANSWER_SECONDS)
        self.ids = {}  # of topics

    def ask(self, name, version, value):
        api = self.apis[name]
        self.connection.sendall(framed(request(api.key, version, api.ask(version, value))))
        try:
            data = receive(self.connection)
            if data is not None:
                return api.answer(version, data[4:])
            outcome = "the connection is closed"
        except ConnectionResetError:
            outcome = "the connection is closed"
        except TimeoutError:
            outcome = "no answer"
        self.connection.close()
        self.connection = connect(self.bootstrap, ANSWER_SECONDS)
        return outcome

    def topic_id(self, topic):
        return self.ids.get(topic, b"no such topic id")

    def close(self):
        self.connection.close()


def comparable(value, name=""):
    if isinstance(value, dict):
        return {key: comparable(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        found = [comparable(inner, name) for inner in value]
        if name == "Configs":
            found = [entry for entry in found if entry["Name"] not in OF_THE_SETTINGS]
        return sorted(found, key=lambda entry: json.dumps(entry, default=str, sort_keys=True))
    return "there" if name in OF_THE_BROKER and value not in (None, "", NO_ID) else value


def differences(kafka, ours, place=""):
    """(place, Kafka's, ours)"""
    if isinstance(kafka, dict) and isinstance(ours, dict):
        for key in {**kafka, **ours}:
            yield from differences(kafka.get(key), ours.get(key), f"{place}.{key}")
    elif isinstance(kafka, list) and isinstance(ours, list) and len(kafka) == len(ours):
        for number, pair in enumerate(zip(kafka, ours)):
            yield from differences(*pair, f"{place}[{number}]")
    elif kafka != ours:
        yield place, kafka, ours


class SideBySide(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not brokers.FOREIGN:
            raise unittest.SkipTest("needs a genuine Kafka beside the daemon")
        cls.broker = brokers.Broker(properties={**group_broker.PROPERTIES, "offsets.topic.num.partitions": "4"}).start()
        cls.addClassCleanup(cls.broker.close)
        apis = schema_codec.load()
        cls.kafka, cls.ours = cls.sides = (Side(brokers.FOREIGN, apis), Side(cls.broker.bootstrap, apis))
        for side in cls.sides:
            cls.addClassCleanup(side.close)
            group_broker.await_coordinator(side.bootstrap)
        cls.asked = 0

    @classmethod
    def tearDownClass(cls):
        print(f"{cls.asked} answers compared")

    def setUp(self):
        self.found = {}  # where the answers differ: in which versions
        self.addCleanup(self.assert_the_same)
        self.topic = self.new_topic(3)

    def assert_the_same(self):
        if self.found:
            self.fail("\n".join(f"{told}\n  in versions {versions}" for told, versions in self.found.items()))

    def new_topic(self, partitions=1, **configs):
        """On both."""
        topic = f"same-{uuid.uuid4().hex[:8]}"
        for side in self.sides:
            client = RawClient(side.bootstrap)
            created = side.ask("CreateTopics", 7, {"Topics": [self.wish(topic, partitions, **configs)]})["Topics"][0]
            self.assertEqual(created["ErrorCode"], 0, created)
            side.ids[topic] = created["TopicId"]
            await_led(side.bootstrap, topic, partitions)
            client.close()
        return topic

    @staticmethod
    def wish(topic, partitions=1, replication=1, assigned=(), **configs):
        return {"Name": topic, "NumPartitions": partitions, "ReplicationFactor": replication,
                "Assignments": [{"PartitionIndex": number, "BrokerIds": ids} for number, ids in assigned],
                "Configs": [{"Name": name.replace("_", "."), "Value": value} for name, value in configs.items()]}

    def same(self, api, value, versions=EVERY, but=()):
        """`value`: the request, or a function of a side that makes it; fields that a version does not have are left out of it.
        `but`: fields of the answer that differ on purpose."""
        key = self.kafka.apis[api].key
        (first, last), (our_first, our_last) = (side.served[key] for side in self.sides)
        for version in range(max(first, our_first), min(last, our_last) + 1):
            if version not in versions:
                continue
            wishes = [value(side) if callable(value) else value for side in self.sides]
            answers = [comparable(side.ask(api, version, wish)) for side, wish in zip(self.sides, wishes)]
            type(self).asked += 1
            for place, *values in differences(*answers):
                if place.rpartition(".")[2] not in but:
                    told = f"{api}{place}\n  Kafka's: {values[0]}\n  ours:    {values[1]}\n  asked: {str(wishes[0])[:300]}"
                    self.found.setdefault(told, []).append(version)
