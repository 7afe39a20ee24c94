#!/usr/bin/python3
"""Everything at once, for long: idempotent and plain producers, a group whose members come, leave and are killed, a compacted topic,
retention, topics that are made and deleted, and kill -9 of the broker every minute. Nothing acknowledged may be lost, nothing
idempotent be there twice, no committed offset be lost or moved back, every record must have been read by the group, the newest
value of every key be there, retention must keep up and nothing stay of deleted topics. The last third is one long life, for a leak to
show: memory and open files must not grow.

    tests/chaos/soak.py --minutes 60
"""

import argparse
import glob
import multiprocessing
import os
import statistics
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kill9  # noqa: E402
import member  # noqa: E402

GROUP, TABLE, RING = "soak", "soak-table", "soak-ring"
KEYS = 1000
TABLE_PARTITIONS = 3
RING_PARTITIONS, RING_BYTES, RING_SEGMENT_BYTES = 2, 2 << 20, 1 << 20
RING_MOST_BYTES = RING_BYTES + 8 * RING_SEGMENT_BYTES  # of a partition's files: the open segment, and what waits to be removed
PASSING = "soak-passing-"
PATIENCE_SECONDS = 90

# What counts as grown, from the median of the first third to that of the last. Caches are kept so small that they are full within a
# minute; a shorter last life is all warm-up.
MEMORY_SLACK_KIB, FILES_SLACK = 24 << 10, 16
MEMORY_LIMIT, LEAST_CALM_SECONDS = "128MiB", 300


def growth(values):
    """How much a series has grown: from the median of its first third to that of its last. Its first quarter is warm-up. None: too
    short to tell."""
    settled = values[len(values) // 4:]
    third = len(settled) // 3
    if third < 3:
        return None
    return statistics.median(settled[-third:]) - statistics.median(settled[:third])


def prove_it_sees_leaks():
    """Twenty minutes, looked at every 10 s: of a leak of 1 MiB a second, and of one file with every topic that is deleted; and of what
    warms up, spikes, and swings, which is none."""
    looks = range(120)
    warm = [200_000 + min(look, 25) * 4096 + look % 7 * 2048 + (look % 11 == 0) * 60_000 for look in looks]
    handles = [90 + look * 5 % 13 + (look > 100) * (look % 9 == 0) * 40 for look in looks]
    for what, values, slack, leaks in (("memory", warm, MEMORY_SLACK_KIB, False), ("files", handles, FILES_SLACK, False),
                                       ("memory", [value + 10_240 * look for look, value in enumerate(warm)], MEMORY_SLACK_KIB, True),
                                       ("files", [value + look for look, value in enumerate(handles)], FILES_SLACK, True)):
        if (growth(values) > slack) != leaks:
            sys.exit(f"soak: the judge of leaks is blind: {what} grows by {growth(values)}, which is {'a' if leaks else 'no'} leak")


class Table:
    """The compacted topic's writer: the newest acknowledged value of each key, and what was sent since."""

    def __init__(self, bootstrap):
        self.client = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "log_level": 0,
                                "message.timeout.ms": 600_000, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200,
                                "allow.auto.create.topics": False})  # what was deleted has to stay so
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
            # What retention deletes.
            self.client.produce(RING, b"r" * 500)
        self.client.poll(0)


