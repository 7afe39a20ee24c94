#!/usr/bin/python3
"""Cuts the power of a real daemon. It runs once under load with power_cut_shim.cc preloaded, which writes down what it does to
its files. From that log power_cut_disk.py builds what a power cut at one of many points may leave; the real daemon starts on
it, and must have every record that was acknowledged before the cut. Some of these starts are recorded and cut again.

The same judge must complain of a daemon with `acknowledge before sync` planted, or it is blind."""

import argparse
import bisect
import collections
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from power_cut_disk import CREATE, REMOVE, SYNC_END, WRITE, Disk, read_log  # noqa: E402
from raw_frames import batch, produce_answer, produce_body, request  # noqa: E402
from served_apis import connect, exchange  # noqa: E402

SHIM = os.path.join(brokers.BIN, "libpower_cut_shim.so")
TIDEMARK = os.path.join(brokers.BIN, "tidemark")
SYNC_US = 1500  # as on a slow disk: more is unsynced at any moment
PROPERTIES = {"journal.size": 8 << 20, "log.segment.bytes": 1 << 20, "log.segment.delete.delay.ms": 200,
              "shards": 2, "auto.create.topics.enable": "false"}
TOPICS = {"steady": {}, "trimmed": {}, "retained": {"retention.bytes": "1500000"}, "cached": {"write.caching": "true"}}
PRODUCE, INIT_PRODUCER_ID = 0, 22
RESENT_BATCH = 3
PARTITIONS = 2
PRODUCERS = 4  # every second one is idempotent
# Producers of the topics that come and go; of batches that are sent once more after a cut; of what follows a cut.
CHURN, RESENDER, AFTERWARDS = range(PRODUCERS, PRODUCERS + 3)
LARGE_EVERY, LARGE_BYTES = 700, 400_000  # these bypass the journal
VALUE = struct.Struct("<IIQ")  # life of the topic, producer, number; then a filling that follows from them
NEVER = 1 << 62
MEMORY_BYTES = 2 << 30  # with that much free, the folders lie in memory


