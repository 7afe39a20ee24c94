#!/usr/bin/python3
"""Every broker setting that is honoured and is not a topic's default, seen from outside: each test starts a daemon with another
value, and holds it against one that has the defaults. And what the daemon says when it starts, or cannot."""

import glob
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
import client_suite  # noqa: E402
import otlp  # noqa: E402
from admin_messages import GET_TELEMETRY_SUBSCRIPTIONS, PUSH_TELEMETRY  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition  # noqa: E402
from raw_client import FETCH, METADATA, NONE, PRODUCE, RawClient, fetch_body  # noqa: E402
from raw_frames import batch, framed, produce_answer, produce_body, request, string  # noqa: E402
from served_apis import connect, exchange, receive  # noqa: E402

CREATE_TOPICS, INCREMENTAL_ALTER_CONFIGS, DESCRIBE_TOPIC_PARTITIONS = 19, 44, 75
OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, OUT_OF_ORDER_SEQUENCE_NUMBER = 1, 2, 10, 45
INVALID_RECORD, TELEMETRY_TOO_LARGE = 87, 118
MIB = 1 << 20


def metadata_files(broker, suffix):
    return sorted(os.path.basename(path) for path in
                  glob.glob(os.path.join(broker.data_dir, "__cluster_metadata-0", "*." + suffix)))


def is_open(connection):
    """Whether a request is still answered."""
    try:
        return exchange(connection, request(METADATA, 0, struct.pack(">i", 0))) is not None
    except (ConnectionResetError, BrokenPipeError):
        return False


def brokers_of(client):
    """{id: (host, port, rack)} as Metadata version 1 tells it."""
    answer = client.ask(METADATA, 1, struct.pack(">i", 0))
    count, = struct.unpack_from(">i", answer)
    at, found = 4, {}

    def text():
        nonlocal at
        length, = struct.unpack_from(">h", answer, at)
        value = None if length < 0 else answer[at + 2:at + 2 + length].decode()
        at += 2 + max(length, 0)
        return value

    for _ in range(count):
        number, = struct.unpack_from(">i", answer, at)
        at += 4
        host = text()
        port, = struct.unpack_from(">i", answer, at)
        at += 4
        found[number] = (host, port, text())
    return found


