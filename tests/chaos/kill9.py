#!/usr/bin/python3
"""Kills a real daemon with -9 under load, again and again. See kill9.sh and load.py."""

import argparse
import array
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
import load  # noqa: E402
from confluent_admin import Admin  # noqa: E402

TOPIC = "kill9"
NOT_ACKNOWLEDGED = -1
NUMBER_BITS = 40  # an acknowledged place holds producer << 40 | number


class GenuineKafka:
    """Genuine Kafka in the daemon's place, to compare with."""

    def __init__(self, port):
        self.folder = tempfile.mkdtemp(prefix="tidemark-kill9-kafka.")
        self.bootstrap = f"127.0.0.1:{port}"
        self.script = os.path.join(brokers.ROOT, "tests", "interop", "kafka", "kafka.sh")
        self.ready_seconds = None
        self.data_dir = os.path.join(self.folder, "data")

    def start(self):
        began = time.monotonic()
        subprocess.run([self.script, "start", self.folder, self.bootstrap.split(":")[1]], check=True)
        self.ready_seconds = time.monotonic() - began
        return self

    def pid(self):
        with open(os.path.join(self.folder, "pid"), encoding="ascii") as file:
            return int(file.read())

    def kill(self):
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.005)

    def is_running(self):
        return os.path.exists(f"/proc/{self.pid()}")

    def resident_kib(self):
        with open(f"/proc/{self.pid()}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def log_tail(self):
        return ""

    def close(self):
        if self.is_running():
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Ledger:
    """What was acknowledged, and what is there."""

    def __init__(self, partitions, idempotent):
        self.places = [array.array("q") for _ in range(partitions)]
        self.idempotent = idempotent  # by producer
        self.acknowledged = 0
        self.complaints = []

    def complain(self, text):
        self.complaints.append(text)
        if len(self.complaints) <= 20:
            print(f"kill9: {text}", flush=True)

    def enter(self, producer, path, position):
        """Takes over what a producer's file holds from `position` on; returns the new position."""
        with open(path, "rb") as file:
            file.seek(position)
            data = file.read()
        usable = len(data) - len(data) % load.ACKNOWLEDGED.size
        for partition, offset, number in load.ACKNOWLEDGED.iter_unpack(data[:usable]):
            places = self.places[partition]
            if offset >= len(places):
                places.extend([NOT_ACKNOWLEDGED] * (offset + 1 - len(places)))
            if places[offset] != NOT_ACKNOWLEDGED:
                self.complain(f"partition {partition} offset {offset} was acknowledged twice")
            places[offset] = producer << NUMBER_BITS | number
            self.acknowledged += 1
        return position + usable

    def verify(self, bootstrap, start, seen, newest):
        """Reads every partition from `start[partition]` on. `seen[producer]` marks the numbers found so far of idempotent
        producers, `newest[(producer, partition)]` their last; both grow. Returns how many records it read."""
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "kill9", "enable.auto.commit": False,
                             "auto.offset.reset": "error", "enable.partition.eof": False, "log_level": 0,
                             "fetch.wait.max.ms": 50, "check.crcs": True})
        read = 0
        try:
            ends = {}
            for partition in range(len(self.places)):
                low, high = watermarks(consumer, partition)
                if low != 0:
                    self.complain(f"partition {partition} starts at {low}")
                if high < len(self.places[partition]):
                    self.complain(f"partition {partition} ends at {high}, {len(self.places[partition]) - 1} was acknowledged")
                ends[partition] = high
            pending = {partition for partition, end in ends.items() if start[partition] < end}
            consumer.assign([TopicPartition(TOPIC, partition, start[partition]) for partition in sorted(pending)])
            quiet_since = time.monotonic()
            while pending:
                messages = consumer.consume(5000, 0.2)
                if messages:
                    quiet_since = time.monotonic()
                elif time.monotonic() - quiet_since > 30:
                    self.complain(f"nothing more to read of {len(pending)} partitions, e.g. {min(pending)} at "
                                  f"{start[min(pending)]} of {ends[min(pending)]}")
                    break
                for message in messages:
                    if message.error():
                        raise KafkaException(message.error())
                    partition, offset = message.partition(), message.offset()
                    if offset != start[partition]:
                        self.complain(f"partition {partition}: offset {offset} where {start[partition]} was next")
                    start[partition] = offset + 1
                    read += 1
                    self.check_record(partition, offset, message.value(), seen, newest)
                    if start[partition] >= ends[partition]:
                        pending.discard(partition)
        finally:
            consumer.close()
        return read

    def check_record(self, partition, offset, value, seen, newest):
        producer, number = load.VALUE.unpack_from(value)
        if value != load.value_of(producer, number):
            self.complain(f"partition {partition} offset {offset}: damaged")
            return
        places = self.places[partition]
        if offset < len(places) and places[offset] not in (NOT_ACKNOWLEDGED, producer << NUMBER_BITS | number):
            self.complain(f"partition {partition} offset {offset} holds {producer}/{number}, acknowledged was "
                          f"{places[offset] >> NUMBER_BITS}/{places[offset] & ((1 << NUMBER_BITS) - 1)}")
        if not self.idempotent[producer]:
            return
        marks = seen[producer]
        if number >= len(marks):
            marks.extend(bytes(number + 1 - len(marks) + 65536))
        if marks[number]:
            self.complain(f"idempotent record {producer}/{number} is there twice, again at partition {partition} offset {offset}")
        marks[number] = 1
        if newest.get((producer, partition), -1) >= number:
            self.complain(f"idempotent record {producer}/{number} is out of order at partition {partition} offset {offset}")
        newest[(producer, partition)] = number


