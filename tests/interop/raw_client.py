"""A client by hand: one connection, one request at a time, in old versions that are quickly written."""

import struct
import time
import uuid

import stored_batch
from confluent_admin import Admin
from message_codec import decode_response, encode_request
from raw_frames import framed, produce_answer, produce_body, request, string
from served_apis import connect, exchange, receive

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS, DESCRIBE_CONFIGS = 0, 1, 2, 3, 18, 19, 32
NONE = 0


class RawClient:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.connection = connect(bootstrap)

    def close(self):
        self.connection.close()

    def ask(self, key, version, body):
        """The response without its correlation id."""
        response = exchange(self.connection, request(key, version, body))
        assert response is not None, "the connection was closed"
        assert struct.unpack_from(">i", response)[0] == 77
        return response[4:]

    # Messages of message_codec.py, sent and received apart or at once.
    def send(self, api, version, **fields):
        self.connection.sendall(framed(request(api.key, version, encode_request(api, version, **fields))))

    def answer(self, api, version):
        response = receive(self.connection)
        assert response is not None, "the connection was closed"
        return decode_response(api, version, response[4:])

    def call(self, api, version, **fields):
        self.send(api, version, **fields)
        return self.answer(api, version)

    def new_topic(self, partitions=1, configs=None):
        topic = f"raw-{uuid.uuid4().hex[:8]}"
        Admin(self.bootstrap).create_topic(topic, partitions, configs)
        self.await_led(topic, partitions)
        return topic

    def await_led(self, topic, partitions, patience_seconds=30):
        """Genuine Kafka knows a new topic before its partitions are led, each in its own time."""
        deadline = time.monotonic() + patience_seconds
        for partition in range(partitions):
            while self.list_offset(topic, partition)[0] != NONE:
                assert time.monotonic() < deadline, f"{topic}-{partition} has no leader"
                time.sleep(0.02)

    def produce(self, topic, records, acks=-1, partition=0):
        """(error, base offset)"""
        frame = request(PRODUCE, 7, produce_body(topic, records, acks, partition))
        return produce_answer(exchange(self.connection, frame), topic)

    def list_offset(self, topic, partition, timestamp=-1):
        """(error, offset)"""
        response = self.ask(LIST_OFFSETS, 1, struct.pack(">ii", -1, 1) + string(topic) +
                            struct.pack(">iiq", 1, partition, timestamp))
        _, error, _, offset = struct.unpack_from(">ihqq", response, 4 + 2 + len(topic) + 4)
        return error, offset

    def log_start(self, topic, partition=0):
        return self.list_offset(topic, partition, -2)[1]

    def fetch(self, topic, partition, offset, max_bytes=1 << 20):
        """(error, high watermark, records) of a Fetch version 4."""
        response = self.ask(FETCH, 4, fetch_body(topic, partition, offset, max_bytes))
        at = 4 + 4 + 2 + len(topic) + 4
        _, error, high_watermark, _, aborted = struct.unpack_from(">ihqqi", response, at)
        at += 26 + 16 * max(aborted, 0)
        size, = struct.unpack_from(">i", response, at)
        return error, high_watermark, response[at + 4:at + 4 + max(size, 0)]

    def offsets_left(self, topic, end, partition=0):
        """Of the batches that still hold a record, below `end`: the first offset of each."""
        offset, found = self.log_start(topic, partition), []
        while offset < end:
            error, _, records = self.fetch(topic, partition, offset)
            assert error == NONE, error
            batches = [one for one in stored_batch.batches_of(records) if one.last_offset >= offset]
            if not batches:
                break
            found += [one.base_offset for one in batches if one.count > 0]
            offset = batches[-1].last_offset + 1
        return found


def await_led(bootstrap, topic, partitions):
    client = RawClient(bootstrap)
    try:
        client.await_led(topic, partitions)
    finally:
        client.close()


def fetch_body(topic, partition, offset, max_bytes=1 << 20, max_wait_ms=100):
    """Of Fetch version 4."""
    return (struct.pack(">iiiibi", -1, max_wait_ms, 1, 50 << 20, 0, 1) + string(topic) +
            struct.pack(">iiqi", 1, partition, offset, max_bytes))
