#!/usr/bin/python3
"""Consumer groups through python3-confluent-kafka (librdkafka underneath)."""

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

import group_suite
import python3_confluent_kafka_test
from confluent_admin import Admin
from group_messages import assigned
from group_suite import Read

NO_OFFSET = -1001


class Member:
    """The verbs of a group's member (group_suite.GroupSuite.open_member)."""

    def __init__(self, settings, topics, assign, on_assigned, on_revoked, on_lost):
        self.commits = []  # what waits for the answer, in order
        self.closed = False
        self.consumer = Consumer({**settings, "on_commit": self.on_commit})
        if topics:
            calls = {"on_assign": on_assigned, "on_revoke": on_revoked, "on_lost": on_lost}
            self.consumer.subscribe(list(topics), **{name: self.telling(call) for name, call in calls.items() if call})
        else:
            self.consumer.assign([TopicPartition(*partition) for partition in assign])

    def telling(self, call):
        return lambda _, partitions: call({(each.topic, each.partition) for each in partitions})

    def on_commit(self, error, _):
        if self.commits:
            self.commits.pop(0)(error)

    def poll(self, seconds):
        """One at a time: callbacks of a rebalance come before the record behind them."""
        message = self.consumer.poll(seconds)
        if message is None:
            return []
        if message.error():
            raise KafkaException(message.error())
        return [Read(message.topic(), message.partition(), message.offset(), message.value())]

    def assignment(self):
        return {(each.topic, each.partition) for each in self.consumer.assignment()}

    def commit(self, offsets):
        answers = self.consumer.commit(asynchronous=False, **as_offsets(offsets))
        for each in answers:
            if each.error:
                raise KafkaException(each.error)

    def commit_async(self, offsets, done):
        self.commits.append(done)
        self.consumer.commit(asynchronous=True, **as_offsets(offsets))

    def committed(self, partition):
        found, = self.consumer.committed([TopicPartition(*partition)], timeout=30)
        if found.error:
            raise KafkaException(found.error)
        return None if found.offset == NO_OFFSET else (found.offset, "")

    def seek(self, partition, offset):
        self.consumer.seek(TopicPartition(*partition, offset))

    def end_offset(self, partition):
        return self.consumer.get_watermark_offsets(TopicPartition(*partition), timeout=30)[1]

    def close(self):
        if not self.closed:
            self.closed = True
            self.consumer.close()


def as_offsets(offsets):
    if offsets is None:
        return {}
    return {"offsets": [TopicPartition(*partition, offset) for partition, (offset, _) in offsets.items()]}


