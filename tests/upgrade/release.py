"""The data folders of earlier releases, as `releases/VERSION/` keeps them, and what a daemon must answer for each."""

import base64
import glob
import json
import lzma
import os
import re
import struct
import sys
import tarfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from raw_client import RawClient  # noqa: E402
import stored_batch  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
RELEASES = os.path.join(HERE, "releases")
ARCHIVE, EXPECTED = "data.tar.xz", "expected.json"
FOLDERS = "data", "second"  # a release's data folders; the first ones have but one
OFFSETS_TOPIC = "__consumer_offsets"
MAX_BYTES = 200_000  # of one release, both files together
INIT_PRODUCER_ID, DELETE_RECORDS = 22, 21
PATIENCE_SECONDS = 60


def this_version():
    with open(os.path.join(HERE, "..", "..", "CMakeLists.txt"), encoding="utf-8") as file:
        return re.search(r"project\(tidemark VERSION (\S+)", file.read()).group(1)


def folder_of(version):
    return os.path.join(RELEASES, version)


def versions():
    return sorted(name for name in os.listdir(RELEASES) if os.path.isdir(folder_of(name)))


def expected_of(version):
    with open(os.path.join(folder_of(version), EXPECTED), encoding="utf-8") as file:
        return json.load(file)


def files(broker, *pattern):
    """Of all its data folders."""
    return sorted(path for folder in FOLDERS for path in glob.glob(os.path.join(broker.folder, folder, *pattern)))


def use_two_folders(broker):
    broker.flags.remove("--data-dir")
    broker.options += ["--set", "log.dirs=" + ",".join(os.path.join(broker.folder, name) for name in FOLDERS)]


def pack(broker, version, expected):
    """Without owners, and without RocksDB's own notes; the files' times stay: they are part of what a start reads."""
    os.makedirs(folder_of(version), exist_ok=True)

    def kept(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return None if entry.name.endswith("/derived/LOG") else entry

    with lzma.open(os.path.join(folder_of(version), ARCHIVE), "wb", preset=9) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in FOLDERS:
                archive.add(os.path.join(broker.folder, name), name, filter=kept)
    with open(os.path.join(folder_of(version), EXPECTED), "w", encoding="utf-8") as file:
        json.dump(expected, file, indent=None, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        file.write("\n")


def unpacked(version, options=()):
    """A broker, not started, whose data folders are that release's."""
    broker = brokers.Broker(options)
    with tarfile.open(os.path.join(folder_of(version), ARCHIVE)) as archive:
        archive.extractall(broker.folder)
    if os.path.exists(os.path.join(broker.folder, FOLDERS[1])):
        use_two_folders(broker)
    return broker


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return (value >> 1) ^ -(value & 1), at


def metadata_records(data):
    """(type, version) of each record of a metadata log or snapshot: behind the version of its frame, each a byte so far."""
    at = 0
    for batch in stored_batch.batches_of(data):
        length, = struct.unpack_from(">i", data, at + 8)
        place = at + stored_batch.HEADER.size
        for _ in range(0 if batch.control else batch.count):
            size, place = varint(data, place)
            value = place + 1
            for _ in range(4):  # of time, of offset, of the key, which is none, and of the value
                _, value = varint(data, value)
            yield data[value + 1], data[value + 2]
            place += size
        at += 12 + length


def formats(broker):
    """The newest format version of each kind of file of ours, and of each type of metadata record, in a broker's folders. Not of
    what is derived from them."""
    found = {}

    def note(kind, version):
        found[kind] = max(version, found.get(kind, 0))

    for kind, pattern, places in (("identity", ("tidemark", "identity"), (16, 512 + 16)),
                                  ("partition.state", ("*", "partition.state"), (16, 512 + 16)),
                                  ("partition.producers", ("*", "partition.producers"), (4,)),
                                  ("journal", ("tidemark", "journal", "*.journal"), (4,))):
        for path in files(broker, *pattern):
            with open(path, "rb") as file:
                head = file.read(1024)
            for place in places:
                if len(head) >= place + 2:
                    note(kind, struct.unpack_from("<H", head, place)[0])
    for suffix in ("*.log", "*.checkpoint"):
        for path in files(broker, "__cluster_metadata-0", suffix):
            with open(path, "rb") as file:
                for kind, version in metadata_records(file.read()):
                    note(f"metadata record {kind}", version)
    return found


def records_of(bootstrap, topic, partition, start, end):
    """[[offset, timestamp, key, value, headers]] of everything from `start` to `end`, by another project's client."""
    if start >= end:
        return []
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "by-assignment", "enable.auto.commit": False,
                         "auto.offset.reset": "error", "fetch.wait.max.ms": 100, "check.crcs": True, "log_level": 0})
    try:
        consumer.assign([TopicPartition(topic, partition, start)])
        found, deadline = [], time.monotonic() + PATIENCE_SECONDS
        while (not found or found[-1][0] < end - 1) and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                raise AssertionError(f"{topic}-{partition} from {start}: {message.error()}")

            def text(data):
                return None if data is None else data.decode()
            found.append([message.offset(), message.timestamp()[1], text(message.key()), text(message.value()),
                          [[name, text(value)] for name, value in message.headers() or []]])
        return found
    finally:
        consumer.close()


def committed(bootstrap, group, partitions):
    """{topic-partition: offset}"""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    try:
        return {f"{found.topic}-{found.partition}": found.offset
                for found in consumer.committed(partitions, timeout=PATIENCE_SECONDS) if found.offset >= 0}
    finally:
        consumer.close()


def what_is_there(bootstrap):
    """Everything that a client sees of a broker: its cluster, its topics, their own settings, every record, its groups' offsets."""
    admin = Admin(bootstrap)
    client = RawClient(bootstrap)
    metadata = admin.client.list_topics(timeout=30)
    topics = {}
    for name, topic in sorted(metadata.topics.items()):
        if name == OFFSETS_TOPIC:  # made when the first one asks for a coordinator
            continue
        settings = {key: entry.value for key, entry in admin.describe_configs("topic", name).items()
                    if not entry.is_default and entry.source == 1}  # 1: the topic's own
        partitions = []
        for partition in sorted(topic.partitions):
            start, end = client.log_start(name, partition), client.list_offset(name, partition)[1]
            partitions.append({"start": start, "end": end,
                               "records": records_of(bootstrap, name, partition, start, end)})
        topics[name] = {"settings": settings, "partitions": partitions}
    client.close()
    all_partitions = [TopicPartition(name, number) for name, topic in topics.items() for number in range(len(topic["partitions"]))]
    groups = {group.id: committed(bootstrap, group.id, all_partitions) for group in admin.client.list_groups(timeout=30)}
    return {"cluster": metadata.cluster_id, "topics": topics, "groups": groups}


def new_producer_id(client):
    """(id, epoch) of an InitProducerId version 1 without a transactional id."""
    answer = client.ask(INIT_PRODUCER_ID, 1, struct.pack(">hi", -1, 60_000))
    _, error, producer, epoch = struct.unpack_from(">ihqh", answer)
    assert error == 0, error
    return producer, epoch


def as_text(data):
    return base64.b64encode(data).decode()


def as_bytes(text):
    return base64.b64decode(text)
