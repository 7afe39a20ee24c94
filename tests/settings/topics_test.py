#!/usr/bin/python3
"""Every topic setting that is honoured, seen from outside: a topic with another value, and one with the default beside it. One
daemon serves nearly all; its retention looks every 50 ms. The syncs of another one are traced. defaults_test.py repeats it all
with values that topics have from their broker."""

import glob
import os
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
import client_suite  # noqa: E402
import stored_batch  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from raw_client import NONE, RawClient  # noqa: E402
from raw_frames import batch  # noqa: E402

MESSAGE_TOO_LARGE, INVALID_TIMESTAMP = 10, 32
MIB = 1 << 20
HOUR_MS = 3_600_000
PATIENCE_SECONDS = 20
FIRST_SEGMENT = "00000000000000000000.log"
SOON = {"min.cleanable.dirty.ratio": "0.001"}  # every sealed segment is cleaned, however little of the log it is


def now_ms():
    return int(time.time() * 1000)


class Place:
    """A daemon, and a client of it."""

    def __init__(self, properties=None, wrapper=()):
        self.broker = brokers.Broker(properties=properties, wrapper=wrapper).start()
        self.client = RawClient(self.broker.bootstrap)

    def new_topic(self, configs=None, partitions=1):
        topic = Topic(self.client.new_topic(partitions, configs))
        topic.place = self
        return topic

    def close(self):
        self.client.close()
        self.broker.close()


class Topic(str):
    """Its name, and in `place` where it is."""

    def produce(self, records, partition=0):
        return self.place.client.produce(self, records, partition=partition)

    def log_start(self):
        return self.place.client.log_start(self)

    def offsets_left(self, end):
        return self.place.client.offsets_left(self, end)

    def stored(self, end, partition=0):
        """The batches in its files, once they hold all records below `end`."""
        return stored_batch.stored_batches(self.place.broker.data_dir, self, partition, end)

    def segments(self, end, partition=0):
        return sorted({found.file for found in self.stored(end, partition)})

    def described(self):
        return Admin(self.place.broker.bootstrap).describe_configs("topic", str(self))

    def files(self, pattern):
        return sorted(glob.glob(os.path.join(self.place.broker.data_dir, f"{self}-0", pattern)))


class TopicSuite(unittest.TestCase):
    """REQUIRES of a subclass: the daemon to open."""

    @classmethod
    def open_place(cls, properties=None):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.place = cls.open_place()

    @classmethod
    def tearDownClass(cls):
        cls.place.close()

    def topic_with(self, setting, value, both=None, partitions=1):
        return self.place.new_topic({**(both or {}), setting: value}, partitions)

    def with_and_without(self, setting, value, both=None, partitions=1):
        """Two topics: one with another value, one without; `both` have the settings of that name."""
        return (self.topic_with(setting, value, both, partitions), self.place.new_topic(both, partitions))


