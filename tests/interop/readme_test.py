#!/usr/bin/python3
"""The README's tour, as it stands there, against a broker: every command must succeed and the records must come back."""

import os
import re
import subprocess
import unittest

import broker as brokers
import client_suite


class Readme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def test_the_tour(self):
        with open(os.path.join(brokers.ROOT, "README.md"), encoding="utf-8") as file:
            tour = re.search(r"^## Sixty seconds\n(.*?)^## ", file.read(), re.MULTILINE | re.DOTALL).group(1)
        commands = re.findall(r"^    (.+)$", tour, re.MULTILINE)
        self.assertGreater(len(commands), 5)
        self.assertTrue(any("kcat" in command for command in commands) and any("tidemark" in command for command in commands))
        output = ""
        environment = {**os.environ, "TIDEMARK_BOOTSTRAP": self.broker.bootstrap,
                       "PATH": brokers.BIN + os.pathsep + os.environ["PATH"]}
        for command in commands:
            if command.startswith("export PATH"):
                continue
            done = subprocess.run(["bash", "-o", "pipefail", "-c", command.replace("127.0.0.1:9092", self.broker.bootstrap)],
                                  env=environment, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
            output += done.stdout
        for record in ("hello tide", "first", "second"):
            self.assertIn(record, output)
        self.assertIn("orders", output)


if __name__ == "__main__":
    client_suite.main(__name__)
