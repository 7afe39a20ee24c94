#!/usr/bin/python3
"""What a newer release wrote is refused, in one line that says which file and what to do, with exit status 1: each file of ours
is given a format version that this release does not know, with a checksum that holds."""

import glob
import json
import os
import struct
import subprocess
import sys
import unittest

import release
from raw_client import RawClient
from raw_frames import batch, crc32c, string

SLOT = 512  # of a double-written file
STRETCH_HEADER = 512
BATCH_CRC_FROM = 21  # its checksum covers what follows


def rewrite(path, change):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    change(data)
    with open(path, "wb") as file:
        file.write(data)


def newer_double_written(data):
    """Kind, checksum of all that follows, count, version."""
    for slot in range(0, 2 * SLOT, SLOT):
        if not any(data[slot:slot + 4]):
            continue
        version, = struct.unpack_from("<H", data, slot + 16)
        struct.pack_into("<H", data, slot + 16, version + 1)
        struct.pack_into("<I", data, slot + 4, crc32c(data[slot + 8:slot + SLOT]))


def newer_stretch(data):
    """Magic, version; the checksum comes last."""
    version, = struct.unpack_from("<H", data, 4)
    struct.pack_into("<H", data, 4, version + 1)
    struct.pack_into("<I", data, STRETCH_HEADER - 4, crc32c(data[:STRETCH_HEADER - 4]))


def newer_snapshot(data):
    """Magic, version; the checksum covers what follows it."""
    version, = struct.unpack_from("<H", data, 4)
    struct.pack_into("<H", data, 4, version + 1)


def newer_record(field):
    """The first record of the last batch: `field` 0 is its frame's version, 1 its type, 2 its version. All of one byte."""
    def change(data):
        at, found = 0, None
        while at + 61 <= len(data):
            length, = struct.unpack_from(">i", data, at + 8)
            attributes, = struct.unpack_from(">h", data, at + BATCH_CRC_FROM)
            if not attributes & 0x20:  # no control batch
                found = at, 12 + length
            at += 12 + length
        start, size = found
        value = start + 61
        while data[value] & 0x80:
            value += 1  # the record's length
        value += 1 + 1 + 1 + 1 + 1  # and its attributes, time and offset; no key
        while data[value] & 0x80:
            value += 1  # the value's length
        data[value + 1 + field] = 0x7F
        struct.pack_into(">I", data, start + 17, crc32c(data[start + BATCH_CRC_FROM:start + size]))
    return change


def newer_store(data):
    """RocksDB's write-ahead log: records of checksum, length, type, payload; the first one holds our stamp."""
    key = b"\x07\0format\x01"
    value = data.index(key) + len(key)
    assert data[value:value + 1] == b"1"
    data[value:value + 1] = b"2"
    length, = struct.unpack_from("<H", data, 4)
    assert value < 7 + length
    crc = crc32c(data[6:7 + length])
    struct.pack_into("<I", data, 0, ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


class NewerFormat(unittest.TestCase):
    def setUp(self):
        self.broker = release.brokers.Broker()
        self.addCleanup(self.broker.close)

    def fill(self, clean):
        self.broker.start()
        release.Admin(self.broker.bootstrap).create_topic("tide")
        if clean:
            self.broker.stop()
        else:
            self.broker.kill()

    def change(self, pattern, change):
        paths = sorted(glob.glob(os.path.join(self.broker.data_dir, pattern)))
        self.assertTrue(paths, pattern)
        rewrite(paths[-1], change)
        return paths[-1]

    def refused(self, *words):
        """Nothing that it left is worse afterwards: a second start says the same."""
        said = []
        for _ in range(2):
            done = subprocess.run([os.path.join(release.brokers.BIN, "tidemarkd"), "--data-dir", self.broker.data_dir,
                                   "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-format", "json"],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            lines = [json.loads(line) for line in done.stderr.splitlines()]
            errors = [line for line in lines if line["level"] == "error"]
            self.assertEqual(len(errors), 1, done.stderr)
            said.append(json.dumps(errors[0]))
            for word in words:
                self.assertIn(word, said[-1])

    def test_identity(self):
        self.fill(clean=True)
        path = self.change("tidemark/identity", newer_double_written)
        self.refused(path, "format version 2", "reads up to 1", "start the newer release")

    def test_partition_state(self):
        self.fill(clean=True)
        path = self.change("tide-0/partition.state", newer_double_written)
        self.refused(path, "format version 5", "reads up to 4", "start the newer release")

    def test_trimmed_producers(self):
        self.broker.start()
        release.Admin(self.broker.bootstrap).create_topic("tide")
        client = RawClient(self.broker.bootstrap)
        number, epoch = release.new_producer_id(client)
        client.produce("tide", batch([b"once"], producer=(number, epoch, 0)))
        body = struct.pack(">i", 1) + string("tide") + struct.pack(">iiq", 1, 0, 1) + struct.pack(">i", 30_000)
        client.ask(release.DELETE_RECORDS, 1, body)
        client.close()
        self.broker.stop()
        path = self.change("tide-0/partition.producers", newer_snapshot)
        self.refused(path, "format version 2", "reads up to 1")

    def test_journal(self):
        self.fill(clean=False)
        self.change("tidemark/journal/1-0-0.journal", newer_stretch)
        self.refused("1-0-0.journal", "format version 2", "reads up to 1", "start the newer release")

    def test_key_value_store(self):
        self.fill(clean=False)
        self.change("tidemark/derived/*.log", newer_store)
        self.refused("derived", "format version 2", "reads up to 1", "start the newer release")

    def test_metadata_record(self):
        for field in range(3):
            with self.subTest(field=field):
                self.setUp()
                self.fill(clean=True)
                self.change("__cluster_metadata-0/*.log", newer_record(field))
                self.refused("__cluster_metadata-0 at offset", "start the newer release")

    def test_metadata_snapshot(self):
        for field in range(3):
            with self.subTest(field=field):
                self.setUp()
                self.broker.options += ["--set", "metadata.log.max.record.bytes.between.snapshots=1"]
                self.fill(clean=True)
                path = self.change("__cluster_metadata-0/*.checkpoint", newer_record(field))
                self.refused(os.path.basename(path), "start the newer release")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
