#!/usr/bin/python3
"""Every setting of groups that is honoured, seen from outside: each test starts a daemon with another value, and holds it against
what the default does."""

import glob
import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
import client_suite  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from confluent_kafka.admin import ConfigResource  # noqa: E402
from raw_client import NONE, RawClient  # noqa: E402
from raw_frames import batch, string  # noqa: E402

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, SYNC_GROUP, DELETE_RECORDS = 8, 9, 10, 11, 14, 21
OFFSET_METADATA_TOO_LARGE, INVALID_SESSION_TIMEOUT, GROUP_MAX_SIZE_REACHED = 12, 26, 81
OFFSETS_TOPIC = "__consumer_offsets"


class GroupClient(RawClient):
    def find(self, group):
        """The error of FindCoordinator version 0, which makes the offsets topic."""
        return struct.unpack_from(">h", self.ask(FIND_COORDINATOR, 0, string(group)))[0]

    def join(self, group, member="", session_timeout_ms=10_000, rebalance_timeout_ms=10_000):
        """(error, generation, the member's id) of a JoinGroup version 1."""
        body = (string(group) + struct.pack(">ii", session_timeout_ms, rebalance_timeout_ms) + string(member) + string("consumer") +
                struct.pack(">i", 1) + string("range") + struct.pack(">i", 0))
        answer = self.ask(JOIN_GROUP, 1, body)
        error, generation = struct.unpack_from(">hi", answer)
        at = 6
        texts = []
        for _ in range(3):
            length, = struct.unpack_from(">h", answer, at)
            texts.append(answer[at + 2:at + 2 + length].decode())
            at += 2 + length
        return error, generation, texts[2]

    def commit(self, group, topic, offset, metadata="", retention_ms=-1):
        """The error of a simple consumer's OffsetCommit version 2."""
        body = (string(group) + struct.pack(">i", -1) + string("") + struct.pack(">qi", retention_ms, 1) + string(topic) +
                struct.pack(">iiq", 1, 0, offset) + string(metadata))
        return struct.unpack_from(">h", self.ask(OFFSET_COMMIT, 2, body), 4 + 2 + len(topic) + 4 + 4)[0]

    def committed(self, group, topic):
        body = string(group) + struct.pack(">i", 1) + string(topic) + struct.pack(">ii", 1, 0)
        return struct.unpack_from(">q", self.ask(OFFSET_FETCH, 1, body), 4 + 2 + len(topic) + 4 + 4)[0]


