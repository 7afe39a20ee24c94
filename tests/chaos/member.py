"""One member of a consumer group of the soak, in a process of its own: reads, and commits what it has read, and writes down both.
It leaves when it is told to, or is killed. Not by `consume()`: when a rebalance comes, Debian's librdkafka (2.0.2) now and then drops
a batch that it has in hand, and goes on behind it."""

import os
import signal
import struct
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

READ, COMMITTED = 0, 1
NOTE = struct.Struct("<BHQQ")  # READ partition first behind-last, or COMMITTED partition offset 0


def notes_of(path):
    with open(path, "rb") as file:
        data = file.read()
    return NOTE.iter_unpack(data[:len(data) - len(data) % NOTE.size])


class Member:
    def __init__(self, topic, group, bootstrap, path):
        self.notes = open(path, "ab", buffering=0)
        self.topic = topic
        self.leaving = False
        signal.signal(signal.SIGTERM, self.leave)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "log_level": 0, "fetch.wait.max.ms": 100,
            "partition.assignment.strategy": "cooperative-sticky", "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200})
        self.consumer.subscribe([topic])

    def leave(self, *_):
        self.leaving = True

    def run(self):
        while not self.leaving:
            if os.getppid() == 1:
                os._exit(1)  # the test died
            read = []  # [partition, first, behind the last]
            newest = {}
            for message in self.messages():
                partition, offset = message.partition(), message.offset()
                piece = newest.get(partition)
                if piece is None or piece[2] != offset:
                    piece = newest[partition] = [partition, offset, offset]
                    read.append(piece)
                piece[2] = offset + 1
            if read:
                self.note(read, newest)
        self.consumer.close()

    def messages(self):
        for number in range(2000):
            message = self.consumer.poll(0 if number else 0.2)
            if message is None:
                return
            if message.error() is None:
                yield message

    def note(self, read, newest):
        for piece in read:
            self.notes.write(NOTE.pack(READ, *piece))
        try:
            committed = self.consumer.commit(offsets=[TopicPartition(self.topic, partition, piece[2])
                                                      for partition, piece in newest.items()], asynchronous=False)
        except KafkaException:
            time.sleep(0.05)  # a rebalance, or a broker that is gone: whoever comes next reads it again
            return
        for place in committed:
            if place.error is None:
                self.notes.write(NOTE.pack(COMMITTED, place.partition, place.offset, 0))


def main(*arguments):
    Member(*arguments).run()
