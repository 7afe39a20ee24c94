#!/usr/bin/python3
"""The C program on librdkafka (librdkafka_test.c) against the broker. Where it says which codec a topic's records were sent with,
looks into the topic's files: librdkafka sends them uncompressed, and says nothing, if it thinks that the broker is too old."""

import os
import subprocess
import unittest

import broker as brokers
import client_suite
import stored_batch


class Librdkafka(unittest.TestCase):
    def test_the_program(self):
        broker = brokers.open_broker()
        self.addCleanup(broker.close)
        done = subprocess.run([os.path.join(brokers.BIN, "interop-librdkafka"), broker.bootstrap], check=False, timeout=300,
                              stdout=subprocess.PIPE, text=True)
        print(done.stdout, end="")
        self.assertEqual(done.returncode, 0)
        if not broker.data_dir:
            return
        # Words of `stored TOPIC RECORDS CODEC`.
        sent = [line.split() for line in done.stdout.splitlines() if line.startswith("stored ")]
        self.assertEqual({codec for *_, codec in sent}, set(stored_batch.CODECS))
        for _, topic, records, codec in sent:
            stored = {batch.codec for batch in stored_batch.stored_batches(broker.data_dir, topic, 0, int(records))}
            self.assertEqual(stored, {codec}, topic)


if __name__ == "__main__":
    client_suite.main(__name__)
