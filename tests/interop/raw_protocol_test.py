#!/usr/bin/python3
"""Requests by hand, most of them wrong: what the broker answers, that it closes what it cannot answer, and that it lives on.
Every expectation here is genuine Kafka's behaviour (4.3)."""

import socket
import struct
import time
import unittest
import uuid

import broker as brokers
import client_suite
from raw_client import (API_VERSIONS, CREATE_TOPICS, DESCRIBE_CONFIGS, FETCH, METADATA, NONE, PRODUCE, RawClient,
                        fetch_body)
from raw_frames import batch, framed, old_message_set, produce_body, request, string
from served_apis import connect, receive, served_apis

OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION = 1, 2, 3
INVALID_REQUIRED_ACKS, UNSUPPORTED_VERSION, INVALID_REQUEST, INVALID_RECORD = 21, 35, 42, 87


class RawProtocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def setUp(self):
        client = RawClient(self.broker.bootstrap)
        self.addCleanup(client.close)
        self.connection = client.connection
        self.ask, self.new_topic, self.produce = client.ask, client.new_topic, client.produce
        self.list_offset, self.fetch = client.list_offset, client.fetch

    def tearDown(self):
        self.assertIn(METADATA, served_apis(self.broker.bootstrap), "the broker lives on")

    def assert_closed(self, *frames):
        try:
            for frame in frames:
                self.connection.sendall(frame)
            self.assertIsNone(receive(self.connection), "expected the connection to be closed")
        except (ConnectionResetError, BrokenPipeError):
            pass

    # --- frames --------------------------------------------------------------------------------------------------
    def test_api_versions_of_a_version_that_is_not_there(self):
        response = self.ask(API_VERSIONS, 99, b"\0")  # a flexible header, as every version from 3 on has
        error, count = struct.unpack_from(">hi", response)
        self.assertEqual(error, UNSUPPORTED_VERSION)
        ranges = {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", response[6:6 + 6 * count])}
        self.assertIn(API_VERSIONS, ranges)
        self.assertGreaterEqual(ranges[API_VERSIONS][1], 3)

    def test_an_api_that_is_not_there(self):
        self.assert_closed(framed(request(999, 0, b"")))

    def test_a_version_that_is_not_there(self):
        self.assert_closed(framed(request(METADATA, 99, struct.pack(">i", 0))))

    def test_frames_that_cannot_be(self):
        for frame in (struct.pack(">i", -1), struct.pack(">i", 0x7FFFFFFF), struct.pack(">i", 200 << 20) + b"x" * 100,
                      b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", framed(b""), framed(b"\0"),
                      framed(b"\xff" * 64)):
            with self.subTest(frame=frame[:20]):
                self.connection = connect(self.broker.bootstrap)
                self.addCleanup(self.connection.close)
                self.assert_closed(frame)

    def test_counts_and_lengths_beyond_the_frame(self):
        for body in (struct.pack(">i", 0x7FFFFFFF), struct.pack(">i", 1000) + string("a"), struct.pack(">ih", 1, 0x7FFF),
                     struct.pack(">i", 1)):
            with self.subTest(body=body):
                self.connection = connect(self.broker.bootstrap)
                self.addCleanup(self.connection.close)
                self.assert_closed(framed(request(METADATA, 1, body)))

    def test_a_request_that_arrives_byte_by_byte(self):
        for byte in framed(request(API_VERSIONS, 0, b"")):
            self.connection.sendall(bytes([byte]))
        self.assertEqual(struct.unpack_from(">ih", receive(self.connection)), (77, NONE))

    def test_many_requests_at_once_are_answered_in_order(self):
        frames = b"".join(framed(request(API_VERSIONS if number % 2 else METADATA, 0,
                                                   b"" if number % 2 else struct.pack(">i", 0), correlation=number))
                          for number in range(200))
        self.connection.sendall(frames)
        data, numbers = b"", []
        while len(numbers) < 200:
            while len(data) >= 4 and len(data) >= 4 + struct.unpack(">i", data[:4])[0]:
                size, correlation = struct.unpack_from(">ii", data)
                numbers.append(correlation)
                data = data[4 + size:]
            if len(numbers) < 200:
                more = self.connection.recv(1 << 20)
                self.assertTrue(more, "closed")
                data += more
        self.assertEqual(numbers, list(range(200)))

    # --- topics --------------------------------------------------------------------------------------------------
    def test_creating_a_topic_that_is_named_again_and_again(self):
        for times in (2, 1000):
            with self.subTest(times=times):
                topic = string("raw-twice") + struct.pack(">ihii", 1, 1, 0, 0)
                response = self.ask(CREATE_TOPICS, 2, struct.pack(">i", times) + topic * times + struct.pack(">ib", 10_000, 0))
                _, rows = struct.unpack_from(">ii", response)
                self.assertEqual(rows, 1)
                self.assertEqual(struct.unpack_from(">h", response, 8 + len(string("raw-twice"))), (INVALID_REQUEST,))
                self.assertIn(b"Duplicate topic name.", response)

    def test_a_missing_topic_that_metadata_are_asked_for_again_and_again(self):
        name = f"raw-{uuid.uuid4().hex[:8]}"
        body = struct.pack(">i", 1000) + string(name) * 1000 + b"\1"  # allows that it is made
        deadline = time.monotonic() + 20
        while True:  # genuine Kafka says first that there is no leader yet
            response = self.ask(METADATA, 4, body)
            error, = struct.unpack_from(">h", response, response.index(string(name)) - 2)
            if error == NONE or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self.assertEqual(error, NONE)
        self.assertEqual(self.produce(name, batch([b"x"])), (NONE, 0))

    # --- settings ------------------------------------------------------------------------------------------------
    def test_others_are_answered_while_a_broker_is_described_a_thousand_times(self):
        _, node = struct.unpack_from(">ii", self.ask(METADATA, 0, struct.pack(">i", 0)))
        resources = b"".join(struct.pack(">b", 4) + string("0" * zeros + str(node)) + struct.pack(">i", 1) + string("log.dirs")
                             for zeros in range(1000))
        others = [RawClient(self.broker.bootstrap) for _ in range(4)]  # on every shard
        for other in others:
            self.addCleanup(other.close)
        began = time.monotonic()
        self.connection.sendall(framed(request(DESCRIBE_CONFIGS, 1, struct.pack(">i", 1000) + resources + b"\0")))
        self.connection.setblocking(False)
        worst = 0
        while True:
            try:
                self.connection.recv(1, socket.MSG_PEEK)
                break
            except BlockingIOError:
                pass
            for other in others:
                asked = time.monotonic()
                other.ask(API_VERSIONS, 0, b"")
                worst = max(worst, time.monotonic() - asked)
        self.assertLess(worst, max(0.1, (time.monotonic() - began) / 3))

    # --- produce -----------------------------------------------------------------------------------------------------
    def test_a_batch_by_hand(self):
        topic = self.new_topic()
        self.assertEqual(self.produce(topic, batch([b"one", b"two"])), (NONE, 0))
        self.assertEqual(self.produce(topic, batch([b"three"])), (NONE, 2))
        error, high_watermark, records = self.fetch(topic, 0, 0)
        self.assertEqual((error, high_watermark), (NONE, 3))
        self.assertIn(b"two", records)
        self.assertEqual(struct.unpack_from(">q", records)[0], 0)

    def test_damaged_batches_are_refused(self):
        topic = self.new_topic()
        for name, records, expected in (
                ("wrong checksum", batch([b"x"], crc=1), CORRUPT_MESSAGE),
                ("a count above what is there", batch([b"x"], count=2), INVALID_RECORD),
                ("a count below", batch([b"x", b"y"], count=1), INVALID_RECORD),
                ("last offset delta beyond the count", batch([b"x", b"y"], last_delta=5), INVALID_RECORD),
                ("no records", batch([], last_delta=0), INVALID_RECORD),
                ("an unknown codec", batch([b"x"], attributes=7), None),  # genuine Kafka: UNKNOWN_SERVER_ERROR
                ("a control batch", batch([b"x"], attributes=32), INVALID_RECORD),
                ("a length beyond the bytes", batch([b"x"], length_change=100), INVALID_RECORD),
                ("two batches", batch([b"x"]) + batch([b"y"]), INVALID_RECORD),
                ("nothing", b"", INVALID_RECORD),
                ("half a header", batch([b"x"])[:30], INVALID_RECORD),
        ):
            with self.subTest(name):
                error, offset = self.produce(topic, records)
                self.assertNotEqual(error, NONE)
                self.assertEqual(offset, -1)
                if expected is not None:
                    self.assertEqual(error, expected)
        self.assertEqual(self.list_offset(topic, 0), (NONE, 0))

    def test_an_old_message_set_is_refused(self):
        topic = self.new_topic()
        self.assertEqual(self.produce(topic, old_message_set(b"old")), (INVALID_RECORD, -1))
        self.assertEqual(self.list_offset(topic, 0), (NONE, 0))

    def test_produce_of_versions_that_are_advertised_and_refused(self):
        low, _ = served_apis(self.broker.bootstrap)[PRODUCE]
        self.assertEqual(low, 0, "librdkafka needs it to compress at all")
        topic = self.new_topic()
        body = struct.pack(">hii", -1, 1000, 1) + string(topic) + struct.pack(">iii", 1, 0, len(batch([b"x"]))) + batch([b"x"])
        self.assert_closed(framed(request(PRODUCE, 2, body)))

    def test_acks_that_cannot_be(self):
        topic = self.new_topic()
        self.assertEqual(self.produce(topic, batch([b"x"]), acks=5)[0], INVALID_REQUIRED_ACKS)

    def test_acks_0_is_not_answered(self):
        topic = self.new_topic()
        self.connection.sendall(framed(request(PRODUCE, 7, produce_body(topic, batch([b"x"]), acks=0))))
        self.assertEqual(self.list_offset(topic, 0)[0], NONE)  # the next answer belongs to the next request
        deadline = time.monotonic() + 10
        while self.list_offset(topic, 0)[1] < 1 and time.monotonic() < deadline:
            pass
        self.assertEqual(self.list_offset(topic, 0), (NONE, 1))

    def test_a_refused_record_with_acks_0_closes_the_connection(self):
        topic = self.new_topic()
        self.assert_closed(framed(request(PRODUCE, 7, produce_body(topic, batch([b"x"], crc=1), acks=0))))

    def test_partitions_that_are_not_there(self):
        topic = self.new_topic()
        self.assertEqual(self.produce(topic, batch([b"x"]), partition=9)[0], UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(self.produce("never-was-raw", batch([b"x"]))[0], UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(self.list_offset(topic, 9)[0], UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(self.fetch(topic, 9, 0)[0], UNKNOWN_TOPIC_OR_PARTITION)

    # --- fetch ---------------------------------------------------------------------------------------------------------
    def test_fetch_outside_of_the_log(self):
        topic = self.new_topic()
        self.produce(topic, batch([b"x"]))
        for offset in (2, 1 << 40, -1):
            self.assertEqual(self.fetch(topic, 0, offset)[0], OFFSET_OUT_OF_RANGE, offset)
        self.assertEqual(self.fetch(topic, 0, 1), (NONE, 1, b""))

    def test_a_batch_above_the_limit_is_returned_whole(self):
        topic = self.new_topic()
        self.produce(topic, batch([b"x" * 10_000]))
        self.produce(topic, batch([b"y" * 10_000]))
        error, _, records = self.fetch(topic, 0, 0, max_bytes=100)
        self.assertEqual(error, NONE)
        self.assertEqual(len(records), 12 + struct.unpack_from(">i", records, 8)[0])

    def test_a_long_poll_waits_and_is_woken(self):
        topic = self.new_topic()
        waiting = connect(self.broker.bootstrap)
        self.addCleanup(waiting.close)
        body = fetch_body(topic, 0, 0, max_wait_ms=10_000)
        began = time.monotonic()
        waiting.sendall(framed(request(FETCH, 4, body)))
        waiting.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            waiting.recv(1)
        waiting.settimeout(20)
        self.produce(topic, batch([b"at last"]))
        self.assertIn(b"at last", receive(waiting))
        self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    client_suite.main(__name__)
