"""What every client with consumer groups must be able to do, said once. A suite gives the verbs of its client (`open_member`,
`produce`, `create_topic`) and inherits the tests. Partitions are pairs (topic, partition)."""

import collections
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
import uuid

import broker as brokers
import client_suite
import group_broker
import raw_client
from client_suite import record

Read = collections.namedtuple("Read", "topic partition offset value")
PATIENCE_SECONDS = 30
MEMBER = "--member"  # runs one member, for tests that kill it


class Ledger:
    """Who has read what, in order."""

    def __init__(self):
        self.lock = threading.Lock()
        self.offsets = collections.defaultdict(list)

    def note(self, entry):
        with self.lock:
            self.offsets[entry.topic, entry.partition].append(entry.offset)

    def count(self):
        with self.lock:
            return sum(len(set(offsets)) for offsets in self.offsets.values())


class Worker(threading.Thread):
    """A member in a thread of its own: notes what it reads, and commits before it gives anything up."""

    def __init__(self, suite, group, topics, ledger, **settings):
        super().__init__(daemon=True)
        self.suite, self.ledger = suite, ledger
        self.arguments = (suite.broker.bootstrap, group, topics)
        self.settings = settings
        self.positions, self.assigned, self.events = {}, set(), []
        self.member = self.error = None
        self.stopping = threading.Event()
        suite.addCleanup(self.stop)
        self.start()

    def run(self):
        try:
            self.member = self.suite.open_member(*self.arguments, on_assigned=self.take, on_revoked=self.give_up,
                                                 on_lost=self.lose, **self.settings)
            while not self.stopping.is_set():
                for entry in self.member.poll(0.1):
                    self.positions[entry.topic, entry.partition] = entry.offset + 1
                    self.ledger.note(entry)
                self.assigned = self.member.assignment()
            self.commit_share(set(self.positions))
        except Exception as error:  # for stop() to raise
            self.error = error
        finally:
            if self.member:
                self.member.close()
            self.assigned = set()

    def take(self, partitions):
        self.events.append(("assigned", partitions))

    def give_up(self, partitions):
        self.events.append(("revoked", partitions))
        self.commit_share(partitions)

    def lose(self, partitions):
        """They are somebody else's already: too late for a commit."""
        self.events.append(("lost", partitions))
        for each in partitions:
            self.positions.pop(each, None)

    def commit_share(self, partitions):
        offsets = {each: (self.positions.pop(each), "") for each in partitions if each in self.positions}
        if offsets:
            self.member.commit(offsets)

    def stop(self):
        self.stopping.set()
        self.join(PATIENCE_SECONDS)
        error, self.error = self.error, None
        if error:
            raise error


