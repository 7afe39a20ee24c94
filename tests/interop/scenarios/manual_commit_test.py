#!/usr/bin/python3
"""A batch job on kafka-python: reads to where the topic ended when it started, stores each batch, then commits it. If it dies in
between, the next run has that batch again and nothing else."""

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

import scenario

VERSION = (2, 5, 0)


class BatchJob:
    def __init__(self, bootstrap, group, topic):
        self.consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, api_version=VERSION, enable_auto_commit=False,
                                      auto_offset_reset="earliest", max_poll_records=100, fetch_max_wait_ms=100)
        self.partitions = [TopicPartition(topic, each) for each in sorted(self.consumer.partitions_for_topic(topic))]
        self.consumer.assign(self.partitions)

    def run(self, store, die_after=None):
        """`store` takes [(partition, offset, value)]. Dies before the commit of the batch `die_after`."""
        ends = self.consumer.end_offsets(self.partitions)
        batches = 0
        while any(self.consumer.position(each) < ends[each] for each in self.partitions):
            for partition, records in self.consumer.poll(1000).items():
                store([(partition.partition, record.offset, record.value) for record in records])
                batches += 1
                if batches == die_after:
                    return
                self.consumer.commit({partition: OffsetAndMetadata(records[-1].offset + 1, f"batch {batches}")})

    def close(self):
        self.consumer.close(autocommit=False)


class ManualCommitTest(scenario.Scenario):
    def setUp(self):
        self.topic, self.group, self.stored = self.new_topic(2), self.new_group(), []

    def send(self, first, count):
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, api_version=VERSION, linger_ms=5)
        for number in range(first, first + count):
            producer.send(self.topic, b"%d" % number, partition=number % 2)
        producer.close()

    def run_job(self, **options):
        job = BatchJob(self.bootstrap, self.group, self.topic)
        job.run(self.stored.extend, **options)
        committed = [job.consumer.committed(each, metadata=True) for each in job.partitions]
        job.close()
        return committed

    def offsets(self, partition):
        return [offset for stored, offset, _ in self.stored if stored == partition]

    def test_runs_go_on_where_the_last_one_committed(self):
        self.send(0, 1000)
        committed = self.run_job()
        self.assertEqual([each.offset for each in committed], [500, 500])
        self.assertTrue(all(each.metadata.startswith("batch ") for each in committed), committed)
        self.send(1000, 300)
        self.restart_broker()
        self.assertEqual([each.offset for each in self.run_job()], [650, 650])
        for partition in range(2):
            self.assertEqual(self.offsets(partition), list(range(650)))
        self.assertEqual(sorted(int(value) for _, _, value in self.stored), list(range(1300)))

    def test_a_batch_that_was_not_committed_comes_again(self):
        self.send(0, 1000)
        self.run_job(die_after=4)
        seen = len(self.stored)
        again = len(self.stored) - self.sum_of_committed()
        self.assertGreater(again, 0)
        self.run_job()
        self.assertEqual(len(self.stored), 1000 + again)
        self.assertEqual(self.stored[seen - again:seen], [entry for entry in self.stored[seen:] if entry in self.stored[:seen]])
        for partition in range(2):
            self.assertEqual(sorted(set(self.offsets(partition))), list(range(500)))

    def sum_of_committed(self):
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.group, api_version=VERSION)
        self.addCleanup(consumer.close)
        return sum(consumer.committed(TopicPartition(self.topic, each)) or 0 for each in range(2))


if __name__ == "__main__":
    scenario.main(__name__)
