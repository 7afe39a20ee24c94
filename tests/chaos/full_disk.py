#!/usr/bin/python3
"""A real daemon on a small file system of its own, filled to the last byte. Produce is refused and nothing else is: what was
acknowledged is read, and groups commit what they have read; the daemon is killed and starts, is stopped and starts, all on the
full disk; a topic is deleted there, and writing resumes by itself in the room that this gives. Needs root, for the mount.

    tests/chaos/full_disk.py [--file-system tmpfs|ext4]"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from confluent_kafka import OFFSET_INVALID, Consumer, TopicPartition  # noqa: E402
from raw_frames import batch, produce_answer, produce_body, request  # noqa: E402
from served_apis import connect, exchange  # noqa: E402

PRODUCE = 0
KAFKA_STORAGE_ERROR = 56
PARTITIONS = 4
DISK_MIB = 192
VALUE_BYTES = 10_000
RESUME_SECONDS = 15
RESERVE_SECONDS = 30
SKIPPED = 77


def fail(text):
    sys.exit(f"full_disk: {text}")


def mount(kind, folder):
    place = os.path.join(folder, "disk")
    os.mkdir(place)
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", place]
    else:
        image = os.path.join(folder, "image")
        with open(image, "wb") as file:
            file.truncate(DISK_MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        command = ["mount", "-o", "loop", image, place]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"full_disk: skipped: a file system cannot be mounted here: {done.stderr.strip()}")
        sys.exit(SKIPPED)
    return place


def fill(path):
    """Takes every byte that is left."""
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 20, 4096, 512):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass


class Producer:
    """One record a request, acks=all; knows what was acknowledged."""

    def __init__(self):
        self.acknowledged = []
        self.sent = 0

    def send(self, daemon, topic, partition):
        """The error code."""
        value = b"%08d" % self.sent + b"x" * VALUE_BYTES
        self.sent += 1
        with connect(daemon.bootstrap) as connection:
            frame = request(PRODUCE, 7, produce_body(topic, batch([value]), partition=partition), correlation=self.sent)
            error, _ = produce_answer(exchange(connection, frame), topic)
        if not error:
            self.acknowledged.append((topic, value))
        return error

    def until_refused(self, daemon, topic):
        for number in range(10 * (DISK_MIB << 20) // VALUE_BYTES):
            error = self.send(daemon, topic, number % PARTITIONS)
            if error == KAFKA_STORAGE_ERROR:
                return
            if error:
                fail(f"a full disk is answered with error {error}")
        fail("the disk never filled up")

    def check(self, daemon, topic):
        there = read_all(daemon.bootstrap, topic)
        wanted = {value for name, value in self.acknowledged if name == topic}
        if wanted - set(there) or len(there) != len(set(there)):
            fail(f"{topic}: {len(wanted - set(there))} acknowledged records are gone, "
                 f"{len(there) - len(set(there))} are there twice")


def read_all(bootstrap, topic):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False})
    values = []
    for partition in range(PARTITIONS):
        place = TopicPartition(topic, partition, 0)
        end = consumer.get_watermark_offsets(place, timeout=20)[1]
        consumer.assign([place])
        for _ in range(end):
            message = consumer.poll(20)
            if message is None or message.error():
                fail(f"{topic}-{partition} cannot be read to its end at {end}")
            values.append(message.value())
    consumer.close()
    return values


def await_reserve(daemon):
    """What the next start needs is put aside again soon after a start."""
    path = os.path.join(daemon.data_dir, "tidemark", "reserve")
    deadline = time.monotonic() + RESERVE_SECONDS
    sizes = []
    while len(sizes) < 12 or len(set(sizes[-12:])) > 1:
        sizes.append(os.path.getsize(path) if os.path.exists(path) else 0)
        if time.monotonic() > deadline:
            fail(f"the reserve still changes: {sizes[-12:]}")
        time.sleep(0.2)


class Committer:
    """A consumer of a group that comes back again and again, and commits another offset each time, over and over."""

    def __init__(self):
        self.offset = 0

    def commit(self, daemon, topic):
        consumer = Consumer({"bootstrap.servers": daemon.bootstrap, "group.id": "reader", "enable.auto.commit": False})
        place = TopicPartition(topic, 0)
        there = consumer.committed([place], timeout=20)[0].offset
        if there != (self.offset or OFFSET_INVALID):
            fail(f"{self.offset} was committed, and {there} is there")
        self.offset += 1
        for _ in range(20):
            consumer.commit(offsets=[TopicPartition(topic, 0, self.offset)], asynchronous=False)
        consumer.close()


def free_bytes(place):
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--file-system", choices=["tmpfs", "ext4"], default="tmpfs")
    kind = parser.parse_args().file_system
    folder = tempfile.mkdtemp(prefix="tidemark-full-disk.")
    place = mount(kind, folder)
    daemon = brokers.Broker(properties={"journal.size": 32 << 20})
    daemon.data_dir = os.path.join(place, "data")
    filler = os.path.join(place, "filler")
    try:
        daemon.start()
        admin = Admin(daemon.bootstrap)
        settings = {"segment.bytes": str(8 << 20), "file.delete.delay.ms": "500"}
        for topic in ("kept", "spare"):
            admin.create_topic(topic, PARTITIONS, settings)
        producer, committer = Producer(), Committer()
        for number in range(1000):
            if producer.send(daemon, "spare", number % PARTITIONS):
                fail("a disk with room refuses")
        with open(filler, "wb") as file:
            file.truncate(0)
            os.posix_fallocate(file.fileno(), 0, free_bytes(place) - (40 << 20))
        committer.commit(daemon, "kept")
        producer.until_refused(daemon, "kept")
        fill(filler)
        producer.until_refused(daemon, "kept")
        for how in ("as it is", "killed", "stopped", "stopped again", "killed again"):
            if how.startswith("killed"):
                daemon.kill()
                daemon.start()
            elif how.startswith("stopped"):
                daemon.stop()
                daemon.start()
            await_reserve(daemon)
            print(f"full_disk: {how}: ready after {daemon.ready_seconds:.2f} s, {free_bytes(place)} bytes free", flush=True)
            fill(filler)
            producer.check(daemon, "kept")
            committer.commit(daemon, "kept")
            if producer.send(daemon, "kept", 0) not in (0, KAFKA_STORAGE_ERROR):
                fail("a full disk is answered otherwise after a restart")
        Admin(daemon.bootstrap).delete_topic("spare")
        deadline = time.monotonic() + RESUME_SECONDS
        while producer.send(daemon, "kept", 0):
            if time.monotonic() > deadline:
                fail(f"still refused {RESUME_SECONDS} s after a topic was deleted: {free_bytes(place)} bytes free")
            time.sleep(0.2)
        os.remove(filler)
        producer.check(daemon, "kept")
        daemon.stop()
        daemon.start()
        producer.check(daemon, "kept")
        daemon.stop()
    finally:
        daemon.close()
        subprocess.run(["umount", place], check=False)
    print(f"full_disk: {len(producer.acknowledged)} records acknowledged, all of those kept are there")


if __name__ == "__main__":
    main()
