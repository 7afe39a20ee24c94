#!/usr/bin/python3
"""`tidemark quota`, as people type it and as scripts read it."""

import json
import os
import subprocess
import unittest

import broker as brokers
import client_suite
from quota_messages import QuotaClient, entry

TIDEMARK = os.path.join(brokers.BIN, "tidemark")


class TidemarkQuotas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()
        cls.addClassCleanup(cls.broker.close)

    def setUp(self):
        self.addCleanup(self.remove_all)

    def remove_all(self):
        client = QuotaClient(self.broker.bootstrap)
        for parts, quotas in client.describe().items():
            client.alter(entry([{"type": kind, "name": name} for kind, name in parts], **dict.fromkeys(quotas)))
        client.close()

    def run_command(self, *arguments):
        environment = dict(os.environ, TIDEMARK_BOOTSTRAP=self.broker.bootstrap)
        return subprocess.run([TIDEMARK, "quota", *arguments], capture_output=True, text=True, timeout=60, check=False,
                              env=environment)

    def quota(self, *arguments):
        done = self.run_command(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def refused(self, status, *arguments):
        done = self.run_command(*arguments)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done)
        self.assertEqual(done.stderr.count("\n"), 1, done)
        return done.stderr

    def fill(self):
        self.quota("set", "--user", "alice", "producer_byte_rate=1048576", "request_percentage=12.5")
        self.quota("set", "--user", "alice", "--client-defaults", "consumer_byte_rate=2048")
        self.quota("set", "--client", "app", "controller_mutation_rate=0.5")
        self.quota("set", "--user-defaults", "producer_byte_rate=900000000")
        self.quota("set", "--ip", "10.1.2.3", "connection_creation_rate=5")

    def test_list(self):
        self.assertEqual(self.quota("list"), "")
        self.assertEqual(self.quota("list", "-o", "json"), "[]\n")
        self.fill()
        self.assertEqual(self.quota("list"), "user alice, client-id <default>\tconsumer_byte_rate\t2048\n"
                         "client-id app\tcontroller_mutation_rate\t0.5\n"
                         "ip 10.1.2.3\tconnection_creation_rate\t5\n"
                         "user <default>\tproducer_byte_rate\t900000000\n"
                         "user alice\tproducer_byte_rate\t1048576\n"
                         "user alice\trequest_percentage\t12.5\n")
        self.assertEqual(self.quota("list", "--type", "ip"), "ip 10.1.2.3\tconnection_creation_rate\t5\n")
        self.assertEqual(json.loads(self.quota("list", "--type", "user", "-o", "json")), [
            {"entity": {"client-id": None, "user": "alice"}, "quotas": {"consumer_byte_rate": 2048}},
            {"entity": {"user": None}, "quotas": {"producer_byte_rate": 900000000}},
            {"entity": {"user": "alice"}, "quotas": {"producer_byte_rate": 1048576, "request_percentage": 12.5}}])

    def test_list_as_a_table(self):
        self.quota("set", "--ip-defaults", "connection_creation_rate=20")
        self.assertEqual(self.quota("list", "-o", "table"), "ENTITY        QUOTA                     VALUE\n"
                         "ip <default>  connection_creation_rate  20\n")

    def test_describe(self):
        self.fill()
        self.assertEqual(self.quota("describe", "--user", "alice"),
                         "user alice\tproducer_byte_rate\t1048576\nuser alice\trequest_percentage\t12.5\n")
        self.assertEqual(self.quota("describe", "--user", "alice", "--client-defaults"),
                         "user alice, client-id <default>\tconsumer_byte_rate\t2048\n")
        self.assertEqual(self.quota("describe", "--client-defaults"), "")
        self.assertEqual(json.loads(self.quota("describe", "--user-defaults", "-o", "json")),
                         [{"entity": {"user": None}, "quotas": {"producer_byte_rate": 900000000}}])
        self.assertEqual(self.quota("describe", "--user", "nobody", "-o", "json"), "[]\n")

    def test_set(self):
        self.assertEqual(self.quota("set", "--client", "app", "producer_byte_rate=5", "consumer_byte_rate=1e6"),
                         "client-id app\tproducer_byte_rate\t5\nclient-id app\tconsumer_byte_rate\t1000000\n")
        self.assertEqual(json.loads(self.quota("set", "--client", "app", "producer_byte_rate=6", "--validate-only", "-o", "json")),
                         [{"entity": "client-id app", "quota": "producer_byte_rate", "value": 6}])
        self.assertEqual(self.quota("describe", "--client", "app"),
                         "client-id app\tconsumer_byte_rate\t1000000\nclient-id app\tproducer_byte_rate\t5\n")

    def test_delete(self):
        self.fill()
        self.assertEqual(self.quota("delete", "--user", "alice", "request_percentage"), "user alice\trequest_percentage\t-\n")
        self.assertEqual(self.quota("describe", "--user", "alice"), "user alice\tproducer_byte_rate\t1048576\n")
        self.quota("set", "--user", "alice", "consumer_byte_rate=1")
        self.assertEqual(self.quota("delete", "--user", "alice"),
                         "user alice\tconsumer_byte_rate\t-\nuser alice\tproducer_byte_rate\t-\n")
        self.assertEqual(self.quota("describe", "--user", "alice"), "")

    def test_what_is_refused(self):
        self.assertEqual(self.refused(1, "set", "--user", "alice", "nonsense=5"),
                         "error: INVALID_REQUEST: quotas: Invalid configuration key nonsense\n")
        self.assertEqual(self.refused(1, "set", "--ip", "300.1.1.1", "connection_creation_rate=5"),
                         "error: INVALID_REQUEST: quotas: 300.1.1.1 is not a valid IP or resolvable host.\n")
        self.assertEqual(self.refused(1, "delete", "--user", "nobody"), "error: INVALID_REQUEST: user nobody has no quota\n")
        self.assertEqual(self.refused(1, "delete", "--user", "nobody", "producer_byte_rate"),
                         "error: INVALID_REQUEST: user nobody has no producer_byte_rate\n")
        for arguments in (("set", "producer_byte_rate=5"), ("describe",), ("delete",), ("set", "--user", "alice"),
                          ("set", "--user", "alice", "producer_byte_rate=much"), ("set", "--user", "alice", "producer_byte_rate"),
                          ("describe", "--user", "alice", "--user-defaults"), ("describe", "--user", "alice", "--ip", "::1"),
                          ("list", "--type", "team"), ("lst",)):
            with self.subTest(arguments=arguments):
                self.assertTrue(self.refused(2, *arguments).startswith("error: "), arguments)

    def test_help(self):
        for verb in ((), ("list",), ("describe",), ("set",), ("delete",)):
            text = self.quota(*verb, "--help")
            self.assertIn("Example:\n  tidemark quota ", text)
        for word in ("--user-defaults", "--client", "--ip", "producer_byte_rate", "controller_mutation_rate", "ANONYMOUS"):
            self.assertIn(word, self.quota("set", "--help"))


if __name__ == "__main__":
    client_suite.main(__name__)
