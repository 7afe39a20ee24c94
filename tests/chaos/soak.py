#!/usr/bin/python3
"""Everything at once, for long: idempotent and plain producers, a group whose members come, leave and are killed, a compacted topic,
retention, topics that are made and deleted, and kill -9 of the broker every minute. Nothing acknowledged may be lost, nothing
idempotent be there twice, no committed offset be lost or moved back, every record must have been read by the group, the newest
value of every key be there; memory and open files must not grow.

    tests/chaos/soak.py --minutes 60
"""

import argparse
import multiprocessing
import os
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kill9  # noqa: E402
import member  # noqa: E402

GROUP, TABLE, RING = "soak", "soak-table", "soak-ring"
KEYS = 1000
TABLE_PARTITIONS = 3


class Table:
    """The compacted topic's writer: the newest acknowledged value of each key, and what was sent since."""

    def __init__(self, bootstrap):
        self.client = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "log_level": 0,
                                "message.timeout.ms": 600_000, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200})
        self.acknowledged, self.sent, self.refused = {}, 0, 0

    def write(self, count):
        for _ in range(count):
            key, value = self.sent * 7919 % KEYS, self.sent
            self.sent += 1

            def done(error, _message, key=key, value=value):
                if error:
                    self.refused += 1
                else:
                    self.acknowledged[key] = max(value, self.acknowledged.get(key, -1))

            self.client.produce(TABLE, b"%d" % value, key=b"%d" % key, partition=key % TABLE_PARTITIONS, on_delivery=done)
            # What retention deletes; nobody looks at it.
            self.client.produce(RING, b"r" * 500)
        self.client.poll(0)


