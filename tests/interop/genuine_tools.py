#!/usr/bin/python3
"""Genuine Kafka's command line tools against the broker, as an operator types them. Run by extended.sh, together with those
for administration and for consumer groups."""

import glob
import json
import os
import re
import sys
import tempfile
import time

import broker as brokers
import genuine_admin_tools
import genuine_group_tools
import genuine_quota_tools
import genuine_suite


class GenuineTools(genuine_suite.ToolSuite):
    # --- administration -----------------------------------------------------------------------------------------
    def test_kafka_topics(self):
        topic = self.new_topic(partitions=3, retention_ms=3600000)
        self.assertIn(topic, self.on_broker("kafka-topics", "--list").split())
        described = self.on_broker("kafka-topics", "--describe", "--topic", topic)
        self.assertRegex(described, r"PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention\.ms=3600000")
        self.assertEqual(len(re.findall(r"Leader: \d+\s+Replicas: \d+\s+Isr: \d+", described)), 3)
        self.on_broker("kafka-topics", "--alter", "--topic", topic, "--partitions", "5")
        self.assertIn("PartitionCount: 5", self.on_broker("kafka-topics", "--describe", "--topic", topic))
        for flag in ("--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions"):
            self.assertEqual(self.on_broker("kafka-topics", "--describe", "--topic", topic, flag).strip(), "")
        again = self.run_tool("kafka-topics", "--bootstrap-server", self.broker.bootstrap, "--create", "--topic", topic)
        self.assertEqual(again.returncode, 1)
        self.assertIn("already exists", again.stdout + again.stderr)
        many = self.run_tool("kafka-topics", "--bootstrap-server", self.broker.bootstrap, "--create", "--topic",
                             "too-many", "--replication-factor", "3")
        self.assertIn("InvalidReplicationFactorException", many.stdout + many.stderr)
        self.assertRegex(many.stdout + many.stderr, r"replication factor: 3|3 time\(s\)")
        self.on_broker("kafka-topics", "--delete", "--topic", topic)
        self.assertNotIn(topic, self.on_broker("kafka-topics", "--list").split())

    def test_kafka_configs_of_a_topic(self):
        topic = self.new_topic()
        of_topic = ("--entity-type", "topics", "--entity-name", topic)
        self.on_broker("kafka-configs", *of_topic, "--alter", "--add-config", "retention.ms=123456,message.timestamp.type=LogAppendTime")
        described = self.on_broker("kafka-configs", *of_topic, "--describe")
        self.assertIn("retention.ms=123456", described)
        self.assertIn("message.timestamp.type=LogAppendTime", described)
        self.on_broker("kafka-configs", *of_topic, "--alter", "--delete-config", "retention.ms")
        self.assertNotIn("retention.ms=123456", self.on_broker("kafka-configs", *of_topic, "--describe"))
        everything = self.on_broker("kafka-configs", *of_topic, "--describe", "--all")
        self.assertIn("retention.ms=604800000 ", everything)
        self.assertRegex(everything, r"max\.message\.bytes=1048588 .*DEFAULT_CONFIG:message\.max\.bytes=1048588")
        wrong = self.run_tool("kafka-configs", "--bootstrap-server", self.broker.bootstrap, *of_topic, "--alter",
                              "--add-config", "retention.ms=soon")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("InvalidConfigurationException", wrong.stdout + wrong.stderr)

    def test_kafka_configs_of_brokers(self):
        listed = self.on_broker("kafka-configs", "--entity-type", "brokers", "--describe", "--all")
        self.assertIn("message.max.bytes=1048588", listed)
        default = ("--entity-type", "brokers", "--entity-default")
        self.on_broker("kafka-configs", *default, "--alter", "--add-config", "log.retention.ms=7654321")
        self.assertIn("log.retention.ms=7654321", self.on_broker("kafka-configs", *default, "--describe"))
        topic = self.new_topic()
        everything = self.on_broker("kafka-configs", "--entity-type", "topics", "--entity-name", topic, "--describe", "--all")
        self.assertRegex(everything, r"retention\.ms=7654321 .*DYNAMIC_DEFAULT_BROKER_CONFIG")
        self.on_broker("kafka-configs", *default, "--alter", "--delete-config", "log.retention.ms")
        self.assertNotIn("7654321", self.on_broker("kafka-configs", *default, "--describe"))

    def test_kafka_get_offsets_and_delete_records(self):
        topic = self.new_topic(partitions=2)
        # Small batches, or all of them may go to one partition: kafka-get-offsets leaves an empty one out at -3.
        self.perf(topic, 1000, 50, "acks=all", "batch.size=500")
        before, start = self.offsets(topic, -1), self.offsets(topic, -2)
        self.assertEqual(sum(before.values()), 1000)
        self.assertNotIn(0, before.values())
        self.assertEqual(start, {0: 0, 1: 0})
        self.assertEqual(self.offsets(topic, -3).keys(), before.keys())
        cut = before[0] // 2
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": cut},
                                                    {"topic": topic, "partition": 1, "offset": -1}]}, file)
            file.flush()
            output = self.on_broker("kafka-delete-records", "--offset-json-file", file.name)
        self.assertRegex(output, rf"partition: {topic}-0\s+low_watermark: {cut}")
        self.assertEqual(self.offsets(topic, -2), {0: cut, 1: before[1]})
        self.assertEqual(self.offsets(topic, -1), before)

    def test_kafka_log_dirs(self):
        topic = self.new_topic(partitions=2)
        self.perf(topic, 500, 100, "acks=all")
        output = self.on_broker("kafka-log-dirs", "--describe", "--topic-list", topic)
        described = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
        folders = [folder for entry in described["brokers"] for folder in entry["logDirs"]]
        self.assertEqual([folder["error"] for folder in folders], [None] * len(folders))
        sizes = {entry["partition"]: entry["size"] for folder in folders for entry in folder["partitions"]}
        self.assertEqual(set(sizes), {f"{topic}-0", f"{topic}-1"})
        self.assertGreater(sum(sizes.values()), 500 * 100)

    def test_kafka_broker_api_versions(self):
        output = self.on_broker("kafka-broker-api-versions")
        self.assertRegex(output, r"(?m)^127\.0\.0\.1:\d+ \(id: \d+ rack: .*\) -> \(")
        for api in ("Produce(0)", "Fetch(1)", "ListOffsets(2)", "Metadata(3)", "ApiVersions(18)", "CreateTopics(19)"):
            self.assertRegex(output, rf"{re.escape(api)}: \d+ to \d+ \[usable: \d+\]")

    # --- records ----------------------------------------------------------------------------------------------------
    def test_console_producer_and_consumer(self):
        topic = self.new_topic(partitions=2)
        lines = "".join(f"h1:v{i},h2:w\tkey{i % 3}\tvalue {i}\n" for i in range(100))
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            self.on_broker("kafka-console-producer", "--topic", topic, "--compression-codec", codec, "--reader-property",
                           "parse.key=true", "--reader-property", "parse.headers=true", stdin=lines)
        found = []
        for partition in (0, 1):
            end = self.offsets(topic, -1)[partition]
            output = self.on_broker("kafka-console-consumer", "--topic", topic, "--partition", str(partition), "--offset",
                                    "earliest", "--max-messages", str(end), "--timeout-ms", "30000", "--formatter-property",
                                    "print.key=true", "--formatter-property", "print.headers=true")
            found += output.splitlines()
        self.assertEqual(sorted(found), sorted(lines.splitlines() * 5))
        one = self.on_broker("kafka-console-consumer", "--topic", topic, "--partition", "0", "--offset", "3",
                             "--max-messages", "1", "--timeout-ms", "30000")
        self.assertRegex(one, r"^value \d+\n$")

    def test_producer_perf_test(self):
        for properties in (("acks=all",), ("acks=1", "enable.idempotence=false"), ("acks=0", "enable.idempotence=false"),
                           ("acks=all", "compression.type=zstd"), ("acks=all", "compression.type=lz4", "linger.ms=5")):
            with self.subTest(properties=properties):
                topic = self.new_topic(partitions=4)
                self.perf(topic, 50_000, 100, *properties)
                deadline = time.monotonic() + 20
                while sum(self.offsets(topic, -1).values()) < 50_000 and time.monotonic() < deadline:
                    pass
                self.assertEqual(sum(self.offsets(topic, -1).values()), 50_000)

    def test_verifiable_producer(self):
        topic = self.new_topic()
        output = self.on_broker("kafka-verifiable-producer", "--topic", topic, "--max-messages", "2000", "--acks", "-1")
        last = [json.loads(line) for line in output.splitlines() if '"tool_data"' in line][-1]
        self.assertEqual((last["sent"], last["acked"]), (2000, 2000))
        acked = [json.loads(line) for line in output.splitlines() if '"producer_send_success"' in line]
        self.assertEqual([entry["offset"] for entry in acked], list(range(2000)))

    # --- files --------------------------------------------------------------------------------------------------------
    def test_dump_log_of_live_and_closed_segments(self):
        data_dir = self.data_dir()
        topic = self.new_topic(segment_bytes=1048576, index_interval_bytes=1024)
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            self.perf(topic, 20_000, 100, "acks=all", f"compression.type={codec}", "batch.size=4096")
        folder = os.path.join(glob.escape(data_dir), f"{topic}-0")
        logs = self.await_file(f"{folder}/*.log", lambda files: len(files) > 2 and os.path.getsize(files[-1]) > 0)
        self.assertGreater(len(logs), 2, "several closed segments and a live one")
        counted, codecs, expected = 0, set(), 0
        for log in logs:
            output = self.dump("--deep-iteration", "--print-data-log", "--files", log)
            self.assertIn(f"Log starting offset: {int(os.path.basename(log)[:-4])}", output)
            offsets = [int(found) for found in re.findall(r"(?m)^\| offset: (\d+) ", output)]
            self.assertEqual(offsets, list(range(expected, expected + len(offsets))), log)
            expected += len(offsets)
            counted += len(offsets)
            codecs |= set(re.findall(r"compresscodec: (\w+)", output))
        self.assertEqual(counted, 100_000)
        self.assertEqual(codecs, {"none", "gzip", "snappy", "lz4", "zstd"})
        for index in sorted(glob.glob(f"{folder}/*.index")):
            self.assertIn("passed sanity check", self.dump("--index-sanity-check", "--files", index))
            self.dump("--verify-index-only", "--files", index)
        closed = sorted(glob.glob(f"{folder}/*.index"))[0]
        self.assertGreater(len(re.findall(r"(?m)^offset: \d+ position: \d+", self.dump("--files", closed))), 10)
        time_indexes = sorted(glob.glob(f"{folder}/*.timeindex"))
        if self.broker.is_external:  # genuine Kafka's live one ends in zeros, and its own tool complains of them
            time_indexes.pop()
        for index in time_indexes:
            self.dump("--files", index)
            self.assertIn("passed sanity check", self.dump("--index-sanity-check", "--files", index))

    @brokers.tidemark_only("stops and kills the broker")
    def test_dump_log_after_a_clean_stop_and_after_a_kill(self):
        topic = self.new_topic(segment_bytes=1048576, index_interval_bytes=1024)
        folder = os.path.join(glob.escape(self.broker.data_dir), f"{topic}-0")
        for end in (self.broker.kill, self.broker.stop):
            self.perf(topic, 20_000, 100, "acks=all", "batch.size=4096")
            end()
            self.broker.start()
            for log in sorted(glob.glob(f"{folder}/*.log")):
                self.dump("--deep-iteration", "--files", log)
            for index in glob.glob(f"{folder}/*.index"):
                self.assertIn("passed sanity check", self.dump("--index-sanity-check", "--files", index))
            for index in glob.glob(f"{folder}/*.timeindex"):
                self.dump("--files", index)
        self.assertEqual(self.offsets(topic, -1), {0: 40_000})

    @brokers.tidemark_only("has a setting of its own")
    def test_dump_log_of_a_metadata_snapshot(self):
        broker = brokers.Broker(properties={"metadata.log.max.record.bytes.between.snapshots": 1}).start()
        self.addCleanup(broker.close)
        files = self.await_file(os.path.join(broker.data_dir, "__cluster_metadata-0", "*.checkpoint"), len)
        output = self.dump("--cluster-metadata-decoder", "--deep-iteration", "--files", files[-1])
        end = int(os.path.basename(files[-1])[:20])
        self.assertIn(f"Snapshot end offset: {end}", output)
        for word in ("SnapshotHeader", "FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD", "SnapshotFooter"):
            self.assertIn(word, output)

    def test_dump_log_of_the_metadata_log(self):
        data_dir = self.data_dir()
        topic = self.new_topic(partitions=3, retention_ms=99999)
        pattern = os.path.join(glob.escape(data_dir), "__cluster_metadata-0", "*.log")
        self.await_file(pattern, lambda files: topic.encode() in b"".join(open(file, "rb").read() for file in files))
        everything = ""
        for log in sorted(glob.glob(pattern)):
            everything += self.dump("--cluster-metadata-decoder", "--deep-iteration", "--files", log)
        payloads = [json.loads(found) for found in re.findall(r"payload: (\{.*\})\s*$", everything, re.MULTILINE)]
        mine = [payload["data"] for payload in payloads if payload["type"] == "TOPIC_RECORD" and payload["data"]["name"] == topic]
        self.assertEqual(len(mine), 1)
        partitions = [payload["data"]["partitionId"] for payload in payloads
                      if payload["type"] == "PARTITION_RECORD" and payload["data"]["topicId"] == mine[0]["topicId"]]
        self.assertEqual(partitions, [0, 1, 2])
        configs = [payload["data"] for payload in payloads
                   if payload["type"] == "CONFIG_RECORD" and payload["data"]["resourceName"] == topic]
        self.assertEqual([(entry["name"], entry["value"]) for entry in configs], [("retention.ms", "99999")])


if __name__ == "__main__":
    genuine_suite.main(sys.modules[__name__], genuine_admin_tools, genuine_group_tools, genuine_quota_tools)
