#!/usr/bin/python3
"""An idempotent producer of payments: a payment is booked as sent when its delivery callback says so, and only then. The broker
dies twice meanwhile; each payment is booked once and stands once in the log, in the order of its account."""

import collections

from confluent_kafka import Consumer, Producer, TopicPartition

import scenario

ACCOUNTS = 8


class Payments:
    def __init__(self, bootstrap, topic):
        self.topic, self.failed = topic, []
        self.booked = {}  # payment: (partition, offset)
        self.calls = collections.Counter()
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": "lz4",
                                  "linger.ms": 5, "message.timeout.ms": 60_000, "log_level": 0})

    def pay(self, account, number):
        self.producer.produce(self.topic, key=b"account %d" % account, value=b"%d" % number,
                              on_delivery=lambda error, message, number=number: self.delivered(number, error, message))
        self.producer.poll(0)

    def delivered(self, number, error, message):
        self.calls[number] += 1
        if error:
            self.failed.append((number, error))
        else:
            self.booked[number] = message.partition(), message.offset()


class PaymentProducerTest(scenario.Scenario):
    def test_every_payment_is_booked_and_stored_once(self):
        topic = self.new_topic(4)
        payments = Payments(self.bootstrap, topic)
        total = 30_000
        for number in range(total):
            payments.pay(number % ACCOUNTS, number)
            if number in (total // 3, 2 * total // 3):
                self.restart_broker()
        self.assertEqual(payments.producer.flush(scenario.PATIENCE_SECONDS), 0)
        self.assertEqual(payments.failed, [])
        self.assertEqual(sorted(payments.booked), list(range(total)))
        self.assertEqual(set(payments.calls.values()), {1})
        stored, by_account = self.read(topic, total)
        self.assertEqual(stored, {place: number for number, place in payments.booked.items()})
        for account in range(ACCOUNTS):
            self.assertEqual(by_account[b"account %d" % account], list(range(account, total, ACCOUNTS)))

    def read(self, topic, total):
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "auditor", "enable.auto.commit": False})
        self.addCleanup(consumer.close)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(4)])
        stored, by_account, count = {}, collections.defaultdict(list), 0

        def everything():
            nonlocal count
            for message in consumer.consume(1000, 0.5):
                self.assertIsNone(message.error())
                count += 1
                stored[message.partition(), message.offset()] = int(message.value())
                by_account[message.key()].append(int(message.value()))
            return count >= total
        self.wait_for(everything, lambda: count)
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=30)[1] for each in range(4)]
        self.assertEqual((count, sum(ends)), (total, total))
        return stored, by_account


if __name__ == "__main__":
    scenario.main(__name__)