class GroupSettings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.default = brokers.Broker().start()

    @classmethod
    def tearDownClass(cls):
        cls.default.close()

    def start(self, properties):
        broker = brokers.Broker(properties=properties).start()
        self.addCleanup(broker.close)
        return broker

    def client(self, broker, group="g"):
        client = GroupClient(broker.bootstrap)
        self.addCleanup(client.close)
        self.assertEqual(client.find(group), NONE)
        return client

    def test_group_initial_rebalance_delay_ms(self):
        quick = self.start({"group.initial.rebalance.delay.ms": 0})
        for broker, least, most in ((quick, 0, 1.5), (self.default, 2.9, 10)):
            client = self.client(broker, "delay")
            began = time.monotonic()
            error, generation, _ = client.join("delay")
            self.assertEqual((error, generation), (NONE, 1))
            self.assertTrue(least <= time.monotonic() - began <= most, time.monotonic() - began)

    def test_group_session_timeouts(self):
        other = self.start({"group.min.session.timeout.ms": 100, "group.max.session.timeout.ms": 20_000,
                            "group.initial.rebalance.delay.ms": 0})
        client = self.client(other)
        self.assertEqual(client.join("shortest", session_timeout_ms=100)[0], NONE)
        self.assertEqual(client.join("long", session_timeout_ms=20_001)[0], INVALID_SESSION_TIMEOUT)
        client = self.client(self.default)
        self.assertEqual(client.join("shortest", session_timeout_ms=5_999)[0], INVALID_SESSION_TIMEOUT)
        self.assertEqual(client.join("long", session_timeout_ms=1_800_001)[0], INVALID_SESSION_TIMEOUT)

    def test_group_max_size(self):
        one = self.start({"group.max.size": 1, "group.initial.rebalance.delay.ms": 0})
        self.assertEqual(self.client(one).join("full")[0], NONE)
        self.assertEqual(self.client(one).join("full")[0], GROUP_MAX_SIZE_REACHED)

    def test_offset_metadata_max_bytes(self):
        ten = self.start({"offset.metadata.max.bytes": 10})
        for broker, error in ((ten, OFFSET_METADATA_TOO_LARGE), (self.default, NONE)):
            client = self.client(broker)
            topic = client.new_topic()
            self.assertEqual(client.commit("g", topic, 1, "x" * 10), NONE)
            self.assertEqual(client.commit("g", topic, 2, "x" * 11), error)
            self.assertEqual(client.committed("g", topic), 1 if error else 2)

    def test_offsets_topic(self):
        other = self.start({"offsets.topic.num.partitions": 3, "offsets.topic.segment.bytes": 2 << 20,
                            "offset.metadata.max.bytes": 30_000})
        default = self.start({"offset.metadata.max.bytes": 30_000})
        for broker, partitions, segment, several in ((other, 3, 2 << 20, True), (default, 50, 104_857_600, False)):
            client = self.client(broker)
            admin = Admin(broker.bootstrap)
            self.assertEqual(len(admin.topics()[OFFSETS_TOPIC].partitions), partitions)
            described = admin.describe_configs(ConfigResource.Type.TOPIC, OFFSETS_TOPIC)
            self.assertEqual(described["segment.bytes"].value, str(segment))
            self.assertEqual(described["cleanup.policy"].value, "compact")
            topic = client.new_topic()
            for offset in range(120):  # 3.6 MB
                self.assertEqual(client.commit("g", topic, offset, "x" * 30_000), NONE)
            deadline = time.monotonic() + 20
            while sum(self.offsets_segments(broker)) < 3_600_000 and time.monotonic() < deadline:
                time.sleep(0.05)
            sizes = self.offsets_segments(broker)
            self.assertGreater(sum(sizes), 3_600_000)
            self.assertEqual(len(sizes) > 1, several)

    def offsets_segments(self, broker):
        """The sizes of those that hold anything: one group's are all in one partition."""
        sizes = map(os.path.getsize, glob.glob(os.path.join(broker.data_dir, f"{OFFSETS_TOPIC}-*", "*.log")))
        return [size for size in sizes if size > 0]

    def test_offsets_retention(self):
        """A minute at least: the default keeps the offset for a week, and looks every ten minutes. What points at records that are
        there stays longer, and as long as they do."""
        soon = self.start({"offsets.retention.minutes": 1, "offsets.retention.check.interval.ms": 500})
        began = time.monotonic()
        clients = []
        for broker in (soon, self.default):
            client = self.client(broker)
            topic = client.new_topic()
            self.assertEqual(client.commit("g", topic, 7), NONE)
            # Its own retention, as old clients ask for it: what the check's interval makes of that.
            self.assertEqual(client.commit("own", topic, 8, retention_ms=1), NONE)
            client.produce(full := client.new_topic(), batch([b"a", b"b"]))
            self.assertEqual(client.commit("g", full, 1), NONE)
            clients.append((client, topic, full))
        deadline = began + 10
        while clients[0][0].committed("own", clients[0][1]) != -1 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual([client.committed("own", topic) for client, topic, _ in clients], [-1, 8])
        self.assertEqual([client.committed("g", topic) for client, topic, _ in clients], [7, 7])
        time.sleep(max(0, began + 62 - time.monotonic()))
        self.assertEqual([client.committed("g", topic) for client, topic, _ in clients], [-1, 7])
        self.assertEqual([client.committed("g", full) for client, _, full in clients], [1, 1])
        for client, _, full in clients:
            client.ask(DELETE_RECORDS, 0, struct.pack(">i", 1) + string(full) + struct.pack(">iiqi", 1, 0, 2, 10_000))
        deadline = time.monotonic() + 10
        while clients[0][0].committed("g", clients[0][2]) != -1 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual([client.committed("g", full) for client, _, full in clients], [-1, 1])


if __name__ == "__main__":
    client_suite.main(__name__)
