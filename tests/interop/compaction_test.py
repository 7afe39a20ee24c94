#!/usr/bin/python3
"""Compacted topics through librdkafka: what a consumer sees of a log while it is cleaned, and behind kill -9."""

import random
import time
import unittest
import uuid

import broker as brokers
import client_suite
from confluent_admin import Admin
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

KEYS, ROUNDS = 1_000, 20
PATIENCE_SECONDS = 90


@brokers.tidemark_only("Kafka leaves its active segment alone until more is appended")
class Compaction(unittest.TestCase):
    def setUp(self):
        self.broker = brokers.Broker(properties={"log.retention.check.interval.ms": 100, "log.cleaner.backoff.ms": 100}).start()
        self.addCleanup(self.broker.close)
        self.written = {}  # key -> its last value, None: deleted

    def new_topic(self, **settings):
        topic = f"compacted-{uuid.uuid4().hex[:8]}"
        Admin(self.broker.bootstrap).create_topic(topic, 1, {
            "cleanup.policy": "compact", "segment.bytes": str(1 << 20), "segment.ms": "1000",
            "min.cleanable.dirty.ratio": "0.01", **{name.replace("_", "."): value for name, value in settings.items()}})
        return topic

    def write(self, topic, rounds, first=0, deleting=False):
        """Every key once a round; the values name key and round."""
        failed = []
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "enable.idempotence": True, "linger.ms": 5,
                             "batch.num.messages": 100})
        for number in range(first, first + rounds):
            for key in random.sample(range(KEYS), KEYS):
                value = None if deleting and key % 10 == 0 else f"{key}/{number}/".ljust(100, "x")
                self.written[key] = value
                while True:
                    try:
                        producer.produce(topic, key=str(key), value=value,
                                         on_delivery=lambda error, _: failed.append(error) if error else None)
                        break
                    except BufferError:
                        producer.poll(0.1)
        self.assertEqual(producer.flush(PATIENCE_SECONDS), 0)
        self.assertEqual(failed, [])

    def read(self, topic, position=0):
        """[(offset, key, value)] up to the end; offsets rise."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "none", "enable.auto.commit": False,
                             "enable.partition.eof": True, "auto.offset.reset": "error"})
        try:
            consumer.assign([TopicPartition(topic, 0, position)])
            seen, deadline = [], time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < deadline:
                message = consumer.poll(1)
                if message is None:
                    continue
                if message.error() is None:
                    value = message.value()
                    seen.append((message.offset(), int(message.key()), value.decode() if value is not None else None))
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    break
                elif not message.error().retriable():
                    raise KafkaException(message.error())
            offsets = [offset for offset, _, _ in seen]
            self.assertEqual(offsets, sorted(set(offsets)))
            self.assertTrue(all(offset >= position for offset in offsets))
            return seen
        finally:
            consumer.close()

    def check(self, seen):
        table = {}
        for _, key, value in seen:
            if value is not None:
                self.assertEqual(int(value.split("/")[0]), key)
            table[key] = value
        self.assertEqual({key: value for key, value in table.items() if value is not None},
                         {key: value for key, value in self.written.items() if value is not None})

    def await_cleaned(self, topic, most):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            seen = self.read(topic)
            self.check(seen)  # at every moment
            if len(seen) <= most:
                return seen
            time.sleep(0.2)
        self.fail(f"{len(seen)} records are left\n{self.broker.log_tail()}")

    def test_the_last_value_of_each_key_stays(self):
        topic = self.new_topic()
        self.write(topic, ROUNDS)
        whole = self.read(topic)
        middle = KEYS * ROUNDS // 2
        seen = self.await_cleaned(topic, 2 * KEYS)
        self.assertLess(len(seen), KEYS * ROUNDS // 5)
        self.assertLessEqual(set(seen), set(whole))
        # Who stood in the middle goes on, at a record or in a gap.
        for position in (middle, middle + 1, seen[0][0], seen[0][0] + 1, KEYS * ROUNDS - 1):
            self.assertEqual(self.read(topic, position), [one for one in seen if one[0] >= position])
        self.write(topic, 2, first=ROUNDS)
        self.await_cleaned(topic, 2 * KEYS)

    def test_deleted_keys_are_gone_and_stay_gone(self):
        topic = self.new_topic(delete_retention_ms="0")
        self.write(topic, 3)
        self.write(topic, 1, first=3, deleting=True)
        self.await_cleaned(topic, 2 * KEYS)
        self.broker.stop()
        self.broker.start()
        self.check(self.read(topic))

    def test_kill_in_the_middle_of_a_cleaning(self):
        self.broker.options += ["--set", "log.cleaner.io.max.bytes.per.second=2000000"]
        self.broker.stop()
        self.broker.start()
        topic = self.new_topic(file_delete_delay_ms="100")
        kills = 0
        for number in range(6):
            self.write(topic, 5, first=5 * number)
            time.sleep(random.uniform(0.1, 1.5))
            self.broker.kill()
            kills += 1
            self.broker.start()
            self.check(self.read(topic))
        self.await_cleaned(topic, 3 * KEYS)
        self.broker.stop()
        self.broker.start()
        self.check(self.read(topic))
        self.assertEqual(kills, 6)
        self.assertNotIn("damaged", self.broker.log_tail())


if __name__ == "__main__":
    client_suite.main(__name__)
