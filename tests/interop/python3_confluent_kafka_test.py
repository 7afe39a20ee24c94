#!/usr/bin/python3
"""python3-confluent-kafka (librdkafka underneath) against the broker."""

import time

from confluent_kafka import (OFFSET_BEGINNING, OFFSET_END, TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException,
                             Producer, TopicPartition)

import client_suite
import raw_client
from client_suite import Record, record
from confluent_admin import Admin


class Python3ConfluentKafka(client_suite.ClientSuite):
    transient_errors = (KafkaException,)

    def setUp(self):
        self.admin = Admin(self.broker.bootstrap)

    def producer(self, **settings):
        return Producer({"bootstrap.servers": self.broker.bootstrap, "message.max.bytes": 2_000_000, "linger.ms": 5,
                         "message.timeout.ms": 30_000, "log_level": 0, **settings})

    def consumer(self, **settings):
        # Assigned by hand; the group is a name only (the library insists on one).
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "by-assignment",
                             "enable.auto.commit": False, "auto.offset.reset": "error", "fetch.wait.max.ms": 100,
                             "message.max.bytes": 2_000_000, "log_level": 0, **settings})
        self.addCleanup(consumer.close)
        return consumer

    def create_topic(self, topic, partitions=1, configs=None):
        self.admin.create_topic(topic, partitions, configs)

    def produce(self, topic, records, acks="all", codec="none", idempotent=False):
        producer = self.producer(**{"acks": acks, "compression.type": codec, "enable.idempotence": idempotent})
        offsets, errors = [None] * len(records), []

        def on_delivery(index):
            def done(error, message):
                if error:
                    errors.append(error)
                else:
                    offsets[index] = message.offset()
            return done

        for index, entry in enumerate(records):
            optional = {"timestamp": entry.timestamp} if entry.timestamp is not None else {}
            while True:
                try:
                    producer.produce(topic, entry.value, entry.key, entry.partition, headers=entry.headers or None,
                                     on_delivery=on_delivery(index), **optional)
                    break
                except BufferError:
                    producer.poll(0.05)
            producer.poll(0)
        producer.flush(60)
        if errors:
            raise KafkaException(errors[0])
        return offsets

    def consume(self, topic, partition, start, count):
        consumer = self.consumer()
        consumer.assign([TopicPartition(topic, partition, start)])
        found, deadline = [], time.monotonic() + 30
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            kind, timestamp = message.timestamp()
            self.assertNotEqual(kind, TIMESTAMP_NOT_AVAILABLE)
            found.append(Record(message.key(), message.value(), message.headers() or [], timestamp, message.offset(),
                                message.partition()))
        return found

    def offset_for_time(self, topic, partition, timestamp_ms):
        found = self.consumer().offsets_for_times([TopicPartition(topic, partition, timestamp_ms)], timeout=30)[0]
        if found.error:
            raise KafkaException(found.error)
        return found.offset if found.offset >= 0 else None

    def watermarks(self, topic, partition):
        return self.consumer().get_watermark_offsets(TopicPartition(topic, partition), timeout=30)

    def assert_fails(self, code, call, *arguments, **options):
        with self.assertRaises(KafkaException) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.args[0].code(), code, caught.exception)

    # --- seeking, as only this client can ----------------------------------------------------------------------
    def test_seek_on_a_running_consumer(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"%d" % i) for i in range(300)])
        consumer = self.consumer()
        consumer.assign([TopicPartition(topic, 0, 100)])
        for wanted in (100, 250, 3):
            consumer.seek(TopicPartition(topic, 0, wanted))
            self.assertEqual(self.next_value(consumer), b"%d" % wanted)

    def next_value(self, consumer):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None:
                self.assertIsNone(message.error())
                return message.value()
        self.fail("no record within 20 s")

    def test_from_the_beginning_and_from_the_end(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"old")])
        consumer = self.consumer()
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        self.assertEqual(self.next_value(consumer), b"old")
        tail = self.consumer()
        tail.assign([TopicPartition(topic, 0, OFFSET_END)])
        self.assertIsNone(tail.poll(2))
        self.produce(topic, [record(b"new")])
        self.assertEqual(self.next_value(tail), b"new")

    # --- administration ------------------------------------------------------------------------------------------
    def test_topics_are_created_grown_and_deleted(self):
        topic = self.new_topic(partitions=3)
        self.assertEqual(len(self.admin.topics()[topic].partitions), 3)
        self.admin.create_partitions(topic, 5)
        self.assertEqual(len(self.admin.topics()[topic].partitions), 5)
        self.produce(topic, [record(b"x", partition=4)])
        self.assertEqual(self.consume_exactly(topic, 4, 0, 1)[0].value, b"x")
        self.admin.delete_topic(topic)
        self.assert_gone(topic, self.admin.topics)

    def test_a_recreated_topic_starts_empty(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"of the first life")] * 10)
        self.admin.delete_topic(topic)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.admin.create_topic(topic)
                break
            except KafkaException as error:  # genuine Kafka deletes in the background
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        raw_client.await_led(self.broker.bootstrap, topic, 1)
        self.assertEqual(self.watermarks(topic, 0), (0, 0))
        self.produce(topic, [record(b"of the second")])
        self.assertEqual(self.consume_exactly(topic, 0, 0, 1)[0].value, b"of the second")

    def test_validate_only_creates_nothing(self):
        name = "validated-only"
        self.admin.create_topic(name, validate_only=True)
        self.assertNotIn(name, self.admin.topics())

    def test_configs_of_a_topic(self):
        topic = self.new_topic(configs={"retention.ms": "123456789", "message.timestamp.type": "LogAppendTime"})
        entries = self.admin.describe_configs("topic", topic)
        self.assertEqual(entries["retention.ms"].value, "123456789")
        self.assertEqual(entries["message.timestamp.type"].value, "LogAppendTime")
        self.assertFalse(entries["retention.ms"].is_default)
        self.assertEqual(entries["max.message.bytes"].value, "1048588")
        self.assertTrue(entries["max.message.bytes"].is_default)

    def test_configs_of_the_broker(self):
        broker_id = next(iter(self.admin.client.list_topics(timeout=30).brokers))
        entries = self.admin.describe_configs("broker", str(broker_id))
        self.assertIn("log.retention.hours", entries)
        self.assertEqual(entries["message.max.bytes"].value, "1048588")

    def test_configs_are_altered(self):
        topic = self.new_topic(configs={"segment.ms": "88888"})
        self.admin.alter_configs("topic", topic, {"retention.ms": "77777"})
        deadline = time.monotonic() + 10  # genuine Kafka describes settings a moment after they have changed
        while (entries := self.admin.describe_configs("topic", topic))["retention.ms"].is_default and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(entries["retention.ms"].value, "77777")
        self.assertTrue(entries["segment.ms"].is_default, "what is not named is unset")
        self.assert_fails(KafkaError.INVALID_CONFIG, self.admin.alter_configs, "topic", topic, {"retention.ms": "soon"})

    # --- wrong requests ---------------------------------------------------------------------------------------------
    def test_errors_of_admin_calls(self):
        topic = self.new_topic(partitions=2)
        create = self.admin.create_topic
        self.assert_fails(KafkaError.TOPIC_ALREADY_EXISTS, create, topic)
        self.assert_fails(KafkaError.TOPIC_EXCEPTION, create, "not/a/name")
        self.assert_fails(KafkaError.TOPIC_EXCEPTION, create, "n" * 250)
        self.assert_fails(KafkaError.INVALID_REPLICATION_FACTOR, create, "too-many-replicas", replication=3)
        self.assert_fails(KafkaError.INVALID_CONFIG, create, "bad-value", configs={"retention.ms": "soon"})
        self.assert_fails(KafkaError.INVALID_CONFIG, create, "bad-key", configs={"retention.sm": "1"})
        self.assert_fails(KafkaError.UNKNOWN_TOPIC_OR_PART, self.admin.delete_topic, "never-was")
        self.assert_fails(KafkaError.UNKNOWN_TOPIC_OR_PART, self.admin.create_partitions, "never-was", 3)
        self.assert_fails(KafkaError.INVALID_PARTITIONS, self.admin.create_partitions, topic, 1)
        self.assert_fails(KafkaError.UNKNOWN_TOPIC_OR_PART, self.admin.describe_configs, "topic", "never-was")
        for name in ("too-many-replicas", "bad-value", "bad-key"):
            self.assertNotIn(name, self.admin.topics())

    def test_a_record_that_is_too_large(self):
        topic = self.new_topic(configs={"max.message.bytes": "10000"})
        self.assert_fails(KafkaError.MSG_SIZE_TOO_LARGE, self.produce, topic, [record(b"x" * 20_000)])
        self.produce(topic, [record(b"x" * 9_000)])
        self.assertEqual(self.watermarks(topic, 0), (0, 1))

    def test_a_null_key_on_a_compacted_topic(self):
        topic = self.new_topic(configs={"cleanup.policy": "compact"})
        self.assert_fails(KafkaError.INVALID_RECORD, self.produce, topic, [record(b"no key")])
        self.assert_fails(KafkaError.INVALID_RECORD, self.produce, topic, [record(b"no key")], codec="zstd")
        self.produce(topic, [record(b"v", key=b"k")], codec="zstd")

    def test_an_offset_out_of_range(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"only")])
        for offset in (2, 1_000_000):
            consumer = self.consumer(**{"auto.offset.reset": "error"})
            consumer.assign([TopicPartition(topic, 0, offset)])
            deadline, message = time.monotonic() + 20, None
            while message is None and time.monotonic() < deadline:
                message = consumer.poll(0.5)
            self.assertIsNotNone(message)
            self.assertEqual(message.error().code(), KafkaError._AUTO_OFFSET_RESET, message.error())

    def test_a_topic_that_is_not_there(self):
        consumer = self.consumer(**{"allow.auto.create.topics": False})
        described = consumer.list_topics("never-was", timeout=30).topics["never-was"]
        self.assertEqual(described.error.code(), KafkaError.UNKNOWN_TOPIC_OR_PART)
        self.assert_fails(KafkaError._UNKNOWN_PARTITION, consumer.get_watermark_offsets, TopicPartition("never-was", 0),
                          timeout=10)
        self.assertNotIn("never-was", self.admin.topics())


if __name__ == "__main__":
    client_suite.main(__name__)
