#!/usr/bin/python3
"""The settings of client quotas, seen from outside: each test starts a daemon with another value, and holds it against what the
default does."""

import os
import sys
import time
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
import client_suite  # noqa: E402
from quota_messages import QuotaClient, entity, entry  # noqa: E402
from quotas_test import NONE, THROTTLING_QUOTA_EXCEEDED, Throttled  # noqa: E402
from raw_client import RawClient  # noqa: E402


class QuotaSettings(unittest.TestCase):
    def start(self, **properties):
        broker = brokers.Broker(properties={key.replace("_", "."): value for key, value in properties.items()}).start()
        self.addCleanup(broker.close)
        return broker

    def limited(self, broker, **quotas):
        """A client with these quotas."""
        admin = QuotaClient(broker.bootstrap)
        name = uuid.uuid4().hex[:8]
        self.assertEqual(admin.alter(entry(entity(client=name), **quotas)), [(NONE, None)])
        admin.close()
        client = Throttled(broker.bootstrap, name)
        self.addCleanup(client.close)
        return client

    def test_quota_windows(self):
        """Ten windows of a second are the default; two, and of five seconds, are others."""
        for properties, covered in (({}, 10), ({"quota_window_num": 3}, 2), ({"quota_window_num": 3, "quota_window_size_seconds": 5}, 10),
                                    ({"quota_window_size_seconds": 3}, 30)):
            with self.subTest(properties=properties):
                broker = self.start(**properties)
                raw = RawClient(broker.bootstrap)
                topic = raw.new_topic()
                raw.close()
                client = self.limited(broker, producer_byte_rate=1_000.0)
                self.assertEqual(client.produce(topic, covered * 1_000 - 200), 0)
                throttle = client.produce(topic, 10_000)
                self.assertTrue(4_900 <= throttle <= 10_300, throttle)  # the current window may have begun long ago
                # A quota of time pauses for a window at most.
                self.assertEqual(self.limited(broker, request_percentage=1e-6).describe_raw()["throttle_time_ms"],
                                 1_000 * properties.get("quota_window_size_seconds", 1))

    def test_controller_quota_windows(self):
        for properties, covered in (({}, 11), ({"controller_quota_window_num": 2}, 2),
                                    ({"controller_quota_window_num": 2, "controller_quota_window_size_seconds": 4}, 8)):
            with self.subTest(properties=properties):
                client = self.limited(self.start(**properties), controller_mutation_rate=1.0)
                began = time.monotonic()
                self.assertEqual(client.create(6, ("whole", covered), validate_only=True), (0, [NONE]))
                self.assertEqual(client.create(6, ("more", 30), validate_only=True), (0, [NONE]))
                throttle, errors = client.create(6, ("beyond", 1), validate_only=True)
                self.assertEqual(errors, [THROTTLING_QUOTA_EXCEEDED])
                passed = (time.monotonic() - began) * 1_000
                self.assertTrue(30_000 - passed - 100 <= throttle <= 30_000, throttle)


if __name__ == "__main__":
    client_suite.main(__name__)
