"""Genuine Kafka's command line tools on a broker: runs them, and tells a complaint from their chatter."""

import glob
import os
import re
import subprocess
import sys
import time
import unittest
import uuid

import broker as brokers

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kafka", "kafka.sh")
COMPLAINT = re.compile(r"\b(ERROR|Exception|Error:|WARN)\b")
# What a tool says about itself.
HARMLESS = re.compile(r"deprecat|is used by default|WARNING: Due to limitations in metric names", re.IGNORECASE)
DUMP_COMPLAINT = re.compile(
    r"(?i)mismatch|non-consecutive|found invalid|out of order|exception|corrupt|does not match|not found in|"
    r"isvalid: false|sanity check failed|invalid messages")


class ToolSuite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def run_tool(self, name, *arguments, stdin="", seconds=120):
        return subprocess.run([TOOLS, "tool", name, *arguments], input=stdin, capture_output=True, text=True,
                              timeout=seconds, check=False)

    def tool(self, name, *arguments, stdin="", seconds=120):
        """The output of a tool that must succeed without a complaint."""
        done = self.run_tool(name, *arguments, stdin=stdin, seconds=seconds)
        said = done.stdout[-3000:] + done.stderr[-3000:]
        self.assertEqual(done.returncode, 0, said)
        complaints = [line for line in (done.stderr + done.stdout).splitlines()
                      if COMPLAINT.search(line) and not HARMLESS.search(line)]
        self.assertEqual(complaints, [], said)
        return done.stdout

    def on_broker(self, name, *arguments, **options):
        return self.tool(name, "--bootstrap-server", self.broker.bootstrap, *arguments, **options)

    def new_topic(self, partitions=1, **configs):
        name = f"{self._testMethodName[5:40]}.{uuid.uuid4().hex[:8]}"
        flags = [flag for key, value in configs.items() for flag in ("--config", f"{key.replace('_', '.')}={value}")]
        self.on_broker("kafka-topics", "--create", "--topic", name, "--partitions", str(partitions), *flags)
        return name

    def perf(self, topic, records, size, *properties):
        properties = (f"bootstrap.servers={self.broker.bootstrap}", *properties)
        output = self.tool("kafka-producer-perf-test", "--topic", topic, "--num-records", str(records), "--record-size",
                           str(size), "--throughput", "-1", "--producer-props", *properties, seconds=300)
        self.assertRegex(output, rf"(?m)^{records} records sent")
        return output

    def offsets(self, topic, when):
        output = self.on_broker("kafka-get-offsets", "--topic", topic, "--time", str(when))
        return {int(line.split(":")[1]): int(line.split(":")[2]) for line in output.split()}

    def dump(self, *arguments):
        output = self.tool("kafka-dump-log", *arguments, seconds=300)
        complaints = [line for line in output.splitlines() if DUMP_COMPLAINT.search(line)]
        self.assertEqual(complaints[:5], [], arguments)
        return output

    def await_file(self, pattern, enough, patience_seconds=30):
        """Segments follow the journal; `enough(files)` says when they hold what was written."""
        deadline = time.monotonic() + patience_seconds
        while True:
            files = sorted(glob.glob(pattern))
            if files and enough(files):
                return files
            self.assertLess(time.monotonic(), deadline, pattern)
            time.sleep(0.1)

    def data_dir(self):
        if not self.broker.data_dir:
            self.skipTest("TIDEMARK_TEST_DATA_DIR does not name the broker's data folder")
        return self.broker.data_dir


def main(*modules):
    """Runs the tests of these modules; arguments: only those whose names contain a word."""
    run(*(case for module in modules for case in unittest.defaultTestLoader.loadTestsFromModule(module)), words=sys.argv[1:])


def run(*cases, words):
    tests = [test for case in cases for test in case if not words or any(word in test.id() for word in words)]
    if not tests:
        sys.exit("no tests")
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(unittest.TestSuite(tests))
    sys.exit(not result.wasSuccessful())
