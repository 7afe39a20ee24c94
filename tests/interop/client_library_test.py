#!/usr/bin/python3
"""Our own C++ client library: the program client_library_test.cc, and the example of client/README.md as it stands there."""

import os
import subprocess
import unittest

import broker as brokers
import client_suite


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


if __name__ == "__main__":
    client_suite.main(__name__)
