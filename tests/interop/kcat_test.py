#!/usr/bin/python3
"""kcat, as people use it in a shell, against the broker."""

import json
import subprocess
import time

import client_suite
from client_suite import Record, record
from confluent_admin import Admin


class KcatFailed(Exception):
    pass


class Kcat(client_suite.ClientSuite):
    can_set_timestamp = False     # kcat has no option for it
    can_send_null_header = False  # nor for this
    transient_errors = (KcatFailed,)

    def kcat(self, *arguments, stdin=b"", seconds=60):
        done = subprocess.run(["kcat", "-b", self.broker.bootstrap, *arguments], input=stdin, capture_output=True,
                              timeout=seconds, check=False)
        if done.returncode != 0:
            raise KcatFailed(done.stderr.decode(errors="replace"))
        return done.stdout

    def create_topic(self, topic, partitions=1, configs=None):
        Admin(self.broker.bootstrap).create_topic(topic, partitions, configs)

    def produce(self, topic, records, acks="all", codec="none", idempotent=False):
        """One run of kcat for each partition and set of headers, in order; kcat says no offsets."""
        settings = ["-X", f"acks={acks}", "-X", "message.max.bytes=2000000", "-X", "linger.ms=5",
                    "-X", f"enable.idempotence={str(idempotent).lower()}"]
        if codec != "none":
            settings += ["-z", codec]
        before = {partition: self.end(topic, partition) for partition in {entry.partition for entry in records}}
        offsets = []
        runs = []
        for entry in records:
            same = (entry.partition, entry.headers)
            if not runs or runs[-1][0] != same:
                runs.append((same, []))
            runs[-1][1].append(entry)
        for (partition, headers), entries in runs:
            flags = [flag for name, value in headers for flag in ("-H", f"{name}={value.decode()}")]
            lines = b"".join((entry.key or b"") + b"\x01" + (entry.value or b"") + b"\x02" for entry in entries)
            # With -Z what is empty becomes null.
            self.kcat("-P", "-t", topic, "-p", str(partition), "-Z", "-K", "\x01", "-D", "\x02", *settings, *flags,
                      stdin=lines)
        for entry in records:
            offsets.append(before[entry.partition])
            before[entry.partition] += 1
        return [None] * len(records) if acks == "0" else offsets

    def end(self, topic, partition):
        deadline = time.monotonic() + 20
        while True:
            try:
                return self.watermarks(topic, partition)[1]
            except KcatFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def consume(self, topic, partition, start, count):
        output = self.kcat("-C", "-J", "-q", "-t", topic, "-p", str(partition), "-o", str(start), "-c", str(count), "-e",
                           "-X", "fetch.wait.max.ms=100", "-X", "fetch.message.max.bytes=2000000")
        found = []
        for line in output.decode().splitlines():
            entry = json.loads(line)
            names = entry.get("headers", [])
            headers = [(name, value.encode()) for name, value in zip(names[::2], names[1::2])]
            found.append(Record(entry["key"] and entry["key"].encode(), entry["payload"] and entry["payload"].encode(),
                                headers, entry["ts"], entry["offset"], entry["partition"]))
        return found

    def query(self, topic, partition, timestamp):
        output = self.kcat("-Q", "-t", f"{topic}:{partition}:{timestamp}").decode()
        # TOPIC [PARTITION] offset N
        return int(output.split()[-1])

    def watermarks(self, topic, partition):
        return self.query(topic, partition, -2), self.query(topic, partition, -1)

    # --- as only kcat does it --------------------------------------------------------------------------------------
    def test_listing_of_the_cluster(self):
        topic = self.new_topic(partitions=7)
        listed = json.loads(self.kcat("-L", "-J", "-t", topic))
        self.assertEqual(len(listed["brokers"]), 1)
        self.assertEqual(listed["brokers"][0]["name"], self.broker.bootstrap)
        self.assertEqual(len(listed["topics"][0]["partitions"]), 7)

    def test_offsets_from_the_end_and_by_time(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"old %d" % i) for i in range(20)])
        time.sleep(0.05)
        between = int(time.time() * 1000)
        time.sleep(0.05)
        self.produce(topic, [record(b"new %d" % i) for i in range(20)])
        last = self.kcat("-C", "-q", "-t", topic, "-p", "0", "-o", "-5", "-e").decode().split("\n")[:-1]
        self.assertEqual(last, [f"new {i}" for i in range(15, 20)])
        later = self.kcat("-C", "-q", "-t", topic, "-p", "0", "-o", f"s@{between}", "-e").decode().split("\n")[:-1]
        self.assertEqual(later, [f"new {i}" for i in range(20)])
        earlier = self.kcat("-C", "-q", "-t", topic, "-p", "0", "-o", "s@0", "-o", f"e@{between}", "-e").decode()
        self.assertEqual(earlier.split("\n")[:-1], [f"old {i}" for i in range(20)])
        self.assertEqual(self.query(topic, 0, between), 20)

    def test_a_topic_is_created_by_use(self):
        topic = f"by-use-{time.time_ns()}"
        self.kcat("-P", "-t", topic, "-p", "0", stdin=b"one\ntwo\n")
        self.assertEqual(self.kcat("-C", "-q", "-t", topic, "-p", "0", "-o", "beginning", "-e"), b"one\ntwo\n")

    def test_a_partition_that_is_not_there(self):
        topic = self.new_topic(partitions=2)
        with self.assertRaisesRegex(KcatFailed, "Unknown partition"):
            self.kcat("-P", "-t", topic, "-p", "9", stdin=b"lost\n")

    def test_a_topic_name_that_cannot_be(self):
        with self.assertRaisesRegex(KcatFailed, "Invalid topic|INVALID_TOPIC|Unknown topic"):
            self.kcat("-C", "-t", "not/a/name", "-e", "-o", "beginning", seconds=40)

    def test_a_record_that_is_too_large(self):
        topic = self.new_topic(configs={"max.message.bytes": "10000"})
        with self.assertRaisesRegex(KcatFailed, "(?i)message size too large"):
            self.produce(topic, [record(b"x" * 20_000)])


if __name__ == "__main__":
    client_suite.main(__name__)
