#!/usr/bin/python3
"""Genuine Kafka Connect on the broker: distributed workers with their three compacted topics, from file to file.

Connect promises at-least-once (exactly-once sources need transactions): behind a kill a task goes on from the offsets that were
flushed last, so lines may come twice, in order, and none is lost; behind a controlled stop none comes twice."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

from confluent_kafka import Consumer, Producer, TopicPartition

import broker as brokers
import genuine_suite
import group_broker
from confluent_admin import Admin

PATIENCE_SECONDS = 180
FLUSH_MS = 500
INTERNAL = ("connect-configs", "connect-offsets", "connect-status")


class Worker:
    """One worker: a process and its REST address."""

    def __init__(self, folder, bootstrap):
        self.url = f"http://127.0.0.1:{brokers.free_port()}"
        self.log_path = os.path.join(folder, f"worker-{self.url[-5:]}")
        settings = {"bootstrap.servers": bootstrap, "group.id": "connect-workers", "listeners": self.url,
                    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
                    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
                    "offset.flush.interval.ms": FLUSH_MS, "offset.storage.partitions": 5, "status.storage.partitions": 2,
                    "session.timeout.ms": 10_000, "scheduled.rebalance.max.delay.ms": 0, "plugin.discovery": "service_load"}
        for kind, topic in zip(("config", "offset", "status"), INTERNAL):
            settings |= {f"{kind}.storage.topic": topic, f"{kind}.storage.replication.factor": 1}
        properties = f"{self.log_path}.properties"
        with open(properties, "w", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())
        with open(f"{self.log_path}.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([genuine_suite.TOOLS, "tool", "connect-distributed", properties], stdout=log,
                                            stderr=subprocess.STDOUT, env={**os.environ, "TOOL_HEAP": "400m"})

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.loads(answer.read() or b"null")

    def states(self, connector):
        """Of the connector and its tasks; and where its tasks run."""
        found = self.ask("GET", f"/connectors/{connector}/status")
        tasks = found["tasks"]
        return [found["connector"]["state"], *(task["state"] for task in tasks)], {task["worker_id"] for task in tasks}

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(PATIENCE_SECONDS)

    def log_tail(self):
        with open(f"{self.log_path}.log", encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-30:])


class Writer(threading.Thread):
    """Appends numbered lines to a file until it is stopped."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.count, self.stopping = path, 0, threading.Event()
        self.start()

    def run(self):
        with open(self.path, "a", encoding="utf-8") as file:
            while not self.stopping.wait(0.1):
                file.writelines(f"line {number}\n" for number in range(self.count, self.count + 20))
                file.flush()
                self.count += 20

    def stop(self):
        self.stopping.set()
        self.join()


