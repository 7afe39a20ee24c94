#!/usr/bin/python3
"""Our own `tidemark` command, held to what every client must be able to do, and to what interfaces.md promises of it:
data on stdout, everything else on stderr, exit status 0, 1 or 2."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time

import broker as brokers
import client_suite
from client_suite import Record, record

TIDEMARK = os.path.join(brokers.BIN, "tidemark")


class Refused(Exception):
    pass


class Tidemark(client_suite.ClientSuite):
    can_send_null_header = False  # a line has no room for one
    transient_errors = (Refused,)

    def run_command(self, *arguments, stdin=b"", seconds=60):
        environment = dict(os.environ, TIDEMARK_BOOTSTRAP=self.broker.bootstrap)
        return subprocess.run([TIDEMARK, *arguments], input=stdin, capture_output=True, timeout=seconds, check=False,
                              env=environment)

    def tidemark(self, *arguments, stdin=b""):
        done = self.run_command(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise Refused(f"{done.returncode}: {done.stderr.decode(errors='replace')}")
        self.assertEqual(done.stderr, b"")
        return done.stdout

    def as_json(self, *arguments):
        return json.loads(self.tidemark(*arguments, "-o", "json"))

    def refused(self, status, *arguments, stdin=b""):
        done = self.run_command(*arguments, stdin=stdin)
        self.assertEqual(done.returncode, status, done)
        self.assertEqual(done.stdout, b"")
        return done.stderr.decode()

    # --- the verbs of the suite --------------------------------------------------------------------------------
    def create_topic(self, topic, partitions=1, configs=None):
        settings = [word for name, value in (configs or {}).items() for word in ("-c", f"{name}={value}")]
        created = self.as_json("topic", "create", topic, "-p", str(partitions), "-r", "1", *settings)
        self.assertEqual([(entry["name"], entry["partitions"]) for entry in created], [(topic, partitions)])

    def produce(self, topic, records, acks="all", codec="none", idempotent=False):
        """One run for each set of headers, in order; the command says no offsets."""
        before = {partition: self.watermarks(topic, partition)[1]
                  for partition in {entry.partition or 0 for entry in records}}
        with tempfile.NamedTemporaryFile("w", suffix=".properties") as config:
            config.write(f"enable.idempotence={str(idempotent).lower()}\nmax.request.size=1100000\n")
            config.flush()
            runs = []
            for entry in records:
                if not runs or runs[-1][0] != entry.headers:
                    runs.append((entry.headers, []))
                runs[-1][1].append(entry)
            for headers, entries in runs:
                flags = [flag for name, value in headers for flag in ("-H", f"{name}={value.decode()}")]
                lines = b"".join(b"%d\x01%d\x01%s\x01%s\n" % (entry.partition or 0, entry.timestamp or time.time() * 1000,
                                                              entry.key or b"", entry.value or b"") for entry in entries)
                self.tidemark("--config", config.name, "produce", topic, "--acks", acks, "-z", codec, "-Z", "-f",
                              "%p\\x01%T\\x01%k\\x01%v\\n", *flags, stdin=lines)
        offsets = []
        for entry in records:
            offsets.append(before[entry.partition or 0])
            before[entry.partition or 0] += 1
        return [None] * len(records) if acks == "0" else offsets

    def consume(self, topic, partition, start, count):
        output = self.tidemark("consume", topic, "-p", str(partition), "--offset", str(start), "-n", str(count),
                               "--until-end", "-o", "json")
        found = []
        for line in output.decode().splitlines():
            entry = json.loads(line)
            headers = [(header["key"], header["value"].encode()) for header in entry["headers"]]
            key, value = (entry[name] if entry[name] is None else entry[name].encode() for name in ("key", "value"))
            found.append(Record(key, value, headers, entry["timestamp"], entry["offset"], entry["partition"]))
        return found

    def watermarks(self, topic, partition):
        deadline = time.monotonic() + 20
        while True:
            described = self.as_json("topic", "describe", topic)[0]["partitions"][partition]
            if described["end_offset"] is not None:  # it has a leader
                return described["start_offset"], described["end_offset"]
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)

    def offset_for_time(self, topic, partition, timestamp_ms):
        line = self.tidemark("consume", topic, "-p", str(partition), "--offset", f"@{timestamp_ms}", "-n", "1",
                             "--until-end", "-f", "%o")
        return int(line) if line else None

    # --- as only the command does it ----------------------------------------------------------------------------
    def test_every_verb_has_help_with_an_example(self):
        self.check_help([])

    def test_help_names_the_defaults(self):
        self.assertRegex(self.tidemark("consume", "--help").decode(), r"--offset TEXT +where to begin: start \(default\)")

    def check_help(self, words):
        text = self.tidemark(*words, "--help").decode()
        self.assertRegex(text, r"Usage: tidemark")
        verbs = re.findall(r"^  ([a-z-]+)  +\S", text.partition("Subcommands:")[2], re.MULTILINE)
        example = text.partition("Example:\n  ")[2]
        self.assertTrue(example, words)
        self.assertIn(" ".join(words), example)
        for verb in verbs:
            self.check_help([*words, verb])

    def test_topics_from_creation_to_deletion(self):
        topic = self.new_topic(partitions=2, configs={"retention.ms": "86400000"})
        self.assertIn(topic, [entry["name"] for entry in self.as_json("topic", "list")])
        self.watermarks(topic, 1)
        described = self.as_json("topic", "describe", topic)[0]
        self.assertEqual(described["configs"], {"retention.ms": "86400000"})
        self.assertEqual([entry["partition"] for entry in described["partitions"]], [0, 1])
        self.tidemark("topic", "alter", topic, "-p", "3", "-c", "max.message.bytes=2000", "-d", "retention.ms")
        self.watermarks(topic, 0)
        deadline = time.monotonic() + 20
        while len(self.as_json("topic", "describe", topic)[0]["partitions"]) < 3:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.assertEqual(self.as_json("topic", "describe", topic)[0]["configs"], {"max.message.bytes": "2000"})
        self.tidemark("topic", "delete", topic)
        self.assertIn("UNKNOWN_TOPIC_OR_PARTITION", self.refused(1, "topic", "describe", topic))

    def test_tables_and_plain_lines(self):
        topic = self.new_topic(partitions=4)
        lines = self.tidemark("topic", "list").decode().splitlines()  # not a terminal: no heading, tabs
        self.assertIn([topic, "4", "1", "false"], [line.split("\t")[:1] + line.split("\t")[2:] for line in lines])
        heading = self.tidemark("topic", "list", "-o", "table").decode().splitlines()[0]
        self.assertEqual(heading.split("  ")[0], "NAME")
        self.assertIn(f"- name: {topic}\n", self.tidemark("topic", "list", "-o", "yaml").decode())

    def test_settings(self):
        topic = self.new_topic()
        self.tidemark("config", "set", "topic", topic, "retention.ms=60000", "segment.bytes=1048576")
        found = {entry["name"]: entry for entry in self.as_json("config", "get", "topic", topic)}
        self.assertEqual(found["retention.ms"]["value"], "60000")
        self.assertEqual(found["segment.bytes"]["source"], "topic")
        self.tidemark("config", "unset", "topic", topic, "retention.ms")
        again = self.as_json("config", "get", "topic", topic, "retention.ms")
        self.assertNotEqual(again[0]["source"], "topic")
        self.assertGreater(len(self.as_json("config", "get", "topic", topic, "--all")), 20)
        self.assertIn("INVALID_CONFIG", self.refused(1, "config", "set", "topic", topic, "retention.ms=often"))
        self.refused(2, "config", "set", "topic", topic, "retention.ms")
        self.refused(2, "config", "get", "planet", topic)

    def test_trimming(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"%d" % i) for i in range(100)])
        self.await_end(topic, 0, 100)
        trimmed = self.as_json("topic", "trim", topic, "--before", "40")
        self.assertEqual(trimmed, [{"topic": topic, "partition": 0, "start_offset": 40}])
        self.assertEqual(self.watermarks(topic, 0), (40, 100))
        self.assertIn(f"OFFSET_OUT_OF_RANGE: {topic}-0: 101 lies behind its end, 100",
                      self.refused(1, "topic", "trim", topic, "--before", "101"))
        self.assertIn("OFFSET_OUT_OF_RANGE", self.refused(1, "consume", topic, "-p", "0", "--offset", "39", "-n", "1"))

    def test_trimming_by_time_and_from_the_end(self):
        topic = self.new_topic(partitions=2)
        now = int(time.time() * 1000)
        self.produce(topic, [record(b"%d" % i, timestamp=now - 1000 + i, partition=i % 2) for i in range(20)])
        self.await_end(topic, 0, 10)
        self.await_end(topic, 1, 10)

        def trimmed(*words):
            return [entry["start_offset"] for entry in self.as_json("topic", "trim", topic, *words)]
        self.assertEqual(trimmed("--before", "start"), [0, 0])
        self.assertEqual(trimmed("--before", f"@{now - 1000 + 6}"), [3, 3])
        self.assertEqual(trimmed("--before", "-4", "-p", "1"), [6])
        self.assertEqual(trimmed("--before", "2"), [3, 6])  # removed already
        # One that cannot is told, and the other is trimmed.
        self.produce(topic, [record(b"more", partition=1)])
        self.await_end(topic, 1, 11)
        done = self.run_command("topic", "trim", topic, "--before", "11", "-o", "json")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"OFFSET_OUT_OF_RANGE: {topic}-0: 11 lies behind its end, 10", done.stderr.decode())
        self.assertEqual(json.loads(done.stdout), [{"topic": topic, "partition": 1, "start_offset": 11}])
        self.assertEqual(trimmed("--before", "end"), [10, 11])
        self.assertIn("none of start, end, N, -N, @TIME", self.refused(2, "topic", "trim", topic, "--before", "soon"))
        in_microseconds = f"@{int(time.time() * 1_000_000)}"
        self.assertIn("lies in the future", self.refused(2, "topic", "trim", topic, "--before", in_microseconds))
        self.assertIn("has no partition 7", self.refused(1, "topic", "trim", topic, "-p", "7", "--before", "end"))
        compacted = self.new_topic(configs={"cleanup.policy": "compact"})
        self.watermarks(compacted, 0)
        self.assertIn("POLICY_VIOLATION", self.refused(1, "topic", "trim", compacted, "--before", "end"))

    def test_health(self):
        """What is found wrong is tested with the unit tests; here, that all of it is asked."""
        self.new_topic(partitions=3)
        self.must_be_healthy()
        # With one replica no more than one can be in sync, and acks=all works.
        short = self.new_topic(configs={"min.insync.replicas": "2"})
        self.watermarks(short, 0)
        self.must_be_healthy()
        self.assertIn("cannot connect", self.refused(1, "-b", "127.0.0.1:1", "cluster", "health"))

    def must_be_healthy(self):
        """Whatever is wrong with the disk that the tests run on is not ours to judge."""
        deadline = time.monotonic() + 20
        while True:
            done = self.run_command("cluster", "health", "-o", "json")
            health = json.loads(done.stdout)
            faults = [fault for fault in health["faults"] if fault["fault"] != "log_dir_full"]
            if not faults:
                break
            self.assertLess(time.monotonic(), deadline, faults)
            time.sleep(0.2)
        self.assertEqual(done.returncode, 0 if health["healthy"] else 1)
        self.assertEqual((health["brokers"], health["brokers_reachable"]), (1, 1))
        self.assertGreaterEqual(health["partitions"], 3)
        folder, = health["log_dirs"]
        self.assertIsNone(folder["error"])
        self.assertGreater(folder["usable_bytes"], 0)
        self.assertLess(folder["used_percent"], 100)

    def test_the_cluster(self):
        info = self.as_json("cluster", "info")
        self.assertTrue(info["cluster_id"])
        self.assertIn(info["controller"], [entry["id"] for entry in info["brokers"]])

    def test_the_last_records(self):
        topic = self.new_topic()
        self.produce(topic, [record(b"%d" % i) for i in range(20)])
        self.assertEqual(self.tidemark("consume", topic, "--offset", "-3", "-e"), b"17\n18\n19\n")
        self.assertEqual(self.tidemark("consume", topic, "--offset", "end", "-e"), b"")
        self.assertEqual(self.tidemark("consume", topic, "-n", "2", "-f", "%t-%p %o %v;").decode(),
                         f"{topic}-0 0 0;{topic}-0 1 1;")

    def test_following_a_topic(self):
        topic = self.new_topic()
        self.watermarks(topic, 0)
        reader = subprocess.Popen([TIDEMARK, "-b", self.broker.bootstrap, "consume", topic, "-n", "2"],
                                  stdout=subprocess.PIPE)
        self.tidemark("produce", topic, stdin=b"first\n")
        self.assertEqual(reader.stdout.readline(), b"first\n")  # shown as it comes
        self.tidemark("produce", topic, stdin=b"second")        # a last line without its end
        self.assertEqual(reader.communicate(timeout=30)[0], b"second\n")
        self.assertEqual(reader.returncode, 0)

    def test_refusals_have_names_and_statuses(self):
        topic = self.new_topic()
        self.assertIn("TOPIC_ALREADY_EXISTS", self.refused(1, "topic", "create", topic))
        self.assertIn("INVALID_TOPIC_EXCEPTION", self.refused(1, "topic", "create", "not/a/name"))
        done = self.run_command("topic", "delete", self.new_topic(), "no-such-topic")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"UNKNOWN_TOPIC_OR_PARTITION: no-such-topic", done.stderr)
        self.assertIn("UNKNOWN_TOPIC_OR_PARTITION", self.refused(1, "produce", topic, "-p", "7", stdin=b"x\n"))
        self.assertIn("cannot connect", self.refused(1, "-b", "127.0.0.1:1", "topic", "list"))
        self.refused(2)
        self.refused(2, "topic", "frobnicate")
        self.refused(2, "topic", "create")
        self.refused(2, "-b", "nonsense", "topic", "list")
        self.refused(2, "produce", topic, "-f", "%q", stdin=b"x\n")
        self.refused(2, "produce", topic, "-f", "%k:%v", stdin=b"no colon\n")
        self.refused(2, "consume", topic, "--offset", "yesterday")
        self.assertIn("group", self.refused(2, "consume", topic, "-g", "readers", "-p", "0"))
        with tempfile.NamedTemporaryFile("w") as config:
            config.write("bootstrap.server=x:1\n")
            config.flush()
            self.assertIn("bootstrap.servers", self.refused(2, "--config", config.name, "topic", "list"))
        with tempfile.NamedTemporaryFile("w") as config:
            config.write("security.protocol=SSL\n")
            config.flush()
            self.assertIn("SSL is not supported", self.refused(2, "--config", config.name, "topic", "list"))

    def test_where_the_brokers_are_named(self):
        """The flag, else the file, else the environment (which names the broker of these tests)."""
        with tempfile.NamedTemporaryFile("w") as config:
            config.write("bootstrap.servers=127.0.0.1:1\nmetadata.max.age.ms=60000\n")
            config.flush()
            self.assertIn("127.0.0.1:1", self.refused(1, "--config", config.name, "topic", "list"))
            self.tidemark("--config", config.name, "-b", self.broker.bootstrap, "topic", "list")
        with tempfile.NamedTemporaryFile("w") as config:
            config.write("metadata.max.age.ms=60000\n")
            config.flush()
            self.tidemark("--config", config.name, "topic", "list")
        self.tidemark("topic", "list")

    def test_what_was_meant(self):
        topic = self.new_topic()
        for meant, arguments in (("did you mean topic?", ["topik", "list"]), ("did you mean create?", ["topic", "creat", "x"]),
                                 ("did you mean json?", ["-o", "jsn", "topic", "list"]),
                                 ("did you mean gzip?", ["produce", topic, "-z", "gzp"]),
                                 ("did you mean all?", ["produce", topic, "--acks", "al"]),
                                 ("did you mean --partitions?", ["topic", "create", "--partition", "3", "x"]),
                                 ("did you mean topic?", ["config", "get", "topc", "x"])):
            self.assertIn(meant, self.refused(2, *arguments))
        self.assertIn(f"did you mean {topic}?", self.refused(1, "topic", "describe", topic[:-1]))
        # Where nothing is near, the choices are told instead of a guess. Options are looked at behind a positional, too.
        for told, arguments in (("there is no option --offsett; did you mean --offset?", ["consume", topic, "--offsett", "end"]),
                                ("2 not in {0,1,all,-1}; --help", ["produce", topic, "--acks", "2"]),
                                ("xml not in {table,json,yaml}; --help", ["-o", "xml", "topic", "list"]),
                                ("no command ls; there are create, list, describe, ", ["topic", "ls"])):
            with self.subTest(arguments):
                self.assertIn(told, self.refused(2, *arguments))
        done = self.run_command("config", "get", "topic", topic, "retention.mz")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"there is no setting retention.mz; did you mean retention.ms?\n", done.stderr)
        refused = self.refused(1, "config", "set", "topic", topic, "retention.sm=1")
        self.assertIn("Unknown topic config name: retention.sm", refused)

    @brokers.tidemark_only("Kafka has no suggestion")
    def test_a_misspelt_setting_has_a_suggestion(self):
        refused = self.refused(1, "config", "set", "topic", self.new_topic(), "retention.sm=1")
        self.assertIn("did you mean retention.ms?", refused)

    def test_a_record_that_is_too_large(self):
        topic = self.new_topic(configs={"max.message.bytes": "10000"})
        done = self.run_command("produce", topic, stdin=b"x" * 20_000)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"MESSAGE_TOO_LARGE", done.stderr)

    # --- perf ---------------------------------------------------------------------------------------------------
    def perf(self, *arguments):
        """The summary as JSON, and the lines of progress."""
        done = self.run_command("perf", *arguments, "-o", "json")
        self.assertEqual(done.returncode, 0, done)
        return json.loads(done.stdout), done.stderr.decode().splitlines()

    def check_latency(self, latency, count=None):
        values = [latency[name] for name in ("p50", "p90", "p99", "p99_9", "max")]
        self.assertEqual(values, sorted(values))
        self.assertGreater(values[0], 0)
        self.assertLess(values[-1], 60_000_000)
        self.assertEqual(latency["beyond"], 0)
        if count is not None:
            self.assertEqual(latency["count"], count)

    def check_rate(self, summary, rate):
        self.assertGreater(summary["records_per_s"], rate * 0.9)
        self.assertLess(summary["records_per_s"], rate * 1.1)

    def test_perf_produce_and_consume(self):
        topic = self.new_topic(partitions=3)
        made, _ = self.perf("produce", topic, "--records", "20000", "--size", "200", "-z", "lz4")
        self.assertEqual([made[name] for name in ("verb", "records", "bytes", "failed", "unsent")],
                         ["produce", 20_000, 4_000_000, 0, 0])
        self.check_latency(made["latency_us"], 20_000)
        self.assertEqual(sum(self.watermarks(topic, partition)[1] for partition in range(3)), 20_000)
        read, _ = self.perf("consume", topic, "--records", "15000")
        self.assertEqual([read[name] for name in ("verb", "records", "bytes")], ["consume", 15_000, 3_000_000])
        self.check_latency(read["latency_us"])
        read, progress = self.perf("consume", topic, "--seconds", "1.5")
        self.assertEqual((read["records"], read["bytes"]), (20_000, 4_000_000))
        self.assertRegex(progress[0], r"^1 s: 20000 records, \d+ records/s, [\d.]+ MB/s, p50 ")
        self.assertAlmostEqual(read["elapsed_ms"], 1_500, delta=500)
        one, _ = self.perf("consume", topic, "-p", "1", "--offset", "10", "--records", "1")
        self.assertEqual((one["records"], one["bytes"]), (1, 200))
        none, _ = self.perf("consume", topic, "--offset", "end", "--seconds", "0.3")
        self.assertEqual((none["records"], none["latency_us"]), (0, None))

    def test_perf_produce_at_a_rate(self):
        topic = self.new_topic(partitions=2)
        self.watermarks(topic, 1)  # there is a leader: what is sent with acks=0 before that is lost
        for acks in ("0", "1", "all"):
            with self.subTest(acks=acks):
                made, progress = self.perf("produce", topic, "--rate", "500", "--seconds", "2", "--acks", acks,
                                           "--linger-ms", "0", "-p", "1")
                self.assertEqual((made["records"], made["unsent"]), (1_000, 0))
                self.check_latency(made["latency_us"], 1_000)
                self.check_rate(made, 500)
                self.assertRegex(progress[0], r"^1 s: \d+ records, ")
        self.assertEqual(self.watermarks(topic, 0)[1], 0)
        self.await_end(topic, 1, 3_000)

    def test_perf_at_a_rate_that_is_not_held(self):
        topic = self.new_topic()
        for verb in ("produce", "latency"):
            with self.subTest(verb):
                done = self.run_command("perf", verb, topic, "--rate", "10000000", "--seconds", "0.1", "-o", "json")
                self.assertEqual(done.returncode, 1, done)
                self.assertGreater(json.loads(done.stdout)["unsent"], 0)
                self.assertIn(b"the rate was not held", done.stderr)

    def test_perf_latency(self):
        topic = self.new_topic(partitions=2)
        self.produce(topic, [record(b"older")])
        echoed, progress = self.perf("latency", topic, "--rate", "500", "--seconds", "2")
        self.assertEqual([echoed[name] for name in ("verb", "records", "bytes", "sent", "lost", "unsent")],
                         ["latency", 1_000, 100_000, 1_000, 0, 0])
        self.check_latency(echoed["latency_us"], 1_000)
        self.check_rate(echoed, 500)
        self.assertRegex(progress[0], r"^1 s: \d+ records, ")
        # One more for each partition went ahead.
        self.assertEqual([self.watermarks(topic, partition)[1] for partition in (0, 1)], [502, 501])

    def test_perf_ends_with_its_summary_on_ctrl_c(self):
        topic = self.new_topic()
        for verb in ("produce", "consume", "latency"):
            with self.subTest(verb), subprocess.Popen(
                    [TIDEMARK, "-b", self.broker.bootstrap, "-o", "json", "perf", verb, topic, "--seconds", "60"],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
                running.stderr.readline()  # a second has passed
                running.send_signal(signal.SIGINT)
                output, _ = running.communicate(timeout=30)
                self.assertEqual(running.returncode, 0)
                summary = json.loads(output)
                self.assertGreater(summary["records"], 0)
                self.assertLess(summary["elapsed_ms"], 30_000)

    def test_perf_as_a_table_and_its_refusals(self):
        topic = self.new_topic()
        heading, row = self.tidemark("perf", "produce", topic, "--records", "10", "-o", "table").decode().splitlines()
        self.assertEqual(re.split("  +", heading), ["RECORDS", "MB", "SECONDS", "RECORDS/S", "MB/S", "P50 MS", "P90 MS",
                                                    "P99 MS", "P99.9 MS", "MAX MS"])
        self.assertEqual(re.split("  +", row)[:2], ["10", "0.00"])
        for told, arguments in (("did you mean produce?", ["prodce", topic]),
                                ("did you mean all?", ["produce", topic, "--acks", "al"]),
                                ("did you mean zstd?", ["latency", topic, "-z", "zst"]),
                                ("did you mean --records?", ["consume", topic, "--record", "5"]),
                                ("--rate: Value 0 not in range", ["latency", topic, "--rate", "0"]),
                                ("--acks all only", ["produce", topic, "--acks", "1", "--idempotent"]),
                                ("max.request.size", ["produce", topic, "--size", "2000000"]),
                                ("offset 'ende' is none of", ["consume", topic, "--offset", "ende"])):
            with self.subTest(arguments):
                self.assertIn(told, self.refused(2, "perf", *arguments))
        for verb in ("produce", "consume", "latency"):
            self.assertIn(f"did you mean {topic}?", self.refused(1, "perf", verb, topic[:-1]))
        self.assertIn("UNKNOWN_TOPIC_OR_PARTITION", self.refused(1, "perf", "produce", topic, "-p", "7"))
        small = self.new_topic(configs={"max.message.bytes": "1000"})
        self.assertIn("MESSAGE_TOO_LARGE", self.refused(1, "perf", "produce", small, "--size", "5000", "--records", "1"))

    def test_looking_into_the_log_files(self):
        topic = self.new_topic()
        sent = [b"value %d" % i for i in range(50)]
        self.produce(topic, [record(value, key=b"k") for value in sent], codec="gzip")
        self.await_end(topic, 0, 50)
        self.stored(topic, 0, 50)  # waits for the files, or skips
        folder = os.path.join(self.broker.data_dir, f"{topic}-0")
        verified = self.as_json("log", "verify", folder)
        self.assertEqual([(entry["status"], entry["records"]) for entry in verified], [("ok", 50)])
        segment = os.path.join(folder, "0" * 20 + ".log")
        dumped = self.as_json("log", "dump", "--records", segment)[0]
        self.assertEqual({batch["codec"] for batch in dumped["batches"]}, {"gzip"})
        values = [entry["value"].encode() for batch in dumped["batches"] for entry in batch["content"]]
        self.assertEqual(values, sent)
        with tempfile.TemporaryDirectory() as copy:
            with open(segment, "rb") as file:
                data = bytearray(file.read()[:sum(batch["bytes"] for batch in dumped["batches"])])
            data[-1] ^= 1
            with open(os.path.join(copy, os.path.basename(segment)), "wb") as file:
                file.write(data)
            done = self.run_command("log", "verify", copy, "-o", "json")
            self.assertEqual(done.returncode, 1, done)
            self.assertEqual(json.loads(done.stdout)[0]["status"], "damaged")
        self.refused(2, "log", "verify", "/no/such/folder")
        self.refused(2, "log", "dump", __file__)

    def test_it_starts_in_20_ms(self):
        best = float("inf")
        for _ in range(20):
            began = time.monotonic()
            self.tidemark("--version")
            best = min(best, time.monotonic() - began)
        self.assertLess(best, 0.020)


if __name__ == "__main__":
    client_suite.main(__name__)
