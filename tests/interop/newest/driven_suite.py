"""What every driven client must be able to do: all that client_suite asks, members that come, go and are killed, the death of
the broker under load, and what admin calls the client has."""

import collections
import os
import struct
import sys
import threading
import time
import uuid

INTEROP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, INTEROP)
from confluent_kafka import Consumer, KafkaException, TopicPartition  # noqa: E402

import broker as brokers  # noqa: E402
import client_suite  # noqa: E402
import drivers  # noqa: E402
import group_broker  # noqa: E402
import raw_client  # noqa: E402
from client_suite import Record, record  # noqa: E402
from drivers import decoded, encoded  # noqa: E402

PATIENCE_SECONDS = 60
PARTITIONS = 6
CONSUME_SECONDS = 30
OFFSETS_TOPIC = "__consumer_offsets"


class Watcher(threading.Thread):
    """Looks at a group's committed offsets all the time, as a client of its own. `backwards`: what moved back."""

    def __init__(self, bootstrap, group, topic):
        super().__init__(daemon=True)
        self.topic, self.committed, self.backwards = topic, {}, []
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
        self.stopping = threading.Event()
        self.start()

    def look(self):
        asked = [TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
        for found in self.consumer.committed(asked, timeout=2):
            if found.error:
                raise KafkaException(found.error)
            before = self.committed.get(found.partition, -1)
            offset = max(found.offset, -1)  # -1001: none yet
            if offset < before:
                self.backwards.append((found.partition, before, offset))
            self.committed[found.partition] = offset

    def run(self):
        last = False
        while not last:
            last = self.stopping.wait(0.1)  # what was committed until then is seen
            try:
                self.look()
            except KafkaException:
                pass  # the broker is dead, or wakes up
        self.consumer.close()

    def stop(self):
        self.stopping.set()
        self.join(PATIENCE_SECONDS)


def offsets_in_log(bootstrap, group, topic):
    """Everything that was ever committed, in the order of the log: {partition: [offset]}."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False, "log_level": 0,
                         "auto.offset.reset": "earliest", "enable.partition.eof": True})
    log = consumer.list_topics(OFFSETS_TOPIC, timeout=PATIENCE_SECONDS).topics[OFFSETS_TOPIC].partitions
    consumer.assign([TopicPartition(OFFSETS_TOPIC, partition, 0) for partition in log])
    found, at_end = collections.defaultdict(list), 0
    while at_end < len(log):
        message = consumer.poll(PATIENCE_SECONDS)
        if message.error():
            at_end += 1
            continue
        key = message.key()
        if struct.unpack(">h", key[:2])[0] > 1 or message.value() is None:
            continue  # a group's metadata, or an offset's end
        names, place = [], 2
        for _ in range(2):
            length, = struct.unpack_from(">h", key, place)
            names.append(key[place + 2:place + 2 + length].decode())
            place += 2 + length
        if names == [group, topic]:
            found[struct.unpack_from(">i", key, place)[0]].append(struct.unpack_from(">q", message.value(), 2)[0])
    consumer.close()
    return found


class Load(threading.Thread):
    """Produces idempotently through the driver until it is stopped. `acknowledged`: {(partition, offset): value}."""

    def __init__(self, suite, topic):
        super().__init__(daemon=True)
        self.suite, self.topic = suite, topic
        self.acknowledged, self.unacknowledged, self.failures = {}, set(), []
        self.duplicates = []
        self.stopping = threading.Event()
        self.start()

    def run(self):
        count = 0
        while not self.stopping.is_set():
            values = [(number % PARTITIONS, b"%d" % number) for number in range(count, count + 60)]
            count += 60
            try:
                offsets = self.suite.produce(self.topic, [record(value, partition=partition) for partition, value in values],
                                             idempotent=self.suite.is_idempotent)
            except drivers.DriverError as error:
                self.failures.append(str(error))
                self.unacknowledged |= {value for _, value in values}
                continue
            for (partition, value), offset in zip(values, offsets):
                if self.acknowledged.setdefault((partition, offset), value) != value:
                    self.duplicates.append((partition, offset))

    def stop(self):
        self.stopping.set()
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "the producer hangs"


class DrivenSuite(client_suite.ClientSuite):
    """REQUIRES of a subclass: command()."""

    assignors = ("range",)
    is_idempotent = True
    reads_once = True  # when a member leaves in good order, nothing that it read is read again
    commits_late = False  # a commit that it tries again may overtake a rebalance, and another member's newer one
    transient_errors = (drivers.DriverError,)

    @classmethod
    def command(cls):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.driver_command = cls.command()
        cls.broker = group_broker.open_group_broker()
        cls.addClassCleanup(cls.broker.close)
        cls.driver = drivers.Driver(cls.driver_command, cls.broker.bootstrap)
        cls.addClassCleanup(cls.driver.close)

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        self.group = f"{self._testMethodName[5:45]}.{uuid.uuid4().hex[:8]}"

    # --- the verbs -----------------------------------------------------------------------------------------------
    def call(self, verb, **fields):
        try:
            return self.driver.call(verb, **fields)
        except drivers.Missing as missing:
            self.skipTest(str(missing))

    def create_topic(self, topic, partitions=1, configs=None):
        self.call("create_topic", topic=topic, partitions=partitions, configs=configs or {})
        raw_client.await_led(self.broker.bootstrap, topic, partitions)

    def produce(self, topic, records, acks="all", codec="none", idempotent=False):
        sent = [[entry.partition, encoded(entry.key), encoded(entry.value),
                 [[name, encoded(value)] for name, value in entry.headers], entry.timestamp] for entry in records]
        return self.call("produce", topic=topic, acks=acks, codec=codec, idempotent=idempotent, records=sent)["offsets"]

    def consume(self, topic, partition, start, count):
        found = self.call("consume", topic=topic, partition=partition, start=start, count=count, seconds=CONSUME_SECONDS)
        return [Record(decoded(key), decoded(value), [(name, decoded(data)) for name, data in headers], timestamp, offset, partition)
                for offset, timestamp, key, value, headers in found["records"]]

    def offset_for_time(self, topic, partition, timestamp_ms):
        return self.call("offset_for_time", topic=topic, partition=partition, time=timestamp_ms)["offset"]

    def watermarks(self, topic, partition):
        found = self.call("watermarks", topic=topic, partition=partition)
        return found["low"], found["high"]

    def member(self, topic, **settings):
        member = drivers.MemberProcess(self.driver_command, self.broker.bootstrap, group=self.group, topic=topic,
                                       **{"assignor": self.assignors[0], "session_timeout_ms": 10_000, **settings})
        self.addCleanup(member.kill)
        return member

    def wait_for(self, holds, what=lambda: None, patience_seconds=PATIENCE_SECONDS):
        deadline = time.monotonic() + patience_seconds
        while not holds():
            self.assertLess(time.monotonic(), deadline, what())
            time.sleep(0.05)

    def await_shares(self, *members):
        """Until these members have all partitions among them, each some of them."""
        def is_settled():
            shares = [member.share() for member in members]
            return all(shares) and sorted(sum(shares, [])) == list(range(PARTITIONS))
        self.wait_for(is_settled, lambda: [(member.shares, member.complaints) for member in members])

    def await_load(self, load):
        """Until more is acknowledged than now."""
        known = len(load.acknowledged)
        self.wait_for(lambda: len(load.acknowledged) > known, lambda: load.failures[-1:])

    def committed(self, topic):
        watcher = Watcher(self.broker.bootstrap, self.group, topic)
        try:
            self.wait_for(lambda: len(watcher.committed) == PARTITIONS)
        finally:
            watcher.stop()
        return watcher.committed

    # --- groups --------------------------------------------------------------------------------------------------
    def test_members_come_and_go_under_load(self):
        for assignor in self.assignors:
            with self.subTest(assignor):
                self.group = f"{self.group}.{assignor}"
                self.members_come_and_go(assignor)

    def members_come_and_go(self, assignor):
        topic = self.new_topic(PARTITIONS)
        load = Load(self, topic)
        try:
            first = self.member(topic, assignor=assignor)
            self.await_shares(first)
            self.await_load(load)
            others = [self.member(topic, assignor=assignor) for _ in range(2)]
            self.await_shares(first, *others)
            self.await_load(load)
            first.leave()
            self.await_shares(*others)
            self.await_load(load)
        finally:
            load.stop()
        self.assertEqual(load.failures, [])
        wanted = set(load.acknowledged)

        def read():
            return [entry for member in (first, *others) for entry in list(member.read)]
        self.wait_for(lambda: wanted <= set(read()), lambda: sorted(wanted - set(read()))[:10])
        for member in others:
            member.leave()
        counted = collections.Counter(read())
        self.assertEqual(set(counted), wanted)
        if self.reads_once:
            self.assertEqual({entry: count for entry, count in counted.items() if count > 1}, {})
        ends = {partition: self.watermarks(topic, partition)[1] for partition in range(PARTITIONS)}
        self.assertEqual(self.committed(topic), ends)

    @brokers.tidemark_only("kills the broker")
    def test_a_broker_and_a_member_die_under_load(self):
        topic = self.new_topic(PARTITIONS)
        load = Load(self, topic)
        watcher = Watcher(self.broker.bootstrap, self.group, topic)
        try:
            members = [self.member(topic) for _ in range(2)]
            self.await_shares(*members)
            self.wait_for(lambda: len(watcher.committed) == PARTITIONS and min(watcher.committed.values()) > 0)
            for _ in range(2):
                self.broker.kill()
                time.sleep(0.5)  # long enough for every client to notice
                self.broker.start()
                self.await_load(load)
                self.await_load(load)
            members[0].kill()
            members.append(self.member(topic))
            before = sum(watcher.committed.values())
            self.await_shares(*members[1:])
            self.wait_for(lambda: sum(watcher.committed.values()) > before)
        finally:
            load.stop()
        wanted = set(load.acknowledged)

        def missing():
            return wanted - {entry for member in members for entry in list(member.read)}
        self.wait_for(lambda: not missing(), lambda: (sorted(missing())[:10], [member.complaints for member in members]))
        for member in members[1:]:
            member.leave()
        watcher.stop()
        self.assert_offsets_never_moved_back(topic, watcher)
        self.assert_log_holds(topic, load)
        ends = {partition: self.watermarks(topic, partition)[1] for partition in range(PARTITIONS)}
        self.assertEqual(self.committed(topic), ends)

    def assert_offsets_never_moved_back(self, topic, watcher):
        """By themselves: what moved back was committed so by a client that commits late, after what was seen before."""
        if not self.commits_late:
            self.assertEqual(watcher.backwards, [], "(partition, before, after)")
        log = offsets_in_log(self.broker.bootstrap, self.group, topic)
        for partition, before, after in watcher.backwards:
            self.assertIn(before, log[partition])
            self.assertIn(after, log[partition][log[partition].index(before):], (partition, before))
        for partition, offset in watcher.committed.items():
            self.assertEqual(log[partition][-1], offset)

    def assert_log_holds(self, topic, load):
        """Everything acknowledged lies where it was said to, once if the producer was idempotent; and nothing that nobody sent."""
        self.assertEqual(load.duplicates, [])
        values = collections.Counter()
        for partition in range(PARTITIONS):
            for entry in self.consume_exactly(topic, partition, 0, self.watermarks(topic, partition)[1]):
                values[entry.value] += 1
                acknowledged = load.acknowledged.get((partition, entry.offset))
                if acknowledged is not None:
                    self.assertEqual(entry.value, acknowledged)
        sent = set(load.acknowledged.values()) | load.unacknowledged
        self.assertLessEqual(set(load.acknowledged.values()), set(values))
        self.assertLessEqual(set(values), sent)
        if self.is_idempotent:
            self.assertEqual([value for value in load.acknowledged.values() if values[value] > 1], [])

    # --- administration ------------------------------------------------------------------------------------------
    def test_topics_are_made_grown_and_deleted(self):
        topic = self.new_topic(partitions=2)
        self.assertIn(topic, self.call("topics")["names"])
        with self.assertRaises(drivers.DriverError):
            self.create_topic(topic)
        self.call("create_partitions", topic=topic, total=5)
        raw_client.await_led(self.broker.bootstrap, topic, 5)
        self.produce(topic, [record(b"x", partition=4)])
        self.assertEqual(self.watermarks(topic, 4), (0, 1))
        self.call("delete_topic", topic=topic)
        self.wait_for(lambda: topic not in self.call("topics")["names"])

    def test_configs_of_topics(self):
        topic = self.new_topic(configs={"retention.ms": "123456789"})
        self.assertEqual(self.call("topic_configs", topic=topic)["configs"]["retention.ms"], "123456789")
        self.call("alter_topic_configs", topic=topic, set={"max.message.bytes": "54321"}, delete=["retention.ms"])
        found = self.call("topic_configs", topic=topic)["configs"]
        self.assertEqual((found["max.message.bytes"], found["retention.ms"]), ("54321", "604800000"))

    def test_records_are_deleted(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"%d" % i) for i in range(20)])
        self.assertEqual(self.call("delete_records", topic=topic, partition=0, offset=7)["low"], 7)
        self.assertEqual(self.watermarks(topic, 0), (7, 20))
        self.assertEqual(self.consume_exactly(topic, 0, 7, 13)[0].value, b"7")

    def busy_group(self):
        topic = self.new_topic(PARTITIONS)
        self.produce(topic, [record(b"x", partition=partition) for partition in range(PARTITIONS)])
        member = self.member(topic)
        self.wait_for(lambda: len(member.read) == PARTITIONS)
        return topic, member

    def test_groups_are_listed_and_described(self):
        _, member = self.busy_group()
        self.assertIn(self.group, self.call("groups")["names"])
        self.assertEqual(self.call("describe_group", group=self.group), {"state": "Stable", "members": 1})
        member.leave()
        self.assertEqual(self.call("describe_group", group=self.group), {"state": "Empty", "members": 0})

    def test_groups_are_deleted(self):
        _, member = self.busy_group()
        with self.assertRaises(drivers.DriverError):
            self.call("delete_group", group=self.group)
        member.leave()
        self.call("delete_group", group=self.group)
        self.assertNotIn(self.group, self.call("groups")["names"])

    def test_offsets_of_groups_are_told_and_set(self):
        topic, member = self.busy_group()
        member.leave()
        self.assertEqual(self.group_offsets(topic), {partition: 1 for partition in range(PARTITIONS)})
        self.call("alter_group_offset", group=self.group, topic=topic, partition=2, offset=0)
        self.assertEqual(self.group_offsets(topic)[2], 0)
        again = self.member(topic)
        self.wait_for(lambda: again.read == [(2, 0)])
        again.leave()

    def test_offsets_of_groups_are_deleted(self):
        topic, member = self.busy_group()
        member.leave()
        self.call("delete_group_offset", group=self.group, topic=topic, partition=3)
        self.assertEqual(set(self.group_offsets(topic)), {0, 1, 2, 4, 5})

    def group_offsets(self, topic):
        found = self.call("group_offsets", group=self.group)["offsets"]
        self.assertEqual({name for name, _, _ in found}, {topic})
        return {partition: offset for _, partition, offset in found if offset >= 0}