def value_of(life, producer, number):
    size = LARGE_BYTES if number % LARGE_EVERY == LARGE_EVERY - 1 else 20 + (number * 2654435761 + producer) % 5000
    return VALUE.pack(life, producer, number) + (b"%d-%d-%d/" % (life, producer, number) * (size // 5))[:size]


class Life:
    """A topic from its creation to its deletion; times in ns of CLOCK_MONOTONIC, which is what the shim writes down too."""

    def __init__(self, name, number):
        self.name, self.number = name, number
        self.created, self.create_begun, self.delete_begun, self.deleted = NEVER, time.monotonic_ns(), NEVER, NEVER
        self.acknowledged = [{} for _ in range(PARTITIONS)]  # offset: (when, producer, number)
        self.batches = [[] for _ in range(PARTITIONS)]       # the resender's: (when answered, offset, frame)
        self.trims = [[] for _ in range(PARTITIONS)]         # (begun, done, offset)
        self.last_start = [0] * PARTITIONS                   # where the log starts at the run's end

    def until(self, cut):
        """What is certain of it at that time; nothing if it cannot be there."""
        if self.create_begun >= cut or self.deleted < cut:
            return None
        life = Life(self.name, self.number)
        life.create_begun, life.created, life.delete_begun = [
            moment if moment < cut else NEVER for moment in (self.create_begun, self.created, self.delete_begun)]
        life.acknowledged = [{offset: entry for offset, entry in offsets.items() if entry[0] < cut}
                             for offsets in self.acknowledged]
        life.batches = [[entry for entry in batches if entry[0] < cut] for batches in self.batches]
        life.trims = [[(begun, done if done < cut else NEVER, offset) for begun, done, offset in trims if begun < cut]
                      for trims in self.trims]
        life.last_start = self.last_start
        return life

    def must_exist(self):
        return self.created != NEVER and self.delete_begun == NEVER

    def start_range(self, partition):
        if self.name == "retained":
            return 0, self.last_start[partition]
        return (max([offset for _, done, offset in self.trims[partition] if done != NEVER], default=0),
                max([offset for _, _, offset in self.trims[partition]], default=0))


def send_by_hand(connection, life, partition, producer, numbers, identity=(-1, -1, -1)):
    """(when answered, offset, frame)"""
    values = [value_of(life.number, producer, number) for number in numbers]
    frame = request(PRODUCE, 7, produce_body(life.name, batch(values, producer=identity), partition=partition))
    error, offset = produce_answer(exchange(connection, frame), life.name)
    if error:
        raise KafkaException(f"{life.name}-{partition} answers error {error}")
    now = time.monotonic_ns()
    life.acknowledged[partition].update((offset + place, (now, producer, number)) for place, number in enumerate(numbers))
    return now, offset, frame


class Load:
    """Threads that produce, create, delete and trim, and what they were answered."""

    def __init__(self, bootstrap, seed):
        self.bootstrap, self.seed, self.first_number = bootstrap, seed, 0
        self.admin = Admin(bootstrap)
        self.lives, self.come_and_go, self.problems = [], {}, []
        for name, configs in TOPICS.items():
            self.create(name, configs)

    def run(self, seconds):
        self.until = time.monotonic() + seconds
        work = [(self.produce, producer) for producer in range(PRODUCERS)] + [(self.churn,), (self.trim,), (self.resend,)]
        threads = [threading.Thread(target=self.guarded, args=each) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.problems:
            raise self.problems[0]
        self.first_number += 10_000_000

    def guarded(self, work, *arguments):
        try:
            work(*arguments)
        except Exception as problem:  # of a thread: raised where it is joined
            self.problems.append(problem)

    def create(self, name, configs):
        life = Life(name, len(self.lives))
        self.lives.append(life)
        self.admin.create_topic(name, PARTITIONS, {"segment.bytes": "1048576", **configs})
        life.created = time.monotonic_ns()
        return life

    def client(self, producer):
        return Producer({"bootstrap.servers": self.bootstrap, "acks": "all", "enable.idempotence": producer % 2 == 0,
                         "linger.ms": 2, "compression.type": "lz4" if producer == 3 else "none", "log_level": 0})

    @staticmethod
    def send(client, life, partition, producer, number):
        def done(error, message):
            if error:
                raise KafkaException(error)
            life.acknowledged[partition][message.offset()] = (time.monotonic_ns(), producer, number)
        client.produce(life.name, value_of(life.number, producer, number), partition=partition, on_delivery=done)

    def produce(self, producer):
        draw = random.Random(f"{self.seed} {producer}")
        client = self.client(producer)
        number = self.first_number
        while time.monotonic() < self.until:
            for _ in range(draw.randrange(5)):
                self.send(client, self.lives[draw.randrange(len(TOPICS))], draw.randrange(PARTITIONS), producer, number)
                number += 1
            client.poll(0.01 * draw.random())
        if client.flush(30):
            raise KafkaException("records without an answer")

    def resend(self):
        """Idempotent batches by hand, one at a time: the last one can be sent again after a cut."""
        life, draw = self.lives[0], random.Random(f"{self.seed} resend")
        sequences = [0] * PARTITIONS
        with connect(self.bootstrap) as connection:
            answer = exchange(connection, request(INIT_PRODUCER_ID, 0, struct.pack(">hi", -1, 60_000)))
            error, producer_id, epoch = struct.unpack_from(">hqh", answer, 8)
            if error:
                raise KafkaException(f"the resender is given error {error} for an id")
            while time.monotonic() < self.until:
                partition = draw.randrange(PARTITIONS)
                first = self.first_number + RESENT_BATCH * sum(sequences)
                numbers = range(first, first + RESENT_BATCH)
                entry = send_by_hand(connection, life, partition, RESENDER, numbers,
                                     (producer_id, epoch, RESENT_BATCH * sequences[partition]))
                life.batches[partition].append(entry)
                sequences[partition] += 1
                time.sleep(0.02 * draw.random())

    def churn(self):
        draw = random.Random(f"{self.seed} churn")
        number, alive = self.first_number, self.come_and_go
        while time.monotonic() < self.until:
            name = f"churn-{draw.randrange(3)}"
            if name in alive:
                life = alive.pop(name)
                life.delete_begun = time.monotonic_ns()
                self.admin.delete_topic(name)
                life.deleted = time.monotonic_ns()
            if draw.random() < 0.8:
                life = alive[name] = self.create(name, {})
                with connect(self.bootstrap) as connection:
                    for _ in range(draw.randrange(8)):
                        more = draw.randrange(1, 12)
                        send_by_hand(connection, life, draw.randrange(PARTITIONS), CHURN, range(number, number + more))
                        number += more
            time.sleep(0.03 * draw.random())

    def trim(self):
        life = next(life for life in self.lives if life.name == "trimmed")
        draw = random.Random(f"{self.seed} trim")
        while time.monotonic() < self.until:
            partition = draw.randrange(PARTITIONS)
            offset = max(life.acknowledged[partition].copy(), default=0) - draw.randrange(300)
            begun = time.monotonic_ns()
            if offset > max([trim[2] for trim in life.trims[partition]], default=0):
                entry = [begun, NEVER, offset]
                life.trims[partition].append(entry)
                subprocess.run([TIDEMARK, "-b", self.bootstrap, "topic", "trim", life.name, "--partition", str(partition),
                                "--before", str(offset)], check=True, stdout=subprocess.DEVNULL)
                entry[1] = time.monotonic_ns()
            time.sleep(0.2 * draw.random())


def preloaded(daemon, log):
    daemon.wrapper = ["env", f"LD_PRELOAD={os.path.abspath(SHIM)}", f"POWER_CUT_FOLDER={daemon.data_dir}",
                      f"POWER_CUT_LOG={log}", f"POWER_CUT_SYNC_US={SYNC_US}"]


def kill(daemon, log, life):
    """As kill -9 does, but between two of the log's records; the record that is sent to make it happen has no answer."""
    with open(f"{log}.kill", "wb"):
        pass
    try:
        with connect(daemon.bootstrap) as connection:
            exchange(connection, request(PRODUCE, 7, produce_body(life.name, batch([value_of(life.number, AFTERWARDS, 0)]))))
    except OSError:
        pass
    daemon.process.wait(20)
    daemon.process = None
    os.remove(f"{log}.kill")


def record(folder, seconds, seed, options):
    """A daemon under load, killed, started again under load, stopped, started with another number of shards, stopped: (the log's
    records, what was acknowledged, the disk before all that)"""
    daemon = brokers.Broker(options, {**PROPERTIES, "log.retention.check.interval.ms": 100})
    log = os.path.join(folder, f"log-{'-'.join(options)}")
    os.mkdir(daemon.data_dir)
    disk, whole = Disk(daemon.data_dir), Disk(daemon.data_dir)
    preloaded(daemon, log)
    try:
        daemon.start()
        load = Load(daemon.bootstrap, seed)
        load.run(seconds / 2)
        kill(daemon, log, load.lives[0])
        daemon.start()
        load.run(seconds / 2)
        daemon.stop()
        daemon.options += ["--set", "shards=3"]
        daemon.start()
        consumer = reader(daemon.bootstrap)
        for life in load.lives:
            if life.delete_begun == NEVER:
                for partition in range(PARTITIONS):
                    place = TopicPartition(life.name, partition)
                    life.last_start[partition] = consumer.get_watermark_offsets(place, timeout=20)[0]
        consumer.close()
        daemon.stop()
        records = read_log(log)
        try:
            for each in records:
                whole.apply(each)
            missed = whole.differences()
        except KeyError as name:
            missed = [f"nobody made {name}"]
        if missed:
            sys.exit(f"power_cut: the shim missed something: {missed[:5]}")
    finally:
        daemon.close()
    return records, load.lives, disk


def coverage(records):
    """How often happened, while it was recorded, what a power cut should strike."""
    names, last, found = {}, {}, collections.Counter({name: 0 for name in ("journal lapped", "segment rolled", "segment removed",
                                                                           "topic's folder removed", "journal bypassed")})
    for _, operation, inode, position, first, _ in records:
        if operation in (CREATE, REMOVE):
            name = bytes(first).decode()
            names[inode] = name
            found["segment rolled"] += operation == CREATE and re.search(r"/(?!0+\.)\d+\.log$", name) is not None
            found["segment removed"] += operation == REMOVE and re.search(r"\.log\..*deleted$", name) is not None
            found["topic's folder removed"] += operation == REMOVE and name.endswith("-delete")
        elif operation == WRITE and names.get(inode, "").endswith(".journal"):
            found["journal lapped"] += position < last.get(inode, 0)
            last[inode] = position
        elif operation == WRITE:
            found["journal bypassed"] += len(first) > LARGE_BYTES // 2 and names.get(inode, "").endswith(".log")
    return found


def reader(bootstrap):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False, "log_level": 0,
                     "auto.offset.reset": "error", "fetch.wait.max.ms": 20, "check.crcs": True})


class Judge:
    """Starts a daemon on what a power cut left, and looks at everything in it."""

    def __init__(self, counts):
        self.counts = counts
        self.complaints = []

    def complain(self, text):
        self.complaints.append(text)

    def judge(self, daemon, lives, cut):
        """`daemon.data_dir` is what the cut left. Returns what is certain from now on."""
        lives = [life for life in (life.until(cut) for life in lives) if life]
        try:
            daemon.start()
            self.counts["key-value stores begun anew"] += "key-value store was begun anew" in daemon.log_tail(1000)
            there = Admin(daemon.bootstrap).topics()
            # A consumer's group makes the offsets topic.
            for name in set(there) - {life.name for life in lives} - {"__consumer_offsets"}:
                self.complain(f"topic {name} is there")
            consumer = reader(daemon.bootstrap)
            for life in lives:
                if life.name in there:
                    life.created, life.delete_begun = min(life.created, time.monotonic_ns()), NEVER
                    self.read(consumer, daemon.bootstrap, life)
                elif life.must_exist():
                    self.complain(f"topic {life.name} is gone")
            consumer.close()
            daemon.stop()
            verified = subprocess.run([TIDEMARK, "log", "verify", daemon.data_dir], capture_output=True, text=True,
                                      check=False)
            if verified.returncode != 0:
                self.complain(f"log verify: {verified.stdout[-500:]}{verified.stderr[-500:]}")
        except (brokers.BrokerFailed, KafkaException) as problem:
            self.complain(f"{problem}\n{daemon.log_tail()}")
        return lives

    def read(self, consumer, bootstrap, life):
        newest = {}
        for partition, acknowledged in enumerate(life.acknowledged):
            def complain(text, place=f"{life.name}-{partition}"):
                self.complain(f"{place} {text}")
            low, high = consumer.get_watermark_offsets(TopicPartition(life.name, partition), timeout=20)
            least, most = life.start_range(partition)
            if not least <= low <= most:
                complain(f"starts at {low}, not between {least} and {most}")
            newest_acknowledged = max(acknowledged, default=-1)
            if high <= newest_acknowledged and "write.caching" not in TOPICS.get(life.name, {}):
                complain(f"ends at {high}, {newest_acknowledged} was acknowledged")
            acknowledged[high] = (NEVER, AFTERWARDS, high)
            with connect(bootstrap) as connection:
                for _, offset, frame in life.batches[partition][-1:]:
                    answer = produce_answer(exchange(connection, frame), life.name)
                    if answer != (0, offset):
                        complain(f"answers the batch at {offset}, sent again, with {answer}")
                    self.counts["batches sent again"] += 1
                frame = produce_body(life.name, batch([value_of(life.number, AFTERWARDS, high)]), partition=partition)
                answer = produce_answer(exchange(connection, request(PRODUCE, 7, frame)), life.name)
            if answer != (0, high):
                complain(f"answers a new record with {answer}")
                continue
            consumer.assign([TopicPartition(life.name, partition, low)])
            at = low
            while at <= high:
                messages = consumer.consume(min(1000, high + 1 - at), 20)
                if not messages:
                    complain(f"cannot be read at {at} of {high}")
                    break
                for message in messages:
                    if message.error():
                        raise KafkaException(message.error())
                    if message.offset() != at:
                        complain(f"has offset {message.offset()} where {at} was next")
                    at = message.offset() + 1
                    self.look_at(complain, life, acknowledged, message, newest)
            self.counts["records read"] += at - low

    def look_at(self, complain, life, acknowledged, message, newest):
        offset, value = message.offset(), message.value()
        number_of_life, producer, number = VALUE.unpack_from(value)
        if value != value_of(number_of_life, producer, number):
            complain(f"offset {offset}: damaged")
        elif number_of_life != life.number:
            complain(f"offset {offset} is from another life of that topic")
        elif (entry := acknowledged.get(offset)) and entry[1:] != (producer, number):
            complain(f"offset {offset} holds {producer}/{number}, acknowledged was {entry[1]}/{entry[2]}")
        if producer == RESENDER or (producer < PRODUCERS and producer % 2 == 0):
            key = (message.partition(), producer)
            if newest.get(key, -1) >= number:
                complain(f"offset {offset}: {producer}/{number} is there twice or out of order")
            newest[key] = number
        seen = min(acknowledged.get(offset, (NEVER,))[0], time.monotonic_ns())
        acknowledged[offset] = (seen, producer, number)  # and has to stay


def draw_points(draw, records, lives, count):
    """[how many of the records happened]: anywhere, in the first start, in the last stops, right after a sync's end, right after an answer arrived,
    soon after a topic or a log's start has changed."""
    times = [each[0] for each in records]
    started = bisect.bisect(times, lives[0].create_begun)
    sync_ends = [number + 1 for number, each in enumerate(records) if each[1] == SYNC_END]
    answers = [entry[0] for life in lives for offsets in life.acknowledged for entry in offsets.values()]
    topics = [moment for life in lives for moment in (life.created, life.deleted) if moment != NEVER]
    stopped = bisect.bisect(times, max(answers))
    trims = [done for life in lives for trims in life.trims for _, done, _ in trims]

    def soon_after(moments):
        return min(bisect.bisect(times, draw.choice(moments)) + draw.choice([0, draw.randrange(300)]), len(records))

    ways = [lambda: draw.randrange(len(records) + 1), lambda: draw.randrange(started),
            lambda: draw.randrange(stopped, len(records) + 1), lambda: draw.choice(sync_ends),
            lambda: bisect.bisect(times, draw.choice(answers)), lambda: bisect.bisect(times, draw.choice(answers)),
            lambda: soon_after(topics), lambda: soon_after(trims)]
    return [ways[number % len(ways)]() for number in range(count)]


def time_of(records, point):
    """What was answered earlier was answered before the cut."""
    return records[point][0] if point < len(records) else records[-1][0] + 1


class Cuts:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.counts = collections.Counter()
        self.failed = 0

    def judged(self, disk, lives, cut, seed, what, log=None):
        """One cut; what is certain after it, its folder replayed from `log`, and the complaints."""
        draw = random.Random(f"{seed} start")
        daemon = brokers.Broker([], {**PROPERTIES, "shards": draw.randrange(1, 4)})
        judge = Judge(self.counts)
        try:
            disk.cut_power(random.Random(seed), daemon.data_dir, self.counts)
            if draw.random() < 0.1:
                shutil.rmtree(os.path.join(daemon.data_dir, "tidemark", "derived"), ignore_errors=True)
                self.counts["key-value stores removed"] += 1
            again = None
            if log:
                again = Disk(daemon.data_dir)
                preloaded(daemon, log)
            certain = judge.judge(daemon, lives, cut)
            self.counts["cuts"] += 1
            if judge.complaints:
                self.failed += 1
                if daemon.is_running():
                    daemon.stop()
                kept = tempfile.mkdtemp(prefix="tidemark-power-cut-failed.", dir="/tmp") if what else None
                if kept:
                    disk.cut_power(random.Random(seed), os.path.join(kept, "as-cut"), collections.Counter())
                    shutil.copytree(daemon.folder, os.path.join(kept, "afterwards"))
                    print(f"power_cut: {what}: {len(judge.complaints)} complaints, kept in {kept}", flush=True)
                    for complaint in judge.complaints[:5]:
                        print(f"    {complaint}", flush=True)
            return certain, again, judge.complaints
        finally:
            try:
                daemon.close()
            except brokers.BrokerFailed:
                shutil.rmtree(daemon.folder, ignore_errors=True)

    def run(self, records, lives, disk, points, planted):
        done = 0
        for number, point in enumerate(sorted(points)):
            for each in records[done:point]:
                disk.apply(each)
            done = point
            seed = f"{self.options.seed} {number}"
            again_at = not planted and number % self.options.again_every == 0
            log = os.path.join(self.folder, f"again-{number}") if again_at else None
            what = None if planted else f"cut {number} at {point} of {len(records)}"
            certain, again, complaints = self.judged(disk, lives, time_of(records, point), seed, what, log)
            if planted and complaints:
                return complaints[0]
            if again_at and not complaints:
                self.cut_again(certain, again, log, seed, what)
            if log and os.path.exists(log):
                os.remove(log)
        return None

    def cut_again(self, certain, disk, log, seed, what):
        """The recovery from a cut was recorded: another cut in the middle of it."""
        records = read_log(log)
        point = random.Random(seed).randrange(1, len(records) + 1)
        for each in records[:point]:
            disk.apply(each)
        self.judged(disk, certain, time_of(records, point), seed, f"{what}, and again at {point} of {len(records)}")
        self.counts["cuts of a recovery"] += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=4, help="of load")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--plant", default="ack-before-sync", help="the bug that has to be seen")
    parser.add_argument("--again-every", type=int, default=5, help="every so many cuts, the recovery is cut again")
    options = parser.parse_args()
    memory = os.statvfs("/dev/shm")
    if memory.f_bavail * memory.f_frsize > MEMORY_BYTES:
        tempfile.tempdir = "/dev/shm"  # half the time; no sync is trusted anyway
    folder = tempfile.mkdtemp(prefix="tidemark-power-cut.")
    try:
        cuts = Cuts(folder, options)
        records, lives, disk = record(folder, options.seconds, options.seed, [])
        draw = random.Random(options.seed)
        happened = coverage(records)
        print(f"power_cut: seed {options.seed}; {len(records)} operations recorded, "
              f"{sum(each[1] == SYNC_END for each in records)} syncs among them; {len(lives)} topics, "
              f"{sum(len(offsets) for life in lives for offsets in life.acknowledged)} records acknowledged; "
              + ", ".join(f"{count} times {name}" for name, count in happened.items()), flush=True)
        if min(happened.values()) == 0:
            sys.exit("power_cut: not all of that happened")
        cuts.run(records, lives, disk, draw_points(draw, records, lives, options.cuts), planted=False)
        print("power_cut: " + ", ".join(f"{count} {name}" for name, count in sorted(cuts.counts.items())), flush=True)
        if cuts.failed:
            sys.exit(f"power_cut: {cuts.failed} of {cuts.counts['cuts']} cuts lost or changed something")

        blind = Cuts(folder, options)
        records, lives, disk = record(folder, options.seconds, options.seed, ["--plant", options.plant])
        seen = blind.run(records, lives, disk, draw_points(draw, records, lives, options.cuts), planted=True)
        if not seen:
            sys.exit(f"power_cut: {options.cuts} cuts did not show the planted bug: this test is blind")
        print("power_cut: everything that was acknowledged is there; with the bug planted, cut "
              f"{blind.counts['cuts']} shows: {seen.splitlines()[0]}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
