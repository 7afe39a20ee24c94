#!/usr/bin/python3
"""python3-kafka (written in Python alone, a protocol implementation of its own) against the broker."""

import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

import client_suite
from client_suite import Record, record

PARTITION_ERRORS = (errors.NotLeaderForPartitionError, errors.UnknownTopicOrPartitionError, errors.LeaderNotAvailableError,
                    errors.KafkaTimeoutError)


class Python3Kafka(client_suite.ClientSuite):
    transient_errors = PARTITION_ERRORS
    can_send_null_header = False   # the client refuses it
    can_send_nothing_at_all = False  # a record with neither key nor value

    def setUp(self):
        self.admin = KafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
        self.addCleanup(self.admin.close)

    def consumer(self, **settings):
        consumer = KafkaConsumer(bootstrap_servers=self.broker.bootstrap, group_id=None, enable_auto_commit=False,
                                 fetch_max_wait_ms=100, max_partition_fetch_bytes=2_000_000, **settings)
        self.addCleanup(consumer.close, autocommit=False)
        return consumer

    def create_topic(self, topic, partitions=1, configs=None, replication=1, **options):
        self.admin.create_topics([NewTopic(topic, partitions, replication, topic_configs=configs or {})],
                                 timeout_ms=30_000, **options)

    def produce(self, topic, records, acks="all", codec="none", idempotent=False):
        if idempotent:
            raise NotImplementedError
        producer = KafkaProducer(bootstrap_servers=self.broker.bootstrap, acks=acks if acks == "all" else int(acks),
                                 compression_type=None if codec == "none" else codec, linger_ms=5, retries=20,
                                 max_request_size=2_000_000)
        try:
            futures = [producer.send(topic, entry.value, entry.key, entry.headers, entry.partition, entry.timestamp)
                       for entry in records]
            producer.flush(60)
            offsets = [future.get(60).offset for future in futures]
        finally:
            producer.close()
        return [None] * len(records) if acks == "0" else offsets

    def consume(self, topic, partition, start, count):
        consumer = self.consumer(auto_offset_reset="none")
        assigned = TopicPartition(topic, partition)
        consumer.assign([assigned])
        consumer.seek(assigned, start)
        found, deadline = [], time.monotonic() + 30
        while len(found) < count and time.monotonic() < deadline:
            for entry in consumer.poll(500).get(assigned, []):
                found.append(Record(entry.key, entry.value, entry.headers, entry.timestamp, entry.offset, entry.partition))
        return found[:count]

    def offset_for_time(self, topic, partition, timestamp_ms):
        assigned = TopicPartition(topic, partition)
        found = self.consumer().offsets_for_times({assigned: timestamp_ms})[assigned]
        return found.offset if found else None

    def watermarks(self, topic, partition):
        consumer, assigned = self.consumer(request_timeout_ms=30_000), TopicPartition(topic, partition)
        return consumer.beginning_offsets([assigned])[assigned], consumer.end_offsets([assigned])[assigned]

    def topics(self):
        return set(self.admin.list_topics())

    def configs(self, kind, name):
        response, = self.admin.describe_configs([ConfigResource(kind, name)])
        (code, message, _, _, entries), = response.resources
        self.assertEqual(code, 0, message)
        return {entry[0]: entry[1] for entry in entries}

    # --- administration --------------------------------------------------------------------------------------------
    def test_topics_are_created_grown_and_deleted(self):
        topic = self.new_topic(partitions=3)
        self.assertIn(topic, self.topics())
        self.admin.create_partitions({topic: NewPartitions(5)})
        described, = self.admin.describe_topics([topic])
        self.assertEqual(len(described["partitions"]), 5)
        self.admin.delete_topics([topic], timeout_ms=30_000)
        self.assert_gone(topic, self.topics)

    def test_validate_only_creates_nothing(self):
        self.create_topic("validated-only-py", validate_only=True)
        self.assertNotIn("validated-only-py", self.topics())

    def test_configs_of_a_topic(self):
        topic = self.new_topic(configs={"retention.ms": "123456789"})
        found = self.configs(ConfigResourceType.TOPIC, topic)
        self.assertEqual(found["retention.ms"], "123456789")
        self.assertEqual(found["segment.bytes"], "1073741824")

    def await_retention(self, topic, wanted):
        """The topic's settings; genuine Kafka describes them a moment after they have changed."""
        deadline = time.monotonic() + 10
        while (found := self.configs(ConfigResourceType.TOPIC, topic))["retention.ms"] != wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(found["retention.ms"], wanted)
        return found

    def test_configs_are_altered(self):
        topic = self.new_topic(configs={"segment.ms": "88888"})
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "77777"})])
        found = self.await_retention(topic, "77777")
        self.assertEqual(found["segment.ms"], "604800000", "what is not named is unset")

    def test_configs_of_the_broker_are_altered(self):
        broker = ConfigResource(ConfigResourceType.BROKER, str(self.admin.describe_cluster()["brokers"][0]["node_id"]),
                                {"log.retention.ms": "123456"})
        topic = self.new_topic()
        try:
            self.admin.alter_configs([broker])
            self.await_retention(topic, "123456")
        finally:
            broker.configs = {}
            self.admin.alter_configs([broker])

    def test_a_topic_is_created_by_use(self):
        topic = "created-by-use"
        self.produce(topic, [record(b"first")])
        self.assertEqual(self.consume_exactly(topic, 0, 0, 1)[0].value, b"first")

    # --- wrong requests ----------------------------------------------------------------------------------------------
    def test_errors_of_admin_calls(self):
        topic = self.new_topic(partitions=2)
        with self.assertRaises(errors.TopicAlreadyExistsError):
            self.create_topic(topic)
        with self.assertRaises(errors.InvalidTopicError):
            self.create_topic("not/a/name")
        with self.assertRaises(errors.InvalidReplicationFactorError):
            self.create_topic("too-many-replicas-py", replication=3)
        with self.assertRaises(errors.InvalidConfigurationError):
            self.create_topic("bad-value-py", configs={"retention.ms": "soon"})
        with self.assertRaises(errors.UnknownTopicOrPartitionError):
            self.admin.delete_topics(["never-was"])
        with self.assertRaises(errors.InvalidPartitionsError):
            self.admin.create_partitions({topic: NewPartitions(1)})

    def test_a_record_that_is_too_large(self):
        topic = self.new_topic(configs={"max.message.bytes": "10000"})
        with self.assertRaises(errors.MessageSizeTooLargeError):
            self.produce(topic, [record(b"x" * 20_000)])
        self.assertEqual(self.watermarks(topic, 0), (0, 0))

    def test_an_offset_out_of_range(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"only")])
        with self.assertRaises(errors.OffsetOutOfRangeError):
            self.consume(topic, 0, 7, 1)


if __name__ == "__main__":
    client_suite.main(__name__)
