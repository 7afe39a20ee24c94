#!/usr/bin/python3
"""`tidemark consume -g`: a member among others, its own kind and other people's, that is broken off, killed, and loses its broker."""

import collections
import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import uuid

import confluent_kafka
import kafka

import broker as brokers
import client_suite
import group_broker

TIDEMARK = os.path.join(brokers.BIN, "tidemark")
PATIENCE_SECONDS = 40
PARTITIONS = 6


class ConsumeInGroups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = group_broker.open_group_broker()
        cls.addClassCleanup(cls.broker.close)

    def tidemark(self, *arguments, stdin="", status=0):
        done = subprocess.run([TIDEMARK, "-b", self.broker.bootstrap, *arguments], input=stdin, capture_output=True, timeout=90,
                              check=False, text=True)
        self.assertEqual(done.returncode, status, done)
        return done.stdout if status == 0 else done.stderr

    def wait_for(self, is_true, told="in vain"):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_true():
            self.assertLess(time.monotonic(), deadline, told() if callable(told) else told)
            time.sleep(0.1)

    def new_topic(self, partitions=PARTITIONS):
        topic = f"topic.{uuid.uuid4().hex[:10]}"
        self.tidemark("topic", "create", topic, "-p", str(partitions), "-r", "1")
        self.written = 0
        return topic

    def produce(self, topic, count):
        """Each value is a number of its own."""
        lines = "".join(f"{n % PARTITIONS} {n}\n" for n in range(self.written, self.written + count))
        self.written += count
        self.tidemark("produce", topic, "-f", "%p %v\\n", stdin=lines)

    def settings(self, **properties):
        """A client's properties file."""
        file = tempfile.NamedTemporaryFile("w", suffix=".properties")
        self.addCleanup(file.close)
        file.writelines(f"{name.replace('_', '.')}={value}\n" for name, value in properties.items())
        file.flush()
        return file.name

    def member(self, topic, group, *options, **properties):
        return Member(self, topic, group, *options, **{"session.timeout.ms": 6000, "heartbeat.interval.ms": 300, **properties})

    def committed(self, group):
        rows = self.tidemark("group", "describe", group, "--lag").splitlines()
        return sum(int(row.split("\t")[3]) for row in rows if row and row.split("\t")[3] != "-")

    def check_read(self, *readers, twice=False):
        """All that was written has been read, by whom it may be, once."""
        def read():
            counts = collections.Counter()
            for reader in readers:
                counts.update(list(reader.values))
            return counts
        self.wait_for(lambda: len(read()) == self.written, lambda: f"{len(read())} of {self.written}")
        if not twice:
            self.assertEqual([value for value, times in read().items() if times > 1], [])

    # --- alone ------------------------------------------------------------------------------------------------------------
    def test_it_reads_on_where_it_stopped(self):
        topic, group = self.new_topic(), "g." + uuid.uuid4().hex
        self.produce(topic, 100)
        first = self.tidemark("consume", topic, "-g", group, "-n", "30").split()
        self.assertEqual(len(first), 30)
        self.assertEqual(self.committed(group), 30)
        second = self.tidemark("consume", topic, "-g", group, "--until-end").split()
        self.assertEqual(sorted(map(int, first + second)), list(range(100)))
        self.assertEqual(self.tidemark("consume", topic, "-g", group, "--until-end"), "")

    def test_where_a_new_group_begins(self):
        topic = self.new_topic()
        self.produce(topic, 60)
        for offset, count in (("start", 60), ("end", 0), ("7", 18), ("-2", 12), (f"@{int(time.time() * 1000) + 60_000}", 0)):
            with self.subTest(offset):
                read = self.tidemark("consume", topic, "-g", "g." + uuid.uuid4().hex, "--offset", offset, "--until-end")
                self.assertEqual(len(read.split()), count)

    def test_refusals(self):
        topic = self.new_topic()
        self.assertIn("-p: a group's members are told", self.tidemark("consume", topic, "-g", "g", "-p", "1", status=2))
        self.assertIn("UNKNOWN_TOPIC_OR_PARTITION", self.tidemark("consume", "no-such", "-g", "g", status=1))
        short = self.settings(session_timeout_ms=400)
        self.assertIn("INVALID_SESSION_TIMEOUT", self.tidemark("--config", short, "consume", topic, "-g", "g", status=1))

    # --- among others -----------------------------------------------------------------------------------------------------
    def test_members_come_and_go_and_each_record_is_read_once(self):
        for strategy in ("range", "roundrobin", "cooperative-sticky"):
            with self.subTest(strategy):
                topic, group = self.new_topic(), "g." + uuid.uuid4().hex
                chosen = {"partition.assignment.strategy": strategy}
                self.produce(topic, 300)
                readers = [self.member(topic, group, **chosen) for _ in range(2)]
                self.check_read(*readers)
                readers.append(RdkafkaMember(self, topic, group, strategy))
                self.produce(topic, 300)
                self.wait_for(lambda: readers[-1].assigned())
                self.produce(topic, 300)
                self.check_read(*readers)
                readers[0].interrupt()
                readers.append(self.member(topic, group, **chosen))
                self.produce(topic, 300)
                self.check_read(*readers)
                readers[2].stop()
                self.produce(topic, 300)
                self.check_read(*readers)
                for reader in readers[1:2] + readers[3:]:
                    reader.interrupt()
                self.assertEqual(self.committed(group), self.written)

    def test_it_leads_and_follows_python3_kafka(self):
        topic, group = self.new_topic(), "g." + uuid.uuid4().hex
        self.produce(topic, 200)
        ours = self.member(topic, group)
        self.check_read(ours)
        theirs = KafkaPythonMember(self, topic, group)
        self.wait_for(lambda: theirs.partitions)
        self.produce(topic, 200)
        self.check_read(ours, theirs)
        ours.interrupt()
        self.wait_for(lambda: len(theirs.partitions) == PARTITIONS)
        late = self.member(topic, group)
        self.wait_for(lambda: 0 < len(theirs.partitions) < PARTITIONS)
        self.produce(topic, 200)
        self.check_read(ours, theirs, late)

    # --- harm -------------------------------------------------------------------------------------------------------------
    def test_a_killed_member_s_partitions_go_to_others_from_the_last_commit(self):
        topic, group = self.new_topic(), "g." + uuid.uuid4().hex
        readers = [self.member(topic, group, **{"auto.commit.interval.ms": 200}) for _ in range(2)]
        self.produce(topic, 300)
        self.check_read(*readers)
        readers[0].kill()
        self.produce(topic, 300)
        self.check_read(*readers, twice=True)
        readers[1].interrupt()
        self.assertEqual(self.committed(group), self.written)

    @brokers.tidemark_only("kills the broker")
    def test_members_outlive_their_broker(self):
        broker = brokers.Broker(properties={"group.initial.rebalance.delay.ms": 0})
        self.addCleanup(broker.close)
        broker.start()
        before, self.broker = self.broker, broker
        self.addCleanup(setattr, self, "broker", before)
        topic, group = self.new_topic(), "g." + uuid.uuid4().hex
        readers = [self.member(topic, group) for _ in range(2)]
        self.produce(topic, 300)
        self.check_read(*readers)
        broker.kill()
        broker.start()
        self.produce(topic, 300)
        self.check_read(*readers, twice=True)
        for reader in readers:
            reader.interrupt()
        self.assertEqual(self.committed(group), self.written)


