#!/usr/bin/python3
"""Genuine Kafka's tools for consumer groups, and its consumers as members of them. Groups are filled and kept busy by others
(python3-confluent-kafka, kcat): a tool is slow to start."""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition

import broker as brokers
import genuine_suite
import group_broker
import stored_batch
from confluent_admin import Admin
from kcat_groups_test import BalancedConsumer

PATIENCE_SECONDS = 90
OFFSETS_TOPIC = "__consumer_offsets"
START_MS = 1_767_000_000_000  # 2025-12-29T09:20:00Z


class GenuineGroupTools(genuine_suite.ToolSuite):
    @classmethod
    def setUpClass(cls):
        cls.broker = group_broker.open_group_broker()
        cls.addClassCleanup(cls.broker.close)

    @classmethod
    def tearDownClass(cls):
        pass

    # --- topics and groups ---------------------------------------------------------------------------------------
    def new_name(self, kind):
        return f"{kind}-{uuid.uuid4().hex[:8]}"

    def filled_topic(self, counts):
        """So many records in each partition, a second apart; old ones, which retention would take from a slow test."""
        topic = self.new_name("topic")
        Admin(self.broker.bootstrap).create_topic(topic, len(counts), {"retention.ms": "-1"})
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        for partition, count in enumerate(counts):
            for i in range(count):
                producer.produce(topic, f"{partition}/{i}", partition=partition, timestamp=START_MS + 1000 * i)
        self.assertEqual(producer.flush(PATIENCE_SECONDS), 0)
        return topic

    def wait_for(self, is_true, what="in vain"):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_true():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.1)

    def consumer(self, group, bootstrap=None):
        consumer = Consumer({"bootstrap.servers": bootstrap or self.broker.bootstrap, "group.id": group,
                             "enable.auto.commit": False, "log_level": 0})
        self.addCleanup(consumer.close)
        return consumer

    def commit(self, group, topic, offsets):
        consumer = self.consumer(group)
        wanted = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        self.assertEqual([entry.error for entry in consumer.commit(offsets=wanted, asynchronous=False)], [None] * len(wanted))

    def new_group(self, topic, offsets):
        group = self.new_name("group")
        self.commit(group, topic, offsets)
        return group

    def committed(self, group, topic, partitions=2):
        """{partition: offset}, without those that have none."""
        found = self.consumer(group).committed([TopicPartition(topic, i) for i in range(partitions)], timeout=PATIENCE_SECONDS)
        return {entry.partition: entry.offset for entry in found if entry.offset >= 0}

    def busy_group(self, topic, *options):
        """A group with one member, which is assigned everything."""
        group = self.new_name("group")
        return group, self.joined(group, topic, *options)

    def joined(self, group, topic, *options):
        member = BalancedConsumer(self.broker.bootstrap, group, [topic], *options)
        self.addCleanup(member.await_end)
        self.addCleanup(member.process.kill)
        self.wait_for(lambda: member.assigned() > 0)
        return member

    # --- the tools -----------------------------------------------------------------------------------------------
    def groups_tool(self, *arguments):
        return self.on_broker("kafka-consumer-groups", *arguments)

    def refused(self, *arguments):
        """kafka-consumer-groups tells of most failures with exit status 0."""
        done = self.run_tool("kafka-consumer-groups", "--bootstrap-server", self.broker.bootstrap, *arguments)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("Error: ", done.stdout)
        return done.stdout

    @staticmethod
    def rows(output):
        """The words of each line of a table, without its heading and the notes before it."""
        lines = [line.split() for line in output.splitlines() if line.strip()]
        first = next((i for i, words in enumerate(lines) if words[0] in ("GROUP", "TOPIC")), None)
        return lines[first + 1:] if first is not None else []

    def of_group(self, group, output):
        return sorted(row[1:] for row in self.rows(output) if row[0] == group)

    def events(self, output):
        return [json.loads(line) for line in output.splitlines() if line.startswith("{")]

    # --- list and describe ---------------------------------------------------------------------------------------
    def test_listing_groups(self):
        topic = self.filled_topic([1, 1])
        idle = self.new_group(topic, {0: 1})
        busy, _ = self.busy_group(topic)
        self.assertLessEqual({idle, busy}, set(self.groups_tool("--list").split()))
        listed = self.groups_tool("--list", "--state", "--type")
        self.assertEqual([self.of_group(group, listed) for group in (idle, busy)], [[["Classic", "Empty"]], [["Classic", "Stable"]]])
        stable = self.groups_tool("--list", "--state", "stable,dead")
        self.assertEqual([self.of_group(group, stable) for group in (idle, busy)], [[], [["Stable"]]])
        self.assertEqual(self.of_group(idle, self.groups_tool("--list", "--state", "Empty")), [["Empty"]])
        self.assertEqual(self.of_group(busy, self.groups_tool("--list", "--type", "classic")), [["Classic"]])
        self.assertEqual(self.rows(self.groups_tool("--list", "--type", "consumer")), [])
        listed = self.on_broker("kafka-groups", "--list")
        self.assertEqual(self.of_group(busy, listed), [["Classic", "consumer"]])
        self.assertEqual(self.of_group(idle, listed), [["Classic"]], "no member, no protocol")
        listed = self.on_broker("kafka-groups", "--list", "--consumer")
        self.assertEqual([len(self.of_group(group, listed)) for group in (idle, busy)], [1, 1])

    def test_describing_a_group_without_members(self):
        topic = self.filled_topic([10, 4])
        group = self.new_group(topic, {0: 3, 1: 4})
        done = self.run_tool("kafka-consumer-groups", "--bootstrap-server", self.broker.bootstrap, "--describe", "--group", group)
        self.assertEqual(done.stderr.strip(), f"Consumer group '{group}' has no active members.")
        self.assertEqual(self.of_group(group, done.stdout), [[topic, "0", "3", "10", "7", "-", "-", "-"],
                                                      [topic, "1", "4", "4", "0", "-", "-", "-"]])
        self.assertEqual(self.of_group(group, self.groups_tool("--describe", "--group", group, "--members")), [])
        self.assertEqual(self.of_group(group, self.groups_tool("--describe", "--group", group, "--state")),
                         [[self.broker.bootstrap, "(1)", "-", "Empty", "0"]])

    def test_describing_members(self):
        topic = self.filled_topic([10, 4])
        group, member = self.busy_group(topic, "-X", "client.id=reader", "-X", "group.instance.id=seat", "-X",
                                        "partition.assignment.strategy=roundrobin")
        self.wait_for(lambda: len(member.read()) == 14)
        self.wait_for(lambda: self.committed(group, topic) == {0: 10, 1: 4})
        rows = self.of_group(group, self.groups_tool("--describe", "--group", group))
        member_id = rows[0][5]
        self.assertRegex(member_id, r"^seat-[0-9a-f-]{36}$")
        self.assertEqual(rows, [[topic, "0", "10", "10", "0", member_id, "/127.0.0.1", "reader"],
                                [topic, "1", "4", "4", "0", member_id, "/127.0.0.1", "reader"]])
        self.assertEqual(self.of_group(group, self.groups_tool("--describe", "--group", group, "--members", "--verbose")),
                         [[member_id, "seat", "/127.0.0.1", "reader", "2", "-", f"{topic}:0,1", "-", "-"]])
        self.assertEqual(self.of_group(group, self.groups_tool("--describe", "--group", group, "--state")),
                         [[self.broker.bootstrap, "(1)", "roundrobin", "Stable", "1"]])

    def test_a_group_that_is_not_there(self):
        for flags in ((), ("--members",), ("--state",)):
            with self.subTest(flags):
                self.assertIn("GroupIdNotFoundException: Group nobody not found.",
                              self.refused("--describe", "--group", "nobody", *flags))
        self.assertIn("GroupIdNotFoundException: The group id does not exist.", self.refused("--delete", "--group", "nobody"))
        self.assertIn("The group id does not exist.", self.refused("--delete-offsets", "--group", "nobody", "--topic", "x:0"))
        self.assertEqual(self.rows(self.groups_tool("--reset-offsets", "--group", "nobody", "--all-topics", "--to-latest",
                                                    "--execute")), [])

    # --- reset ---------------------------------------------------------------------------------------------------
    def reset(self, group, expected, *arguments):
        output = self.groups_tool("--reset-offsets", "--group", group, *arguments)
        self.assertEqual({int(row[1]): int(row[2]) for row in self.of_group(group, output)}, expected)

    def test_every_way_to_reset(self):
        topic = self.filled_topic([20, 20])
        group = self.new_group(topic, {0: 10, 1: 12})
        self.reset(group, {0: 0, 1: 0}, "--topic", topic, "--to-earliest", "--dry-run")
        self.assertEqual(self.committed(group, topic), {0: 10, 1: 12})
        for arguments, expected in ((("--topic", topic, "--to-earliest"), {0: 0, 1: 0}),
                                    (("--all-topics", "--to-latest"), {0: 20, 1: 20}),
                                    (("--topic", f"{topic}:1", "--to-offset", "7"), {1: 7}),
                                    (("--all-topics", "--shift-by", "-5"), {0: 15, 1: 2}),
                                    (("--all-topics", "--to-current"), {0: 15, 1: 2}),
                                    (("--topic", topic, "--to-datetime", "2025-12-29T09:20:08.500Z"), {0: 9, 1: 9}),
                                    (("--all-topics", "--to-datetime", "2100-01-01T00:00:00.000"), {0: 20, 1: 20}),
                                    (("--all-topics", "--by-duration", "P20000D"), {0: 0, 1: 0})):
            with self.subTest(arguments):
                before = self.committed(group, topic)
                self.reset(group, expected, *arguments, "--execute")
                self.assertEqual(self.committed(group, topic), before | expected)

    def test_resetting_from_a_file(self):
        topic = self.filled_topic([20, 20])
        group = self.new_group(topic, {0: 10, 1: 12})
        exported = self.groups_tool("--reset-offsets", "--group", group, "--all-topics", "--to-current", "--export", "--dry-run")
        self.assertEqual(sorted(exported.split()), [f"{topic},0,10", f"{topic},1,12"])
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write(exported.strip().replace(",12", ",11") + "\n")
            file.flush()
            self.reset(group, {0: 10, 1: 11}, "--from-file", file.name, "--execute")
        self.assertEqual(self.committed(group, topic), {0: 10, 1: 11})

    def test_resets_that_are_refused(self):
        topic = self.filled_topic([3])
        group = self.new_group(topic, {0: 2})
        for words, told in ((f"{topic}:9", f'The partitions "{topic}-9" do not exist'),
                            ("no-topic-of-this-name", "This server does not host this topic-partition.")):
            self.assertIn(told, self.refused("--reset-offsets", "--group", group, "--topic", words, "--to-latest", "--execute"))
        done = self.run_tool("kafka-consumer-groups", "--bootstrap-server", self.broker.bootstrap, "--reset-offsets", "--group",
                             group, "--topic", topic, "--to-offset", "500", "--execute")
        self.assertIn("New offset (500) is higher than latest offset", done.stderr)
        self.assertEqual(self.committed(group, topic, 1), {0: 3})

    def test_a_reset_makes_a_group(self):
        topic, group = self.filled_topic([5, 6]), self.new_name("group")
        self.reset(group, {0: 5, 1: 6}, "--topic", topic, "--to-latest", "--execute")
        self.assertEqual(self.committed(group, topic), {0: 5, 1: 6})

    def test_a_group_in_use(self):
        topic = self.filled_topic([5, 5])
        group, member = self.busy_group(topic)
        self.wait_for(lambda: self.committed(group, topic) == {0: 5, 1: 5})
        self.assertIn(f"Assignments can only be reset if the group '{group}' is inactive, but the current state is Stable.",
                      self.refused("--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute"))
        self.assertIn("GroupNotEmptyException: The group is not empty.", self.refused("--delete", "--group", group))
        self.assertEqual(self.refused("--delete-offsets", "--group", group, "--topic", topic).count(
            "GroupSubscribedToTopicException"), 2)
        member.end()
        self.assertEqual(self.committed(group, topic), {0: 5, 1: 5})
        self.reset(group, {0: 0, 1: 0}, "--topic", topic, "--to-earliest", "--execute")

    # --- delete --------------------------------------------------------------------------------------------------
    def test_deleting(self):
        topic = self.filled_topic([5, 5])
        group, other = self.new_group(topic, {0: 1, 1: 2}), self.new_group(topic, {0: 1})
        said = self.groups_tool("--delete-offsets", "--group", group, "--topic", f"{topic}:0")
        self.assertIn(f"Request succeeded for deleting offsets from group {group}.", said)
        self.assertEqual(self.rows(said), [[topic, "0", "Successful"]])
        self.assertEqual(self.committed(group, topic), {1: 2})
        self.groups_tool("--delete-offsets", "--group", group, "--topic", topic)
        self.assertEqual(self.committed(group, topic), {})
        said = self.refused("--delete", "--group", other, "--group", "nobody")
        self.assertIn("Group 'nobody' could not be deleted", said)
        self.assertIn(f"These consumer groups were deleted successfully: '{other}'", said)
        self.assertNotIn(other, self.groups_tool("--list").split())

    # --- all of them at once -------------------------------------------------------------------------------------
    def test_every_group_at_once(self):
        topic = self.filled_topic([10, 4])
        one, two = self.new_group(topic, {0: 3}), self.new_group(topic, {0: 5, 1: 4})
        busy, member = self.busy_group(topic)
        self.wait_for(lambda: self.committed(busy, topic) == {0: 10, 1: 4})
        described = self.groups_tool("--describe", "--all-groups", "--offsets")
        self.assertEqual(self.of_group(one, described), [[topic, "0", "3", "10", "7", "-", "-", "-"]])
        self.assertEqual(self.of_group(two, described), [[topic, "0", "5", "10", "5", "-", "-", "-"],
                                                  [topic, "1", "4", "4", "0", "-", "-", "-"]])
        self.assertEqual([row[:5] for row in self.of_group(busy, described)], [[topic, "0", "10", "10", "0"], [topic, "1", "4", "4", "0"]])
        described = self.groups_tool("--describe", "--all-groups", "--members", "--verbose")
        self.assertEqual([len(self.of_group(group, described)) for group in (one, two, busy)], [0, 0, 1])
        self.assertEqual(self.of_group(busy, described)[0][3:6], ["2", "-", f"{topic}:0,1"])
        described = self.groups_tool("--describe", "--all-groups", "--state")
        self.assertEqual([self.of_group(group, described)[0][-2:] for group in (one, two, busy)],
                         [["Empty", "0"], ["Empty", "0"], ["Stable", "1"]])

        said = self.refused("--reset-offsets", "--all-groups", "--topic", topic, "--to-earliest", "--execute")
        self.assertIn(f"if the group '{busy}' is inactive, but the current state is Stable.", said)
        self.assertEqual([self.of_group(group, said) for group in (one, two, busy)], [[[topic, "0", "0"], [topic, "1", "0"]]] * 2 + [[]])
        self.assertEqual([self.committed(group, topic) for group in (one, two, busy)], [{0: 0, 1: 0}] * 2 + [{0: 10, 1: 4}])
        self.groups_tool("--delete-offsets", "--group", one, "--topic", f"{topic}:1")
        said = self.refused("--reset-offsets", "--all-groups", "--all-topics", "--shift-by", "2", "--execute")
        self.assertEqual([self.of_group(group, said) for group in (one, two)], [[[topic, "0", "2"]], [[topic, "0", "2"], [topic, "1", "2"]]])
        self.assertEqual([self.committed(group, topic) for group in (one, two)], [{0: 2}, {0: 2, 1: 2}])

        said = self.refused("--delete", "--all-groups")
        self.assertIn(f"Group '{busy}' could not be deleted due to: "
                      "org.apache.kafka.common.errors.GroupNotEmptyException: The group is not empty.", said)
        for group in (one, two):
            self.assertIn(f"'{group}'", said.partition("These consumer groups were deleted successfully: ")[2])
        self.assertEqual(self.groups_tool("--list").split(), [busy])
        member.end()
        self.assertEqual(self.groups_tool("--delete", "--all-groups").strip(),
                         f"Deletion of requested consumer groups ('{busy}') was successful.")
        self.assertEqual(self.groups_tool("--list").split(), [])

    def test_several_groups_by_name(self):
        topic = self.filled_topic([10])
        groups = [self.new_group(topic, {0: offset}) for offset in (3, 7)]
        named = [word for group in groups for word in ("--group", group)]
        described = self.groups_tool("--describe", *named, "--offsets", "--verbose", "--timeout", "20000")
        self.assertEqual([self.of_group(group, described)[0][:6] for group in groups],
                         [[topic, "0", "-", offset, "10", lag] for offset, lag in (("3", "7"), ("7", "3"))])
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            exported = self.groups_tool("--reset-offsets", *named, "--all-topics", "--to-current", "--export", "--dry-run")
            self.assertEqual(sorted(exported.split()), sorted([f"{groups[0]},{topic},0,3", f"{groups[1]},{topic},0,7"]))
            file.write(exported.strip().replace(",7", ",6") + "\n")
            file.flush()
            said = self.groups_tool("--reset-offsets", *named, "--from-file", file.name, "--execute")
        self.assertEqual([self.of_group(group, said) for group in groups], [[[topic, "0", "3"]], [[topic, "0", "6"]]])
        self.assertEqual([self.committed(group, topic, 1) for group in groups], [{0: 3}, {0: 6}])

    def test_validating_a_regular_expression(self):
        """Without a word to a broker."""
        for expression, verdict in (("orders-.*", "valid."), ("(", "invalid: missing closing )."),
                                    ("a(?=b)", "invalid: invalid or unsupported Perl syntax.")):
            with self.subTest(expression):
                self.assertEqual(self.tool("kafka-consumer-groups", "--validate-regex", expression).strip(),
                                 f"The regular expression `{expression}` is {verdict}")

    # --- members -------------------------------------------------------------------------------------------------
    def console_consumer(self, topic, group, count, *options):
        output = self.on_broker("kafka-console-consumer", "--topic", topic, "--group", group, "--max-messages", str(count),
                                "--timeout-ms", "60000", "--command-property", "group.protocol=classic", *options)
        return [line for line in output.splitlines() if re.fullmatch(r"\d+/\d+", line)]

    def test_a_console_consumer_goes_on_where_it_stopped(self):
        topic, group = self.filled_topic([30, 20]), self.new_name("group")
        read = self.console_consumer(topic, group, 12, "--from-beginning")
        self.assertEqual(len(read), 12)
        self.assertEqual(sum(self.committed(group, topic).values()), 12)
        read += self.console_consumer(topic, group, 38)
        self.assertEqual(sorted(read), sorted(f"{p}/{i}" for p, count in ((0, 30), (1, 20)) for i in range(count)))
        self.assertEqual(self.committed(group, topic), {0: 30, 1: 20})

    def test_a_verifiable_consumer(self):
        topic, group = self.filled_topic([0, 0]), self.new_name("group")
        sent = self.on_broker("kafka-verifiable-producer", "--topic", topic, "--max-messages", "150")
        self.assertEqual(self.events(sent)[-1]["acked"], 150)
        common = ("--topic", topic, "--group-id", group)
        events = self.events(self.on_broker("kafka-verifiable-consumer", *common, "--max-messages", "100", "--session-timeout",
                                            "20000"))
        names = [event["name"] for event in events]
        for name in ("startup_complete", "partitions_assigned", "offsets_committed", "partitions_revoked", "shutdown_complete"):
            self.assertIn(name, names)
        self.assertTrue(all(event["success"] for event in events if event["name"] == "offsets_committed"))
        self.assertEqual(sum(self.committed(group, topic).values()), 100)
        events = self.events(self.on_broker("kafka-verifiable-consumer", *common, "--max-messages", "50", "--enable-autocommit",
                                            "--verbose", "--group-instance-id", "seat", "--assignment-strategy",
                                            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"))
        self.assertEqual(sum(event["name"] == "record_data" for event in events), 50)
        self.assertEqual(sum(self.committed(group, topic).values()), 150)

    def test_a_verifiable_consumer_shares_with_another_client_and_dies(self):
        topic, group = self.filled_topic([0] * 4), self.new_name("group")
        with tempfile.TemporaryFile("w+") as output:
            consumer = subprocess.Popen(
                [genuine_suite.TOOLS, "tool", "kafka-verifiable-consumer", "--bootstrap-server", self.broker.bootstrap, "--topic",
                 topic, "--group-id", group, "--session-timeout", "6000"], stdout=output, stderr=subprocess.STDOUT)
            self.addCleanup(consumer.wait)
            self.addCleanup(consumer.kill)

            def shares():
                output.seek(0)
                return [(event["name"], len(event["partitions"])) for event in self.events(output.read())
                        if event["name"] in ("partitions_assigned", "partitions_revoked")]

            self.wait_for(lambda: shares() == [("partitions_assigned", 4)])
            member = self.joined(group, topic, "-X", "partition.assignment.strategy=range")
            self.wait_for(lambda: shares()[1:] == [("partitions_revoked", 4), ("partitions_assigned", 2)], shares())
            self.assertEqual(member.assigned(), 2)
            consumer.kill()
            self.wait_for(lambda: member.assigned() == 4, "the session of the dead one ends")

    def test_consumer_perf_test(self):
        topic, group = self.filled_topic([5000, 5000]), self.new_name("group")
        output = self.on_broker("kafka-consumer-perf-test", "--topic", topic, "--group", group, "--num-records", "10000",
                                "--timeout", "60000")
        self.assertEqual(output.splitlines()[-1].split(", ")[4], "10000")
        self.assertEqual(self.committed(group, topic), {0: 5000, 1: 5000})

    # --- the offsets topic ---------------------------------------------------------------------------------------
    @staticmethod
    def offsets_partition(group, count):
        """Java's String.hashCode, as coordinators spread groups."""
        value = 0
        for byte in group.encode("ascii"):
            value = (31 * value + byte) & 0xFFFFFFFF
        return (value & 0x7FFFFFFF) % count

    def test_the_offsets_topic(self):
        topic = self.filled_topic([5])
        group = self.new_group(topic, {0: 3})
        ends = self.offsets(OFFSETS_TOPIC, -1)
        partition = self.offsets_partition(group, len(ends))
        self.assertGreater(ends[partition], 0)
        described = self.on_broker("kafka-topics", "--describe", "--topic", OFFSETS_TOPIC)
        self.assertRegex(described, rf"PartitionCount: {len(ends)}\s.*compression\.type=producer.*segment\.bytes=104857600")
        self.assertNotIn(OFFSETS_TOPIC, self.on_broker("kafka-topics", "--list", "--exclude-internal"))
        last = min(20, ends[partition])  # an expiry of other groups may have written behind ours
        output = self.on_broker(
            "kafka-console-consumer", "--topic", OFFSETS_TOPIC, "--partition", str(partition), "--offset", str(ends[partition] - last),
            "--max-messages", str(last), "--timeout-ms", "60000", "--formatter",
            "org.apache.kafka.tools.consumer.OffsetsMessageFormatter")
        mine = {"group": group, "topic": topic, "partition": 0}
        record, = (event for event in self.events(output) if event["key"]["data"] == mine)
        self.assertEqual(record["value"]["data"]["offset"], 3)

    def test_dump_log_of_the_offsets_topic(self):
        data_dir = self.data_dir()
        topic = self.filled_topic([5, 5])
        group, member = self.busy_group(topic, "-X", "client.id=dumped")
        self.wait_for(lambda: self.committed(group, topic) == {0: 5, 1: 5})
        member.end()
        self.groups_tool("--delete-offsets", "--group", group, "--topic", f"{topic}:1")
        ends = self.offsets(OFFSETS_TOPIC, -1)
        partition = self.offsets_partition(group, len(ends))
        stored_batch.stored_batches(data_dir, OFFSETS_TOPIC, partition, ends[partition])
        log, = glob.glob(os.path.join(glob.escape(data_dir), f"{OFFSETS_TOPIC}-{partition}", "*.log"))
        dumped = self.dump("--offsets-decoder", "--files", log)
        self.assertNotIn("isvalid: false", dumped)
        found = re.findall(r"key: (\{.*?\}\}) payload: (.*)", dumped)
        mine = [(json.loads(key), json.loads(value) if value.startswith("{") else None) for key, value in found
                if f'"group":"{group}"' in key]
        groups = [value["data"] for key, value in mine if key["type"] == "2"]
        with_members = [value for value in groups if value["members"]]
        self.assertEqual([value["protocol"] for value in with_members], ["range"])
        joined, = with_members[0]["members"]
        self.assertEqual((joined["clientId"], joined["clientHost"], joined["subscription"]["topics"]),
                         ("dumped", "/127.0.0.1", [topic]))
        self.assertEqual(groups[-1]["members"], [])
        offsets = {key["data"]["partition"]: value and value["data"]["offset"] for key, value in mine if key["type"] == "1"}
        self.assertEqual(offsets, {0: 5, 1: None})

    @brokers.tidemark_only("has settings of its own")
    def test_dump_log_of_offsets_segments_before_and_after_they_are_compacted(self):
        broker = brokers.Broker(properties={
            **group_broker.PROPERTIES, "offsets.topic.num.partitions": 1, "offsets.topic.segment.bytes": 1 << 20,
            "log.retention.check.interval.ms": 100, "log.cleaner.backoff.ms": 100}).start()
        self.addCleanup(broker.close)
        group_broker.await_coordinator(broker.bootstrap)
        topic = "read-".ljust(200, "x")  # as long as that, for segments to fill
        Admin(broker.bootstrap).create_topic(topic, 100)
        change = ("kafka-configs", "--bootstrap-server", broker.bootstrap, "--alter", "--entity-type", "topics", "--entity-name",
                  OFFSETS_TOPIC, "--add-config")
        self.tool(*change, "cleanup.policy=delete,retention.ms=-1")
        consumer = self.consumer("the-group", broker.bootstrap)
        for i in range(150):
            consumer.commit(offsets=[TopicPartition(topic, partition, i) for partition in range(100)], asynchronous=False)
        pattern = os.path.join(glob.escape(broker.data_dir), f"{OFFSETS_TOPIC}-0", "*.log")
        logs = self.await_file(pattern, lambda files: len(files) > 2 and os.path.getsize(files[-1]) > 0)
        count = 0
        for log in logs:
            dumped = self.dump("--offsets-decoder", "--deep-iteration", "--files", log)
            count += len(re.findall(r'key: \{"type":"1"', dumped))
        self.assertEqual(count, 15_000)
        self.tool(*change, "cleanup.policy=compact,min.cleanable.dirty.ratio=0.01")
        before = sum(map(os.path.getsize, logs))
        logs = self.await_file(pattern, lambda files: sum(map(os.path.getsize, files)) < before / 2, PATIENCE_SECONDS)
        found = {}
        for log in logs:
            dumped = self.dump("--offsets-decoder", "--deep-iteration", "--files", log)
            for partition, offset in re.findall(r'"partition":(\d+)\}\} payload: \{"version":"4","data":\{"offset":(\d+)', dumped):
                found[int(partition)] = int(offset)
        self.assertEqual(found, {partition: 149 for partition in range(100)})
        for index in glob.glob(pattern[:-3] + "index"):
            self.assertRegex(self.dump("--index-sanity-check", "--files", index), "passed sanity check|is empty")
        broker.kill()
        broker.start()
        group_broker.await_coordinator(broker.bootstrap)
        left = consumer.committed([TopicPartition(topic, i) for i in range(100)], timeout=PATIENCE_SECONDS)
        self.assertEqual({entry.offset for entry in left}, {149})


if __name__ == "__main__":
    genuine_suite.main(sys.modules[__name__])
