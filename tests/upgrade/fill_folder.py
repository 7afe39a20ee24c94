#!/usr/bin/python3
"""Makes this release's entry under releases/: a daemon with two data folders is filled through requests, over three lives, and
then loses what a power cut may take from it, so that some records are in the journal alone. Run once for a release, on its final
build:

    /usr/bin/python3 tests/upgrade/fill_folder.py [--folder-of-another-version NAME]

What is committed is never made again: a later release has to open what this one wrote."""

import glob
import os
import shutil
import struct
import subprocess
import sys
import time

import release
from confluent_kafka import Consumer, Producer, TopicPartition
from raw_client import RawClient
from raw_frames import batch, string
import broker as brokers
import stored_batch

START_OF_TIME_MS = 1_700_000_000_000
STEP_MS = 2000
FOREVER = {"retention.ms": "-1"}  # the records' times are long past
SMALL_SEGMENTS = {**FOREVER, "segment.ms": "7000"}  # of the records' time: every fourth record begins one
COMPACTED = {"cleanup.policy": "compact", "segment.ms": "7000", "min.cleanable.dirty.ratio": "0.001",
             "delete.retention.ms": str(10**15)}
GROUP = "readers"
BEHIND_A_CHECKPOINT_SECONDS = 2.5  # the first one comes 300 ms into a life, the second 5 s after it


