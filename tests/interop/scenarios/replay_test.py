#!/usr/bin/python3
"""A replay: a second group reads everything since a time once more, found by offsets_for_times when partitions are assigned. The
group that works on the topic notices nothing."""

from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition

import scenario

PARTITIONS = 3
START_MS = 1_767_000_000_000
MINUTE_MS = 60_000


def replay(bootstrap, group, topic, since_ms):
    """Everything with a timestamp from `since_ms` on, up to the end as it is now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False,
                         "enable.partition.eof": True, "log_level": 0})
    found, at_end = [], set()

    def on_assign(_, partitions):
        asked = [TopicPartition(each.topic, each.partition, since_ms) for each in partitions]
        answers = consumer.offsets_for_times(asked, timeout=30)
        for each in answers:
            if each.offset < 0:
                each.offset = OFFSET_END  # nothing is so late
        consumer.assign(answers)
    consumer.subscribe([topic], on_assign=on_assign)
    while len(at_end) < PARTITIONS:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            at_end.add(message.partition())
        else:
            found.append((message.partition(), message.offset(), message.timestamp()[1]))
    consumer.close()
    return found


class ReplayTest(scenario.Scenario):
    def test_everything_since_a_time_and_nothing_else(self):
        topic, group = self.new_topic(PARTITIONS), self.new_group()
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 0, "log_level": 0})
        for minute in range(100):  # the last partition is empty from minute 50 on
            for partition in range(PARTITIONS if minute < 50 else PARTITIONS - 1):
                producer.produce(topic, b"x" * 100, partition=partition, timestamp=START_MS + MINUTE_MS * minute)
            if minute % 7 == 0:
                producer.flush(30)
        self.assertEqual(producer.flush(30), 0)
        working = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group})
        self.addCleanup(working.close)
        partitions = [TopicPartition(topic, partition, 40) for partition in range(PARTITIONS)]
        working.commit(offsets=partitions, asynchronous=False)
        for since, first in ((START_MS - 1, 0), (START_MS + 30 * MINUTE_MS, 30), (START_MS + 60 * MINUTE_MS + 1, 61)):
            wanted = sorted((partition, minute, START_MS + MINUTE_MS * minute) for minute in range(first, 100)
                            for partition in range(PARTITIONS if minute < 50 else PARTITIONS - 1))
            self.assertEqual(sorted(replay(self.bootstrap, self.new_group(), topic, since)), wanted)
        self.assertEqual([each.offset for each in working.committed(partitions, timeout=30)], [40] * PARTITIONS)


if __name__ == "__main__":
    scenario.main(__name__)
