"""One producer of the kill -9 test, in a process of its own: sends numbered records to random partitions at a steady rate,
and writes down what the broker acknowledged. Everything is acks=all; it never gives a record up by itself."""

import os
import random
import signal
import struct
import time

from confluent_kafka import Producer

ACKNOWLEDGED = struct.Struct("<HQQ")  # partition, offset, number
VALUE = struct.Struct("<IQ")          # producer, number; then a filling that follows from both
CODECS = ["none", "lz4", "zstd", "gzip", "snappy"]


def value_of(producer, number):
    """What a record must hold: any other byte is damage."""
    size = 20 + (number * 2654435761 + producer) % 280
    return VALUE.pack(producer, number) + (b"%d-%d/" % (producer, number) * 40)[:size]


class Load:
    def __init__(self, producer, topic, partitions, bootstrap, idempotent, rate, seed, acknowledged_path):
        self.producer, self.topic, self.partitions = producer, topic, partitions
        self.rate = rate
        self.random = random.Random(f"{seed} {producer}")
        self.acknowledged = open(acknowledged_path, "ab", buffering=1 << 16)
        self.refused, self.next_number, self.unanswered = 0, 0, 0
        self.fatal = None
        self.client = Producer({
            "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": idempotent, "log_level": 0,
            "message.timeout.ms": 600_000, "linger.ms": 2, "compression.type": CODECS[producer % len(CODECS)],
            "retry.backoff.ms": 20, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100,
            "socket.timeout.ms": 10_000, "error_cb": self.on_error})

    def on_error(self, error):
        if error.fatal():
            self.fatal = str(error)

    def on_delivery(self, number):
        def done(error, message):
            self.unanswered -= 1
            if error:
                self.refused += 1
            else:
                self.acknowledged.write(ACKNOWLEDGED.pack(message.partition(), message.offset(), number))
        return done

    def send(self):
        number = self.next_number
        self.next_number += 1
        self.unanswered += 1
        self.client.produce(self.topic, value_of(self.producer, number), partition=self.random.randrange(self.partitions),
                            on_delivery=self.on_delivery(number))

    def run_for(self, seconds):
        """Sends at the rate; what a dead broker made us miss is caught up on, up to a second's worth."""
        began = time.monotonic()
        sent = 0
        while (elapsed := time.monotonic() - began) < seconds:
            due = min(int(elapsed * self.rate) - sent, int(self.rate))
            if self.unanswered > 10 * self.rate:
                due = 0
            for _ in range(due):
                self.send()
            sent = int(elapsed * self.rate)
            self.client.poll(0.005)

    def settle(self, seconds):
        """Waits until every record sent is answered; returns how many are not."""
        deadline = time.monotonic() + seconds
        while self.unanswered and time.monotonic() < deadline:
            self.client.poll(0.05)
        self.acknowledged.flush()
        return self.unanswered


def main(pipe, *arguments):
    """Runs until told: 'settle' waits for all answers and reports; 'end' leaves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load = Load(*arguments)
    while True:
        load.run_for(0.1)
        if not pipe.poll():
            if os.getppid() == 1:
                os._exit(1)  # the test died
            continue
        command = pipe.recv()
        if command == "end":
            os._exit(0)  # without waiting for a broker that may be gone
        unanswered = load.settle(60)
        pipe.send({"sent": load.next_number, "refused": load.refused, "unanswered": unanswered, "fatal": load.fatal})
        pipe.recv()  # 'go on'