class Soak(kill9.Run):
    def __init__(self, options):
        super().__init__(options)
        self.members, self.members_made, self.note_files = [], 0, []
        self.observed = {}  # partition -> the greatest offset seen committed
        self.observations, self.blind = 0, 0
        self.churned, self.deleted = 0, set()
        self.lives, self.looks = [], []  # (KiB resident, open files): at the end of each life, and all along the last one
        self.ring_bytes = 0  # the most that a partition of it was seen to have

    def begin(self):
        super().begin()
        admin = kill9.Admin(self.broker.bootstrap)
        admin.create_topic(TABLE, TABLE_PARTITIONS, {"cleanup.policy": "compact", "segment.bytes": "1048576", "segment.ms": "5000",
                                                     "min.cleanable.dirty.ratio": "0.1"})
        admin.create_topic(RING, RING_PARTITIONS, {"retention.bytes": RING_BYTES, "segment.bytes": RING_SEGMENT_BYTES,
                                                   "file.delete.delay.ms": "1000"})
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

    def observe(self, patience_seconds=0):
        """What is committed is nothing older than what a member knew to be committed before, or than what was seen. A few looks may be
        in vain, while the coordinator wakes up; one with a patience must not."""
        known = dict(self.observed)
        for kind, partition, offset, _ in self.notes():
            if kind == member.COMMITTED:
                known[partition] = max(offset, known.get(partition, 0))
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                places = self.observer.committed([TopicPartition(kill9.TOPIC, p) for p in range(self.options.partitions)], timeout=20)
                failed = [place.error for place in places if place.error is not None]
            except KafkaException as error:
                places, failed = [], [error]
            if not failed or time.monotonic() >= deadline:
                break
            time.sleep(1)
        self.observations += 1
        self.blind += bool(failed)
        if failed and patience_seconds or 2 * self.blind > self.observations > 10:
            self.ledger.complain(f"what is committed was not seen {self.blind} times of {self.observations}: {failed[:1]}")
        for place in places:
            if place.error is not None:
                continue
            if place.offset < known.get(place.partition, -1001):
                self.ledger.complain(f"partition {place.partition}: {place.offset} is committed, and {known[place.partition]} was")
            self.observed[place.partition] = max(place.offset, self.observed.get(place.partition, 0))

    # --- a life of the broker
    def round(self):
        if self.kills == self.options.rounds - 1:
            return self.live(self.options.calm_seconds, self.options.look_every)
        self.live(self.options.kill_every)
        self.lives.append(self.sizes())
        self.broker.kill()
        self.uptime += time.monotonic() - self.up_since
        self.kills += 1
        self.broker.start()
        self.up_since = time.monotonic()
        self.ready.append(self.broker.ready_seconds)
        return None

    def live(self, seconds, look_every=None):
        now = time.monotonic()
        until, next_churn, next_topic = now + seconds, now + 3, now + 5
        next_look = now + look_every if look_every else until
        while now < until:
            if not self.broker.is_running():
                sys.exit(f"soak: the broker died by itself\n{self.broker.log_tail()}")
            self.table.write(50)
            if now >= next_churn:
                self.churn()
                next_churn = now + self.random.uniform(2, 12)
            if now >= next_topic:
                self.observe()
                self.make_and_delete()
                self.weigh_ring()
                next_topic = now + 10
            if now >= next_look:
                self.looks.append(self.sizes())
                next_look += look_every
            time.sleep(0.1)
            now = time.monotonic()

    def sizes(self):
        """KiB resident; and open files, but for one each of what is in the data folder: segments are kept open on purpose."""
        pid = self.broker.pid() if self.options.genuine_kafka else self.broker.process.pid
        places = []
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                places.append(os.readlink(f"/proc/{pid}/fd/{number}"))
            except FileNotFoundError:
                pass  # closed just now
        kept = {place for place in places if place.startswith(self.broker.data_dir) and not place.endswith(" (deleted)")}
        return self.broker.resident_kib(), len(places) - len(kept)

    def weigh_ring(self):
        for partition in range(RING_PARTITIONS):
            weight = 0
            for file in glob.glob(os.path.join(self.broker.data_dir, f"{RING}-{partition}", "*")):
                try:
                    weight += os.path.getsize(file)
                except FileNotFoundError:
                    pass  # removed just now
            self.ring_bytes = max(self.ring_bytes, weight)

    def make_and_delete(self):
        name = f"{PASSING}{self.churned}"
        self.churned += 1
        admin = kill9.Admin(self.broker.bootstrap)
        try:
            admin.create_topic(name, 4)
            self.table.client.produce(name, b"gone soon")
            self.table.client.flush(5)
            admin.delete_topic(name)
            self.deleted.add(name)
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
        self.observe(PATIENCE_SECONDS)
        self.verify_ring()
        self.verify_deletes()
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
        print(f"soak: the group had {self.members_made} members; its offsets were looked at {self.observations} times, {self.blind} of "
              "them in vain", flush=True)

    def verify_ring(self):
        for partition in range(RING_PARTITIONS):
            low, high = self.observer.get_watermark_offsets(TopicPartition(RING, partition), timeout=20)
            print(f"soak: {RING}-{partition} has {low} to {high}", flush=True)
            if low <= 0 or high <= low:
                self.ledger.complain(f"{RING}-{partition}: has {low} to {high}: retention should have deleted some, and not all")
        print(f"soak: a partition of {RING} had at most {self.ring_bytes >> 10} KiB of files", flush=True)
        if not RING_SEGMENT_BYTES <= self.ring_bytes <= RING_MOST_BYTES:
            self.ledger.complain(f"{RING}: {self.ring_bytes} bytes of files, at most {RING_MOST_BYTES} wanted, of {RING_BYTES} retained")

    def verify_deletes(self):
        admin = kill9.Admin(self.broker.bootstrap)
        left = {name for name in admin.topics() if name.startswith(PASSING)}
        if left & self.deleted:
            self.ledger.complain(f"topics that were deleted are back: {sorted(left & self.deleted)[:5]}")
        for name in left - self.deleted:
            admin.delete_topic(name)  # a delete that was not answered
        pattern, deadline = os.path.join(self.broker.data_dir, f"{PASSING}*"), time.monotonic() + PATIENCE_SECONDS
        while (folders := glob.glob(pattern)) and time.monotonic() < deadline:
            time.sleep(1)
        print(f"soak: {self.churned} topics were made and deleted, {len(left)} of them at the end", flush=True)
        if folders:
            self.ledger.complain(f"deleted topics have left {len(folders)} folders, e.g. {folders[0]}")

    def verify_sizes(self):
        for when, series, is_judged in (("at the ends of lives", self.lives, True),
                                        ("in the last life", self.looks, self.options.calm_seconds >= LEAST_CALM_SECONDS)):
            for what, values, slack in zip(("memory in KiB", "open files"), zip(*series), (MEMORY_SLACK_KIB, FILES_SLACK)):
                grown = growth(values) if is_judged else None
                said = "too short to tell whether it grows" if grown is None else f"grows by {grown:.0f}, {slack} allowed"
                print(f"soak: {what} {when}: {min(values)} to {max(values)}; {said}", flush=True)
                if grown is not None and grown > slack:
                    self.ledger.complain(f"{what} {when} {said}: {values}")


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
    # The last round is the long life, without a kill.
    options.calm_seconds, options.look_every = options.minutes * 60 / 3, 10.0
    options.rounds = 1 + max(1, round(options.minutes * 60 * 2 / 3 / options.kill_every))
    options.least_rate, options.ready_seconds, options.verify_every = options.rate / 2, 5.0, 10
    options.preload_mib = 0
    options.daemon_option = ["--set", "group.initial.rebalance.delay.ms=500", "--set", "log.cleaner.backoff.ms=1000",
                             "--set", "log.retention.check.interval.ms=2000", "--set", f"memory.limit={MEMORY_LIMIT}"]
    prove_it_sees_leaks()
    sys.exit(Soak(options).run())


if __name__ == "__main__":
    main()