class ConnectSuite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = group_broker.open_group_broker()
        cls.addClassCleanup(cls.broker.close)
        cls.folder = tempfile.TemporaryDirectory(prefix="tidemark-connect.")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.admin = Admin(cls.broker.bootstrap)
        cls.workers = []
        cls.addClassCleanup(lambda: [worker.end(signal.SIGKILL) for worker in cls.workers if worker.process.poll() is None])
        cls.new_worker()

    @classmethod
    def new_worker(cls):
        worker = Worker(cls.folder.name, cls.broker.bootstrap)
        cls.workers.append(worker)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                worker.ask("GET", "/connectors")
                return worker
            except OSError:
                assert worker.process.poll() is None and time.monotonic() < deadline, worker.log_tail()
                time.sleep(0.2)

    @property
    def worker(self):
        return self.workers[-1]

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def lines(self, name):
        if not os.path.exists(self.path(name)):
            return []
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().splitlines()

    def wait_for(self, holds, what=lambda: None):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if holds():
                    return
                problem = what()
            except OSError as error:  # a worker that wakes up, or is in a rebalance, answers 404, 409 or not at all
                problem = error
            self.assertLess(time.monotonic(), deadline, (problem, self.worker.log_tail()))
            time.sleep(0.1)

    def put(self, name, **config):
        """Makes the connector, and waits until its task runs."""
        config = {key.replace("_", "."): str(value) for key, value in config.items()}
        self.wait_for(lambda: self.worker.ask("PUT", f"/connectors/{name}/config", {"name": name, "tasks.max": "1", **config}))
        self.await_state(name, "RUNNING")

    def await_state(self, name, state):
        self.wait_for(lambda: set(self.worker.states(name)[0]) == {state} and len(self.worker.states(name)[0]) == 2,
                      lambda: self.worker.ask("GET", f"/connectors/{name}/status"))

    def file_to_file(self, name):
        """A topic, a source and a sink of that name."""
        self.admin.create_topic(name)
        writer = Writer(self.path(f"{name}.in"))
        self.addCleanup(writer.stop)
        self.put(f"{name}-source", connector_class="FileStreamSource", file=writer.path, topic=name,
                 batch_size=1_000_000)  # what a batch leaves over waits in it for the file to grow
        self.put(f"{name}-sink", connector_class="FileStreamSink", file=self.path(f"{name}.out"), topics=name)
        self.await_lines(name, 200)
        return writer

    def await_lines(self, name, count):
        self.wait_for(lambda: len(set(self.lines(f"{name}.out"))) >= count, lambda: len(self.lines(f"{name}.out")))

    def assert_nothing_lost(self, name, count):
        """Every line is there, and new ones come in order, whatever comes again."""
        wanted = [f"line {number}" for number in range(count)]
        self.wait_for(lambda: self.lines(f"{name}.out")[-1:] == wanted[-1:])
        self.assertEqual(list(dict.fromkeys(self.lines(f"{name}.out"))), wanted)

    def source_position(self, name):
        offsets = self.worker.ask("GET", f"/connectors/{name}-source/offsets")["offsets"]
        return offsets[0]["offset"]["position"] if offsets else 0

    def test_internal_topics_are_compacted(self):
        for topic in INTERNAL:
            self.assertEqual(self.admin.describe_configs("topic", topic)["cleanup.policy"].value, "compact")
        partitions = [len(self.admin.topics()[topic].partitions) for topic in INTERNAL]
        self.assertEqual(partitions, [1, 5, 2])

    def test_a_worker_and_the_broker_die_and_nothing_is_lost(self):
        writer = self.file_to_file("killed")
        self.worker.end(signal.SIGKILL)
        known = writer.count
        self.new_worker()  # the configs are in their topic
        self.assertLessEqual({"killed-source", "killed-sink"}, set(self.worker.ask("GET", "/connectors")))
        self.await_lines("killed", known + 200)
        if not self.broker.is_external:
            self.broker.kill()
            self.broker.start()
            self.await_lines("killed", writer.count + 200)
        writer.stop()
        self.assert_nothing_lost("killed", writer.count)
        self.wait_for(lambda: self.source_position("killed") == os.path.getsize(writer.path))
        found = self.worker.ask("GET", "/connectors/killed-sink/offsets")["offsets"]
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "connect-killed-sink"})
        self.addCleanup(consumer.close)
        end = consumer.get_watermark_offsets(TopicPartition("killed", 0), timeout=30)[1]
        self.wait_for(lambda: consumer.committed([TopicPartition("killed", 0)], timeout=30)[0].offset == end)
        self.assertLessEqual(found[0]["offset"]["kafka_offset"], end)

    def test_a_controlled_stop_repeats_nothing(self):
        writer = self.file_to_file("stopped")
        for _ in range(2):
            self.worker.end(signal.SIGTERM)
            self.new_worker()
            self.await_lines("stopped", writer.count + 200)
        writer.stop()
        self.assert_nothing_lost("stopped", writer.count)
        self.assertEqual(self.lines("stopped.out"), [f"line {number}" for number in range(writer.count)])

    def test_a_second_worker_takes_over(self):
        first, writer = self.worker, self.file_to_file("shared")
        self.new_worker()
        names = ("shared-source", "shared-sink")
        self.wait_for(lambda: len(set().union(*(self.worker.states(name)[1] for name in names))) == 2,
                      lambda: [self.worker.states(name) for name in names])
        first.end(signal.SIGKILL)
        mine = {self.worker.url.removeprefix("http://")}
        self.wait_for(lambda: all(self.worker.states(name) == (["RUNNING"] * 2, mine) for name in names),
                      lambda: [self.worker.states(name) for name in names])
        self.await_lines("shared", writer.count + 100)
        writer.stop()
        self.assert_nothing_lost("shared", writer.count)

    def test_bad_records_go_to_the_dead_letter_topic(self):
        self.admin.create_topic("mixed")
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        for number in range(300):
            good = json.dumps({"number": number}).encode()
            producer.produce("mixed", b"not json %d" % number if number % 10 == 0 else good, key=b"%d" % number)
        self.assertEqual(producer.flush(30), 0)
        self.put("mixed-sink", connector_class="FileStreamSink", file=self.path("mixed.out"), topics="mixed",
                 value_converter="org.apache.kafka.connect.json.JsonConverter", value_converter_schemas_enable="false",
                 errors_tolerance="all", errors_deadletterqueue_topic_name="mixed-dead",
                 errors_deadletterqueue_topic_replication_factor=1, errors_deadletterqueue_context_headers_enable="true")
        self.wait_for(lambda: len(self.lines("mixed.out")) >= 270, lambda: len(self.lines("mixed.out")))
        self.assertEqual(self.lines("mixed.out"), [f"{{number={number}}}" for number in range(300) if number % 10])
        reader = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"})
        self.addCleanup(reader.close)
        reader.assign([TopicPartition("mixed-dead", 0, 0)])
        dead = []
        self.wait_for(lambda: dead.extend(reader.consume(30, 1)) or len(dead) >= 30, lambda: dead)
        self.assertEqual([message.value() for message in dead], [b"not json %d" % number for number in range(0, 300, 10)])
        headers = dict(dead[3].headers())
        self.assertEqual((headers["__connect.errors.topic"], headers["__connect.errors.offset"]), (b"mixed", b"30"))
        self.assertEqual(headers["__connect.errors.stage"], b"VALUE_CONVERTER")

    def test_offsets_are_taken_back(self):
        """KIP-875: a stopped connector's offsets are read, set and removed through the worker."""
        writer = self.file_to_file("again")
        writer.stop()
        self.assert_nothing_lost("again", writer.count)
        for name in ("again-source", "again-sink"):
            self.worker.ask("PUT", f"/connectors/{name}/stop")
            self.wait_for(lambda name=name: self.worker.states(name)[0] == ["STOPPED"])
        partition = {"kafka_topic": "again", "kafka_partition": 0}
        self.wait_for(lambda: self.worker.ask("PATCH", "/connectors/again-sink/offsets", {
            "offsets": [{"partition": partition, "offset": {"kafka_offset": writer.count - 5}}]}))
        self.worker.ask("PUT", "/connectors/again-sink/resume")
        wanted = [f"line {number}" for number in range(writer.count)]
        self.wait_for(lambda: self.lines("again.out") == wanted + wanted[-5:], lambda: len(self.lines("again.out")))
        self.wait_for(lambda: self.worker.ask("DELETE", "/connectors/again-source/offsets"))
        self.assertEqual(self.source_position("again"), 0)
        self.worker.ask("PUT", "/connectors/again-source/resume")
        self.wait_for(lambda: self.lines("again.out") == wanted + wanted[-5:] + wanted, lambda: len(self.lines("again.out")))


if __name__ == "__main__":
    genuine_suite.main(sys.modules[__name__])
