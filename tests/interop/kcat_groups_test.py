#!/usr/bin/python3
"""kcat -G, the balanced consumer, as people use it in a shell."""

import collections
import re
import subprocess
import threading
import time
import uuid

import client_suite
import group_broker
from confluent_admin import Admin
from group_messages import DESCRIBE_GROUPS, OFFSET_FETCH
from raw_member import RawMember

PATIENCE_SECONDS = 30
# Quick to notice what the group does.
QUICK = ["-X", "heartbeat.interval.ms=200", "-X", "fetch.wait.max.ms=100", "-X", "auto.commit.interval.ms=200"]
FROM_THE_START = ["-X", "auto.offset.reset=earliest"]
LINE = "%p %o %s\n"


class BalancedConsumer:
    """A kcat that reads until it is told to end; what it prints is read as it comes."""

    def __init__(self, bootstrap, group, topics, *options):
        self.process = subprocess.Popen(
            ["kcat", "-b", bootstrap, "-G", group, *QUICK, *FROM_THE_START, "-u", "-f", LINE, *options, *topics],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.notes = [], []
        self.readers = [threading.Thread(target=self.collect, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.notes))]
        for reader in self.readers:
            reader.start()

    def collect(self, stream, lines):
        with stream:
            for line in stream:
                lines.append(line.rstrip("\n"))

    def read(self):
        """[(partition, offset, value)]"""
        split = (line.split(" ") for line in list(self.lines))
        return [(int(partition), int(offset), value) for partition, offset, value in split]

    def assigned(self):
        """How many partitions its last note of a rebalance gives it."""
        notes = [note for note in list(self.notes) if "rebalanced" in note]
        return len(re.findall(r"\[\d+\]", notes[-1])) if notes and "assigned" in notes[-1] else 0

    def end(self):
        """As Ctrl-C: commits and leaves."""
        self.process.terminate()
        self.await_end()

    def await_end(self):
        status = self.process.wait(PATIENCE_SECONDS)
        for reader in self.readers:
            reader.join(PATIENCE_SECONDS)
        return status


class KcatGroups(group_broker.GroupBrokerTest):
    def setUp(self):
        self.group = f"kcat-{uuid.uuid4().hex[:8]}"
        self.client = RawMember(self.broker.bootstrap, self.group)
        self.addCleanup(self.client.close)
        self.topic = self.client.new_topic(6)

    def fill(self, start, count, topic=None):
        """Values `start` and on, in turn, to the six partitions."""
        for partition in range(6):
            lines = "".join(f"{value}\n" for value in range(start + partition, start + count, 6))
            subprocess.run(["kcat", "-b", self.broker.bootstrap, "-P", "-t", topic or self.topic, "-p", str(partition)],
                           input=lines.encode(), check=True, timeout=PATIENCE_SECONDS)

    def consumer(self, *options, topics=None):
        consumer = BalancedConsumer(self.broker.bootstrap, self.group, topics or [self.topic], *options)

        def end():
            consumer.process.kill()
            consumer.await_end()
        self.addCleanup(end)
        return consumer

    def await_true(self, holds, what=lambda: None):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            self.assertLess(time.monotonic(), deadline, what())
            time.sleep(0.02)

    def await_shares(self, consumers, *sizes):
        self.await_true(lambda: [each.assigned() for each in consumers] == list(sizes),
                        lambda: [each.notes for each in consumers])

    def committed(self):
        """The sum over all partitions."""
        found, = self.client.call(OFFSET_FETCH, 8, groups=[{"group": self.group, "topics": None}])["groups"]
        return sum(entry["offset"] for topic in found["topics"] for entry in topic["partitions"])

    def described(self):
        found, = self.client.call(DESCRIBE_GROUPS, 5, groups=[self.group])["groups"]
        return found

    def assert_everything_once(self, consumers, count):
        read = [entry for consumer in consumers for entry in consumer.read()]
        self.assertEqual(sorted(int(value) for _, _, value in read), list(range(count)))
        by_partition = collections.defaultdict(list)
        for consumer in consumers:
            own = collections.defaultdict(list)
            for partition, offset, _ in consumer.read():
                own[partition].append(offset)
            # Each reads in order. Which of them had a partition first is not told by their order here.
            for partition, offsets in own.items():
                self.assertEqual(offsets, sorted(set(offsets)))
                by_partition[partition] += offsets
        for offsets in by_partition.values():
            self.assertEqual(sorted(offsets), list(range(count // 6)))

    def test_one_reads_everything_and_the_next_goes_on(self):
        self.fill(0, 600)
        first = self.consumer()
        self.await_true(lambda: len(first.read()) == 600)
        first.end()
        self.assertEqual(self.committed(), 600)
        self.assertEqual(self.described()["state"], "Empty")
        self.fill(600, 60)
        second = self.consumer()
        self.await_true(lambda: len(second.read()) == 60)
        second.end()
        self.assert_everything_once([first, second], 660)

    def test_members_come_and_go(self):
        consumers = [self.consumer()]
        self.await_shares(consumers, 6)
        self.fill(0, 120)
        self.await_true(lambda: len(consumers[0].read()) == 120)
        consumers += [self.consumer(), self.consumer()]
        self.await_shares(consumers, 2, 2, 2)
        self.fill(120, 120)
        self.await_true(lambda: sum(len(each.read()) for each in consumers) == 240)
        self.assertTrue(all(each.read() for each in consumers))
        consumers[0].end()
        self.await_shares(consumers[1:], 3, 3)
        self.fill(240, 120)
        self.await_true(lambda: sum(len(each.read()) for each in consumers) == 360)
        for consumer in consumers[1:]:
            consumer.end()
        self.assert_everything_once(consumers, 360)
        self.assertEqual(self.committed(), 360)

    def test_topics_by_a_pattern(self):
        name = f"pattern-{uuid.uuid4().hex[:8]}"
        for suffix in ("one", "two"):
            Admin(self.broker.bootstrap).create_topic(f"{name}-{suffix}", 6)
            self.fill(0, 60, f"{name}-{suffix}")
        consumer = self.consumer(topics=[f"^{name}-.*"])
        self.await_true(lambda: len(consumer.read()) == 120)
        self.assertEqual(consumer.assigned(), 12)

    def test_it_ends_at_the_end(self):
        self.fill(0, 60)
        consumer = self.consumer("-e")
        self.assertEqual(consumer.await_end(), 0)
        self.assert_everything_once([consumer], 60)
        self.assertEqual(self.committed(), 60)

    def test_a_static_member(self):
        consumer = self.consumer("-X", "group.instance.id=kcat-one")
        self.await_true(lambda: consumer.assigned() == 6)
        member, = self.described()["members"]
        self.assertEqual(member["instance"], "kcat-one")
        consumer.end()
        self.assertEqual(len(self.described()["members"]), 1, "a static member does not leave")


if __name__ == "__main__":
    client_suite.main(__name__)
