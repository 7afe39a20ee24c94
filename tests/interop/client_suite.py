"""What every client library must be able to do with the broker, said once. A suite gives the verbs of its client
(`produce`, `consume`, ...) and inherits the tests; what only one client can do, it adds itself."""

import collections
import os
import sys
import time
import unittest
import uuid

import broker as brokers
import raw_client
import stored_batch

Record = collections.namedtuple("Record", "key value headers timestamp offset partition")
CODECS = stored_batch.CODECS
ACKS = ["0", "1", "all"]
START_OF_TIME_MS = 1_700_000_000_000


def record(value, key=None, headers=(), timestamp=None, partition=0):
    return Record(key, value, list(headers), timestamp, None, partition)


class ClientSuite(unittest.TestCase):
    """REQUIRES of a subclass: the verbs below. Topics are the suite's own: names are drawn anew for every test."""

    broker = None
    transient_errors = ()
    can_set_timestamp = True
    can_send_null_header = True
    can_send_nothing_at_all = True

    # --- the verbs of a client -------------------------------------------------------------------------------
    def produce(self, topic, records, acks="all", codec="none", idempotent=False):
        """Sends, waits for the answers, raises on an error; returns the offsets (None where acks=0)."""
        raise NotImplementedError

    def consume(self, topic, partition, start, count):
        """`count` records from offset `start` on, or fewer after a patience; Record with offset and timestamp."""
        raise NotImplementedError

    def offset_for_time(self, topic, partition, timestamp_ms):
        """The first offset at or after the time; None if there is none."""
        raise NotImplementedError

    def watermarks(self, topic, partition):
        """(first, next) offset."""
        raise NotImplementedError

    def create_topic(self, topic, partitions=1, configs=None):
        raise NotImplementedError

    # --- set up ------------------------------------------------------------------------------------------------
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def new_topic(self, partitions=1, configs=None):
        name = f"{self._testMethodName[5:45]}.{uuid.uuid4().hex[:8]}"
        self.create_topic(name, partitions, configs)
        raw_client.await_led(self.broker.bootstrap, name, partitions)  # an old client's retries change the order of its batches
        return name

    def stored(self, topic, partition, end_offset):
        if not self.broker.data_dir:
            self.skipTest("TIDEMARK_TEST_DATA_DIR does not name the broker's data folder")
        return stored_batch.stored_batches(self.broker.data_dir, topic, partition, end_offset)

    def consume_exactly(self, topic, partition, start, count):
        found = self.consume(topic, partition, start, count)
        self.assertEqual(len(found), count, f"{topic}-{partition} from {start}")
        self.assertEqual([entry.offset for entry in found], list(range(start, start + count)))
        return found

    def await_end(self, topic, partition, end, patience_seconds=20):
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                found = self.watermarks(topic, partition)[1]
                if found >= end:
                    break
            except self.transient_errors as error:  # genuine Kafka knows a new topic before its partitions are led
                found = error
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.05)
        self.assertEqual(found, end)

    def assert_gone(self, topic, names, patience_seconds=20):
        """`names`: a function. Genuine Kafka deletes in the background."""
        deadline = time.monotonic() + patience_seconds
        while topic in names() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertNotIn(topic, names())

    # --- the tests ----------------------------------------------------------------------------------------------
    def test_every_codec_with_every_acks(self):
        for codec in CODECS:
            topic = self.new_topic(partitions=len(ACKS))
            for partition, acks in enumerate(ACKS):
                with self.subTest(codec=codec, acks=acks):
                    self.await_end(topic, partition, 0)  # what is sent with acks=0 before there is a leader is lost
                    values = [b"%d %s %d " % (partition, codec.encode(), i) + b"tide" * 40 for i in range(200)]
                    offsets = self.produce(topic, [record(value, partition=partition) for value in values],
                                           acks=acks, codec=codec)
                    if acks != "0":
                        self.assertEqual(offsets, list(range(len(values))))
                    if acks != "all":  # what is not durable yet is not readable yet
                        self.await_end(topic, partition, len(values))
                    found = self.consume_exactly(topic, partition, 0, len(values))
                    self.assertEqual([entry.value for entry in found], values)
                    batches = self.stored(topic, partition, len(values))
                    self.assertEqual({batch.codec for batch in batches}, {codec})
                    self.assertEqual(sum(batch.count for batch in batches), len(values))

    def test_headers(self):
        topic = self.new_topic()
        headers = [("trace", b"abc"), ("trace", b"twice"), ("empty", b""), ("ключ", "прилив".encode())]
        if self.can_send_null_header:
            headers.append(("null", None))
        self.produce(topic, [record(b"with", headers=headers), record(b"without")])
        found = self.consume_exactly(topic, 0, 0, 2)
        self.assertEqual(list(found[0].headers), headers)
        self.assertEqual(list(found[1].headers), [])

    def test_null_keys_and_values(self):
        topic = self.new_topic()
        sent = [record(b"value"), record(None, key=b"key"), record(b"value", key=b"key")]
        if self.can_send_nothing_at_all:
            sent.append(record(None))
        self.produce(topic, sent)
        found = self.consume_exactly(topic, 0, 0, len(sent))
        self.assertEqual([(entry.key, entry.value) for entry in found], [(entry.key, entry.value) for entry in sent])

    def test_timestamps(self):
        if not self.can_set_timestamp:
            self.skipTest("this client cannot set a timestamp")
        topic = self.new_topic()
        times = [START_OF_TIME_MS + step for step in (0, 5000, 2000, 9000)]  # out of order on purpose
        self.produce(topic, [record(b"%d" % time_ms, timestamp=time_ms) for time_ms in times])
        self.assertEqual([entry.timestamp for entry in self.consume_exactly(topic, 0, 0, 4)], times)

    def test_log_append_time(self):
        topic = self.new_topic(configs={"message.timestamp.type": "LogAppendTime"})
        before = int(time.time() * 1000) - 2000
        self.produce(topic, [record(b"x") for _ in range(3)])
        after = int(time.time() * 1000) + 2000
        for entry in self.consume_exactly(topic, 0, 0, 3):
            self.assertTrue(before <= entry.timestamp <= after, entry)
        self.assertTrue(all(batch.log_append_time for batch in self.stored(topic, 0, 3)))

    def test_a_record_of_one_megabyte(self):
        topic = self.new_topic()
        value = os.urandom(500_000).hex().encode()
        self.produce(topic, [record(b"before"), record(value), record(b"after")])
        found = self.consume_exactly(topic, 0, 0, 3)
        self.assertEqual([entry.value for entry in found], [b"before", value, b"after"])

    def test_fifty_thousand_small_records(self):
        topic = self.new_topic()
        values = [b"small-%d" % i for i in range(50_000)]
        self.produce(topic, [record(value) for value in values], codec="lz4")
        found = self.consume_exactly(topic, 0, 0, len(values))
        self.assertEqual([entry.value for entry in found], values)

    def test_seeking_by_offset(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"%d" % i) for i in range(1000)])
        for start in (0, 1, 499, 998, 999):
            self.assertEqual(self.consume_exactly(topic, 0, start, 1)[0].value, b"%d" % start)
        self.assertEqual(self.watermarks(topic, 0), (0, 1000))

    def test_seeking_by_time(self):
        if not self.can_set_timestamp:
            self.skipTest("this client cannot set a timestamp")
        topic = self.new_topic()
        for start in range(0, 100, 10):  # ten batches
            self.produce(topic, [record(b"%d" % i, timestamp=START_OF_TIME_MS + 1000 * i) for i in range(start, start + 10)])
        for wanted, expected in ((-5000, 0), (0, 0), (1, 1), (41_000, 41), (41_500, 42), (99_000, 99), (99_001, None)):
            self.assertEqual(self.offset_for_time(topic, 0, START_OF_TIME_MS + wanted), expected, wanted)

    def test_many_partitions(self):
        topic = self.new_topic(partitions=100)
        self.produce(topic, [record(b"p%d r%d" % (partition, i), partition=partition)
                             for i in range(3) for partition in range(100)])
        for partition in range(100):
            found = self.consume_exactly(topic, partition, 0, 3)
            self.assertEqual([entry.value for entry in found], [b"p%d r%d" % (partition, i) for i in range(3)])

    def test_idempotence(self):
        topic = self.new_topic()
        try:
            self.produce(topic, [record(b"%d" % i) for i in range(500)], idempotent=True)
        except NotImplementedError:
            self.skipTest("this client has no idempotent producer")
        found = self.consume_exactly(topic, 0, 0, 500)
        self.assertEqual([entry.value for entry in found], [b"%d" % i for i in range(500)])
        for batch in self.stored(topic, 0, 500):
            self.assertGreaterEqual(batch.producer_id, 0)
            self.assertEqual(batch.producer_epoch, 0)
        sequences = [(batch.base_sequence, batch.count) for batch in self.stored(topic, 0, 500)]
        expected = 0
        for sequence, count in sequences:
            self.assertEqual(sequence, expected)
            expected += count


def main(module):
    """Runs a suite's module; one line a test, exit status 1 if any failed."""
    tests = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[module])
    # The inherited class has no client of its own.
    suite = unittest.TestSuite(test for case in tests for test in case if type(test) is not ClientSuite)
    if sys.argv[1:]:
        suite = unittest.TestSuite(test for test in suite if any(word in test.id() for word in sys.argv[1:]))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    if result.testsRun == 0:
        sys.exit("no tests")
    sys.exit(not result.wasSuccessful())