def watermarks(consumer, partition, patience_seconds=20):
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=5)
        except KafkaException:
            if time.monotonic() > deadline:
                raise


def prove_it_sees(ledger, bootstrap):
    """Plants four lies in a copy of the ledger, which a verification must find: a record lost at the end of a partition, one
    changed, an idempotent one there before, and one out of order."""
    lies = Ledger(len(ledger.places), ledger.idempotent)
    lies.places = [array.array("q", places) for places in ledger.places]
    start = [len(places) for places in lies.places]
    written = [partition for partition, places in enumerate(lies.places)
               if sum(place != NOT_ACKNOWLEDGED and ledger.idempotent[place >> NUMBER_BITS] for place in places) > 1]
    lost, changed = written[0], written[1]
    lies.places[lost].extend([0 << NUMBER_BITS | 1] * 100_000)
    at = next(offset for offset, place in enumerate(lies.places[changed])
              if place != NOT_ACKNOWLEDGED and ledger.idempotent[place >> NUMBER_BITS])
    producer, number = lies.places[changed][at] >> NUMBER_BITS, lies.places[changed][at] & ((1 << NUMBER_BITS) - 1)
    lies.places[changed][at] ^= 1
    start[changed] = at
    seen = [bytearray() for _ in ledger.idempotent]
    seen[producer].extend(bytes(number + 1))
    seen[producer][number] = 1
    lies.complain = lies.complaints.append
    lies.verify(bootstrap, start, seen, {(producer, changed): number})
    for wanted in ("was acknowledged", ", acknowledged was ", "is there twice", "is out of order"):
        if not any(wanted in complaint for complaint in lies.complaints):
            sys.exit(f"kill9: the verification is blind: it does not say '{wanted}' of a planted lie: {lies.complaints[:4]}")