class Soak(kill9.Run):
    def __init__(self, options):
        super().__init__(options)
        self.members, self.members_made, self.note_files = [], 0, []
        self.observed = {}  # partition -> the greatest offset seen committed
        self.churned = 0
        self.sizes = []  # (KiB resident, open files) at the end of each life

    def begin(self):
        super().begin()
        admin = kill9.Admin(self.broker.bootstrap)
        admin.create_topic(TABLE, TABLE_PARTITIONS, {"cleanup.policy": "compact", "segment.bytes": "1048576", "segment.ms": "5000",
                                                     "min.cleanable.dirty.ratio": "0.1"})
        admin.create_topic(RING, 2, {"retention.bytes": "2097152", "segment.bytes": "1048576"})
        self.table = Table(self.broker.bootstrap)
        self.observer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP, "log_level": 0,
                                  "enable.auto.commit": False, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200})

    # --- the group
    def join(self):
        self.members_made += 1
        path = os.path.join(self.folder, f"member-{self.members_made}")
        self.note_files.append(path)
        process = multiprocessing.Process(daemon=True, target=member.main,
                                          args=(kill9.TOPIC, GROUP, self.broker.bootstrap, path))
        process.start()
        self.members.append(process)

    def churn(self):
        """One comes, or one leaves, or is killed."""
        self.members = [process for process in self.members if process.is_alive()]
        if len(self.members) < 1 or (len(self.members) < 4 and self.random.random() < 0.5):
            return self.join()
        victim = self.random.choice(self.members)
        if self.random.random() < 0.5:
            victim.terminate()
        else:
            victim.kill()
        self.members.remove(victim)
        return None

    def notes(self):
        for path in self.note_files:
            if os.path.exists(path):
                yield from member.notes_of(path)

    def observe(self):
        """What is committed is nothing older than what a member knew to be committed before, or than what was seen."""
        known = dict(self.observed)
        for kind, partition, offset, _ in self.notes():
            if kind == member.COMMITTED:
                known[partition] = max(offset, known.get(partition, 0))
        try:
            places = self.observer.committed([TopicPartition(kill9.TOPIC, p) for p in range(self.options.partitions)], timeout=20)
        except KafkaException:
            return
        for place in places:
            if place.error is not None:
                continue
            if place.offset < known.get(place.partition, -1001):
                self.ledger.complain(f"partition {place.partition}: {place.offset} is committed, and {known[place.partition]} was")
            self.observed[place.partition] = max(place.offset, self.observed.get(place.partition, 0))

    # --- a life of the broker
    def round(self):
        until = time.monotonic() + self.options.kill_every
        next_churn, next_look = time.monotonic() + 3, time.monotonic() + 5
        while time.monotonic() < until:
            self.table.write(50)
            now = time.monotonic()
            if now >= next_churn:
                self.churn()
                next_churn = now + self.random.uniform(2, 12)
            if now >= next_look:
                self.observe()
                self.make_and_delete()
                next_look = now + 10
            time.sleep(0.1)
        if not self.broker.is_running():
            sys.exit(f"soak: the broker died by itself\n{self.broker.log_tail()}")
        pid = self.broker.pid() if self.options.genuine_kafka else self.broker.process.pid
        self.sizes.append((self.broker.resident_kib(), len(os.listdir(f"/proc/{pid}/fd"))))
        self.broker.kill()
        self.uptime += time.monotonic() - self.up_since
        self.kills += 1
        self.broker.start()
        self.up_since = time.monotonic()
        self.ready.append(self.broker.ready_seconds)

    def make_and_delete(self):
        name = f"soak-passing-{self.churned}"
        self.churned += 1
        admin = kill9.Admin(self.broker.bootstrap)
        try:
            admin.create_topic(name, 4)
            self.table.client.produce(name, b"gone soon")
            self.table.client.flush(5)
            admin.delete_topic(name)
        except KafkaException as error:
            print(f"soak: {name}: {error}", flush=True)

    # --- judgements at the end
    def settle_and_verify(self, whole=False):
        super().settle_and_verify(whole)
        if not whole:
            return
        self.table.client.flush(60)
        self.verify_table()
        self.verify_coverage()
        self.observe()
        self.verify_sizes()

    def verify_table(self):
        consumer = kill9.Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "soak-table", "log_level": 0,
                                   "enable.auto.commit": False, "auto.offset.reset": "error", "check.crcs": True})
        found, records = {}, 0
        try:
            for partition in range(TABLE_PARTITIONS):
                low, high = consumer.get_watermark_offsets(TopicPartition(TABLE, partition), timeout=20)
                consumer.assign([TopicPartition(TABLE, partition, low)])
                at, quiet = low - 1, time.monotonic()
                while at < high - 1 and time.monotonic() - quiet < 10:
                    for message in consumer.consume(5000, 0.2):
                        if message.error():
                            raise KafkaException(message.error())
                        if message.offset() <= at:
                            self.ledger.complain(f"{TABLE}-{partition}: offset {message.offset()} behind {at}")
                        at, quiet, records = message.offset(), time.monotonic(), records + 1
                        found[int(message.key())] = int(message.value())
        finally:
            consumer.close()
        for key, value in self.table.acknowledged.items():
            if found.get(key, -1) < value:
                self.ledger.complain(f"{TABLE}: key {key} has {found.get(key)}, acknowledged was {value}")
        if self.table.refused:
            self.ledger.complain(f"{TABLE}: {self.table.refused} records were refused")
        print(f"soak: {self.table.sent} records of {KEYS} keys were written, {records} are left", flush=True)
        if records > self.table.sent / 2 and self.table.sent > 50 * KEYS:
            self.ledger.complain(f"{TABLE}: {records} of {self.table.sent} records are left: nothing was compacted")

    def verify_coverage(self):
        """Every record was read by some member of the group."""
        deadline = time.monotonic() + 120
        while True:
            self.members = [process for process in self.members if process.is_alive()]
            if not self.members:
                self.join()
            read = [[] for _ in range(self.options.partitions)]
            for kind, partition, first, end in self.notes():
                if kind == member.READ:
                    read[partition].append((first, end))
            missing = {}
            for partition, pieces in enumerate(read):
                at = 0
                for first, end in sorted(pieces):
                    if first > at:
                        break
                    at = max(at, end)
                if at < self.start[partition]:
                    missing[partition] = (at, self.start[partition])
            if not missing:
                break
            if time.monotonic() > deadline:
                for partition, (at, end) in list(missing.items())[:5]:
                    self.ledger.complain(f"partition {partition}: the group has read up to {at} of {end}")
                break
            time.sleep(2)
        for process in self.members:
            process.kill()
        print(f"soak: the group had {self.members_made} members", flush=True)

    def verify_sizes(self):
        memory, files = zip(*self.sizes)
        print(f"soak: at the end of each life: {min(memory) >> 10} to {max(memory) >> 10} MiB resident, {min(files)} to {max(files)} "
              f"open files; {self.churned} topics made and deleted", flush=True)
        half = len(self.sizes) // 2
        for what, values, slack in (("memory in KiB", memory, 32 << 10), ("open files", files, 64)):
            if half >= 5 and max(values[half:]) > 1.25 * max(values[:half]) + slack:
                self.ledger.complain(f"{what} grows: {max(values[:half])}, then {max(values[half:])}")


def main():
    parser = argparse.ArgumentParser(prog="soak.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--kill-every", type=float, default=60, help="seconds")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--producers", type=int, default=4, help="every second one is idempotent")
    parser.add_argument("--rate", type=float, default=2000, help="records sent a second, by all producers together")
    parser.add_argument("--genuine-kafka", action="store_true", help="instead of tidemarkd (tests/interop/kafka)")
    options = parser.parse_args()
    options.rounds = max(1, round(options.minutes * 60 / options.kill_every))
    options.least_rate, options.ready_seconds, options.verify_every = options.rate / 2, 5.0, 10
    options.preload_mib = 0
    options.daemon_option = ["--set", "group.initial.rebalance.delay.ms=500", "--set", "log.cleaner.backoff.ms=1000",
                             "--set", "log.retention.check.interval.ms=2000"]
    sys.exit(Soak(options).run())


if __name__ == "__main__":
    main()
