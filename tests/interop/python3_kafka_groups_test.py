#!/usr/bin/python3
"""Consumer groups through python3-kafka (written in Python alone, a protocol implementation of its own)."""

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition, errors
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

import group_suite
import python3_kafka_test
from group_suite import Read

# Its sticky one cannot encode what it remembers (2.0.2).
ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}


# What it makes of a broker of today after half a second of questions; python3_kafka_test.py lets it ask them.
VERSION = (2, 5, 0)


class Listener(ConsumerRebalanceListener):
    def __init__(self, on_assigned, on_revoked):
        self.on_assigned, self.on_revoked = on_assigned, on_revoked

    def on_partitions_assigned(self, assigned):
        if self.on_assigned:
            self.on_assigned({tuple(partition) for partition in assigned})

    def on_partitions_revoked(self, revoked):
        if self.on_revoked:
            self.on_revoked({tuple(partition) for partition in revoked})


class Member:
    """The verbs of a group's member (group_suite.GroupSuite.open_member)."""

    def __init__(self, consumer):
        self.consumer = consumer

    def poll(self, seconds):
        return [Read(entry.topic, entry.partition, entry.offset, entry.value)
                for entries in self.consumer.poll(int(1000 * seconds)).values() for entry in entries]

    def assignment(self):
        return {tuple(partition) for partition in self.consumer.assignment()}

    def commit(self, offsets):
        self.consumer.commit(as_offsets(offsets))

    def commit_async(self, offsets, done):
        self.consumer.commit_async(as_offsets(offsets), lambda _, answer: done(
            answer if isinstance(answer, Exception) else None))

    def committed(self, partition):
        found = self.consumer.committed(TopicPartition(*partition), metadata=True)
        return tuple(found) if found else None

    def seek(self, partition, offset):
        self.consumer.seek(TopicPartition(*partition), offset)

    def end_offset(self, partition):
        partition = TopicPartition(*partition)
        return self.consumer.end_offsets([partition])[partition]

    def close(self):
        self.consumer.close()


def as_offsets(offsets):
    return offsets and {TopicPartition(*partition): OffsetAndMetadata(*offset) for partition, offset in offsets.items()}


class Python3KafkaGroups(group_suite.GroupSuite):
    create_topic = python3_kafka_test.Python3Kafka.create_topic

    @classmethod
    def open_member(cls, bootstrap, group, topics=(), assign=(), on_assigned=None, on_revoked=None, on_lost=None,
                    instance=None, assignor="range", auto_commit_ms=None, session_timeout_ms=10_000, max_poll_ms=60_000):
        assert instance is None, "this client has no static members"
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, api_version=VERSION, group_id=group,
            enable_auto_commit=auto_commit_ms is not None, auto_commit_interval_ms=auto_commit_ms or 5000,
            auto_offset_reset="earliest", fetch_max_wait_ms=100,
            heartbeat_interval_ms=200, session_timeout_ms=session_timeout_ms, max_poll_interval_ms=max_poll_ms,
            partition_assignment_strategy=[ASSIGNORS[assignor]])
        if topics:
            consumer.subscribe(list(topics), listener=Listener(on_assigned, on_revoked))
        else:
            consumer.assign([TopicPartition(*partition) for partition in assign])
        return Member(consumer)

    def setUp(self):
        super().setUp()
        self.admin = KafkaAdminClient(bootstrap_servers=self.broker.bootstrap, api_version=VERSION)
        self.addCleanup(self.admin.close)

    def produce(self, topic, records):
        return python3_kafka_test.Python3Kafka.produce(self, topic, records)

    # --- as only this client does it -------------------------------------------------------------------------------
    def test_groups_are_listed_described_and_deleted(self):
        topic = self.new_topic(6)
        self.fill(topic, 10)
        workers = [self.worker([topic]) for _ in range(2)]
        self.await_shares(workers, topic, 3, 3)
        self.await_true(lambda: self.ledger.count() == 60)
        self.assertIn((self.group, "consumer"), self.admin.list_consumer_groups())
        described, = self.admin.describe_consumer_groups([self.group])
        self.assertEqual((described.error_code, described.group, described.state, described.protocol_type, described.protocol),
                         (0, self.group, "Stable", "consumer", "range"))
        self.assertEqual(len(described.members), 2)
        assigned = set()
        for member in described.members:
            self.assertRegex(member.member_id, "^kafka-python-2.0.2-")
            self.assertEqual((member.client_id, member.client_host), ("kafka-python-2.0.2", "/127.0.0.1"))
            self.assertEqual(member.member_metadata.subscription, [topic])
            shares = member.member_assignment.assignment
            assigned |= {(name, partition) for name, partitions in shares for partition in partitions}
        self.assertEqual(assigned, {(topic, partition) for partition in range(6)})
        deleted = dict(self.admin.delete_consumer_groups([self.group]))
        self.assertEqual(deleted, {self.group: errors.NonEmptyGroupError})
        for worker in workers:
            worker.stop()
        described, = self.admin.describe_consumer_groups([self.group])
        self.assertEqual((described.state, described.members), ("Empty", []))
        offsets = self.admin.list_consumer_group_offsets(self.group)
        self.assertEqual(offsets, {TopicPartition(topic, partition): OffsetAndMetadata(10, "") for partition in range(6)})
        asked = [TopicPartition(topic, 1), TopicPartition(topic, 9)]
        found = self.admin.list_consumer_group_offsets(self.group, partitions=asked)
        self.assertEqual([offset for offset, _ in found.values()], [10, -1])
        self.assertEqual(dict(self.admin.delete_consumer_groups([self.group])), {self.group: errors.NoError})
        self.assertNotIn((self.group, "consumer"), self.admin.list_consumer_groups())
        described, = self.admin.describe_consumer_groups([self.group])
        self.assertEqual((described.error_code, described.state), (0, "Dead"))
        self.assertEqual(self.admin.list_consumer_group_offsets(self.group), {})

    def test_a_commit_after_the_group_has_gone_on_is_refused(self):
        topic = self.new_topic(2)
        self.fill(topic, 5, partitions=2)
        late = self.member([topic], session_timeout_ms=self.shortest_session_ms, max_poll_ms=self.shortest_session_ms + 500)
        self.read(late, 10)
        other = self.worker([topic])
        self.await_true(lambda: len(other.assigned) == 2)  # `late` has not polled meanwhile
        with self.assertRaises(errors.CommitFailedError):
            late.commit({(topic, 0): (1, "")})
        self.await_true(lambda: self.ledger.count() == 10)
        other.stop()
        self.assertEqual(self.committed((topic, 0))[0], 5)


if __name__ == "__main__":
    group_suite.main(__name__, Python3KafkaGroups)
