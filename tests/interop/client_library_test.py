#!/usr/bin/python3
"""Our own C++ client library: the program client_library_test.cc, and the example of client/README.md as it stands there."""

import os
import shutil
import subprocess
import time
import unittest

import broker as brokers
import client_suite


def tidemark(broker, *arguments, stdin=""):
    subprocess.run([os.path.join(brokers.BIN, "tidemark"), "-b", broker.bootstrap, *arguments], input=stdin, text=True,
                   stdout=subprocess.DEVNULL, timeout=60, check=True)


class ClientLibrary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def run_program(self, name):
        ran = subprocess.run([os.path.join(brokers.BIN, name), self.broker.bootstrap], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=120, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout.decode())
        return ran.stdout.decode()

    def test_the_library(self):
        self.assertEqual(self.run_program("interop-client-library"), "all good\n")

    def test_the_example(self):
        self.assertEqual(self.run_program("client-example"), "0 harbour ebb\n1 harbour flood\n")

    @brokers.tidemark_only("looks at the metrics")
    def test_a_consumer_that_closes_ends_its_fetch_session(self):
        broker = brokers.Broker(["--set", "shards=1"]).start()
        self.addCleanup(broker.close)
        partitions = 0

        def sessions():
            """Sampled once a second, with the partitions: those of a new topic tell that it was done anew."""
            nonlocal partitions
            partitions += 1
            tidemark(broker, "topic", "create", f"sampled-{partitions}")
            deadline = time.monotonic() + 30
            while broker.metric("tidemark_partitions")[""] < partitions and time.monotonic() < deadline:
                time.sleep(0.01)
            return broker.metric("tidemark_fetch_sessions")[""]

        tidemark(broker, "produce", "sampled-1", stdin="0\n1\n")
        partitions = 1
        reader = subprocess.Popen([os.path.join(brokers.BIN, "tidemark"), "-b", broker.bootstrap, "consume", "sampled-1",
                                   "-n", "3"], stdout=subprocess.PIPE)
        self.addCleanup(reader.kill)
        self.assertEqual(reader.stdout.readline(), b"0\n")
        self.assertEqual(sessions(), 1)
        tidemark(broker, "produce", "sampled-1", stdin="2\n")
        self.assertEqual(reader.wait(30), 0)
        self.assertEqual(sessions(), 0)
        subprocess.run([os.path.join(brokers.BIN, "client-example"), broker.bootstrap], stdout=subprocess.DEVNULL, timeout=60,
                       check=True)
        partitions += 1
        self.assertEqual(sessions(), 0)

    @brokers.tidemark_only("exchanges the data folder")
    def test_a_log_that_lost_its_tail(self):
        """A node that comes back with an older disk: its log has been read beyond its end, and grows over that."""
        broker = brokers.Broker().start()
        self.addCleanup(broker.close)

        def produce(*values):
            tidemark(broker, "produce", "cut", stdin="".join(f"{value}\n" for value in values))

        def restart_with(change):
            broker.stop()
            change()
            broker.start()

        older = os.path.join(broker.folder, "older")
        produce(*range(10))
        restart_with(lambda: shutil.copytree(broker.data_dir, older))
        produce(*range(10, 20))
        readers = {policy: subprocess.Popen([os.path.join(brokers.BIN, "interop-client-library"), broker.bootstrap, "cut", policy],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                   for policy in ("none", "latest")}
        for reader in readers.values():
            self.addCleanup(reader.kill)
            self.assertEqual(reader.stdout.readline(), "read\n")
        broker.stop()
        shutil.rmtree(broker.data_dir)
        shutil.copytree(older, broker.data_dir)
        broker.start()
        restart_with(lambda: None)  # a leader epoch further than the one that is lost
        produce(*(f"new {number}" for number in range(12)))
        said = {policy: reader.communicate("go on\n", timeout=60)[0].splitlines() for policy, reader in readers.items()}
        truncated = "truncated: cut-0 was read up to 20, diverged at 10"
        self.assertEqual(said, {"none": [truncated, "OFFSET_OUT_OF_RANGE"], "latest": [truncated, "new 0 at 10"]})


if __name__ == "__main__":
    client_suite.main(__name__)
