#!/usr/bin/python3
"""Hostile clients against a live broker: random and mutated frames for every key and version, connections that announce 90 MB and
send nothing more, decompression bombs, counts of 2^31-1, and requests without a mistake that name hundreds of thousands of things
and whose answers nobody reads. The process must live, grow by less than 300 MB, and answer an honest
client's acks=all produce and its fetch within a second throughout.
    tests/chaos/hostile.py [--seconds N] [--seed N]"""

import argparse
import glob
import multiprocessing
import os
import random
import struct
import sys
import time
import zlib

import lz4.frame
import zstandard

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from raw_frames import batch, crc32c, framed, produce_answer, produce_body, request, string, varint  # noqa: E402
from served_apis import connect, exchange, served_apis  # noqa: E402

PRODUCE, FETCH, FIND_COORDINATOR, JOIN_GROUP, API_VERSIONS, CREATE_TOPICS = 0, 1, 10, 11, 18, 19
TOPIC, VICTIM, EMPTY = "honest", "victim", "empty"
MEMORY_MIB, ANSWER_SECONDS = 300, 1.0
SILENT_CONNECTIONS, ANNOUNCED_BYTES = 150, 90 << 20
BOMB_BYTES = 1 << 30
CORPUS = os.path.join(brokers.ROOT, "tests", "fuzz", "corpus", "requests")


def frames_to_mutate():
    """(key, version, body) of genuine requests; the fuzz corpus keeps key and version in the first two bytes."""
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(CORPUS), "*"))):
        with open(path, "rb") as file:
            data = file.read()
        found.append((data[0], data[1], data[2:]))
    assert len(found) > 50, CORPUS
    return found


