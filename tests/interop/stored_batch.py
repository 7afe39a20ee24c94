"""Record batches (format 2) as they lie in a partition's .log files: what the broker really stored, whatever it says."""

import collections
import glob
import os
import struct
import time

HEADER = struct.Struct(">qiibIhiqqqhii")
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]

StoredBatch = collections.namedtuple(
    "StoredBatch", "base_offset last_offset leader_epoch codec log_append_time transactional control first_timestamp "
    "max_timestamp producer_id producer_epoch base_sequence count file")


def batches_of_file(path):
    with open(path, "rb") as file:
        return batches_of(file.read(), path)


def batches_of(data, path=""):
    position, found = 0, []
    while position + HEADER.size <= len(data):
        (base, length, epoch, magic, _crc, attributes, last_delta, first, newest, producer, producer_epoch, sequence,
         count) = HEADER.unpack_from(data, position)
        if magic != 2:
            raise AssertionError(f"{path} at {position}: magic {magic}")
        if position + 12 + length > len(data):
            break  # being written
        found.append(StoredBatch(base, base + last_delta, epoch, CODECS[attributes & 7], bool(attributes & 8),
                                 bool(attributes & 16), bool(attributes & 32), first, newest, producer, producer_epoch,
                                 sequence, count, os.path.basename(path)))
        position += 12 + length
    return found


def stored_batches(data_dir, topic, partition, end_offset, patience_seconds=20):
    """All batches of a partition's files, waiting until they reach up to `end_offset` (the journal comes first; the
    segment follows)."""
    pattern = os.path.join(glob.escape(os.path.join(data_dir, f"{topic}-{partition}")), "*.log")
    deadline = time.monotonic() + patience_seconds
    while True:
        found = [batch for path in sorted(glob.glob(pattern)) for batch in batches_of_file(path)]
        if found and found[-1].last_offset + 1 >= end_offset:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{pattern} does not reach offset {end_offset}: {found[-1:]}")
        time.sleep(0.05)