class Filler:
    def __init__(self):
        # Small pieces, so that the archive is small too; two shards have two journals in each folder beside the metadata's.
        self.broker = brokers.Broker(properties={"journal.size": 8 << 20, "shards": 2, "log.cleaner.backoff.ms": 50,
                                                 "offsets.topic.num.partitions": 1, "group.initial.rebalance.delay.ms": 0,
                                                 "metadata.log.max.record.bytes.between.snapshots": 2000,
                                                 "log.index.interval.bytes": 64})
        release.use_two_folders(self.broker)
        self.count = 0
        self.sequences = {}
        self.last_batches = []

    def start(self):
        self.broker.start()
        self.client = RawClient(self.broker.bootstrap)
        self.admin = release.Admin(self.broker.bootstrap)

    def next_time(self):
        self.count += 1
        return START_OF_TIME_MS + self.count * STEP_MS

    def produce(self, topic, partition, codec, count, keyed=False):
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "acks": "all", "compression.type": codec,
                             "linger.ms": 50, "log_level": 0})
        for i in range(count):
            time_ms = self.next_time()
            producer.produce(topic, None if keyed and i == 1 else f"{topic} {codec} {time_ms} " + "tide " * 20,
                             f"key {i}" if keyed else None, partition, timestamp=time_ms,
                             headers=[("by", codec.encode()), ("nothing", None)] if keyed else None)
            if i % 2:
                producer.flush(30)  # a batch of two
        if producer.flush(30):
            sys.exit("not all records were taken")

    def produce_idempotent(self, topic, producer, count):
        """The last batch is remembered, with its place: it will be sent again."""
        number, epoch = producer
        sequence = self.sequences.get(number, 0)
        time_ms = self.next_time()
        records = batch([f"{topic} {number} {sequence + i}".encode() for i in range(count)], timestamp_ms=time_ms,
                        producer=(number, epoch, sequence))
        error, offset = self.client.produce(topic, records)
        if error:
            sys.exit(f"{topic}: error {error}")
        self.sequences[number] = sequence + count
        self.last_batches = [known for known in self.last_batches if known["producer"] != number]
        self.last_batches.append({"topic": topic, "producer": number, "epoch": epoch, "offset": offset,
                                  "next_sequence": sequence + count, "batch": release.as_text(records)})

    def produce_and_clean(self, topic, count):
        """Records of three keys, one of which ends with a tombstone, until of each the newest is left in what is sealed."""
        for number in range(count):
            records = batch([None if number % 3 == 2 else f"{topic} {number}".encode()], keys=[b"key %d" % (number % 3)],
                            timestamp_ms=self.next_time())
            error, _ = self.client.produce(topic, records)
            if error:
                sys.exit(f"{topic}: error {error}")
        deadline = time.monotonic() + release.PATIENCE_SECONDS
        while True:
            active = max(int(os.path.basename(path)[:-len(".log")]) for path in release.files(self.broker, topic + "-0", "*.log"))
            sealed = range(active - 3, active)
            if self.client.offsets_left(topic, count) == [*sealed, *range(active, count)] and active > 6:
                return
            if time.monotonic() > deadline:
                sys.exit(f"{topic} is not cleaned up to {active}")
            time.sleep(0.05)

    def read_as_a_group(self, topic):
        """A member that has joined commits where it is, and leaves."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP, "auto.offset.reset": "earliest",
                             "enable.auto.commit": False, "log_level": 0})
        consumer.subscribe([topic])
        message = consumer.poll(release.PATIENCE_SECONDS)
        if message is None or message.error():
            sys.exit(f"{GROUP} reads nothing of {topic}")
        consumer.commit(message=message, asynchronous=False)
        consumer.close()

    def trim(self, topic, offset):
        body = struct.pack(">i", 1) + string(topic) + struct.pack(">iiq", 1, 0, offset) + struct.pack(">i", 30_000)
        self.client.ask(release.DELETE_RECORDS, 1, body)
        if self.client.log_start(topic) != offset:
            sys.exit(f"{topic} does not start at {offset}")

    def sizes(self):
        """Of every segment of a journaled topic, and of the metadata log."""
        return {path: os.path.getsize(path) for path in release.files(self.broker, "*", "*.log") if "/cached-" not in path}

    # --- three lives ---------------------------------------------------------------------------------------------
    def first_life(self):
        self.start()
        self.admin.create_topic("journaled", 3, SMALL_SEGMENTS)
        self.admin.create_topic("cached", 2, {**SMALL_SEGMENTS, "write.caching": "true", "flush.messages": "10"})
        self.admin.create_topic("idempotent", 1, {**FOREVER, "min.insync.replicas": "1"})
        self.admin.create_topic("trimmed", 1, {**SMALL_SEGMENTS, "file.delete.delay.ms": "0"})
        self.admin.create_topic("deleted", 2, FOREVER)
        self.admin.create_topic("made-again", 1, SMALL_SEGMENTS)
        self.admin.create_topic("compacted", 1, COMPACTED)
        self.admin.create_topic("empty", 5, {**FOREVER, "max.message.bytes": "77777", "message.timestamp.type": "LogAppendTime"})
        for codec in stored_batch.CODECS:
            self.produce("journaled", 0, codec, 6, keyed=True)
            self.produce("cached", 0, codec, 4)
        self.producers = [release.new_producer_id(self.client) for _ in range(3)]
        self.produce_idempotent("trimmed", self.producers.pop(), 3)  # trimmed, and known all the same
        self.produce("trimmed", 0, "none", 20)
        self.produce("deleted", 1, "lz4", 4)
        self.produce("made-again", 0, "none", 4)
        for _ in range(7):
            for producer in self.producers:
                self.produce_idempotent("idempotent", producer, 3)
        self.trim("trimmed", 5)
        self.produce_and_clean("compacted", 14)
        self.read_as_a_group("journaled")
        self.admin.delete_topic("deleted")
        self.admin.delete_topic("made-again")
        self.broker.stop()

    def second_life(self):
        self.start()
        self.admin.create_topic("made-again", 1, {**FOREVER, "segment.bytes": "2000000"})
        subprocess.run([os.path.join(brokers.BIN, "tidemark"), "-b", self.broker.bootstrap, "config", "set", "topic", "trimmed",
                        "segment.ms=5000"], check=True, stdout=subprocess.DEVNULL)
        self.produce("made-again", 0, "zstd", 6)
        self.produce("journaled", 1, "snappy", 8)
        self.produce("cached", 1, "gzip", 8)
        self.produce_idempotent("idempotent", self.producers[0], 1)
        time.sleep(BEHIND_A_CHECKPOINT_SECONDS)
        self.broker.kill()

    def third_life(self):
        self.start()
        reader = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP, "log_level": 0})
        reader.committed([TopicPartition("journaled", 1)], timeout=release.PATIENCE_SECONDS)  # knows its coordinator now
        time.sleep(BEHIND_A_CHECKPOINT_SECONDS)
        on_disk = self.sizes()
        began = time.monotonic()
        # From here on the journal alone has it.
        self.admin.create_topic("newest", 1, SMALL_SEGMENTS)
        self.produce("newest", 0, "lz4", 6)
        self.produce("journaled", 0, "gzip", 6)
        self.produce("journaled", 1, "zstd", 6)
        self.produce_idempotent("idempotent", self.producers[1], 4)
        self.trim("trimmed", 13)
        reader.commit(offsets=[TopicPartition("journaled", 1, 5)], asynchronous=False)
        if time.monotonic() - began > 2:
            sys.exit("a checkpoint may have come in between: on a quieter machine, again")
        expected = release.what_is_there(self.broker.bootstrap)
        if time.monotonic() - began > 2.4:
            sys.exit("a checkpoint may have come in between: on a quieter machine, again")
        self.client.close()
        reader.close()
        self.broker.kill()
        alone = self.cut_power(on_disk)
        return {**expected, "last_batches": self.last_batches, "in_journal_alone": alone}

    def cut_power(self, on_disk):
        """Names of the folders that lost something."""
        known, lost = {os.path.dirname(path) for path in on_disk}, set()
        for path, size in self.sizes().items():
            folder = os.path.dirname(path)
            if size > on_disk.get(path, 0):
                lost.add(os.path.basename(folder))
            if path in on_disk:
                os.truncate(path, on_disk[path])
            elif folder in known:
                for file in glob.glob(path[:-len(".log")] + ".*"):
                    os.remove(file)
            else:
                shutil.rmtree(folder, ignore_errors=True)
        return sorted(lost)


def main():
    version = release.this_version()
    if sys.argv[1:]:
        if len(sys.argv) != 3 or sys.argv[1] != "--folder-of-another-version":
            sys.exit(__doc__)
        version = sys.argv[2]
    if os.path.exists(release.folder_of(version)):
        sys.exit(f"releases/{version} is there: what is committed is never made again")
    filler = Filler()
    try:
        filler.first_life()
        filler.second_life()
        expected = filler.third_life()
        release.pack(filler.broker, version, expected)
    finally:
        filler.broker.close()
    print("in the journal alone are the newest records of", *expected["in_journal_alone"])
    records = sum(len(partition["records"]) for topic in expected["topics"].values() for partition in topic["partitions"])
    size = sum(os.path.getsize(os.path.join(release.folder_of(version), name)) for name in (release.ARCHIVE, release.EXPECTED))
    print(f"releases/{version}: {len(expected['topics'])} topics, {records} records, {size} bytes")
    if size > release.MAX_BYTES:
        sys.exit(f"that is more than {release.MAX_BYTES}")


if __name__ == "__main__":
    main()