class GroupSuite(unittest.TestCase):
    """REQUIRES of a subclass: the verbs below. Groups and topics are the suite's own: names are drawn anew for every test."""

    broker = None
    eager_assignors = ("range", "roundrobin")
    can_commit_metadata = True

    # --- the verbs of a client -------------------------------------------------------------------------------
    @classmethod
    def open_member(cls, bootstrap, group, topics=(), assign=(), on_assigned=None, on_revoked=None, on_lost=None,
                    instance=None, assignor="range", auto_commit_ms=None, session_timeout_ms=10_000, max_poll_ms=60_000):
        """Subscribes to the topics, or else takes what it is assigned by hand. It offers poll(seconds), assignment(),
        commit({partition: (offset, metadata)} or None for what was read), commit_async(the same, done(error)),
        committed(partition) as (offset, metadata) or None, seek(partition, offset), end_offset(partition) and close()."""
        raise NotImplementedError

    def produce(self, topic, records):
        raise NotImplementedError

    def create_topic(self, topic, partitions=1, configs=None):
        raise NotImplementedError

    # --- set up ------------------------------------------------------------------------------------------------
    @classmethod
    def setUpClass(cls):
        cls.broker = group_broker.open_group_broker()
        cls.shortest_session_ms = group_broker.shortest_session_ms(cls.broker.bootstrap)

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def setUp(self):
        self.group = f"{self._testMethodName[5:45]}.{uuid.uuid4().hex[:8]}"
        self.ledger = Ledger()

    def new_topic(self, partitions=1):
        name = f"{self._testMethodName[5:45]}.{uuid.uuid4().hex[:8]}"
        self.create_topic(name, partitions)
        raw_client.await_led(self.broker.bootstrap, name, partitions)
        return name

    def member(self, topics=(), group=None, **settings):
        member = self.open_member(self.broker.bootstrap, group or self.group, topics, **settings)
        self.addCleanup(member.close)
        return member

    def worker(self, topics, **settings):
        return Worker(self, self.group, topics, self.ledger, **settings)

    def member_process(self, topics, **settings):
        """A member that can be killed; it prints the partitions and offsets of what it reads."""
        arguments = json.dumps({"bootstrap": self.broker.bootstrap, "group": self.group, "topics": topics, **settings})
        process = subprocess.Popen([sys.executable, os.path.abspath(sys.argv[0]), MEMBER, arguments],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def await_true(self, holds, what=lambda: None, patience_seconds=PATIENCE_SECONDS):
        deadline = time.monotonic() + patience_seconds
        while not holds():
            self.assertLess(time.monotonic(), deadline, what())
            time.sleep(0.02)

    def await_shares(self, workers, topic, *sizes, partitions=6):
        """Until each worker has as many partitions as is said, and they have all of them."""
        everything = {(topic, partition) for partition in range(partitions)}

        def is_settled():
            for worker in workers:
                self.assertIsNone(worker.error)
            shares = [set(worker.assigned) for worker in workers]
            return sorted(map(len, shares)) == sorted(sizes) and set().union(*shares) == everything
        self.await_true(is_settled, lambda: [(worker.assigned, worker.events) for worker in workers])

    def read(self, member, count, patience_seconds=PATIENCE_SECONDS):
        found, deadline = [], time.monotonic() + patience_seconds
        while len(found) < count and time.monotonic() < deadline:
            found += member.poll(0.2)
        self.assertEqual(len(found), count)
        return found

    def committed(self, partition, group=None):
        """As a client of its own sees it: members may answer from what they remember."""
        member = self.open_member(self.broker.bootstrap, group or self.group)
        try:
            return member.committed(partition)
        finally:
            member.close()

    def fill(self, topic, count, partitions=6):
        """`count` records to each partition."""
        self.produce(topic, [record(b"%d" % i, partition=partition) for i in range(count) for partition in range(partitions)])

    def assert_read_once(self, topic, count, partitions=6):
        for partition in range(partitions):
            self.assertEqual(self.ledger.offsets[topic, partition], list(range(count)), partition)

    # --- many members --------------------------------------------------------------------------------------------
    def members_come_and_go(self, **settings):
        topic, produced = self.new_topic(6), 0

        def produce_until_shared(workers, *sizes):
            nonlocal produced
            deadline = time.monotonic() + PATIENCE_SECONDS
            while sorted(len(worker.assigned) for worker in workers) != list(sizes):
                self.assertEqual([worker.error for worker in workers], [None] * len(workers))
                self.assertLess(time.monotonic(), deadline, [worker.events for worker in workers])
                self.fill(topic, 20)
                produced += 20
        first = self.worker([topic], **settings)
        produce_until_shared([first], 6)
        others = [self.worker([topic], **settings) for _ in range(2)]
        produce_until_shared([first, *others], 2, 2, 2)
        self.await_shares([first, *others], topic, 2, 2, 2)
        leaving = threading.Thread(target=first.stop)
        leaving.start()
        produce_until_shared(others, 3, 3)
        leaving.join(PATIENCE_SECONDS)
        self.await_shares(others, topic, 3, 3)
        self.await_true(lambda: self.ledger.count() >= 6 * produced, self.ledger.count)
        settled = [list(worker.events) for worker in others]  # the last to stop may yet be given what the other had
        for worker in others:
            worker.stop()
        self.assert_read_once(topic, produced)
        for partition in range(6):
            self.assertEqual(self.committed((topic, partition))[0], produced)
        return first, others, settled

    def test_members_come_and_go_under_load_and_nothing_is_read_twice(self):
        self.members_come_and_go()

    def test_assignors(self):
        shares = {"range": [{(0, 0), (0, 1), (1, 0), (1, 1)}, {(0, 2), (1, 2)}],
                  "roundrobin": [{(0, 0), (0, 2), (1, 1)}, {(0, 1), (1, 0), (1, 2)}]}
        topics = sorted(self.new_topic(3) for _ in range(2))
        for topic in topics:
            self.fill(topic, 10, partitions=3)
        for assignor in self.eager_assignors:
            with self.subTest(assignor):
                self.group, self.ledger = f"{self.group}.{assignor}", Ledger()
                workers = [self.worker(topics, assignor=assignor) for _ in range(2)]
                named = [{(topics[topic], partition) for topic, partition in share} for share in shares[assignor]]
                self.await_true(lambda: [set(worker.assigned) for worker in workers] in (named, named[::-1]),
                                lambda: [worker.assigned for worker in workers])
                self.await_true(lambda: self.ledger.count() == 60, self.ledger.count)
                for worker in workers:
                    worker.stop()

    def test_a_killed_member_loses_its_session_and_nothing_is_skipped(self):
        topic = self.new_topic(6)
        killed = self.member_process([topic], session_timeout_ms=self.shortest_session_ms, auto_commit_ms=100)
        self.fill(topic, 50)
        read = [json.loads(killed.stdout.readline()) for _ in range(300)]
        survivor = self.worker([topic])
        self.await_true(lambda: len(survivor.assigned) == 3, lambda: survivor.assigned)
        killed.kill()
        self.fill(topic, 50)
        self.await_true(lambda: len(survivor.assigned) == 6, lambda: survivor.assigned)
        read += [json.loads(line) for line in killed.stdout.read().splitlines()]
        seen = {(topic, partition, offset) for partition, offset in read}

        def everything():
            with self.ledger.lock:
                mine = {(*partition, offset) for partition, offsets in self.ledger.offsets.items() for offset in offsets}
            return len(seen | mine) == 600
        self.await_true(everything)
        survivor.stop()
        for offsets in self.ledger.offsets.values():
            self.assertEqual(offsets, list(range(offsets[0], 100)))

    def test_a_frozen_member_is_replaced_and_comes_back(self):
        topic = self.new_topic(6)
        frozen = self.member_process([topic], session_timeout_ms=self.shortest_session_ms)
        other = self.worker([topic])
        self.await_true(lambda: len(other.assigned) == 3, lambda: other.assigned)
        frozen.send_signal(signal.SIGSTOP)
        self.await_true(lambda: len(other.assigned) == 6, lambda: other.assigned)
        frozen.send_signal(signal.SIGCONT)
        self.await_true(lambda: len(other.assigned) == 3, lambda: other.assigned)

    def test_a_member_that_stops_polling_is_replaced(self):
        topic = self.new_topic(6)
        lazy = self.member([topic], session_timeout_ms=self.shortest_session_ms, max_poll_ms=self.shortest_session_ms + 500)
        self.await_true(lambda: lazy.poll(0.1) is not None and len(lazy.assignment()) == 6)
        other = self.worker([topic])
        self.await_true(lambda: lazy.poll(0.1) is not None and len(other.assigned) == 3)
        self.await_true(lambda: len(other.assigned) == 6, lambda: other.assigned)  # its heartbeats alone don't keep it in

    # --- offsets -------------------------------------------------------------------------------------------------
    def test_commits_wait_or_do_not(self):
        topic = self.new_topic(2)
        self.fill(topic, 10, partitions=2)
        member = self.member([topic])
        self.read(member, 20)
        self.assertIsNone(self.committed((topic, 0)))
        metadata = "seven, прилив" if self.can_commit_metadata else ""
        member.commit({(topic, 0): (7, metadata)})
        self.assertEqual(self.committed((topic, 0)), (7, metadata))
        self.assertIsNone(self.committed((topic, 1)))
        answers = []
        for offset in (3, 5):
            member.commit_async({(topic, 1): (offset, metadata)}, answers.append)
        self.await_true(lambda: member.poll(0.1) is not None and len(answers) == 2)
        self.assertEqual(answers, [None, None])
        self.assertEqual(self.committed((topic, 1)), (5, metadata))
        member.commit(None)
        self.assertEqual([self.committed((topic, partition))[0] for partition in range(2)], [10, 10])

    def test_auto_commits(self):
        topic = self.new_topic()
        self.fill(topic, 10, partitions=1)
        member = self.member([topic], auto_commit_ms=200)
        self.read(member, 10)
        self.await_true(lambda: member.poll(0.1) is not None and self.committed((topic, 0)) == (10, ""))
        self.fill(topic, 5, partitions=1)
        self.read(member, 5)
        member.close()  # the last chance
        self.assertEqual(self.committed((topic, 0))[0], 15)

    def test_a_member_begins_where_the_one_before_committed(self):
        topic = self.new_topic()
        self.fill(topic, 30, partitions=1)
        for start, end in ((0, 7), (7, 29), (29, 30)):
            member = self.member([topic])
            read = self.read(member, 30 - start)
            self.assertEqual([entry.offset for entry in read], list(range(start, 30)))
            member.commit({(topic, 0): (end, "")})
            member.close()
            self.assertEqual(self.committed((topic, 0))[0], end)

    def test_seeking_within_the_assignment(self):
        topic = self.new_topic(2)
        self.fill(topic, 50, partitions=2)
        member = self.member([topic])
        self.read(member, 100)
        member.seek((topic, 1), 45)
        read = self.read(member, 5)
        self.assertEqual([(entry.partition, entry.offset) for entry in read], [(1, offset) for offset in range(45, 50)])
        member.commit(None)
        self.assertEqual([self.committed((topic, partition))[0] for partition in range(2)], [50, 50])

    def test_commits_without_membership(self):
        topic = self.new_topic(2)
        self.fill(topic, 10, partitions=2)
        member = self.member(assign=[(topic, 0)])
        self.assertEqual(len(self.read(member, 10)), 10)
        member.commit({(topic, 0): (4, "")})
        member.close()
        self.assertEqual(self.committed((topic, 0))[0], 4)
        again = self.member(assign=[(topic, 0)])
        self.assertEqual([entry.offset for entry in self.read(again, 6)], list(range(4, 10)))
        again.commit(None)
        again.close()
        subscribed = self.member([topic])  # and the group may have members after all
        self.assertEqual({entry.partition for entry in self.read(subscribed, 10)}, {1})

    def test_the_lag_of_a_group(self):
        topic = self.new_topic(3)
        self.fill(topic, 10, partitions=3)
        member = self.member([topic])
        self.read(member, 30)
        member.commit({(topic, 0): (10, ""), (topic, 1): (4, "")})
        self.fill(topic, 2, partitions=3)
        self.await_true(lambda: member.end_offset((topic, 2)) == 12)
        found = [self.committed((topic, partition)) for partition in range(3)]
        lags = [member.end_offset((topic, partition)) - (offset[0] if offset else 0) for partition, offset in enumerate(found)]
        self.assertEqual(lags, [2, 8, 12])

    # --- restarts of the broker ----------------------------------------------------------------------------------
    def survive_a_restart(self, end_broker):
        topic = self.new_topic(6)
        self.fill(topic, 50)
        workers = [self.worker([topic], session_timeout_ms=30_000) for _ in range(2)]
        self.await_shares(workers, topic, 3, 3)
        idle = f"{self.group}.idle"
        self.member(assign=[(topic, 0)], group=idle).commit({(topic, 0): (33, "")})
        self.await_true(lambda: self.ledger.count() == 300, self.ledger.count)
        end_broker()
        self.broker.start()
        group_broker.await_coordinator(self.broker.bootstrap)
        self.assertEqual(self.committed((topic, 0), group=idle)[0], 33)
        self.fill(topic, 50)
        self.await_true(lambda: self.ledger.count() == 600, self.ledger.count, patience_seconds=60)
        self.await_shares(workers, topic, 3, 3)
        for worker in workers:
            worker.stop()
        for partition in range(6):
            self.assertEqual(self.committed((topic, partition))[0], 100)

    @brokers.tidemark_only("stops the broker")
    def test_members_survive_a_controlled_restart_of_the_broker(self):
        self.survive_a_restart(lambda: self.broker.stop())

    @brokers.tidemark_only("kills the broker")
    def test_members_survive_the_death_of_the_broker(self):
        self.survive_a_restart(lambda: self.broker.kill())


def run_member(suite, arguments):
    """Reads until it is killed."""
    member = suite.open_member(arguments.pop("bootstrap"), arguments.pop("group"), **arguments)
    while True:
        for entry in member.poll(0.1):
            print(json.dumps([entry.partition, entry.offset]), flush=True)


def main(module, suite):
    if sys.argv[1:2] == [MEMBER]:
        run_member(suite, json.loads(sys.argv[2]))
    client_suite.main(module)