def mutated(rng, body):
    data = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        kind, at = rng.randrange(5), rng.randrange(len(data) + 1)
        if kind == 0:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 1:
            del data[at:at + rng.randrange(1, 20)]
        elif kind == 2:  # a count or length that cannot be
            data[at:at + 4] = rng.choice([b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xff", b"\0\xff\xff\xff"])
        elif kind == 3:  # the same as a varint
            data[at:at + 1] = rng.choice([b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\x01"])
        elif data:
            data[at % len(data)] = rng.randrange(256)
    return bytes(data)


def send_and_forget(bootstrap, frames):
    """One connection, some frames; reads whatever comes back for a moment."""
    try:
        with connect(bootstrap, 2) as connection:
            for frame in frames:
                connection.sendall(frame)
            connection.settimeout(0.05)
            while connection.recv(1 << 16):
                pass
    except OSError:
        pass


def frames_at_random(bootstrap, seed, deadline, counter):
    rng = random.Random(seed)
    genuine = frames_to_mutate()
    ranges = served_apis(bootstrap)
    keys = sorted(set(ranges) | set(range(0, 95)))
    while time.monotonic() < deadline:
        frames = []
        for _ in range(rng.randrange(1, 8)):
            if rng.random() < 0.6:
                key, version, body = rng.choice(genuine)
                version = rng.choice([version, version, rng.randrange(0, version + 2)])
                body = mutated(rng, body)
                tags = b"\0" if rng.random() < 0.7 else b""
            else:
                key = rng.choice(keys)
                version = rng.randrange(0, ranges.get(key, (0, 5))[1] + 2)
                tags, body = b"", rng.randbytes(rng.randrange(0, 300))
            frames.append(framed(request(key, version, tags + body)))
        if rng.random() < 0.05:
            frames.append(rng.randbytes(rng.randrange(1, 5000)))
        send_and_forget(bootstrap, frames)
        counter.value += len(frames)


def silent_giants(bootstrap, deadline, counter):
    """Connections that announce 90 MB each, send the start of a Produce and nothing more."""
    held = []
    while time.monotonic() < deadline:
        while len(held) < SILENT_CONNECTIONS:
            try:
                connection = connect(bootstrap, 2)
                connection.sendall(struct.pack(">i", ANNOUNCED_BYTES) + request(PRODUCE, 7, b"\0" * 1000))
                connection.settimeout(0)
                held.append(connection)
                counter.value += 1
            except OSError:
                break
        alive = []
        for connection in held:
            try:
                if connection.recv(1) == b"":
                    connection.close()
                    continue
            except BlockingIOError:
                pass
            except OSError:
                connection.close()
                continue
            alive.append(connection)
        held = alive
        time.sleep(0.2)


def bomb(codec):
    """A batch of one record whose value is a gigabyte of zeros: sound in every length, compressed to almost nothing."""
    body_size = 1 + 1 + 1 + 1 + len(varint(BOMB_BYTES)) + BOMB_BYTES + 1
    head = varint(body_size) + b"\0" + varint(0) + varint(0) + varint(-1) + varint(BOMB_BYTES)
    chunk, chunks = b"\0" * (1 << 20), BOMB_BYTES >> 20
    packer = {1: lambda: zlib.compressobj(9, zlib.DEFLATED, 31), 3: lz4.frame.LZ4FrameCompressor,
              4: lambda: zstandard.ZstdCompressor(level=3).compressobj()}[codec]()
    begin = packer.begin() if codec == 3 else b""
    records = begin + packer.compress(head) + b"".join(packer.compress(chunk) for _ in range(chunks))
    records += packer.compress(b"\0") + packer.flush()
    now = int(time.time() * 1000)
    checked = struct.pack(">hiqqqhii", codec, 0, now, now, -1, -1, -1, 1) + records
    after_length = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(after_length)) + after_length


def bombs(bootstrap, frames, deadline, counter):
    while time.monotonic() < deadline:
        for frame in frames:
            try:
                with connect(bootstrap, 30) as connection:
                    exchange(connection, frame)
                counter.value += 1
            except OSError:
                pass
        time.sleep(0.2)


def fetch_body(version, topic, partitions, max_wait_ms):
    """Of versions 4 and 7: each partition from its start; a session begins with it."""
    per_partition = b"\0" * 8 + (b"\0" * 8 if version >= 7 else b"") + struct.pack(">i", 1 << 20)
    body = struct.pack(">iiiib", -1, max_wait_ms, 1, 1 << 20, 0) + (struct.pack(">ii", 0, 0) if version >= 7 else b"")
    body += struct.pack(">i", 1) + string(topic) + struct.pack(">i", len(partitions))
    body += b"".join(struct.pack(">i", partition) + per_partition for partition in partitions)
    return body + (struct.pack(">i", 0) if version >= 7 else b"")


def produce_of_many(topic, records_of):
    """Version 7, one entry for each of `records_of`: (partition, batch or None)."""
    entries = b"".join(struct.pack(">ii", partition, -1 if records is None else len(records)) + (records or b"")
                       for partition, records in records_of)
    return struct.pack(">hhii", -1, -1, 10_000, 1) + string(topic) + struct.pack(">i", len(records_of)) + entries


def compact_array(elements):
    count, left = b"", len(elements) + 1
    while left >= 0x80:
        count, left = count + bytes([left & 0x7F | 0x80]), left >> 7
    return count + bytes([left]) + b"".join(elements)


def join_body(group):
    """Of version 2: a first member waits for others, for group.initial.rebalance.delay.ms."""
    return (string(group) + struct.pack(">ii", 30_000, 300_000) + string("") + string("consumer") + struct.pack(">i", 1) +
            string("range") + struct.pack(">i", 4) + b"\0\0\0\0")


def sound_giants():
    """(frames of one connection) without a mistake in them; what each is about."""
    value = b"\0" * 200_000  # a small bomb, again and again
    body = b"\0" + varint(0) + varint(0) + varint(-1) + varint(len(value)) + value + varint(0)
    now = int(time.time() * 1000)
    checked = struct.pack(">hiqqqhii", 1, 0, now, now, -1, -1, -1, 1) + zlib.compress(varint(len(body)) + body, 9, 31)
    after_length = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    small_bomb = struct.pack(">qi", 0, len(after_length)) + after_length
    topics = compact_array([b"\x06t%04d" % n + struct.pack(">ih", 1, 1) + b"\x01\x01\0" for n in range(5000)])
    topics = b"\0" + topics + struct.pack(">ib", 10_000, 1) + b"\0"  # what it would make, and its settings
    coordinators = b"\0\0" + compact_array([b"\x01"] * 300_000) + b"\0"
    number = 0
    while True:
        number += 1
        yield [request(PRODUCE, 7, produce_of_many("nowhere", [(n, None) for n in range(200_000)]))]
        yield [request(FETCH, 4, fetch_body(4, EMPTY, [0] * 100_000, 60_000))]
        yield [request(FETCH, 7, fetch_body(7, f"invented{number}", range(60_000), 0))]
        yield [request(FIND_COORDINATOR, 4, coordinators)] * 8
        yield [request(CREATE_TOPICS, 5, topics)] * 8
        yield [request(PRODUCE, 7, produce_of_many(VICTIM, [(0, small_bomb)] * 1500))]
        yield [request(JOIN_GROUP, 2, join_body(f"crowd{number}"))] + [request(API_VERSIONS, 0, b"")] * 63


def sound_giants_unread(bootstrap, deadline, counter):
    """Twelve connections at a time, each with one of these; nobody reads what comes back."""
    held, giants = [], sound_giants()
    while time.monotonic() < deadline:
        try:
            connection = connect(bootstrap, 2)
            connection.settimeout(0.2)
            held.append(connection)
            connection.sendall(b"".join(framed(frame) for frame in next(giants)))
            counter.value += 1
        except OSError:
            pass
        while len(held) > 12:
            held.pop(0).close()


class Honest:
    """Writes and reads one record after the other, and keeps the slowest answer."""

    def __init__(self, bootstrap):
        self.connection = connect(bootstrap)
        self.slowest, self.answers = 0.0, 0

    def once(self):
        value = b"honest-%d" % self.answers
        began = time.monotonic()
        error, offset = produce_answer(exchange(self.connection, request(PRODUCE, 7, produce_body(TOPIC, batch([value])))), TOPIC)
        produced = time.monotonic()
        if error:
            sys.exit(f"hostile: the honest produce was answered with error {error}")
        response = exchange(self.connection, request(FETCH, 4, struct.pack(">iiiibi", -1, 500, 1, 1 << 20, 0, 1) + string(TOPIC) +
                                                     struct.pack(">iiqi", 1, 0, offset, 1 << 20)))
        fetched = time.monotonic()
        if value not in response:
            sys.exit("hostile: the honest fetch did not return what was acknowledged")
        self.slowest = max(self.slowest, produced - began, fetched - produced)
        self.answers += 1


class Siege:
    """A broker, who attacks it, and an honest client meanwhile."""

    def __init__(self, attacks, seconds, properties=None):
        self.attacks, self.seconds, self.properties = attacks, seconds, properties or {}
        self.counts, self.complaints = {}, []

    def run(self):
        daemon = brokers.Broker(properties=self.properties).start()
        try:
            for topic in (TOPIC, VICTIM, EMPTY):
                # Large batches are admitted, so that the bombs are opened at all.
                Admin(daemon.bootstrap).create_topic(topic, 1, {"max.message.bytes": str(32 << 20)})
            honest = Honest(daemon.bootstrap)
            for _ in range(50):
                honest.once()
            before, most = daemon.resident_kib(), 0
            deadline = time.monotonic() + self.seconds
            counters = {name: multiprocessing.Value("q", 0, lock=False) for name in self.attacks}
            attackers = [multiprocessing.Process(target=attack, args=(daemon.bootstrap, *arguments, deadline, counters[name]))
                         for name, (attack, *arguments) in self.attacks.items()]
            for attacker in attackers:
                attacker.start()
            while any(attacker.is_alive() for attacker in attackers):
                honest.once()
                if not daemon.is_running():
                    sys.exit(f"hostile: the broker died\n{daemon.log_tail()}")
                most = max(most, daemon.resident_kib())
                time.sleep(0.01)
            self.counts = {name: counter.value for name, counter in counters.items()}
            grown = (most - before) // 1024
            print(f"hostile: memory grew by {grown} MiB; {honest.answers} honest answers, the slowest after "
                  f"{1000 * honest.slowest:.0f} ms", flush=True)
            if min(self.counts.values()) == 0:
                sys.exit("hostile: an attack did not take place")
            if grown >= MEMORY_MIB:
                sys.exit(f"hostile: less than {MEMORY_MIB} MiB wanted")
            if honest.slowest > ANSWER_SECONDS:
                sys.exit(f"hostile: at most {ANSWER_SECONDS} s wanted")
            daemon.stop()
        finally:
            daemon.close()
        return self.counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    bomb_frames = [request(PRODUCE, 7, produce_body(VICTIM, bomb(codec))) for codec in (1, 3, 4)]
    largest = max(len(frame) for frame in bomb_frames)

    counts = Siege({"frames": (frames_at_random, options.seed), "giants": (silent_giants,), "bombs": (bombs, bomb_frames)},
                   options.seconds / 2).run()
    print(f"hostile: {counts['frames']} wrong frames, {counts['giants']} connections that announced {ANNOUNCED_BYTES >> 20} MB, "
          f"{counts['bombs']} bombs of {BOMB_BYTES >> 20} MB in at most {largest >> 10} KiB; seed {options.seed}", flush=True)
    if counts["giants"] < SILENT_CONNECTIONS:
        sys.exit("hostile: too few of them")
    # All that these may take is 13/8 of this (config/reference.md).
    counts = Siege({"sound": (sound_giants_unread,)}, options.seconds / 2, {"memory.limit": str(160 << 20)}).run()
    print(f"hostile: {counts['sound']} connections with requests of hundreds of thousands of things")


if __name__ == "__main__":
    main()
