"""The data folders of earlier releases, as `releases/VERSION/` keeps them, and what a daemon must answer for each."""

import base64
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

HERE = os.path.dirname(os.path.abspath(__file__))
RELEASES = os.path.join(HERE, "releases")
ARCHIVE, EXPECTED = "data.tar.xz", "expected.json"
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


def pack(data_dir, version, expected):
    """Without owners, and without RocksDB's own notes; the files' times stay: they are part of what a start reads."""
    os.makedirs(folder_of(version), exist_ok=True)

    def kept(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return None if entry.name.endswith("/derived/LOG") else entry

    with lzma.open(os.path.join(folder_of(version), ARCHIVE), "wb", preset=9) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.add(data_dir, "data", filter=kept)
    with open(os.path.join(folder_of(version), EXPECTED), "w", encoding="utf-8") as file:
        json.dump(expected, file, indent=None, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        file.write("\n")


def unpacked(version, options=()):
    """A broker, not started, whose data folder is that release's."""
    broker = brokers.Broker(options)
    with tarfile.open(os.path.join(folder_of(version), ARCHIVE)) as archive:
        archive.extractall(broker.folder)
    return broker


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


def what_is_there(bootstrap):
    """Everything that a client sees of a broker: its cluster, its topics, their own settings, every record."""
    admin = Admin(bootstrap)
    client = RawClient(bootstrap)
    metadata = admin.client.list_topics(timeout=30)
    topics = {}
    for name, topic in sorted(metadata.topics.items()):
        if name == "__consumer_offsets":  # made when the first one asks for a coordinator
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
    return {"cluster": metadata.cluster_id, "topics": topics}


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
