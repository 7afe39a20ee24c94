#!/usr/bin/python3
"""Genuine Kafka's tools for settings, reassignments, elections, feature levels, producers and client metrics, as an operator
types them. What they print is compared word by word; run against genuine Kafka itself, every text here is its own."""

import json
import re
import sys
import tempfile
import time
import uuid

import broker as brokers
import genuine_suite
from admin_messages import LIST_CONFIG_RESOURCES
from raw_client import RawClient

BROKERS = 4


class GenuineAdminTools(genuine_suite.ToolSuite):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = RawClient(cls.broker.bootstrap)
        cls.node = client.call(LIST_CONFIG_RESOURCES, 1, types=[BROKERS])["resources"][0]["name"]
        client.close()

    def said(self, name, *arguments):
        """(exit status, the lines of both outputs), of a tool that may fail; without Java's traces."""
        done = self.run_tool(name, "--bootstrap-server", self.broker.bootstrap, *arguments)
        return done.returncode, [line.rstrip() for line in (done.stdout + done.stderr).splitlines()
                                 if line.strip() and not re.match(r"\s+at |20\d\d-\d\d-\d\d ", line)]

    def lines(self, name, *arguments):
        return [line.rstrip() for line in self.on_broker(name, *arguments).splitlines() if line.strip()]

    def file(self, content):
        file = tempfile.NamedTemporaryFile("w", suffix=".json")
        self.addCleanup(file.close)
        json.dump({"version": 1, **content}, file)
        file.flush()
        return file.name

    # --- reassignments ------------------------------------------------------------------------------------------------
    def test_kafka_reassign_partitions(self):
        topic, node = self.new_topic(partitions=2), self.node
        standing = [{"topic": topic, "partition": partition, "replicas": [int(node)], "log_dirs": ["any"]} for partition in (0, 1)]
        move = self.file({"topics": [{"topic": topic}]})
        generated = self.lines("kafka-reassign-partitions", "--topics-to-move-json-file", move, "--broker-list", node, "--generate")
        self.assertEqual([generated[0], generated[2]], ["Current partition replica assignment",
                                                        "Proposed partition reassignment configuration"])
        self.assertEqual(json.loads(generated[3]), {"version": 1, "partitions": standing})
        current = json.loads(generated[1])["partitions"]
        self.assertEqual([(entry["partition"], entry["replicas"]) for entry in current], [(0, [int(node)]), (1, [int(node)])])
        plan = self.file({"partitions": [{"topic": topic, "partition": partition, "replicas": [int(node)]} for partition in (0, 1)]})
        of_plan = ("kafka-reassign-partitions", "--reassignment-json-file", plan)
        self.assertEqual(self.lines(*of_plan, "--execute")[-1],
                         f"Successfully started partition reassignments for {topic}-0,{topic}-1")
        self.assertEqual(self.lines(*of_plan, "--verify"), [
            "Status of partition reassignment:", f"Reassignment of partition {topic}-0 is completed.",
            f"Reassignment of partition {topic}-1 is completed.", f"Clearing broker-level throttles on broker {node}",
            f"Clearing topic-level throttles on topic {topic}"])
        self.assertEqual(self.lines("kafka-reassign-partitions", "--list"), ["No partition reassignments found."])
        self.assertEqual(self.lines(*of_plan, "--cancel"), [
            "None of the specified partition reassignments are active.",
            f"None of the specified partition moves are active.Clearing broker-level throttles on broker {node}",
            f"Clearing topic-level throttles on topic {topic}"])
        bad = self.file({"partitions": [{"topic": topic, "partition": 0, "replicas": [4711]}]})
        status, lines = self.said("kafka-reassign-partitions", "--reassignment-json-file", bad, "--execute")
        self.assertEqual((status, lines[0]), (1, "Error: Unknown broker id 4711"))

    # --- elections ----------------------------------------------------------------------------------------------------
    def test_kafka_leader_election(self):
        topic = self.new_topic(partitions=2)
        for kind in ("preferred", "unclean"):
            of_kind = ("kafka-leader-election", "--election-type", kind)
            self.assertEqual(self.lines(*of_kind, "--topic", topic, "--partition", "1"),
                             [f"Valid replica already elected for partitions {topic}-1"])
            self.assertEqual(self.lines(*of_kind, "--all-topic-partitions"), [])
            status, lines = self.said(*of_kind, "--topic", "none", "--partition", "0")
            self.assertEqual(status, 1)
            self.assertIn("org.apache.kafka.common.errors.UnknownTopicOrPartitionException: No such topic as none", " ".join(lines))

    # --- feature levels -----------------------------------------------------------------------------------------------
    def test_kafka_features(self):
        described = self.on_broker("kafka-features", "describe")
        self.assertRegex(described, r"Feature: metadata\.version\s+SupportedMinVersion: \S+\s+SupportedMaxVersion: 4\.3-IV0\s+"
                                    r"FinalizedVersionLevel: 4\.3-IV0\s+Epoch: \d+")
        same = self.said("kafka-features", "upgrade", "--feature", "metadata.version=30")
        self.assertEqual(same, (0, ["metadata.version was upgraded to 30."]))
        self.assertEqual(self.said("kafka-features", "upgrade", "--feature", "metadata.version=30", "--dry-run"),
                         (0, ["metadata.version can be upgraded to 30."]))
        failed = "The update failed for all features since the following feature had an error: Invalid update version "
        for arguments, line in (
                (("upgrade", "--feature", "what=1"),
                 f"Could not upgrade what to 1. {failed}1 for feature what. Local controller {self.node} does not support this feature."),
                (("disable", "--feature", "what"),
                 f"Could not disable what. {failed}0 for feature what. Feature what not found.")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.said("kafka-features", *arguments), (1, [line, "1 out of 1 operation(s) failed."]))
        status, lines = self.said("kafka-features", "upgrade", "--feature", "metadata.version=31")
        self.assertEqual(status, 1)
        self.assertRegex(lines[0], f"^Could not upgrade metadata.version to 31. {re.escape(failed)}31 for feature metadata.version. "
                                   rf"Local controller {self.node} only supports versions (7-)?30$")
        status, lines = self.said("kafka-features", "downgrade", "--feature", "metadata.version=28")
        self.assertEqual((status, lines[-1]), (1, "1 out of 1 operation(s) failed."))
        self.assertTrue(lines[0].startswith("Could not downgrade metadata.version to 28. The update failed for all features"), lines)
        self.assertEqual(self.said("kafka-features", "upgrade", "--feature", "what"),
                         (1, ["Can't parse feature=level string what: equals sign not found."]))

    # --- producers and brokers ----------------------------------------------------------------------------------------
    def test_kafka_transactions_without_transactions(self):
        topic = self.new_topic()
        heading = ["ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence", "LastTimestamp", "CurrentTransactionStartOffset"]
        of_topic = ("kafka-transactions", "describe-producers", "--topic", topic, "--partition", "0")
        self.assertEqual([line.split() for line in self.lines(*of_topic)], [heading])
        before_ms = int(time.time() * 1000)
        self.perf(topic, 10, 10, "acks=all", "enable.idempotence=true")
        found, (_, epoch, coordinator, sequence, time_ms, transaction) = [line.split() for line in self.lines(*of_topic)]
        self.assertEqual(found, heading)
        self.assertEqual((epoch, coordinator, sequence, transaction), ("0", "-1", "9", "None"))
        self.assertGreaterEqual(int(time_ms), before_ms)

    def test_kafka_cluster(self):
        done = self.run_tool("kafka-cluster", "unregister", "--bootstrap-server", self.broker.bootstrap, "--id", "4711")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Broker ID 4711 is not currently registered", done.stdout + done.stderr)

    @brokers.tidemark_only("Kafka obeys, and serves nobody until it is started again")
    def test_kafka_cluster_unregisters_no_broker_that_runs(self):
        done = self.run_tool("kafka-cluster", "unregister", "--bootstrap-server", self.broker.bootstrap, "--id", self.node)
        self.assertIn(f"Broker ID {self.node} is running: stop it before it is unregistered", done.stdout + done.stderr)

    # --- settings -----------------------------------------------------------------------------------------------------
    def configs(self, *arguments):
        return self.lines("kafka-configs", *arguments)

    def refused_configs(self, *arguments):
        status, lines = self.said("kafka-configs", *arguments)
        self.assertEqual(status, 1, lines)
        return lines[-1]

    def test_kafka_configs_of_groups(self):
        group = f"group-{uuid.uuid4().hex[:8]}"
        of_group = ("--entity-type", "groups", "--entity-name", group)
        timeout = ("  consumer.session.timeout.ms=45000 sensitive=false synonyms={DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=45000, "
                   "DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}")
        self.assertEqual(self.configs(*of_group, "--alter", "--add-config", "consumer.session.timeout.ms=45000"),
                         [f"Completed updating config for group {group}."])
        self.assertEqual(self.configs(*of_group, "--describe"), [f"Dynamic configs for group {group} are:", timeout])
        everything = self.configs(*of_group, "--describe", "--all")
        self.assertEqual((len(everything), everything[0]), (18, f"All configs for group {group} are:"))
        self.assertIn(timeout, everything)
        self.assertIn("  share.isolation.level=read_uncommitted sensitive=false synonyms={DEFAULT_CONFIG:share.isolation.level="
                      "read_uncommitted}", everything)
        self.assertIn(timeout, self.configs("--entity-type", "groups", "--describe"))
        self.assertEqual(self.refused_configs(*of_group, "--alter", "--add-config", "nope=1"),
                         "Caused by: org.apache.kafka.common.errors.InvalidConfigurationException: Unknown group config name: nope")
        self.configs(*of_group, "--alter", "--delete-config", "consumer.session.timeout.ms")
        self.assertNotIn(group, " ".join(self.configs("--entity-type", "groups", "--describe")))

    def test_kafka_configs_of_client_metrics(self):
        name = f"metrics-{uuid.uuid4().hex[:8]}"
        of_name = ("--entity-type", "client-metrics", "--entity-name", name)
        self.assertEqual(self.configs(*of_name, "--alter", "--add-config", "metrics=[a.,b.],interval.ms=1000,match=[client_id=x.*]"),
                         [f"Completed updating config for client-metric {name}."])
        shown = {key: f"  {key}={value} sensitive=false synonyms={{DYNAMIC_CLIENT_METRICS_CONFIG:{key}={value}}}"
                 for key, value in (("interval.ms", "1000"), ("match", "client_id=x.*"), ("metrics", "a.,b."))}
        self.assertEqual(self.configs(*of_name, "--describe"), [f"Dynamic configs for client-metric {name} are:", *shown.values()])
        self.assertEqual(self.refused_configs(*of_name, "--alter", "--add-config", "interval.ms=5"),
                         "Caused by: org.apache.kafka.common.errors.InvalidRequestException: Invalid value 5 for interval.ms, "
                         "interval must be between 100 and 3600000 (1 hour)")
        self.configs(*of_name, "--alter", "--delete-config", "interval.ms")
        self.assertEqual(self.configs(*of_name, "--describe", "--all"), [
            f"All configs for client-metric {name} are:", "  interval.ms=300000 sensitive=false synonyms={}", shown["match"],
            shown["metrics"]])
        self.configs(*of_name, "--alter", "--delete-config", "metrics,match")
        self.assertNotIn(name, " ".join(self.configs("--entity-type", "client-metrics", "--describe")))

    def test_kafka_configs_of_what_is_not_there(self):
        self.assertEqual(self.configs("--entity-type", "topics", "--entity-name", "none", "--describe"),
                         ["The topic 'none' doesn't exist and doesn't have dynamic config."])
        self.assertEqual(self.refused_configs("--entity-type", "topics", "--entity-name", "none", "--alter", "--add-config", "retention.ms=5"),
                         "Caused by: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: The topic 'none' does not exist.")
        self.assertEqual(self.configs("--entity-type", "brokers", "--entity-name", "4711", "--describe"),
                         ["The broker '4711' doesn't exist and doesn't have dynamic config."])
        self.assertEqual(self.refused_configs("--entity-type", "brokers", "--entity-default", "--alter", "--add-config", "num.partitions=7"),
                         "Caused by: org.apache.kafka.common.errors.InvalidRequestException: Cannot update these configs dynamically: "
                         "[num.partitions]")

    def test_kafka_configs_of_one_broker(self):
        of_broker = ("--entity-type", "brokers", "--entity-name", self.node)
        self.assertEqual(self.configs(*of_broker, "--alter", "--add-config", "log.retention.ms=100000"),
                         [f"Completed updating config for broker {self.node}."])
        self.assertEqual(self.configs(*of_broker, "--describe"), [
            f"Dynamic configs for broker {self.node} are:",
            "  log.retention.ms=100000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=100000, "
            "DEFAULT_CONFIG:log.retention.hours=168}"])
        self.assertEqual(self.configs(*of_broker, "--alter", "--delete-config", "log.retention.ms"),
                         [f"Completed updating config for broker {self.node}."])
        self.assertEqual(self.configs(*of_broker, "--describe"), [f"Dynamic configs for broker {self.node} are:"])

    # --- client metrics -----------------------------------------------------------------------------------------------
    def metrics_tool(self, *arguments):
        return self.lines("kafka-client-metrics", *arguments)

    def test_kafka_client_metrics(self):
        name = f"java-{uuid.uuid4().hex[:8]}"
        self.assertEqual(self.metrics_tool("--alter", "--name", name, "--metrics", "org.apache.kafka.producer.,org.apache.kafka.consumer.",
                                           "--interval", "1000", "--match", "client_software_name=apache-kafka-java"),
                         [f"Altered client metrics config for {name}."])
        described = [f"Client metrics configs for {name} are:", "  interval.ms=1000", "  match=client_software_name=apache-kafka-java",
                     "  metrics=org.apache.kafka.producer.,org.apache.kafka.consumer."]
        self.assertEqual(self.metrics_tool("--describe", "--name", name), described)
        generated, = self.metrics_tool("--alter", "--generate-name", "--metrics", "org.apache.kafka.")
        other = re.fullmatch(r"Altered client metrics config for (\S{22})\.", generated)[1]
        self.assertLessEqual({name, other}, set(self.metrics_tool("--list")))
        everything = self.metrics_tool("--describe")
        self.assertIn(f"Client metrics configs for {other} are:", everything)
        self.assertLessEqual(set(described), set(everything))
        for arguments, message in ((("--interval", "5"), "Invalid value 5 for interval.ms, interval must be between 100 and 3600000 (1 hour)"),
                                   (("--match", "x=y"), "Illegal client matching pattern: x=y")):
            status, lines = self.said("kafka-client-metrics", "--alter", "--name", name, *arguments)
            self.assertEqual((status, lines[0]), (1, f"Error while executing client metrics command : {message}"))
        for each in (name, other):
            self.assertEqual(self.metrics_tool("--delete", "--name", each), [f"Deleted client metrics config for {each}."])
        self.assertEqual(set(self.metrics_tool("--list")) & {name, other}, set())

    @brokers.tidemark_only("looks at the metrics")
    def test_genuine_clients_push_their_metrics(self):
        name, topic = f"push-{uuid.uuid4().hex[:8]}", self.new_topic()
        self.metrics_tool("--alter", "--name", name, "--metrics", "*", "--interval", "200", "--match", "client_software_name=apache-kafka-java")
        self.addCleanup(self.metrics_tool, "--delete", "--name", name)
        self.perf(topic, 20_000, 100, "acks=all", "client.id=metered", "linger.ms=5")
        output = self.on_broker("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", "20000", "--timeout-ms",
                                "60000", "--group", name, "--command-property", "client.id=reading")
        self.assertEqual(len(output.splitlines()), 20_000)
        gauges, totals = self.broker.metric("tidemark_client_metric"), self.broker.metric("tidemark_client_metric_total")
        sent = {labels: value for labels, value in totals.items()
                if 'client_id="metered"' in labels and 'metric="org.apache.kafka.producer.record.send.total"' in labels}
        self.assertEqual(list(sent.values()), [20_000], "the last push, when the producer closes, has them all")
        self.assertIn('client_software_name="apache-kafka-java",client_software_version="4.3.1"', next(iter(sent)))
        self.assertTrue([labels for labels in gauges if 'client_id="reading"' in labels and f'group_id="{name}"' in labels], list(gauges)[:5])


if __name__ == "__main__":
    genuine_suite.main(sys.modules[__name__])
