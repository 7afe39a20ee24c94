#!/usr/bin/python3
"""A lag monitor on kafka-python: it knows no names, asks for all groups, and goes on when the broker was away."""

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition, errors

import scenario

VERSION = (2, 5, 0)  # so that the client does not spend half a second on finding out


class LagMonitor:
    def __init__(self, bootstrap):
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap, api_version=VERSION)
        self.consumer = KafkaConsumer(bootstrap_servers=bootstrap, api_version=VERSION)

    def lags(self):
        """{(group, topic, partition): records behind}. A connection that has died says so once."""
        for last in (False, False, True):
            try:
                return self.lags_at_once()
            except errors.KafkaConnectionError:
                if last:
                    raise

    def lags_at_once(self):
        found = {}
        for group, _ in self.admin.list_consumer_groups():
            committed = self.admin.list_consumer_group_offsets(group)
            ends = self.consumer.end_offsets(list(committed)) if committed else {}
            for partition, end in ends.items():
                found[group, partition.topic, partition.partition] = max(0, end - committed[partition].offset)
        return found

    def close(self):
        self.consumer.close()
        self.admin.close()


class LagMonitorTest(scenario.Scenario):
    def setUp(self):
        self.topic, self.group = self.new_topic(3), self.new_group()
        self.producer = KafkaProducer(bootstrap_servers=self.bootstrap, api_version=VERSION, retries=100)
        self.addCleanup(self.producer.close)
        self.monitor = LagMonitor(self.bootstrap)
        self.addCleanup(self.monitor.close)

    def send(self, count):
        sent = [self.producer.send(self.topic, b"x", partition=partition) for partition in range(3) for _ in range(count)]
        for each in sent:
            each.get(30)

    def commit(self, offsets):
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.group, api_version=VERSION)
        consumer.commit({TopicPartition(self.topic, partition): OffsetAndMetadata(offset, "") for partition, offset in offsets.items()})
        consumer.close()

    def of_group(self):
        return {partition: lag for (group, topic, partition), lag in self.monitor.lags().items()
                if (group, topic) == (self.group, self.topic)}

    def test_lags_follow_what_is_sent_and_committed(self):
        self.assertEqual(self.of_group(), {})
        self.send(10)
        self.commit({0: 10, 1: 4})
        self.assertEqual(self.of_group(), {0: 0, 1: 6})  # what was never committed has no lag yet
        self.send(5)
        self.assertEqual(self.of_group(), {0: 5, 1: 11})
        self.commit({0: 15, 1: 15, 2: 1})
        self.assertEqual(self.of_group(), {0: 0, 1: 0, 2: 14})

    def test_the_monitor_outlives_the_broker(self):
        self.send(10)
        self.commit({0: 3})
        self.restart_broker()
        self.send(1)
        self.assertEqual(self.of_group(), {0: 8})


if __name__ == "__main__":
    scenario.main(__name__)
