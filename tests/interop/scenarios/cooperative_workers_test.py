#!/usr/bin/python3
"""Workers that share a topic by the cooperative protocol, with assign and revoke callbacks: what is given up is committed first,
what is kept is worked on during the rebalance. Workers come and go; each record is worked on once."""

import threading

from confluent_kafka import Consumer, Producer, TopicPartition

import scenario

PARTITIONS = 6


class Worker(threading.Thread):
    """Polls one record at a time: with consume(), librdkafka 2.0 may drop records around a rebalance."""

    def __init__(self, bootstrap, group, topic, done):
        super().__init__(daemon=True)
        self.done, self.topic = done, topic
        self.mine, self.next, self.events = set(), {}, []
        self.stopping = threading.Event()
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False,
                                  "auto.offset.reset": "earliest", "partition.assignment.strategy": "cooperative-sticky",
                                  "heartbeat.interval.ms": 200, "fetch.wait.max.ms": 100, "log_level": 0})
        self.consumer.subscribe([topic], on_assign=self.on_assign, on_revoke=self.on_revoke)
        self.start()

    def on_assign(self, _, partitions):
        self.events.append(("assigned", len(partitions)))
        self.mine |= {each.partition for each in partitions}

    def on_revoke(self, _, partitions):
        self.events.append(("revoked", len(partitions)))
        given = {each.partition for each in partitions}
        self.commit(given)
        self.mine -= given

    def commit(self, partitions):
        offsets = [TopicPartition(self.topic, each, self.next.pop(each)) for each in partitions & set(self.next)]
        if offsets:
            self.consumer.commit(offsets=offsets, asynchronous=False)

    def run(self):
        while not self.stopping.is_set():
            message = self.consumer.poll(0.1)
            if message is not None and not message.error():
                self.done.append((message.partition(), message.offset()))
                self.next[message.partition()] = message.offset() + 1
        self.consumer.close()  # revokes, and so commits

    def stop(self):
        self.stopping.set()
        self.join(scenario.PATIENCE_SECONDS)


class CooperativeWorkersTest(scenario.Scenario):
    def test_workers_come_and_go_and_every_record_is_worked_on_once(self):
        topic, group, done, sent = self.new_topic(PARTITIONS), self.new_group(), [], 0
        producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0})
        workers = []

        def settled(*sizes):
            """Sends on until the workers have these shares."""
            nonlocal sent
            for partition in range(PARTITIONS):
                producer.produce(topic, b"x", partition=partition)
            sent += 1
            producer.flush(30)
            shares = [worker.mine for worker in workers if not worker.stopping.is_set()]
            return sorted(map(len, shares)) == sorted(sizes) and len(set().union(*shares)) == PARTITIONS

        def come():
            workers.append(Worker(self.bootstrap, group, topic, done))
            self.addCleanup(workers[-1].stop)

        for sizes in ([6], [3, 3], [2, 2, 2]):
            come()
            self.wait_for(lambda sizes=sizes: settled(*sizes), lambda: [worker.events for worker in workers])
        workers[0].stop()
        self.wait_for(lambda: settled(3, 3), lambda: [worker.events for worker in workers])
        self.wait_for(lambda: len(done) >= PARTITIONS * sent, lambda: (len(done), PARTITIONS * sent))
        for worker in workers:
            worker.stop()
        for partition in range(PARTITIONS):
            self.assertEqual([offset for each, offset in done if each == partition], list(range(sent)))
        # The first one never gave up what it could keep.
        self.assertEqual([event for event in workers[0].events if event[1]],
                         [("assigned", 6), ("revoked", 3), ("revoked", 1), ("revoked", 2)])


if __name__ == "__main__":
    scenario.main(__name__)