class BrokerSettings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.default = brokers.Broker().start()

    @classmethod
    def tearDownClass(cls):
        cls.default.close()

    def start(self, properties, options=()):
        broker = brokers.Broker(options, properties).start()
        self.addCleanup(broker.close)
        return broker

    def with_listeners(self, names, properties=None):
        """A broker, not started, and the port of each of its listeners; clients of it use the first."""
        ports = [brokers.free_port() for _ in names]
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in zip(names, ports))
        broker = brokers.Broker(properties={"listeners": listeners, **(properties or {})})
        broker.flags.remove("--listen")
        broker.listen = f"127.0.0.1:{ports[0]}"
        self.addCleanup(broker.close)
        return broker, ports

    def assert_refuses(self, broker, told):
        """It ends while it starts, and says why."""
        with self.assertRaisesRegex(brokers.BrokerFailed, told):
            broker.start()
        broker.process = None

    def served(self, port):
        """Whether a listener is there, and answers."""
        try:
            with connect(f"127.0.0.1:{port}") as connection:
                return is_open(connection)
        except ConnectionRefusedError:
            return False

    def client(self, broker):
        client = RawClient(broker.bootstrap)
        self.addCleanup(client.close)
        return client

    def connect(self, broker):
        connection = connect(broker.bootstrap)
        self.addCleanup(connection.close)
        return connection

    def eventually(self, holds):
        deadline = time.monotonic() + 20
        while not holds() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertTrue(holds())

    def refusal(self, call, *arguments):
        """The error's code, or NO_ERROR."""
        try:
            call(*arguments)
        except KafkaException as error:
            return error.args[0].code()
        return KafkaError.NO_ERROR

    # --- who and where -----------------------------------------------------------------------------------------------
    def test_node_id_and_broker_rack(self):
        other = self.start({"broker.rack": "shelf-7"}, ["--set", "node.id=42"])
        self.assertEqual([(number, rack) for number, (_, _, rack) in brokers_of(self.client(other)).items()],
                         [(42, "shelf-7")])
        self.assertEqual([(number, rack) for number, (_, _, rack) in brokers_of(self.client(self.default)).items()],
                         [(1, None)])

    def test_broker_id(self):
        for broker, expected in ((self.start({"broker.id": 42}), [42]), (self.default, [1])):
            self.assertEqual(list(brokers_of(self.client(broker))), expected)

    def test_listeners_and_advertised_listeners(self):
        protocols = {"listener.security.protocol.map": "IN:PLAINTEXT,OUT:PLAINTEXT"}
        broker, (inside, outside) = self.with_listeners(["IN", "OUT"], protocols)
        broker.options += ["--set", f"advertised.listeners=IN://127.0.0.1:{inside},OUT://front.example:19092"]
        broker.start()
        for port, told in ((inside, ("127.0.0.1", inside)), (outside, ("front.example", 19092))):
            client = RawClient(f"127.0.0.1:{port}")
            self.addCleanup(client.close)
            self.assertEqual([place[:2] for place in brokers_of(client).values()], [told])
        # Without: where the client connected to.
        host, port = self.default.bootstrap.rsplit(":", 1)
        self.assertEqual([place[:2] for place in brokers_of(self.client(self.default)).values()], [(host, int(port))])

    def test_listener_security_protocol_map(self):
        """Plain text is all that a listener is opened for, and only where the map says that it is what is meant."""
        name = "listener.security.protocol.map"
        broker, (port,) = self.with_listeners(["MINE"], {name: "MINE:PLAINTEXT"})
        broker.start()
        self.assertTrue(self.served(port))
        for listener, protocols, told in (("MINE", None, "no protocol is defined for this listener"),
                                          ("MINE", "MINE:SASL_SSL", "the listener MINE wants SASL_SSL"),
                                          ("PLAINTEXT", "PLAINTEXT:SSL", "the listener PLAINTEXT wants SSL")):
            with self.subTest(protocols=protocols):
                broker, (port,) = self.with_listeners([listener], {name: protocols} if protocols else {})
                self.assert_refuses(broker, told)
                self.assertFalse(self.served(port))
        broker, (port,) = self.with_listeners(["SSL"], {name: "SSL:PLAINTEXT"})
        broker.start()
        self.assertTrue(self.served(port))

    def test_controller_listener_names(self):
        protocols = {"listener.security.protocol.map": "IN:PLAINTEXT,OUT:PLAINTEXT"}
        for properties, opened in (({"controller.listener.names": "OUT"}, [True, False]), ({}, [True, True])):
            broker, ports = self.with_listeners(["IN", "OUT"], {**protocols, **properties})
            broker.start()
            self.assertEqual([self.served(port) for port in ports], opened)

    def test_controller_quorum(self):
        """A node that is to be one of several controllers, or to follow another one, does not start as a cluster of its own."""
        for name, alone, others in (
                ("controller.quorum.voters", "7@127.0.0.1:9093",
                 {"1@127.0.0.1:9093": "this is node 7", "7@127.0.0.1:9093,8@127.0.0.1:9094": "several controllers"}),
                ("controller.quorum.bootstrap.servers", "127.0.0.1:9093", {"127.0.0.1:9093,127.0.0.1:9094": "several controllers"})):
            self.assertEqual(list(brokers_of(self.client(self.start({"node.id": 7, name: alone})))), [7])
            for value, told in others.items():
                with self.subTest(value=value):
                    broker = brokers.Broker(properties={"node.id": 7, name: value})
                    self.addCleanup(broker.close)
                    self.assert_refuses(broker, told)

    def test_http_address(self):
        port = brokers.free_port()
        broker = brokers.Broker(properties={"http.address": f"127.0.0.1:{port}"})
        broker.flags.remove("--http")
        self.addCleanup(broker.close)
        broker.start()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            self.assertEqual(answer.status, 200)

    def test_log_dir_and_log_dirs(self):
        for settings in (["log.dir"], ["log.dirs"], ["log.dirs", "log.dir"]):
            with self.subTest(settings=settings):
                broker = brokers.Broker()
                folders = [os.path.join(broker.folder, setting) for setting in settings]
                # In a file both may stand, as in Kafka: a flag for one would replace the other.
                with open(config := os.path.join(broker.folder, "node.properties"), "w", encoding="utf-8") as file:
                    file.writelines(f"{setting}={folder}\n" for setting, folder in zip(settings, folders))
                broker.options = ["--config", config]
                broker.flags.remove("--data-dir")
                self.addCleanup(broker.close)
                broker.start()
                topic = self.client(broker).new_topic()
                self.assertTrue(os.path.isdir(os.path.join(folders[0], f"{topic}-0")))
                for unused in folders[1:] + [broker.data_dir]:
                    self.assertFalse(os.path.exists(unused))

    def test_several_log_dirs(self):
        broker = brokers.Broker()
        first, second, third = names = [os.path.join(broker.folder, name) for name in ("first", "second", "third")]
        broker.flags.remove("--data-dir")
        self.addCleanup(broker.close)

        def start(*folders):
            broker.options = ["--set", "log.dirs=" + ",".join(folders)]
            broker.start()
            return self.client(broker)

        def holder(topic, partition):
            return [folder for folder in names if os.path.isdir(os.path.join(folder, f"{topic}-{partition}"))]

        def read_back(client):
            for partition, value in enumerate(values):
                error, _, records = client.fetch(topic, partition, 0)
                self.assertEqual(error, NONE)
                self.assertIn(value, records)

        client = start(first, second)
        topic = client.new_topic(partitions=4)
        before = [holder(topic, partition) for partition in range(4)]
        self.assertEqual(sorted(before), [[first], [first], [second], [second]])
        values = [f"of partition {partition}".encode() for partition in range(4)]
        for partition, value in enumerate(values):
            self.assertEqual(client.produce(topic, batch([value]), partition=partition)[0], NONE)
        # More folders at a restart: what is there stays, and what is new goes to them too.
        broker.kill()
        client = start(first, second, third)
        read_back(client)
        later = client.new_topic(partitions=6)
        self.assertIn([third], [holder(later, partition) for partition in range(6)])
        # Without one of them its partitions are offline, and are not made anew.
        broker.kill()
        client = start(first, third)
        for partition in range(4):
            answered = client.fetch(topic, partition, 0)[0] == NONE
            self.assertEqual(answered, before[partition] == [first])
        broker.kill()
        read_back(start(first, second, third))
        self.assertEqual([holder(topic, partition) for partition in range(4)], before)

    def test_shards(self):
        three = self.start({"shards": 3})
        self.assertEqual(len(three.metric("tidemark_loop_stalls_total")), 3)
        self.assertEqual(len(self.default.metric("tidemark_loop_stalls_total")), os.cpu_count())

    # --- a start that fails ------------------------------------------------------------------------------------------
    def failed_start(self, flags):
        """What the daemon logs; it ends with status 1."""
        with tempfile.TemporaryDirectory() as folder:
            places = {"--listen": "127.0.0.1:0", "--http": "127.0.0.1:0", "--data-dir": folder, **flags}
            done = subprocess.run([os.path.join(brokers.BIN, "tidemarkd"), *[word for flag in places.items() for word in flag]],
                                  capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done)
        return done.stderr.decode().splitlines()

    def test_a_start_that_fails_says_what_to_do_in_one_line(self):
        used = self.default.bootstrap
        several = f"A://127.0.0.1:0,B://{used}"
        for flags, told in (({"--listen": used}, f"{used}: Address already in use: choose another with --listen"),
                            # Nobody reaches what could not be opened: no word of that.
                            ({"--listen": used.replace("127.0.0.1", "0.0.0.0")}, "choose another with --listen"),
                            ({"--http": self.default.http}, f"{self.default.http}: Address already in use: choose another with --http"),
                            ({"--data-dir": self.default.data_dir},
                             f"(pid {self.default.process.pid}): stop it, or use another --data-dir")):
            with self.subTest(flags):
                lines = self.failed_start(flags)
                self.assertEqual(len(lines), 1, lines)
                self.assertIn(told, lines[0])
        with tempfile.NamedTemporaryFile("w", suffix=".properties") as file:
            file.write(f"listeners={several}\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\n")
            file.flush()
            command = [os.path.join(brokers.BIN, "tidemarkd"), "--config", file.name, "--http", "127.0.0.1:0"]
            done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=self.default.folder)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(f"{used}: Address already in use: choose another in `listeners`", done.stderr.decode())

    def test_listening_beyond_this_machine_is_warned_of(self):
        # Loopback by an address that does not look like it.
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::ffff:127.0.0.1", 0))
            except OSError as error:
                self.skipTest(f"no IPv6: {error}")
        broker = brokers.Broker()
        broker.listen = "[::ffff:127.0.0.1]:0"
        self.addCleanup(broker.close)
        broker.start()
        self.assertIn("can be reached from other machines", broker.log_tail())
        self.assertNotIn("can be reached from other machines", self.default.log_tail())

    # --- topics ------------------------------------------------------------------------------------------------------
    def test_auto_create_topics_enable(self):
        strict = self.start({"auto.create.topics.enable": "false"})
        asking = struct.pack(">i", 1) + string("asked-for") + b"\x01"
        for broker, exists in ((strict, False), (self.default, True)):
            self.client(broker).ask(METADATA, 4, asking)
            self.assertEqual("asked-for" in Admin(broker.bootstrap).topics(), exists)

    def test_delete_topic_enable(self):
        strict = self.start({"delete.topic.enable": "false"})
        for broker, expected in ((strict, KafkaError.TOPIC_DELETION_DISABLED), (self.default, KafkaError.NO_ERROR)):
            topic = self.client(broker).new_topic()
            self.assertEqual(self.refusal(Admin(broker.bootstrap).delete_topic, topic), expected)

    def test_num_partitions(self):
        seven = self.start({"num.partitions": 7})
        for broker, expected in ((seven, 7), (self.default, 1)):
            admin = Admin(broker.bootstrap)
            admin.create_topic("by-default", -1)
            self.assertEqual(len(admin.topics()["by-default"].partitions), expected)

    def test_default_replication_factor(self):
        two = self.start({"default.replication.factor": 2})
        for broker, expected in ((two, KafkaError.INVALID_REPLICATION_FACTOR), (self.default, KafkaError.NO_ERROR)):
            create = Admin(broker.bootstrap).create_topic
            self.assertEqual(self.refusal(create, "replicated", 1, None, -1), expected)

    def test_log_retention_check_interval_ms(self):
        often = self.start({"log.retention.check.interval.ms": 50})
        topics = {}
        for broker in (often, self.default):
            client = self.client(broker)
            topics[broker] = client, client.new_topic(1, {"retention.ms": "1000"})
            hour_ago = int(time.time() * 1000) - 3_600_000
            self.assertEqual(client.produce(topics[broker][1], batch([b"old"], timestamp_ms=hour_ago))[0], NONE)
        deadline = time.monotonic() + 20
        while topics[often][0].log_start(topics[often][1]) == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual([client.log_start(topic) for client, topic in topics.values()], [1, 0])

    def test_the_longest_times_are_never_over_and_never_spin(self):
        forever = self.start({name: 2**63 - 1 for name in (
            "log.retention.check.interval.ms", "log.cleaner.backoff.ms", "offsets.retention.check.interval.ms",
            "metadata.log.max.snapshot.interval.ms", "request.queue.time.max.ms", "connections.max.idle.ms")})
        connection = self.connect(forever)
        used = forever.processor_seconds()
        for _ in range(3):
            self.assertTrue(is_open(connection))
            time.sleep(0.5)
        self.assertLess(forever.processor_seconds() - used, 0.15)

    # --- the log cleaner -----------------------------------------------------------------------------------------------
    def start_cleaning(self, **settings):
        """A broker that would clean at once, and a compacted topic on it whose first record is outdated."""
        broker = self.start({"log.retention.check.interval.ms": 50, "log.cleaner.backoff.ms": 50,
                             **{name.replace("_", "."): value for name, value in settings.items()}})
        client = self.client(broker)
        topic = client.new_topic(1, {"cleanup.policy": "compact", "segment.ms": "1000",
                                     "min.cleanable.dirty.ratio": "0.001"})
        began_ms = int(time.time() * 1000) - 3_600_000
        for number, key in enumerate((b"a", b"b", b"a")):
            records = batch([b"x" * 100_000], keys=[key], timestamp_ms=began_ms + 2000 * number)
            self.assertEqual(client.produce(topic, records)[0], NONE)
        return lambda: client.offsets_left(topic, 3) == [1, 2]

    def assert_only_default_cleans(self, **settings):
        is_cleaned = self.start_cleaning(**settings)
        self.eventually(self.start_cleaning())
        self.assertFalse(is_cleaned())

    def test_log_cleaner_enable(self):
        self.assert_only_default_cleans(log_cleaner_enable="false")

    def test_log_cleaner_backoff_ms(self):
        self.assert_only_default_cleans(log_cleaner_backoff_ms=3_600_000)

    def test_log_cleaner_io_max_bytes_per_second(self):
        self.assert_only_default_cleans(log_cleaner_io_max_bytes_per_second=1000)

    def test_log_cleaner_dedupe_buffer_size(self):
        cleanings = {}
        for setting in ({"log.cleaner.dedupe.buffer.size": 4096}, {}):
            broker = self.start({"shards": 1, "log.retention.check.interval.ms": 50, "log.cleaner.backoff.ms": 50, **setting})
            client = self.client(broker)
            topic = client.new_topic(1, {"cleanup.policy": "compact", "segment.ms": "60000"})
            began_ms = int(time.time() * 1000)
            for part in range(11):
                keys = [b"%d-%d" % (part, number) for number in range(100)]
                # The last one seals the segment of the others.
                records = batch([b"v"] * 100, keys=keys, timestamp_ms=began_ms + (61_000 if part == 10 else part))
                self.assertEqual(client.produce(topic, records)[0], NONE)
            self.eventually(lambda to=broker: to.metric("tidemark_log_cleanings_total")[""] > 0 and
                            to.metric("tidemark_log_cleaner_max_dirty_ratio")[""] == 0)
            cleanings[len(setting)] = broker.metric("tidemark_log_cleanings_total")[""]
        self.assertEqual(cleanings[0], 1)
        self.assertGreaterEqual(cleanings[1], 5)  # a map of 4 KiB has no room for two batches

    def test_producer_id_expiration_ms(self):
        short = self.start({"producer.id.expiration.ms": 100, "log.retention.check.interval.ms": 50})
        for broker, forgets in ((short, True), (self.default, False)):
            client = self.client(broker)
            topic = client.new_topic()
            self.assertEqual(client.produce(topic, batch([b"x"], producer=(7, 0, 0)))[0], NONE)
            deadline = time.monotonic() + (20 if forgets else 0.5)
            error = OUT_OF_ORDER_SEQUENCE_NUMBER
            while error == OUT_OF_ORDER_SEQUENCE_NUMBER and time.monotonic() < deadline:
                time.sleep(0.02)
                # A gap is out of order for a producer that is known, and the beginning of one that is not.
                error, _ = client.produce(topic, batch([b"x"], producer=(7, 0, 5)))
            self.assertEqual(error, NONE if forgets else OUT_OF_ORDER_SEQUENCE_NUMBER)

    # --- connections -------------------------------------------------------------------------------------------------
    def test_connections_max_idle_ms(self):
        short = self.start({"connections.max.idle.ms": 200})
        for broker, stays in ((short, False), (self.default, True)):
            connection = self.connect(broker)
            self.assertTrue(is_open(connection))
            time.sleep(0.8)
            self.assertEqual(is_open(connection), stays)

    def test_max_connections(self):
        self.assert_connection_limit("max.connections")

    def test_max_connections_per_ip(self):
        self.assert_connection_limit("max.connections.per.ip")

    def assert_connection_limit(self, setting):
        few = self.start({setting: 2})
        self.await_answered(few, 2)
        self.await_answered(self.default, 6)
        # It changes while the node runs, and the change is kept.
        with connect(few.bootstrap) as connection:
            body = (struct.pack(">i", 1) + b"\x04" + string("") + struct.pack(">i", 1) + string(setting) + b"\x00" +
                    string("4") + b"\x00")
            answer = exchange(connection, request(INCREMENTAL_ALTER_CONFIGS, 0, body))
            self.assertEqual(struct.unpack_from(">h", answer, 12)[0], NONE)
        self.await_answered(few, 4)
        few.stop()
        few.start()
        self.await_answered(few, 4)

    def await_answered(self, broker, expected):
        """Of six connections so many are served; places of closed ones come back in a moment."""
        found, deadline = None, time.monotonic() + 20
        while found != expected and time.monotonic() < deadline:
            connections = [self.connect(broker) for _ in range(6)]
            found = sum(is_open(connection) for connection in connections)
            for connection in connections:
                connection.close()
        self.assertEqual(found, expected)

    # --- open files --------------------------------------------------------------------------------------------------
    def with_open_files(self, limit):
        return brokers.Broker(wrapper=["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh"], properties={"shards": 2})

    def test_few_open_files(self):
        few = self.with_open_files(256)
        self.addCleanup(few.close)
        few.start()
        with open(f"/proc/{few.process.pid}/limits", encoding="ascii") as limits:
            if not re.search(r"Max open files +256 +256 ", limits.read()):
                self.skipTest("this user may raise the limit")
        warning = next(json.loads(line) for line in few.log_tail().splitlines() if "few open files" in line)
        self.assertEqual(warning["limit"], 256)
        self.assertGreater(warning["wanted"], 8192)
        client = self.client(few)
        topic = client.new_topic(partitions=400)

        def produce_everywhere():
            for partition in range(400):
                self.assertEqual(client.produce(topic, batch([b"x"]), partition=partition)[0], NONE)

        produce_everywhere()
        # Connections cannot take what the segments need.
        crowd = [self.connect(few) for _ in range(300)]
        produce_everywhere()
        self.assertLess(len(os.listdir(f"/proc/{few.process.pid}/fd")), 256)
        self.assertEqual(sum(few.metric("tidemark_offline_partitions").values()), 0)
        for connection in crowd:
            connection.close()
        few.stop()
        few.start()
        client = self.client(few)
        produce_everywhere()
        few.stop()

    def test_too_few_open_files(self):
        broker = self.with_open_files(64)
        self.addCleanup(broker.close)
        self.assert_refuses(broker, "the limit of open files is 64, and this node needs at least 1")
        self.assertEqual(len(broker.log_tail().splitlines()), 1)

    def test_connection_max_in_flight(self):
        one = self.start({"connection.max.in.flight": 1})
        for broker, at_once in ((one, False), (self.default, True)):
            client = self.client(broker)
            topic = client.new_topic()
            connection = self.connect(broker)
            began = time.monotonic()
            # The produce would wake the fetch that waits, if only it were read.
            connection.sendall(framed(request(FETCH, 4, fetch_body(topic, 0, 0, max_wait_ms=1000))) +
                               framed(request(PRODUCE, 7, produce_body(topic, batch([b"x"])))))
            receive(connection)
            self.assertEqual(time.monotonic() - began < 0.9, at_once)

    # --- requests ----------------------------------------------------------------------------------------------------
    def slow_request(self, client, number):
        """CreateTopics version 2 of a topic whose creation takes a while."""
        name = f"slow-{number}-{client.connection.getsockname()[1]}"
        return framed(request(CREATE_TOPICS, 2, struct.pack(">i", 1) + string(name) + struct.pack(">ihii", 400, 1, 0, 0) +
                              struct.pack(">i?", 30_000, False)))

    def test_request_queue_time_max_ms(self):
        impatient = self.start({"request.queue.time.max.ms": 1})
        for broker, answers in ((impatient, 1), (self.default, 2)):
            client = self.client(broker)
            client.connection.sendall(self.slow_request(client, 0) + framed(request(METADATA, 0, struct.pack(">i", 0))))
            self.assertIsNotNone(receive(client.connection))
            self.assertEqual(receive(client.connection) is not None, answers == 2)

    def test_queued_max_requests(self):
        # A connection that would be answered at once waits while another one's requests fill the shard's queue.
        waited = {}
        for value in (1, 500):
            broker = self.start({"queued.max.requests": value, "shards": 1})
            busy, other = self.client(broker), self.client(broker)
            self.assertTrue(is_open(other.connection))
            busy.connection.sendall(self.slow_request(busy, 0) + self.slow_request(busy, 1))
            time.sleep(0.01)
            self.assertTrue(is_open(other.connection))
            busy.connection.settimeout(0.0)
            try:
                waited[value] = len(busy.connection.recv(1)) == 1  # the first was answered before
            except BlockingIOError:
                waited[value] = False
        self.assertEqual(waited, {1: True, 500: False})

    def test_socket_request_max_bytes(self):
        small = self.start({"socket.request.max.bytes": 1000})
        for broker, taken in ((small, False), (self.default, True)):
            connection = self.connect(broker)
            names = [f"name-{number:04}" for number in range(200)]
            body = struct.pack(">i", len(names)) + b"".join(string(name) for name in names) + b"\x00"
            try:
                answer = exchange(connection, request(METADATA, 4, body))
            except (ConnectionResetError, BrokenPipeError):
                answer = None
            self.assertEqual(answer is not None, taken)

    def test_queued_max_request_bytes_and_memory_limit(self):
        limit = "tidemark_request_memory_limit_bytes"
        bounded = self.start({"queued.max.request.bytes": 7 * MIB, "socket.request.max.bytes": 7 * MIB})
        small = self.start({"memory.limit": "64MiB"})
        # An eighth is for small frames.
        self.assertAlmostEqual(bounded.metric(limit)[""], 8 * MIB, delta=100)
        self.assertEqual(small.metric(limit)[""], 32 * MIB)
        self.assertGreater(self.default.metric(limit)[""], 32 * MIB)
        # What could never fit is refused, not waited for.
        for broker, announced, refused in ((small, 40 * MIB, True), (self.default, 40 * MIB, False),
                                           (bounded, 7 * MIB, False), (bounded, 7 * MIB + 1, True)):
            with self.announcing(broker, announced) as connection:
                connection.settimeout(0.3)
                try:
                    closed = connection.recv(1) == b""
                except TimeoutError:
                    closed = False
                self.assertEqual(closed, refused, announced)
        # What has no room beside a large one is not read before that is gone.
        for broker, waits in ((bounded, True), (self.default, False)):
            client = self.client(broker)
            topic = client.new_topic()
            with self.announcing(broker, 7 * MIB):
                self.eventually(lambda of=broker: of.metric("tidemark_request_memory_bytes")[""] >= 7 * MIB)
                client.connection.sendall(framed(request(PRODUCE, 7, produce_body(topic, LARGE_BATCH))))
                answered, _, _ = select.select([client.connection], [], [], 0.3 if waits else 20)
                self.assertEqual(not answered, waits)
            self.assertEqual(produce_answer(receive(client.connection), topic)[0], NONE)

    def announcing(self, broker, size):
        """A connection with the beginning of a request of this size: as soon as that is there, the memory of all of it is taken."""
        connection = self.connect(broker)
        connection.sendall(struct.pack(">i", size) + struct.pack(">hhi", METADATA, 0, 1) + bytes(5000))
        return connection

    def test_journal_size(self):
        small = self.start({"journal.size": 8 * MIB, "shards": 1, "memory.limit": "64MiB"})
        large = self.start({"shards": 1, "memory.limit": "64MiB"})
        sizes = []
        for broker in (small, large):
            client = self.client(broker)
            topic = client.new_topic()
            for _ in range(300):  # below what bypasses the journal
                self.assertEqual(client.produce(topic, LARGE_BATCH)[0], NONE)
            files = glob.glob(os.path.join(broker.data_dir, "tidemark", "journal", "*-0-*.journal"))
            sizes.append(sum(os.path.getsize(path) for path in files))
        self.assertLessEqual(sizes[0], 8 * MIB)
        self.assertGreater(sizes[1], 8 * MIB)

    def test_log_scrub_bytes_per_second(self):
        for rate, found in ((0, False), (None, True)):
            properties = {"shards": 1} | ({} if rate is None else {"log.scrub.bytes.per.second": rate})
            broker = self.start(properties)
            topic = self.client(broker).new_topic(configs={"segment.bytes": str(MIB)})
            for _ in range(40):
                self.assertEqual(self.client(broker).produce(topic, LARGE_BATCH)[0], NONE)
            broker.stop()
            segments = sorted(glob.glob(os.path.join(broker.data_dir, f"{topic}-0", "*.log")))
            self.assertGreater(len(segments), 2)
            with open(segments[1], "r+b") as file:  # in a value: no header tells
                file.seek(90_000)
                flipped = bytes([file.read(1)[0] ^ 1])
                file.seek(90_000)
                file.write(flipped)
            broker.start()
            checked = lambda: broker.metric("tidemark_scrubbed_bytes_total")['{journal="0"}']
            if found:
                self.eventually(lambda: "00000000000000000017.log: the batch at position" in broker.log_tail())
                self.eventually(lambda: checked() > MIB // 2)  # sampled once a second
                self.assertNotEqual(self.client(broker).produce(topic, LARGE_BATCH)[0], NONE)
            else:
                time.sleep(6)  # the first pass begins after five seconds
                self.assertEqual(checked(), 0)
                self.assertEqual(self.client(broker).produce(topic, LARGE_BATCH)[0], NONE)

    def test_metadata_snapshots(self):
        for name, value in (("metadata.log.max.record.bytes.between.snapshots", 1),
                            ("metadata.log.max.snapshot.interval.ms", 200)):
            broker = self.start({name: value})
            for _ in range(3):
                before = metadata_files(broker, "checkpoint")
                topic = self.client(broker).new_topic(3)
                self.eventually(lambda: metadata_files(broker, "checkpoint") != before)
            self.eventually(lambda: len(metadata_files(broker, "checkpoint")) == 2)
            broker.kill()
            broker.start()
            client = self.client(broker)
            self.assertEqual(client.produce(topic, batch([b"x"]), partition=2)[0], NONE)
        self.assertEqual(metadata_files(self.default, "checkpoint"), [])

    def test_metadata_log_segment_ms(self):
        short = self.start({"metadata.log.segment.ms": 1})
        for broker, several in ((short, True), (self.default, False)):
            for _ in range(3):
                self.client(broker).new_topic()
                time.sleep(0.01)
            self.assertEqual(len(metadata_files(broker, "log")) > 1, several)

    def test_metrics_say_what_was_done(self):
        broker = self.start({"shards": 2})
        client = self.client(broker)
        topic = client.new_topic(3)
        sent = batch([b"x" * 1000] * 5)
        for partition in range(3):
            self.assertEqual(client.produce(topic, sent, partition=partition)[0], NONE)
        self.assertNotEqual(client.produce("no-such-topic-here", sent, partition=99)[0], NONE)
        self.assertEqual(client.fetch(topic, 0, 0)[0], NONE)

        def value(name):
            return sum(broker.metric(name).values())

        self.assertEqual(value("tidemark_produce_records_total"), 15)
        self.assertEqual(value("tidemark_produce_bytes_total"), 3 * len(sent))
        self.assertEqual(value("tidemark_fetch_bytes_total"), len(sent))
        errors = broker.metric("tidemark_response_errors_total")
        unknown = '{api="Produce",error="UNKNOWN_TOPIC_OR_PARTITION"}'
        self.assertEqual(errors[unknown], 1)
        self.assertEqual(sum(errors.values()), 1)
        self.assertEqual(broker.metric("tidemark_requests_total")['{api="Produce"}'], 4)
        for api, stage in (("Produce", "remote"), ("Produce", "send"), ("Fetch", "local"), ("(others)", "queue")):
            labels = f'{{api="{api}",stage="{stage}"}}'
            self.assertGreater(broker.metric("tidemark_request_stage_seconds_sum")[labels], 0, labels)
        self.assertEqual(broker.metric("tidemark_request_stage_seconds_count")['{api="Produce",stage="remote"}'], 4)
        # With acks=0 the end of the connection is all that its client is told.
        with connect(broker.bootstrap) as unheard:
            self.assertIsNone(exchange(unheard, request(PRODUCE, 7, produce_body("no-such-topic-here", sent, 0, 0))))
        self.assertEqual(broker.metric("tidemark_response_errors_total")[unknown], 2)
        # Sampled once a second.
        self.eventually(lambda: value("tidemark_partitions") == 3)
        for offset, expected in (("log_start_offset", 0), ("durable_offset", 5), ("high_watermark", 5), ("log_end_offset", 5)):
            labels = f'{{topic="{topic}",partition="1"}}'
            self.eventually(lambda: broker.metric(f"tidemark_partition_{offset}").get(labels) == expected)
        self.assertEqual(value("tidemark_partitions_unnamed"), 0)
        self.assertEqual(value("tidemark_recovery_logs"), value("tidemark_recovery_logs_recovered"))
        self.assertGreater(value("process_resident_memory_bytes"), MIB)
        self.assertGreater(value("process_cpu_seconds_total"), 0)
        self.assertLess(abs(time.time() - value("process_start_time_seconds")), 600)
        open_files = len(os.listdir(f"/proc/{broker.process.pid}/fd"))
        self.assertLessEqual(abs(value("process_open_fds") - open_files), 10)
        self.assertGreater(value("process_max_fds"), open_files)
        self.assertGreater(value("tidemark_answer_memory_limit_bytes"), 0)
        self.eventually(lambda: broker.metric("tidemark_topic_log_bytes").get(f'{{topic="{topic}"}}') == 3 * len(sent))
        self.assertEqual(value("tidemark_offline_partitions"), 0)
        syncs = broker.metric("tidemark_journal_syncs_total")
        self.assertEqual(set(syncs), {'{journal="0"}', '{journal="1"}', '{journal="metadata"}'})
        self.assertGreaterEqual(sum(syncs.values()), 3)
        lanes = broker.metric("tidemark_lane_seconds_count")
        self.assertGreater(lanes['{lane="journal-0"}'] + lanes['{lane="journal-1"}'], 0)

    def test_metrics_by_topic(self):
        broker = self.start({"shards": 2, "message.max.bytes": 2000})
        client, other = self.client(broker), self.client(broker)  # of two shards
        topic, idle = client.new_topic(2), client.new_topic()
        sent, large = batch([b"x" * 100] * 5), batch([b"y" * 3000])
        unknown_codec = batch([b"z"], attributes=7)
        for producer in (client, other):
            self.assertEqual(producer.produce(topic, sent)[0], NONE)
        self.assertEqual(client.produce(topic, large)[0], MESSAGE_TOO_LARGE)
        self.assertNotIn(client.produce(topic, unknown_codec)[0], (NONE, MESSAGE_TOO_LARGE, CORRUPT_MESSAGE))
        self.assertEqual(other.fetch(topic, 0, 0)[0], NONE)
        self.assertEqual(other.fetch(topic, 1, 0)[0], NONE)
        self.assertEqual(other.fetch(topic, 1, 99)[0], OFFSET_OUT_OF_RANGE)
        expected = {"messages_in": 10, "bytes_in": 2 * len(sent), "bytes_out": 2 * len(sent), "bytes_rejected": len(large),
                    "produce_requests": 4, "fetch_requests": 3, "failed_produce_requests": 1, "failed_fetch_requests": 0}

        def counted(of):
            label = f'{{topic="{of}"}}'
            return {name: broker.metric(f"tidemark_topic_{name}_total").get(label) for name in expected}

        self.eventually(lambda: counted(topic) == expected)
        self.assertEqual(set(counted(idle).values()), {None})
        Admin(broker.bootstrap).delete_topic(topic)
        self.eventually(lambda: set(counted(topic).values()) == {None})

    def test_telemetry_max_bytes(self):
        small = self.start({"telemetry.max.bytes": 1000})
        for broker, most in ((small, 1000), (self.default, 1048576)):
            for size, error in ((most, INVALID_RECORD), (most + 1, TELEMETRY_TOO_LARGE)):
                client = self.client(broker)
                told = client.call(GET_TELEMETRY_SUBSCRIPTIONS, 0)
                self.assertEqual(told["max_bytes"], most)
                self.assertEqual(client.call(PUSH_TELEMETRY, 0, instance=told["instance"], subscription=told["subscription"],
                                             metrics=bytes(size))["error"], error)

    def test_every_metric_is_described(self):
        broker = self.start({})
        client = self.client(broker)
        told = client.call(GET_TELEMETRY_SUBSCRIPTIONS, 0)
        self.assertEqual(client.call(PUSH_TELEMETRY, 0, instance=told["instance"], subscription=told["subscription"],
                                     metrics=otlp.metrics_data(otlp.gauge("g", otlp.point(1)), otlp.counter("c", 1))),
                         {"throttle_time_ms": 0, "error": NONE})
        topic = client.new_topic()
        self.assertNotEqual(client.produce(topic, b"")[0], NONE)
        self.eventually(lambda: broker.metric("tidemark_topic_produce_requests_total"))
        committing = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "described"})
        self.addCleanup(committing.close)
        committing.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=False)
        self.eventually(lambda: broker.metric("tidemark_group_lag_seconds"))
        with urllib.request.urlopen(f"http://{broker.http}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        shown = {name: set() for name in re.findall(r"(?m)^# TYPE (\S+) ", text)}
        for name, labels in re.findall(r"(?m)^(\w+)\{([^}]*)\} ", text):
            family = name if name in shown else re.sub("_(bucket|sum|count)$", "", name)
            shown[family] |= set(re.findall(r'(\w+)="', labels)) - {"le"}
        with open(os.path.join(brokers.ROOT, "broker", "observe", "METRICS.md"), encoding="utf-8") as file:
            rows = [line.split("|")[1] for line in file if line.startswith("| `")]
        described = {}
        for name in re.findall("`([^`]*)`", " ".join(rows)):
            several = re.fullmatch(r"(\w+)\{([\w,]*)\}(\w+)", name)
            for each in ([several[1] + word + several[3] for word in several[2].split(",")] if several else [name]):
                plain, _, labels = each.rstrip("}").partition("{")
                described[plain] = set(labels.split(",")) if labels else set()
        self.assertGreater(len(described), 40)
        self.maxDiff = None
        self.assertEqual(shown, described)

    def test_fetch_max_bytes(self):
        small = self.start({"fetch.max.bytes": 1024})
        for broker, batches in ((small, 1), (self.default, 10)):
            client = self.client(broker)
            topic = client.new_topic()
            for _ in range(10):
                client.produce(topic, batch([b"x" * 900]))
            error, _, records = client.fetch(topic, 0, 0)
            self.assertEqual((error, records.count(b"x" * 900)), (NONE, batches))

    def test_max_incremental_fetch_session_cache_slots(self):
        none = self.start({"max.incremental.fetch.session.cache.slots": 0})
        for broker, remembered in ((none, False), (self.default, True)):
            client = self.client(broker)
            topic = client.new_topic()
            body = (struct.pack(">iiiibii", -1, 0, 0, 1 << 20, 0, 0, 0) + struct.pack(">i", 1) + string(topic) +
                    struct.pack(">iiqqi", 1, 0, 0, -1, 1 << 20) + struct.pack(">i", 0))
            _, error, session = struct.unpack_from(">ihi", client.ask(FETCH, 7, body))
            self.assertEqual((error, session != 0), (NONE, remembered))

    def test_max_request_partition_size_limit(self):
        three = self.start({"max.request.partition.size.limit": 3})
        for broker, complete in ((three, False), (self.default, True)):
            topic = self.client(broker).new_topic(5)
            name = topic.encode()
            # Flexible: compact arrays and strings, then tagged fields; the limit asked for is beyond any.
            body = (b"\x00" + b"\x02" + bytes([len(name) + 1]) + name + b"\x00" + struct.pack(">i", 2000) + b"\xff" + b"\x00")
            answer = exchange(self.connect(broker), request(DESCRIBE_TOPIC_PARTITIONS, 0, body))
            # The cursor at the end is null where nothing is left: -1, and no tagged fields.
            self.assertEqual(answer.endswith(b"\xff\x00"), complete)
            self.assertEqual(name in answer[-60:-2], not complete)


LARGE_BATCH = batch([b"x" * 60_000])

if __name__ == "__main__":
    client_suite.main(__name__)
