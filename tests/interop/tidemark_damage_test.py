#!/usr/bin/python3
"""What our own command says of a broker that runs and leads partitions whose files are damaged: nothing that it prints as a
result may look whole, and each verb ends with exit status 1."""

import glob
import json
import os
import subprocess
import time
import unittest

import broker as brokers
import client_suite
import group_broker
from raw_client import NONE, RawClient
from raw_frames import batch

TIDEMARK = os.path.join(brokers.BIN, "tidemark")
PATIENCE_SECONDS = 40
MIB = 1 << 20
COORDINATORS = 2
MAGIC = 16  # of a batch
# By Java's hashCode() of two letters: one in each of the two partitions of __consumer_offsets.
LOST, KEPT = "aa", "ab"


@brokers.tidemark_only("damages the files of a daemon")
class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.Broker(properties={"shards": 1, "offsets.topic.num.partitions": COORDINATORS}).start()
        cls.addClassCleanup(cls.broker.close)
        group_broker.await_coordinator(cls.broker.bootstrap)
        client = RawClient(cls.broker.bootstrap)
        cls.topic = client.new_topic(partitions=2, configs={"segment.bytes": str(MIB)})
        for _ in range(40):
            assert client.produce(cls.topic, batch([b"x" * 60_000]))[0] == NONE
        assert client.produce(cls.topic, batch([b"x"] * 5), partition=1)[0] == NONE
        client.close()
        for group in (LOST, KEPT):
            cls.must("group", "reset", group, "--topic", cls.topic, "--to-offset", "2")
        cls.before = {verb: cls.run_command(*verb).returncode for verb in cls.verbs()}
        cls.broker.stop()
        sealed = sorted(glob.glob(os.path.join(cls.broker.data_dir, f"{cls.topic}-0", "*.log")))
        brokers.rot(sealed[1], 90_000)
        for path in glob.glob(os.path.join(cls.broker.data_dir, "__consumer_offsets-*", "*.log")):
            with open(path, "rb") as file:
                holds = b"\0\2" + LOST.encode() + b"\0" in file.read()  # a key, between two lengths
            if holds:
                cls.coordinator = os.path.basename(os.path.dirname(path))
                brokers.rot(path, MAGIC)
        cls.broker.start()
        # The scrub finds the topic's damage five seconds after the start, the coordinator its own at once.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while cls.broker.metric("tidemark_offline_partitions")[""] < 2:
            assert time.monotonic() < deadline, cls.broker.log_tail()
            time.sleep(0.2)

    @classmethod
    def verbs(cls):
        return ("group", "list"), ("group", "describe", KEPT), ("topic", "describe", cls.topic)

    @classmethod
    def run_command(cls, *words):
        return subprocess.run([TIDEMARK, *words, "-o", "json"], capture_output=True, text=True, timeout=60, check=False,
                              env=dict(os.environ, TIDEMARK_BOOTSTRAP=cls.broker.bootstrap))

    @classmethod
    def must(cls, *words):
        done = cls.run_command(*words)
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def half(self, *words):
        """What it could tell, and what it says of the rest."""
        done = self.run_command(*words)
        self.assertEqual(done.returncode, 1, done)
        return json.loads(done.stdout), done.stderr

    def test_nothing_was_wrong_before(self):
        self.assertEqual(set(self.before.values()), {0})

    def test_health(self):
        health, _ = self.half("cluster", "health")
        self.assertFalse(health["healthy"])
        faults = {fault["subject"]: fault for fault in health["faults"] if fault["fault"] == "partition_offline"}
        number = self.coordinator.rsplit("-", 1)[1]
        self.assertEqual({subject: (fault["severity"], fault["detail"]) for subject, fault in faults.items()}, {
            f"topic {self.topic}": ("critical", "partition 0 on broker 1: KAFKA_STORAGE_ERROR"),
            "topic __consumer_offsets": ("critical", f"partition {number} on broker 1: KAFKA_STORAGE_ERROR")})
        self.assertIn("groups that it coordinates stand still", faults["topic __consumer_offsets"]["advice"])

    def test_groups_that_are_not_listed(self):
        listed, told = self.half("group", "list")
        self.assertEqual([entry["group"] for entry in listed], [KEPT])
        self.assertEqual(told, f"error: KAFKA_STORAGE_ERROR: {self.coordinator}: its groups are not listed\n")

    def test_lag_that_is_not_known(self):
        (group,), told = self.half("group", "describe", KEPT)
        self.assertEqual([entry["lag"] for entry in group["partitions"]], [None, 3])
        self.assertEqual(told, f"error: KAFKA_STORAGE_ERROR: {self.topic}-0: its lag is not known, and is in no total\n")

    def test_offsets_that_are_not_known(self):
        (topic,), told = self.half("topic", "describe", self.topic)
        self.assertEqual([entry["end_offset"] for entry in topic["partitions"]], [None, 5])
        self.assertEqual(told, f"error: KAFKA_STORAGE_ERROR: {self.topic}-0\n")

    def test_coordinators_are_counted_by_how_they_do(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (seen := self.broker.metric("tidemark_group_coordinators")) != {
                '{state="leader"}': 1, '{state="loading"}': 0, '{state="failed"}': 1}:
            self.assertLess(time.monotonic(), deadline, seen)
            time.sleep(0.2)


if __name__ == "__main__":
    client_suite.main(__name__)