class TopicSettings(TopicSuite):
    @classmethod
    def open_place(cls, properties=None):
        """Everything is looked at every 50 ms."""
        return Place({"log.retention.check.interval.ms": 50, "log.cleaner.backoff.ms": 50, **(properties or {})})

    # --- what every test needs -----------------------------------------------------------------------------------
    def produce(self, topic, records, partition=0):
        error, offset = topic.produce(records, partition)
        self.assertEqual(error, NONE)
        return offset

    def eventually(self, what, expected):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while what() != expected and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(what(), expected)

    def await_log_start(self, topic, offset):
        self.eventually(topic.log_start, offset)

    # --- retention -------------------------------------------------------------------------------------------------
    def test_cleanup_policy(self):
        kept, deleted = self.with_and_without("cleanup.policy", "", both={"retention.ms": "1000"})
        for topic in (kept, deleted):
            self.produce(topic, batch([b"old"], timestamp_ms=now_ms() - HOUR_MS))
        self.await_log_start(deleted, 1)
        self.assertEqual(kept.log_start(), 0)
        compacted, deleted = self.with_and_without("cleanup.policy", "compact", both={"segment.ms": "1000", **SOON})
        for topic in (compacted, deleted):
            self.produce_keys(topic, ["a", "b", "a"])
        self.await_left(compacted, 3, [1, 2])
        self.assertEqual(deleted.offsets_left(3), [0, 1, 2])
        both, _ = self.with_and_without("cleanup.policy", "compact,delete",
                                        both={"segment.ms": "1000", "retention.ms": "1800000", **SOON})
        self.produce_keys(both, ["old"], hours_ago=2)
        self.await_log_start(both, 1)  # before it is compacted into one segment with what is young
        self.produce_keys(both, ["a", "b", "a"], hours_ago=0.1)
        self.await_left(both, 4, [2, 3])

    # --- compaction ------------------------------------------------------------------------------------------------
    def produce_keys(self, topic, keys, hours_ago=1.0, values=None):
        """Each record in a segment of its own, which is sealed soon."""
        for number, key in enumerate(keys):
            self.produce(topic, batch([values[number] if values else b"v"], keys=[key.encode()],
                                      timestamp_ms=now_ms() - int(hours_ago * HOUR_MS) + 2000 * number))

    def await_left(self, topic, end, offsets):
        self.eventually(lambda: topic.offsets_left(end), offsets)

    def compacted_with_and_without(self, setting, value, **both):
        return self.with_and_without(setting, value, both={"cleanup.policy": "compact", "segment.ms": "1000", **both})

    def test_min_cleanable_dirty_ratio(self):
        soon, default = self.compacted_with_and_without("min.cleanable.dirty.ratio", "0.001")
        for topic in (soon, default):
            self.produce_keys(topic, ["a", "b", "a"], values=[b"v", b"v", b"v" * 10_000])
            self.await_left(topic, 3, [1, 2])
            self.produce_keys(topic, ["b"])
        self.await_left(soon, 4, [2, 3])
        self.assertEqual(default.offsets_left(4), [1, 2, 3])

    def test_min_compaction_lag_ms(self):
        late, default = self.compacted_with_and_without("min.compaction.lag.ms", str(2 * HOUR_MS), **SOON)
        for topic in (late, default):
            self.produce_keys(topic, ["a", "b", "a"])
        self.await_left(default, 3, [1, 2])
        self.assertEqual(late.offsets_left(3), [0, 1, 2])

    def test_max_compaction_lag_ms(self):
        # Nothing is ever dirty enough, and no segment old enough by itself.
        bounded, default = self.with_and_without("max.compaction.lag.ms", "1000",
                                                 both={"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "1"})
        for topic in (bounded, default):
            self.produce_keys(topic, ["a", "b", "a"])
        self.await_left(bounded, 3, [1, 2])
        self.assertEqual(default.offsets_left(3), [0, 1, 2])

    def test_delete_retention_ms(self):
        at_once, default = self.compacted_with_and_without("delete.retention.ms", "0", **SOON)
        for topic in (at_once, default):
            self.produce_keys(topic, ["a", "a", "b"], values=[b"v", None, b"v"])
            self.eventually(lambda topic=topic: 0 in topic.offsets_left(3), False)
            self.produce_keys(topic, ["c", "b"])
        self.await_left(at_once, 5, [3, 4])
        self.await_left(default, 5, [1, 3, 4])

    # --- retention by time and size --------------------------------------------------------------------------------
    def test_retention_ms(self):
        short, default = self.with_and_without("retention.ms", str(HOUR_MS))
        for topic in (short, default):
            self.produce(topic, batch([b"old"], timestamp_ms=now_ms() - 2 * HOUR_MS))
        self.await_log_start(short, 1)
        self.assertEqual(default.log_start(), 0)

    def test_retention_bytes(self):
        small, default = self.with_and_without("retention.bytes", str(MIB), both={"segment.bytes": str(MIB)})
        for topic in (small, default):
            for _ in range(4):
                self.produce(topic, batch([b"x" * 700_000]))
        self.await_log_start(small, 2)  # two of 0.7 MB are more than 1 MiB, one is less
        self.assertEqual(default.log_start(), 0)

    def test_file_delete_delay_ms(self):
        at_once, default = self.with_and_without("file.delete.delay.ms", "0", both={"retention.ms": "1000"})
        for topic in (at_once, default):
            self.produce(topic, batch([b"old"], timestamp_ms=now_ms() - HOUR_MS))
            self.await_log_start(topic, 1)
        self.eventually(lambda: len(at_once.files("00000000000000000000.*")), 0)
        self.eventually(lambda: len(default.files("00000000000000000000.log.*.deleted")), 1)

    # --- segments --------------------------------------------------------------------------------------------------
    def test_segment_bytes(self):
        small, default = self.with_and_without("segment.bytes", str(MIB))
        for topic in (small, default):
            for _ in range(3):
                self.produce(topic, batch([b"x" * 600_000]))
        self.assertEqual(len(small.segments(3)), 3)
        self.assertEqual(len(default.segments(3)), 1)

    def test_segment_ms(self):
        short, default = self.with_and_without("segment.ms", str(HOUR_MS))
        for topic in (short, default):
            first = now_ms() - HOUR_MS // 2  # young enough not to roll by the clock meanwhile
            for later_ms in (0, HOUR_MS + 1000, HOUR_MS + 2000):
                self.produce(topic, batch([b"x"], timestamp_ms=first + later_ms))
        self.assertEqual(len(short.segments(3)), 2)
        self.assertEqual(len(default.segments(3)), 1)

    def test_segment_jitter_ms(self):
        partitions = 24
        drawn, default = self.with_and_without("segment.jitter.ms", str(HOUR_MS), {"segment.ms": str(HOUR_MS)}, partitions)
        first = now_ms() - HOUR_MS // 2
        rolled = {drawn: 0, default: 0}
        for topic in rolled:
            for partition in range(partitions):
                for at in (first, first + HOUR_MS // 2 - 1000):  # half of the time: one partition in two draws less
                    self.produce(topic, batch([b"x"], timestamp_ms=at), partition)
            for partition in range(partitions):
                rolled[topic] += len(topic.segments(2, partition)) - 1
        self.assertEqual(rolled[default], 0)
        self.assertTrue(0 < rolled[drawn] < partitions, rolled)

    def test_segment_index_bytes(self):
        small, default = self.with_and_without("segment.index.bytes", "24", both={"index.interval.bytes": "0"})
        for topic in (small, default):
            for _ in range(9):
                self.produce(topic, batch([b"x"]))
        self.assertGreaterEqual(len(small.segments(9)), 3)
        self.assertEqual(len(default.segments(9)), 1)

    def test_index_interval_bytes(self):
        dense, default = self.with_and_without("index.interval.bytes", "0", both={"segment.bytes": str(MIB)})
        entries = {}
        for topic in (dense, default):
            for _ in range(10):
                self.produce(topic, batch([b"x" * 1000]))
            self.produce(topic, batch([b"x" * 1_045_000]))  # rolls, and the sealed segment's index is written
            self.assertEqual(len(topic.segments(11)), 2)
            index = os.path.join(topic.place.broker.data_dir, f"{topic}-0", "00000000000000000000.index")
            self.eventually(lambda path=index: os.path.exists(path) and os.path.getsize(path) > 0, True)
            entries[topic] = os.path.getsize(index) // 8
        self.assertEqual(entries[dense], 9)  # the first batch needs none
        self.assertEqual(entries[default], 2)

    # --- what is taken ---------------------------------------------------------------------------------------------
    def test_max_message_bytes(self):
        small, default = self.with_and_without("max.message.bytes", "1000")
        self.assertEqual(small.produce(batch([b"x" * 2000]))[0], MESSAGE_TOO_LARGE)
        self.produce(small, batch([b"x" * 500]))
        self.produce(default, batch([b"x" * 2000]))

    def test_message_timestamp_after_max_ms(self):
        strict, default = self.with_and_without("message.timestamp.after.max.ms", "1000")
        for ahead_ms, in_strict, in_default in ((0, NONE, NONE), (HOUR_MS // 2, INVALID_TIMESTAMP, NONE),
                                                (2 * HOUR_MS, INVALID_TIMESTAMP, INVALID_TIMESTAMP)):
            for topic, expected in ((strict, in_strict), (default, in_default)):
                self.assertEqual(topic.produce(batch([b"x"], timestamp_ms=now_ms() + ahead_ms))[0], expected)

    def test_message_timestamp_before_max_ms(self):
        strict, default = self.with_and_without("message.timestamp.before.max.ms", "60000")
        for topic, expected in ((strict, INVALID_TIMESTAMP), (default, NONE)):
            self.assertEqual(topic.produce(batch([b"x"], timestamp_ms=now_ms() - HOUR_MS))[0], expected)

    def test_message_timestamp_type(self):
        appended, created = self.with_and_without("message.timestamp.type", "LogAppendTime")
        given = now_ms() - HOUR_MS
        for topic in (appended, created):
            self.produce(topic, batch([b"x"], timestamp_ms=given))
        stored = appended.stored(1)[0]
        self.assertTrue(stored.log_append_time)
        self.assertGreater(stored.max_timestamp, given + HOUR_MS // 2)
        stored = created.stored(1)[0]
        self.assertEqual((stored.log_append_time, stored.max_timestamp), (False, given))

    def test_min_insync_replicas(self):
        # Never more than the partition has, as Kafka 4.3 counts: with one replica the write is taken, and the value is told.
        two, default = self.with_and_without("min.insync.replicas", "2")
        told = [topic.described()["min.insync.replicas"].value for topic in (two, default)]
        self.assertEqual(told, ["2", "1"])
        self.produce(two, batch([b"x"]))

    # --- what is stored --------------------------------------------------------------------------------------------
    def test_compression_type(self):
        for codec in ("gzip", "snappy", "lz4", "zstd"):
            topic, default = self.with_and_without("compression.type", codec)
            for name, expected in ((topic, codec), (default, "none")):
                self.produce(name, batch([b"tide" * 100]))
                self.assertEqual(name.stored(1)[0].codec, expected)

    def stored_bytes(self, topic):
        values = [b"%d tide %d mark %d" % (i * i, i % 7, i * 7919 % 1013) for i in range(2000)]
        self.produce(topic, batch(values))
        topic.segments(len(values))
        with open(topic.files("*.log")[0], "rb") as log:
            size = int.from_bytes(log.read(12)[8:], "big")
        self.assertEqual(topic.place.client.fetch(topic, 0, 0)[0], NONE)
        return size

    def assert_level_counts(self, codec, setting, low, high):
        both = {"compression.type": codec}
        least, by_default = (self.stored_bytes(topic) for topic in self.with_and_without(setting, low, both))
        most, _ = self.with_and_without(setting, high, both)
        self.assertLess(self.stored_bytes(most), least)
        self.assertNotEqual(by_default, least)

    def test_compression_gzip_level(self):
        self.assert_level_counts("gzip", "compression.gzip.level", "1", "9")

    def test_compression_lz4_level(self):
        self.assert_level_counts("lz4", "compression.lz4.level", "1", "17")

    def test_compression_zstd_level(self):
        self.assert_level_counts("zstd", "compression.zstd.level", "-50", "19")


class TracedPlace(Place):
    """Its daemon's syncs are traced."""

    def __init__(self, properties=None):
        self.trace = tempfile.NamedTemporaryFile(prefix="tidemark-test.trace.")
        strace = ["strace", "-D", "-f", "-yy", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", self.trace.name]
        super().__init__(properties, strace)

    def syncs(self, part_of_path):
        """So many syncs of files with this in their path have begun."""
        with open(self.trace.name, encoding="utf-8", errors="replace") as trace:
            return sum(part_of_path in line for line in trace if "sync(" in line)

    def close(self):
        super().close()
        self.trace.close()


class DurabilitySettings(TopicSuite):
    """What is synced, and when."""

    @classmethod
    def open_place(cls, properties=None):
        return TracedPlace(properties)

    def produce_and_count(self, topic, part_of_path, batches=30):
        before = topic.place.syncs(part_of_path)
        for _ in range(batches):
            self.assertEqual(topic.produce(batch([b"x"]))[0], NONE)
        return topic.place.syncs(part_of_path) - before

    def await_unsynced(self, topic, part_of_path):
        """Many batches are taken without a sync: but now and then there is a checkpoint's."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (count := self.produce_and_count(topic, part_of_path)) > 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(count, 0)

    def test_write_caching(self):
        cached, default = self.with_and_without("write.caching", "true")
        self.await_unsynced(cached, "/journal/")
        self.await_unsynced(cached, f"/{cached}-0/")
        # One at a time, each answered by a sync of its own.
        self.assertGreaterEqual(self.produce_and_count(default, "/journal/"), 30)

    def test_flush_messages(self):
        cached = {"write.caching": "true"}
        every, default = self.with_and_without("flush.messages", "1", cached)
        tenth = self.topic_with("flush.messages", "10", cached)
        # One sync may cover two appends, where the answer does not wait for it.
        self.assertGreaterEqual(self.produce_and_count(every, f"/{every}-0/{FIRST_SEGMENT}"), 15)
        self.assertIn(self.produce_and_count(tenth, f"/{tenth}-0/{FIRST_SEGMENT}"), range(1, 7))
        self.await_unsynced(default, f"/{default}-0/")

    def synced_within(self, topic, seconds):
        segment = f"/{topic}-0/{FIRST_SEGMENT}"
        before = topic.place.syncs(segment)
        self.assertEqual(topic.produce(batch([b"x"]))[0], NONE)
        deadline = time.monotonic() + seconds
        while topic.place.syncs(segment) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        return topic.place.syncs(segment) > before

    def test_flush_ms(self):
        flushed, default = self.with_and_without("flush.ms", "50", {"write.caching": "true"})
        began = time.monotonic()
        for _ in range(4):
            self.assertTrue(self.synced_within(flushed, PATIENCE_SECONDS))
        # Else only a checkpoint syncs: after a daemon's first two, which come soon, they are five seconds apart.
        self.assertLess(time.monotonic() - began, 8)
        self.assertFalse(all(self.synced_within(default, 0.5) for _ in range(4)))


if __name__ == "__main__":
    client_suite.main(__name__)