class Python3ConfluentKafkaGroups(group_suite.GroupSuite):
    can_commit_metadata = False  # of the library, but not of this binding (1.7)
    producer = python3_confluent_kafka_test.Python3ConfluentKafka.producer
    produce = python3_confluent_kafka_test.Python3ConfluentKafka.produce

    @classmethod
    def open_member(cls, bootstrap, group, topics=(), assign=(), on_assigned=None, on_revoked=None, on_lost=None,
                    instance=None, assignor="range", auto_commit_ms=None, session_timeout_ms=10_000, max_poll_ms=60_000):
        settings = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": auto_commit_ms is not None,
                    "auto.commit.interval.ms": auto_commit_ms or 5000, "auto.offset.reset": "earliest",
                    "fetch.wait.max.ms": 100, "heartbeat.interval.ms": 200, "session.timeout.ms": session_timeout_ms,
                    "max.poll.interval.ms": max_poll_ms, "partition.assignment.strategy": assignor, "log_level": 0}
        if instance:
            settings["group.instance.id"] = instance
        return Member(settings, topics, assign, on_assigned, on_revoked, on_lost)

    def setUp(self):
        super().setUp()
        self.admin = Admin(self.broker.bootstrap)

    def create_topic(self, topic, partitions=1, configs=None):
        self.admin.create_topic(topic, partitions, configs)

    def described(self):
        found, = self.admin.client.list_groups(self.group, timeout=30)
        return found

    # --- the cooperative protocol (KIP-429) ------------------------------------------------------------------------
    def test_members_come_and_go_cooperatively(self):
        first, others, settled = self.members_come_and_go(assignor="cooperative-sticky")
        # Only what goes to somebody else is given up.
        revoked = [partitions for event, partitions in first.events if event == "revoked"]
        given = [partitions for event, partitions in first.events if event == "assigned" and partitions]
        self.assertEqual(len(given), 1, first.events)
        self.assertEqual(sum(map(len, revoked[:-1])), 4, first.events)
        for worker, before in zip(others, settled):
            self.assertEqual(sum(len(partitions) for event, partitions in before if event == "assigned"), 3, worker.events)
            self.assertEqual([event for event, partitions in worker.events if partitions][-1], "revoked", worker.events)

    def test_two_assignors_are_in_common(self):
        topic = self.new_topic(6)
        workers = [self.worker([topic], assignor=assignor) for assignor in ("range,roundrobin", "roundrobin")]
        self.await_shares(workers, topic, 3, 3)
        self.await_true(lambda: self.described().protocol == "roundrobin")

    # --- static members (KIP-345) ----------------------------------------------------------------------------------
    def test_a_static_member_restarts_without_a_rebalance(self):
        topic = self.new_topic(6)
        restarted, other = (self.worker([topic], instance=name, session_timeout_ms=20_000) for name in ("one", "two"))
        self.await_shares([restarted, other], topic, 3, 3)
        share, before = set(restarted.assigned), len(other.events)
        restarted.stop()
        self.fill(topic, 10)
        self.assertEqual(len(self.described().members), 2)
        again = self.worker([topic], instance="one", session_timeout_ms=20_000)
        self.await_true(lambda: again.assigned == share, lambda: again.assigned)
        self.await_true(lambda: self.ledger.count() == 60, self.ledger.count)
        self.assert_read_once(topic, 10)
        self.assertEqual(len(other.events), before)
        self.assertEqual([event for event, _ in again.events], ["assigned"])

    def test_a_static_member_that_stays_away_is_replaced(self):
        topic = self.new_topic(6)
        away = self.worker([topic], instance="one", session_timeout_ms=self.shortest_session_ms)
        other = self.worker([topic], instance="two", session_timeout_ms=self.shortest_session_ms)
        self.await_shares([away, other], topic, 3, 3)
        away.stop()
        self.await_true(lambda: len(other.assigned) == 6, lambda: other.assigned)

    def test_a_second_member_with_the_same_instance_id_fences_the_first(self):
        topic = self.new_topic(2)
        first = self.member([topic], instance="one")
        self.await_true(lambda: not first.poll(0.1) and len(first.assignment()) == 2)
        second = self.worker([topic], instance="one")
        self.await_true(lambda: len(second.assigned) == 2)
        with self.assertRaises(KafkaException) as caught:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                first.poll(0.1)
        self.assertEqual(caught.exception.args[0].code(), KafkaError._FATAL)
        self.assertIn("fenced", caught.exception.args[0].str())
        self.assertEqual(len(self.described().members), 1)
        self.fill(topic, 5, partitions=2)
        self.await_true(lambda: self.ledger.count() == 10)

    # --- as only this client does it -------------------------------------------------------------------------------
    def test_groups_are_listed_and_described(self):
        topic = self.new_topic(6)
        workers = [self.worker([topic]) for _ in range(2)]
        self.await_shares(workers, topic, 3, 3)
        self.await_true(lambda: self.described().state == "Stable")
        listed = {found.id: found for found in self.admin.client.list_groups(timeout=30)}
        for found in (self.described(), listed[self.group]):
            self.assertIsNone(found.error)
            self.assertEqual((found.state, found.protocol_type, found.protocol), ("Stable", "consumer", "range"))
            self.assertEqual(len(found.members), 2)
            for member in found.members:
                self.assertRegex(member.id, "^rdkafka-.{36}$")
                self.assertEqual((member.client_id, member.client_host), ("rdkafka", "/127.0.0.1"))
            shares = sorted((assigned(member.assignment) for member in found.members), key=min)
            self.assertEqual(shares, [{(topic, partition) for partition in half} for half in ((0, 1, 2), (3, 4, 5))])
        for worker in workers:
            worker.stop()
        self.assertEqual((self.described().state, self.described().members), ("Empty", []))
        self.assertEqual(self.admin.client.list_groups(f"{self.group}-nobody", timeout=30), [])

    def test_a_commit_after_the_group_has_gone_on_is_refused(self):
        topic = self.new_topic(2)
        self.fill(topic, 5, partitions=2)
        late = self.member([topic], session_timeout_ms=self.shortest_session_ms, max_poll_ms=self.shortest_session_ms + 500)
        self.read(late, 10)
        other = self.worker([topic])
        self.await_true(lambda: len(other.assigned) == 2)  # `late` has not polled meanwhile
        with self.assertRaises(KafkaException) as caught:
            late.commit({(topic, 0): (1, "")})
        self.assertIn(caught.exception.args[0].code(), (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION))
        self.await_true(lambda: self.ledger.count() == 10)
        other.stop()
        self.assertEqual(self.committed((topic, 0))[0], 5)


if __name__ == "__main__":
    group_suite.main(__name__, Python3ConfluentKafkaGroups)
