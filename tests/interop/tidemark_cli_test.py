#!/usr/bin/python3
"""Our own command, `tidemark`, held to the same demands as other people's clients; it must work with genuine Kafka too."""

import itertools
import json
import os
import subprocess
import time

import broker as brokers
import client_suite
from client_suite import Record, record


class TidemarkFailed(Exception):
    pass


class TidemarkCommand(client_suite.ClientSuite):
    can_send_null_header = False  # what is typed is never null
    transient_errors = (TidemarkFailed,)

    def tidemark(self, *arguments, stdin=b"", seconds=120):
        done = subprocess.run([os.path.join(brokers.BIN, "tidemark"), "-b", self.broker.bootstrap, *arguments], input=stdin,
                              capture_output=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise TidemarkFailed(f"exit {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def create_topic(self, topic, partitions=1, configs=None):
        flags = [flag for key, value in (configs or {}).items() for flag in ("-c", f"{key}={value}")]
        self.tidemark("topic", "create", topic, "-p", str(partitions), *flags)

    def produce(self, topic, records, acks="all", codec="none", idempotent=False):
        """One run of the command for what can be said by one set of flags."""
        if idempotent:
            raise NotImplementedError
        next_offset = {partition: self.watermarks(topic, partition)[1] for partition in {entry.partition for entry in records}}

        def flags_of(entry):
            flags = ["-p", str(entry.partition)]
            flags += [flag for name, value in entry.headers for flag in ("-H", f"{name}={value.decode()}")]
            if entry.key is not None:
                flags += ["-k", entry.key.decode()]
            return flags + ["-f", "%v\\n" if entry.timestamp is None else "%T:%v\\n"]

        for flags, entries in itertools.groupby(records, flags_of):
            lines = b"".join((b"%d:" % entry.timestamp if entry.timestamp is not None else b"") + entry.value + b"\n" for entry in entries)
            self.tidemark("produce", topic, "--acks", acks, "-z", codec, *flags, stdin=lines)
        offsets = []
        for entry in records:
            offsets.append(next_offset[entry.partition])
            next_offset[entry.partition] += 1
        return [None] * len(records) if acks == "0" else offsets

    def consume(self, topic, partition, start, count):
        output = self.tidemark("-o", "json", "consume", topic, "-p", str(partition), "--offset", str(start), "-n", str(count), "-e")
        found = []
        for line in output.decode().splitlines():
            entry = json.loads(line)
            headers = [(header["key"], header["value"].encode()) for header in entry["headers"]]
            key, value = (None if entry[name] is None else entry[name].encode() for name in ("key", "value"))
            found.append(Record(key, value, headers, entry["timestamp"], entry["offset"], entry["partition"]))
        return found

    def offset_for_time(self, topic, partition, timestamp_ms):
        output = self.tidemark("consume", topic, "-p", str(partition), "--offset", f"@{timestamp_ms}", "-n", "1", "-e", "-f", "%o\\n")
        return int(output) if output else None

    def watermarks(self, topic, partition):
        described, = json.loads(self.tidemark("-o", "json", "topic", "describe", topic))
        found = next(entry for entry in described["partitions"] if entry["partition"] == partition)
        if found["end_offset"] is None:
            raise TidemarkFailed("no leader yet")
        return found["start_offset"], found["end_offset"]

    def test_null_keys_and_values(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"value"), record(b"value", key=b"key")])
        self.assertEqual([entry.key for entry in self.consume_exactly(topic, 0, 0, 2)], [None, b"key"])

    # --- the verbs that only this command has ---------------------------------------------------------------------
    def test_topics_are_created_listed_altered_trimmed_and_deleted(self):
        topic = self.new_topic(configs={"retention.ms": "3600000"})
        self.assertIn(topic, [entry["name"] for entry in json.loads(self.tidemark("-o", "json", "topic", "list"))])
        self.produce(topic, [record(b"%d" % i) for i in range(10)])
        self.tidemark("topic", "trim", topic, "--before", "4")
        self.assertEqual(self.watermarks(topic, 0), (4, 10))
        self.tidemark("topic", "alter", topic, "-p", "4", "-c", "retention.ms=7200000")
        described, = json.loads(self.tidemark("-o", "json", "topic", "describe", topic))
        self.assertEqual((len(described["partitions"]), described["configs"]), (4, {"retention.ms": "7200000"}))
        self.tidemark("topic", "delete", topic)
        self.assertNotIn(topic.encode(), self.tidemark("topic", "list"))

    def test_settings_are_got_set_and_unset(self):
        topic = self.new_topic()
        self.tidemark("config", "set", "topic", topic, "retention.ms=4242")
        self.assertIn(b"4242", self.tidemark("config", "get", "topic", topic))
        self.tidemark("config", "unset", "topic", topic, "retention.ms")
        self.assertNotIn(b"4242", self.tidemark("config", "get", "topic", topic))

    def test_offsets_as_people_say_them(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"%d" % i) for i in range(20)])
        for offset, expected in (("start", 0), ("7", 7), ("-3", 17)):
            first = self.tidemark("consume", topic, "--offset", offset, "-n", "1", "-e", "-f", "%o")
            self.assertEqual(int(first), expected)
        self.assertEqual(self.tidemark("consume", topic, "--offset", "end", "-e"), b"")

    def test_it_says_what_the_cluster_refused(self):
        topic = self.new_topic()
        for code, arguments in (("TOPIC_ALREADY_EXISTS", ("topic", "create", topic)),
                                ("INVALID_TOPIC_EXCEPTION", ("topic", "create", "not/a/name")),
                                ("INVALID_REPLICATION_FACTOR", ("topic", "create", "too-many-cli", "-r", "3")),
                                ("INVALID_CONFIG", ("topic", "create", "bad-cli", "-c", "retention.ms=soon")),
                                ("UNKNOWN_TOPIC_OR_PARTITION", ("topic", "delete", "never-was")),
                                ("INVALID_PARTITIONS", ("topic", "alter", topic, "-p", "1"))):
            with self.subTest(arguments), self.assertRaisesRegex(TidemarkFailed, f"^exit 1: .*{code}"):
                self.tidemark(*arguments)
        for arguments in (("topic", "crate", "x"), ("consume", topic, "--offset", "soon"), ("produce",)):
            with self.subTest(arguments), self.assertRaisesRegex(TidemarkFailed, "^exit 2: "):
                self.tidemark(*arguments)

    def test_the_cluster(self):
        info = self.tidemark("cluster", "info")
        self.assertIn(self.broker.bootstrap.split(":")[1].encode(), info)

    def test_it_starts_quickly(self):
        took = []
        for _ in range(20):
            began = time.monotonic()
            self.tidemark("--version")
            took.append(time.monotonic() - began)
        self.assertLess(min(took), 0.020)


if __name__ == "__main__":
    client_suite.main(__name__)