class Run:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        port = brokers.free_port()
        if options.genuine_kafka:
            self.broker = GenuineKafka(port)
        else:
            self.broker = brokers.Broker(options.daemon_option)
            self.broker.listen = f"127.0.0.1:{port}"
        self.idempotent = [producer % 2 == 0 for producer in range(options.producers)]
        self.ledger = Ledger(options.partitions, self.idempotent)
        self.folder = tempfile.mkdtemp(prefix="tidemark-kill9.")
        self.files = [os.path.join(self.folder, f"acknowledged-{producer}") for producer in range(options.producers)]
        self.positions = [0] * options.producers
        self.start, self.seen, self.newest = self.fresh_marks()
        self.ready, self.uptime, self.kills = [], 0.0, 0
        self.up_since = None
        self.loads = []

    def fresh_marks(self):
        return [0] * self.options.partitions, [bytearray() for _ in self.idempotent], {}

    def preload(self):
        """A ballast of closed and open segments, which a restart must not read."""
        options = self.options
        if not options.preload_mib:
            return
        Admin(self.broker.bootstrap).create_topic("ballast", options.preload_partitions, {"segment.bytes": "1048576"})
        client = Producer({"bootstrap.servers": self.broker.bootstrap, "acks": "all", "linger.ms": 20, "log_level": 0,
                           "batch.size": 900_000, "message.max.bytes": 1_000_000, "message.timeout.ms": 600_000})
        refused = []
        value = os.urandom(64 << 10)
        for number in range(options.preload_mib * 16):
            while True:
                try:
                    client.produce("ballast", value, partition=number % options.preload_partitions,
                                   on_delivery=lambda error, _: error and refused.append(error))
                    break
                except BufferError:
                    client.poll(0.1)
            client.poll(0)
        if client.flush(600) or refused:
            sys.exit(f"kill9: the ballast was refused: {refused[:1]}")
        print(f"kill9: ballast of {options.preload_mib} MiB over {options.preload_partitions} partitions", flush=True)

    def begin(self):
        options = self.options
        self.broker.start()
        self.preload()
        Admin(self.broker.bootstrap).create_topic(TOPIC, options.partitions, {"segment.bytes": "1048576"})
        self.up_since = time.monotonic()
        for producer in range(options.producers):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(daemon=True, target=load.main, args=(
                theirs, producer, TOPIC, options.partitions, self.broker.bootstrap, self.idempotent[producer],
                options.rate / options.producers, options.seed, self.files[producer]))
            process.start()
            self.loads.append((process, ours))

    def settle_and_verify(self, whole=False):
        for _, pipe in self.loads:
            pipe.send("settle")
        for producer, (_, pipe) in enumerate(self.loads):
            report = pipe.recv()
            self.positions[producer] = self.ledger.enter(producer, self.files[producer], self.positions[producer])
            if report["fatal"] or report["unanswered"] or report["refused"]:
                self.ledger.complain(f"producer {producer}: {report}")
        if whole:
            self.start, self.seen, self.newest = self.fresh_marks()
        began = time.monotonic()
        read = self.ledger.verify(self.broker.bootstrap, self.start, self.seen, self.newest)
        took = time.monotonic() - began
        self.up_since += took  # nobody sends meanwhile
        print(f"kill9: after {self.kills} kills: {self.ledger.acknowledged} records acknowledged; read {read} in "
              f"{took:.1f} s; {len(self.ledger.complaints)} complaints", flush=True)
        for _, pipe in self.loads:
            pipe.send("go on")

    def round(self):
        # Sometimes before recovery has settled, mostly under full load.
        lives = self.random.choice([0.0, 0.05, 0.5, 1.0, 1.5, 2.0, 3.0]) if self.kills else 2.0
        time.sleep(lives * self.random.random() if lives < 0.1 else lives * (0.5 + self.random.random()))
        if not self.broker.is_running():
            sys.exit(f"kill9: the broker died by itself\n{self.broker.log_tail()}")
        self.broker.kill()
        self.uptime += time.monotonic() - self.up_since
        self.kills += 1
        self.broker.start()
        self.up_since = time.monotonic()
        self.ready.append(self.broker.ready_seconds)

    def run(self):
        options = self.options
        passed = False
        try:
            self.begin()
            for number in range(1, options.rounds + 1):
                self.round()
                if number % options.verify_every == 0 and number < options.rounds:
                    self.settle_and_verify()
                if self.ledger.complaints:
                    break
            self.settle_and_verify(whole=True)
            self.uptime += time.monotonic() - self.up_since
            if not self.ledger.complaints:
                prove_it_sees(self.ledger, self.broker.bootstrap)
            status = self.report()
            passed = status == 0
            return status
        finally:
            for process, pipe in self.loads:
                process.kill()
                pipe.close()
            if not passed and not options.genuine_kafka:
                kept = tempfile.mkdtemp(prefix="tidemark-kill9-failed.")
                if self.broker.is_running():
                    self.broker.kill()
                shutil.copytree(self.broker.folder, kept, dirs_exist_ok=True)
                print(f"kill9: the data folder and the daemon's logs are kept in {kept}")
            self.broker.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def report(self):
        options = self.options
        rate = self.ledger.acknowledged / self.uptime
        slowest = max(self.ready)
        ordered = sorted(self.ready)
        print(f"kill9: {self.kills} kills, seed {options.seed}; {options.partitions} partitions, {options.producers} producers, "
              f"{sum(self.idempotent)} of them idempotent")
        print(f"kill9: {self.ledger.acknowledged} records acknowledged, {rate:.0f} a second of uptime")
        print(f"kill9: ready after a kill: median {1000 * ordered[len(ordered) // 2]:.0f} ms, slowest {1000 * slowest:.0f} ms; "
              f"memory {self.broker.resident_kib() // 1024} MiB")
        if rate < options.least_rate:
            self.ledger.complain(f"{rate:.0f} acknowledged records a second of uptime, at least {options.least_rate} wanted")
        if slowest > options.ready_seconds and not options.genuine_kafka:
            self.ledger.complain(f"a restart took {slowest:.2f} s, at most {options.ready_seconds} s wanted")
        if self.ledger.complaints:
            print(f"kill9: FAILED: {len(self.ledger.complaints)} complaints")
            return 1
        print("kill9: every acknowledged record is where it was acknowledged, and nothing idempotent is there twice")
        return 0


def main():
    parser = argparse.ArgumentParser(prog="kill9.sh", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of the moments and partitions")
    parser.add_argument("--partitions", type=int, default=200)
    parser.add_argument("--producers", type=int, default=4, help="every second one is idempotent")
    parser.add_argument("--rate", type=float, default=5000, help="records sent a second, by all producers together")
    parser.add_argument("--least-rate", type=float, default=2000, help="acknowledged records a second of uptime")
    parser.add_argument("--ready-seconds", type=float, default=1.0, help="a slower restart is a failure")
    parser.add_argument("--verify-every", type=int, default=20, help="rounds")
    parser.add_argument("--preload-mib", type=int, default=0, help="ballast in other partitions")
    parser.add_argument("--preload-partitions", type=int, default=800)
    parser.add_argument("--daemon-option", action="append", default=[], help="passed to tidemarkd")
    parser.add_argument("--genuine-kafka", action="store_true", help="instead of tidemarkd (tests/interop/kafka)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    sys.exit(Run(options).run())


if __name__ == "__main__":
    main()