class Member:
    """`tidemark consume -g` as a process; what it has printed."""

    def __init__(self, test, topic, group, *options, **properties):
        config = test.settings(**properties)
        self.process = subprocess.Popen([TIDEMARK, "-b", test.broker.bootstrap, "--config", config, "consume", topic, "-g", group,
                                         *options], stdout=subprocess.PIPE, text=True)
        self.test, self.values = test, []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        test.addCleanup(self.kill)

    def read(self):
        for line in self.process.stdout:
            self.values.append(int(line))

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        self.test.assertEqual(self.process.wait(20), 0)
        self.reader.join(20)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(20)
        self.process.stdout.close()


class RdkafkaMember:
    def __init__(self, test, topic, group, strategy):
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": test.broker.bootstrap, "group.id": group, "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 300, "partition.assignment.strategy": strategy})
        self.consumer.subscribe([topic])
        self.values, self.going_on = [], True
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        test.addCleanup(self.stop)

    def read(self):
        while self.going_on:
            message = self.consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.values.append(int(message.value()))
        self.consumer.close()

    def assigned(self):
        return self.going_on and self.consumer.assignment()

    def stop(self):
        self.going_on = False
        self.thread.join(20)


class KafkaPythonMember:
    def __init__(self, test, topic, group):
        self.values, self.partitions, self.going_on = [], set(), True
        self.consumer = kafka.KafkaConsumer(topic, bootstrap_servers=test.broker.bootstrap, group_id=group,
                                            auto_offset_reset="earliest", session_timeout_ms=6000, heartbeat_interval_ms=300,
                                            auto_commit_interval_ms=300)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        test.addCleanup(self.stop)

    def read(self):
        while self.going_on:
            for batch in self.consumer.poll(100).values():
                self.values.extend(int(record.value) for record in batch)
            self.partitions = self.consumer.assignment()
        self.consumer.close()

    def stop(self):
        self.going_on = False
        self.thread.join(20)


if __name__ == "__main__":
    client_suite.main(__name__)
