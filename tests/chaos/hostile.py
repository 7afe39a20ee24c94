#!/usr/bin/python3
"""Hostile clients against a live broker: random and mutated frames for every key and version, connections that announce 90 MB and
send nothing more, decompression bombs, counts of 2^31-1. The process must live, grow by less than 300 MB, and answer an honest
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

PRODUCE, FETCH = 0, 1
TOPIC, VICTIM = "honest", "victim"
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    bomb_frames = [request(PRODUCE, 7, produce_body(VICTIM, bomb(codec))) for codec in (1, 3, 4)]
    largest = max(len(frame) for frame in bomb_frames)

    daemon = brokers.Broker().start()
    try:
        for topic in (TOPIC, VICTIM):
            # Large batches are admitted, so that the bombs are opened at all.
            Admin(daemon.bootstrap).create_topic(topic, 1, {"max.message.bytes": str(32 << 20)})
        honest = Honest(daemon.bootstrap)
        for _ in range(50):
            honest.once()
        before, most = daemon.resident_kib(), 0
        deadline = time.monotonic() + options.seconds
        counters = {name: multiprocessing.Value("q", 0, lock=False) for name in ("frames", "giants", "bombs")}
        attackers = [
            multiprocessing.Process(target=frames_at_random, args=(daemon.bootstrap, options.seed, deadline, counters["frames"])),
            multiprocessing.Process(target=silent_giants, args=(daemon.bootstrap, deadline, counters["giants"])),
            multiprocessing.Process(target=bombs, args=(daemon.bootstrap, bomb_frames, deadline, counters["bombs"])),
        ]
        for attacker in attackers:
            attacker.start()
        while any(attacker.is_alive() for attacker in attackers):
            honest.once()
            if not daemon.is_running():
                sys.exit(f"hostile: the broker died (seed {options.seed})\n{daemon.log_tail()}")
            most = max(most, daemon.resident_kib())
            time.sleep(0.01)
        counts = {name: counter.value for name, counter in counters.items()}
        grown = (most - before) // 1024
        print(f"hostile: {counts['frames']} wrong frames, {counts['giants']} connections that announced {ANNOUNCED_BYTES >> 20} MB, "
              f"{counts['bombs']} bombs of {BOMB_BYTES >> 20} MB in at most {largest >> 10} KiB; seed {options.seed}")
        print(f"hostile: memory grew by {grown} MiB; {honest.answers} honest answers, the slowest after {1000 * honest.slowest:.0f} ms")
        if min(counts.values()) == 0 or counts["giants"] < SILENT_CONNECTIONS:
            sys.exit("hostile: an attack did not take place")
        if grown >= MEMORY_MIB:
            sys.exit(f"hostile: less than {MEMORY_MIB} MiB wanted")
        if honest.slowest > ANSWER_SECONDS:
            sys.exit(f"hostile: at most {ANSWER_SECONDS} s wanted")
        daemon.stop()
    finally:
        daemon.close()


if __name__ == "__main__":
    main()
