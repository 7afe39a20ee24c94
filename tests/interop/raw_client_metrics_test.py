#!/usr/bin/python3
"""Client metrics (KIP-714) by hand: subscriptions, pushes, everything wrong that can be, and what a scrape then shows. Every
expectation on the wire is that of a genuine Kafka (4.3) with a plug-in that takes client metrics."""

import gzip
import time
import unittest
import uuid

import broker as brokers
import client_suite
from admin_messages import ALTER_CONFIGS, GET_TELEMETRY_SUBSCRIPTIONS, PUSH_TELEMETRY
from otlp import counter, gauge, metrics_data, part, point
from raw_client import NONE, RawClient
from served_apis import served_apis

INVALID_REQUEST, UNSUPPORTED_COMPRESSION_TYPE, INVALID_RECORD = 42, 76, 87
THROTTLING_QUOTA_EXCEEDED, UNKNOWN_SUBSCRIPTION_ID, TELEMETRY_TOO_LARGE = 89, 117, 118
CLIENT_METRICS = 16
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
API_VERSIONS = 18
INTERVAL_MS, DEFAULT_INTERVAL_MS = 300, 300_000


class RawClientMetrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()
        if GET_TELEMETRY_SUBSCRIPTIONS.key not in served_apis(cls.broker.bootstrap):
            cls.broker.close()
            raise unittest.SkipTest("the broker takes no client metrics")

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def setUp(self):
        self.client = self.open_client()

    def open_client(self):
        """One that has told its software's name."""
        client = RawClient(self.broker.bootstrap)
        self.addCleanup(client.close)
        compact = b"\0" + b"".join(bytes([len(text) + 1]) + text for text in (b"raw-python", b"1.2")) + b"\0"
        self.assertEqual(client.ask(API_VERSIONS, 3, compact)[:2], b"\0\0")
        return client

    def subscribe(self, instance=bytes(16), client=None):
        return (client or self.client).call(GET_TELEMETRY_SUBSCRIPTIONS, 0, instance=instance)

    def push(self, instance, subscription, client=None, **fields):
        return (client or self.client).call(PUSH_TELEMETRY, 0, instance=instance, subscription=subscription, **fields)["error"]

    def new_instance(self):
        """(instance, subscription)"""
        answer = self.subscribe()
        self.assertEqual(answer["error"], NONE)
        return answer["instance"], answer["subscription"]

    def configure(self, name, **configs):
        """AlterConfigs of a subscription, which goes at the test's end."""
        def alter(values):
            answer = self.client.call(ALTER_CONFIGS, 2, resources=[{"type": CLIENT_METRICS, "name": name, "configs": [
                {"name": key.replace("_", "."), "value": str(value)} for key, value in values.items()]}])
            self.assertEqual(answer["responses"][0]["error"], NONE, answer)
            if self.broker.is_external:
                time.sleep(0.3)  # until the broker knows it too

        if configs:
            self.addCleanup(alter, {})
        alter(configs)

    # --- subscriptions ------------------------------------------------------------------------------------------------
    def test_without_subscriptions_nothing_is_wanted(self):
        answer = self.subscribe()
        self.assertNotIn(answer.pop("instance"), (bytes(16), bytes(15) + b"\1"))
        answer.pop("subscription")
        self.assertEqual(answer, {"throttle_time_ms": 0, "error": NONE, "compression_types": [ZSTD, LZ4, GZIP, SNAPPY],
                                  "interval_ms": DEFAULT_INTERVAL_MS, "max_bytes": 1048576, "delta_temporality": True, "metrics": []})

    def test_a_client_keeps_its_instance_id(self):
        instance = uuid.uuid4().bytes
        self.assertEqual(self.subscribe(instance)["instance"], instance)
        answer = self.subscribe(instance)
        self.assertEqual((answer["error"], answer["instance"], answer["interval_ms"], answer["metrics"]),
                         (THROTTLING_QUOTA_EXCEEDED, bytes(16), 0, []))

    def test_subscriptions_come_together_and_are_matched(self):
        instance, before = self.new_instance()
        self.configure("raw-one", metrics="a,b", interval_ms=500, match="client_id=raw")
        self.configure("raw-two", metrics="b,c", interval_ms=700)
        self.configure("raw-three", metrics="z", match="client_software_name=raw-.*,client_software_version=1\\..,"
                                                       "client_source_address=127\\.0\\.0\\.1,client_source_port=[0-9]+")
        self.configure("raw-four", metrics="not", match="client_software_name=raw")
        answer = self.subscribe(instance)
        self.assertEqual((sorted(answer["metrics"]), answer["interval_ms"]), (["a", "b", "c", "z"], 500))
        self.assertNotEqual(answer["subscription"], before)
        self.assertEqual(self.push(instance, before), UNKNOWN_SUBSCRIPTION_ID)
        self.configure("raw-five", metrics="*")
        self.assertEqual(self.subscribe(instance)["metrics"], ["*"])

    def test_a_client_is_known_by_its_instance_id_whatever_the_connection(self):
        instance, subscription = self.new_instance()
        for _ in range(4):  # on every shard
            other = self.open_client()
            self.assertEqual(self.subscribe(instance, other)["error"], THROTTLING_QUOTA_EXCEEDED)
        self.assertEqual(self.push(instance, subscription, other), NONE)

    # --- pushes -------------------------------------------------------------------------------------------------------
    def test_pushes_come_an_interval_apart(self):
        self.configure("raw", metrics="*", interval_ms=INTERVAL_MS)
        instance, subscription = self.new_instance()
        began = time.monotonic()
        self.assertEqual(self.push(instance, subscription), NONE)
        again = self.push(instance, subscription)
        if time.monotonic() - began < INTERVAL_MS / 1000:
            self.assertEqual(again, THROTTLING_QUOTA_EXCEEDED)
        time.sleep(1.1 * INTERVAL_MS / 1000)
        self.assertEqual(self.push(instance, subscription), NONE)

    def test_the_last_push(self):
        instance, subscription = self.new_instance()
        self.assertEqual(self.push(instance, subscription), NONE)
        self.assertEqual(self.push(instance, subscription, terminating=True), NONE)
        self.assertEqual(self.push(instance, subscription), INVALID_REQUEST)

    def test_wrong_pushes(self):
        for instance in (bytes(16), bytes(15) + b"\1"):
            self.assertEqual(self.push(instance, 1), INVALID_REQUEST)
        instance = uuid.uuid4().bytes
        self.assertEqual(self.push(instance, 1), UNKNOWN_SUBSCRIPTION_ID)
        self.assertEqual(self.push(instance, 1), THROTTLING_QUOTA_EXCEEDED)
        for fields, error in (({"compression_type": 9}, UNSUPPORTED_COMPRESSION_TYPE), ({"metrics": bytes(1048577)}, TELEMETRY_TOO_LARGE),
                              ({"compression_type": ZSTD, "metrics": b"abc"}, INVALID_RECORD),
                              ({"compression_type": GZIP, "metrics": gzip.compress(b"")}, NONE)):
            with self.subTest(fields={key: value for key, value in fields.items() if key != "metrics"}):
                self.assertEqual(self.push(*self.new_instance(), **fields), error)

    @brokers.tidemark_only("what the metrics are is a plug-in's business in Kafka")
    def test_metrics_that_are_none(self):
        for metrics in (b"nonsense", part(1, b"\x0f"), metrics_data(gauge("m", point(1)))[:-1]):
            self.assertEqual(self.push(*self.new_instance(), metrics=metrics), INVALID_RECORD)

    @brokers.tidemark_only("what a push opens to is a plug-in's business in Kafka")
    def test_a_push_that_opens_to_very_much(self):
        bomb = gzip.compress(bytes(64 << 20))
        began = time.monotonic()
        self.assertEqual(self.push(*self.new_instance(), compression_type=GZIP, metrics=bomb), TELEMETRY_TOO_LARGE)
        self.assertLess(time.monotonic() - began, 10)

    # --- the scrape ---------------------------------------------------------------------------------------------------
    @brokers.tidemark_only("looks at the metrics")
    def test_what_is_pushed_is_scraped(self):
        self.configure("raw", metrics="*", interval_ms=100)
        instance, subscription = self.new_instance()
        payload = metrics_data(gauge("org.apache.kafka.raw.rate", point(1.5, topic="a"), point(2.5, topic="b")),
                               counter("org.apache.kafka.raw.total", 3), group_id="g")
        for sent in (payload, gzip.compress(payload)):
            compression = NONE if sent is payload else GZIP
            self.assertEqual(self.push(instance, subscription, metrics=sent, compression_type=compression), NONE)
            time.sleep(0.15)
        found = {}
        for name in ("tidemark_client_metric", "tidemark_client_metric_total"):
            for labels, value in self.broker.metric(name).items():
                if "org.apache.kafka.raw" in labels:
                    self.assertIn('client_id="raw",client_software_name="raw-python",client_software_version="1.2"', labels)
                    self.assertIn('group_id="g"', labels)
                    found[(name, labels.split('topic="')[1][0] if "topic=" in labels else "")] = value
        self.assertEqual(found, {("tidemark_client_metric", "a"): 1.5, ("tidemark_client_metric", "b"): 2.5,
                                 ("tidemark_client_metric_total", ""): 6})
        self.assertGreaterEqual(self.broker.metric("tidemark_client_metrics_clients")[""], 1)


if __name__ == "__main__":
    client_suite.main(__name__)
