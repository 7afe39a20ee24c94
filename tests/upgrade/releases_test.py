#!/usr/bin/python3
"""Every data folder under releases/ is opened by the daemon that was built, and everything is in it: topics, their settings,
first and next offsets, every record, the idempotent producers' state, the groups' offsets. Also without the RocksDB folder, with
other shards, and after a clean and an unclean stop."""

import functools
import glob
import os
import shutil
import sys
import unittest

import fill_folder
import release
import stored_batch
from confluent_kafka import Consumer, TopicPartition
from raw_client import NONE, RawClient
from raw_frames import batch

HOW_TO_MAKE = "make it with tests/upgrade/fill_folder.py and commit it"


def each_release(test):
    """Of a test of one release's folder: a test of all of them."""
    @functools.wraps(test)
    def run(self):
        for version in release.versions():
            with self.subTest(release=version):
                test(self, version)
    return run


class EveryRelease(unittest.TestCase):
    maxDiff = 2000

    def open(self, version, options=()):
        broker = release.unpacked(version, options)
        self.addCleanup(broker.close)
        return broker

    def check_all(self, broker, expected):
        found = release.what_is_there(broker.bootstrap)
        self.assertEqual(found["cluster"], expected["cluster"])
        self.assertEqual(found["groups"], expected.get("groups", {}))
        self.assertEqual(sorted(found["topics"]), sorted(expected["topics"]))
        for name, topic in expected["topics"].items():
            self.assertEqual(found["topics"][name]["settings"], topic["settings"], name)
            for number, partition in enumerate(topic["partitions"]):
                there = found["topics"][name]["partitions"][number]
                self.assertEqual((there["start"], there["end"]), (partition["start"], partition["end"]), f"{name}-{number}")
                self.assertEqual(there["records"], partition["records"], f"{name}-{number}")
            self.assertEqual(len(found["topics"][name]["partitions"]), len(topic["partitions"]), name)

    def check_duplicates(self, broker, expected):
        client = RawClient(broker.bootstrap)
        self.assertTrue(expected["last_batches"])
        for last in expected["last_batches"]:
            end = client.list_offset(last["topic"], 0)[1]
            again = client.produce(last["topic"], release.as_bytes(last["batch"]))
            self.assertEqual(again, (NONE, last["offset"]), f"producer {last['producer']}")
            self.assertEqual(client.list_offset(last["topic"], 0), (NONE, end))
        client.close()

    def check_appends(self, broker, expected):
        """Changes the folder: the last of all checks."""
        client = RawClient(broker.bootstrap)
        for last in expected["last_batches"]:
            end = client.list_offset(last["topic"], 0)[1]
            records = batch([b"goes on"], producer=(last["producer"], last["epoch"], last["next_sequence"]))
            self.assertEqual(client.produce(last["topic"], records), (NONE, end))
            gap = batch([b"leaves a gap"], producer=(last["producer"], last["epoch"], last["next_sequence"] + 5))
            self.assertNotEqual(client.produce(last["topic"], gap)[0], NONE)
        known = {last["producer"] for last in expected["last_batches"]}
        idempotent = {last["topic"] for last in expected["last_batches"]}
        self.assertNotIn(release.new_producer_id(client)[0], known)
        for name, topic in expected["topics"].items():
            for number, partition in enumerate(topic["partitions"]):
                end = client.list_offset(name, number)[1]
                after = batch([b"after the upgrade"], keys=[b"key"])
                self.assertEqual(client.produce(name, after, partition=number), (NONE, end))
                if name not in idempotent:
                    self.assertEqual(end, partition["end"])
        client.close()
        for group, offsets in expected.get("groups", {}).items():
            topic, number = next(iter(offsets)).rsplit("-", 1)
            partition = TopicPartition(topic, int(number), offsets[f"{topic}-{number}"] + 1)
            consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, "log_level": 0})
            consumer.commit(offsets=[partition], asynchronous=False)
            consumer.close()
            self.assertEqual(release.committed(broker.bootstrap, group, [partition]), {f"{topic}-{number}": partition.offset})

    # --- the tests -------------------------------------------------------------------------------------------------
    def test_this_release_has_its_folder_and_each_is_small(self):
        self.assertIn(release.this_version(), release.versions(), HOW_TO_MAKE)
        for version in release.versions():
            size = sum(os.path.getsize(path) for path in glob.glob(os.path.join(release.folder_of(version), "*")))
            self.assertLess(size, release.MAX_BYTES)

    def test_this_release_has_its_formats_in_its_folder(self):
        # Or nobody opens what this build writes, once it writes something newer.
        filler = fill_folder.Filler()
        self.addCleanup(filler.broker.close)
        filler.first_life()
        filler.client.close()
        written = release.formats(filler.broker)
        self.assertLessEqual({"identity", "journal", "partition.state", "partition.producers"}, written.keys())
        kept = release.formats(self.open(release.this_version()))
        self.assertEqual({kind: kept.get(kind) for kind in written}, written, "a new release, " + HOW_TO_MAKE)

    @each_release
    def test_the_newest_records_are_in_the_journal_alone(self, version):
        # Or nothing would be replayed.
        broker, expected = self.open(version), release.expected_of(version)
        self.assertTrue(expected["in_journal_alone"])
        for folder in expected["in_journal_alone"]:
            if folder.startswith("__"):
                continue
            topic, partition = folder.rsplit("-", 1)
            files = release.files(broker, folder, "*.log")
            stored = [found for path in files for found in stored_batch.batches_of_file(path)]
            end = stored[-1].last_offset + 1 if stored else 0
            self.assertLess(end, expected["topics"][topic]["partitions"][int(partition)]["end"], folder)

    @each_release
    def test_everything_is_there_and_stays_after_a_clean_stop(self, version):
        broker, expected = self.open(version), release.expected_of(version)
        broker.start()
        self.check_all(broker, expected)
        self.check_duplicates(broker, expected)
        broker.stop()
        broker.start()
        self.check_all(broker, expected)
        self.check_duplicates(broker, expected)
        self.check_appends(broker, expected)
        broker.close()

    @each_release
    def test_everything_is_there_without_the_key_value_store(self, version):
        broker, expected = self.open(version), release.expected_of(version)
        for folder in release.files(broker, "tidemark", "derived"):
            shutil.rmtree(folder)
        broker.start()
        self.check_all(broker, expected)
        self.check_duplicates(broker, expected)
        self.check_appends(broker, expected)
        broker.close()

    @each_release
    def test_everything_is_there_with_other_shards_and_after_a_kill(self, version):
        broker, expected = self.open(version, ["--set", "shards=3"]), release.expected_of(version)
        broker.start()
        broker.kill()
        broker.start()
        self.check_all(broker, expected)
        self.check_duplicates(broker, expected)
        broker.close()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
