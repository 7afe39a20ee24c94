#!/usr/bin/python3
"""`tidemark group` on groups that other people's clients are in: python3-confluent-kafka and kcat."""

import json
import os
import re
import subprocess
import tempfile
import time
import unittest
import uuid

from confluent_kafka import Consumer, TopicPartition

import broker as brokers
import client_suite
import served_apis

TIDEMARK = os.path.join(brokers.BIN, "tidemark")
PATIENCE_SECONDS = 40
GROUP_APIS = {"OffsetCommit": 8, "OffsetFetch": 9, "FindCoordinator": 10, "JoinGroup": 11, "DescribeGroups": 15,
              "ListGroups": 16, "DeleteGroups": 42, "OffsetDelete": 47}


class TidemarkGroups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()
        cls.addClassCleanup(cls.broker.close)
        served = served_apis.served_apis(cls.broker.bootstrap)
        cls.missing_apis = [name for name, key in GROUP_APIS.items() if key not in served]

    def setUp(self):
        if self.missing_apis:
            self.skipTest(f"the broker does not serve {', '.join(self.missing_apis)}")

    # --- the command --------------------------------------------------------------------------------------------
    def run_command(self, *arguments, stdin=b""):
        environment = dict(os.environ, TIDEMARK_BOOTSTRAP=self.broker.bootstrap)
        return subprocess.run([TIDEMARK, *arguments], input=stdin, capture_output=True, timeout=90, check=False,
                              env=environment)

    def tidemark(self, *arguments, stdin=b"", notes=b""):
        """What it prints; on stderr there are exactly these notes."""
        done = self.run_command(*arguments, stdin=stdin)
        self.assertEqual((done.returncode, done.stderr), (0, notes), done)
        return done.stdout.decode()

    def as_json(self, *arguments, notes=b""):
        return json.loads(self.tidemark(*arguments, "-o", "json", notes=notes))

    def refused(self, status, *arguments):
        done = self.run_command(*arguments)
        self.assertEqual((done.returncode, done.stdout), (status, b""), done)
        text = done.stderr.decode()
        self.assertEqual(text.count("\n"), 1, text)
        return text

    # --- a topic with records, and groups of it ------------------------------------------------------------------
    def new_name(self, kind):
        return f"{kind}.{self._testMethodName[5:40]}.{uuid.uuid4().hex[:8]}"

    def new_topic(self, counts, timestamps=None):
        """A topic with so many records in each partition."""
        topic = self.new_name("topic")
        self.tidemark("topic", "create", topic, "-p", str(len(counts)), "-r", "1")
        self.wait_for(lambda: all(entry["end_offset"] is not None for entry in
                                  self.as_json("topic", "describe", topic)[0]["partitions"]))
        for partition, count in enumerate(counts):
            lines = "".join(f"{timestamps[i] if timestamps else int(time.time() * 1000)} {i}\n" for i in range(count))
            if count:
                self.tidemark("produce", topic, "-p", str(partition), "-f", "%T %v\\n", stdin=lines.encode())
        return topic

    def wait_for(self, is_true):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_true():
            self.assertLess(time.monotonic(), deadline, "in vain")
            time.sleep(0.1)

    def commit(self, group, offsets):
        """As a consumer would that assigns partitions to itself: a group without members."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": group, "enable.auto.commit": False})
        wanted = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
        self.wait_for(lambda: self.is_committed(consumer, wanted))
        consumer.close()

    @staticmethod
    def is_committed(consumer, offsets):
        return all(entry.error is None for entry in consumer.commit(offsets=offsets, asynchronous=False))

    def new_group(self, offsets):
        group = self.new_name("group")
        self.commit(group, offsets)
        return group

    def join(self, group, topics, client_id="reader", instance_id=None):
        settings = {"bootstrap.servers": self.broker.bootstrap, "group.id": group, "client.id": client_id,
                    "auto.offset.reset": "earliest", "enable.auto.commit": False, "session.timeout.ms": 10_000}
        if instance_id:
            settings["group.instance.id"] = instance_id
        member = Consumer(settings)
        self.addCleanup(member.close)
        member.subscribe(topics)
        return member

    def await_assignment(self, *members):
        self.wait_for(lambda: all([member.poll(0.05) is not False and member.assignment() for member in members]))

    def described(self, group):
        return self.as_json("group", "describe", group)[0]

    def committed(self, group):
        return {(entry["topic"], entry["partition"]): entry["committed_offset"]
                for entry in self.described(group)["partitions"]}

    # --- list ------------------------------------------------------------------------------------------------------
    def test_listing(self):
        topic = self.new_topic([1])
        idle = self.new_group({(topic, 0): 1})
        busy = self.new_name("group")
        member = self.join(busy, [topic])
        self.await_assignment(member)
        listed = {entry["group"]: entry for entry in self.as_json("group", "list")}
        self.assertEqual(list(listed), sorted(listed))
        self.assertEqual(listed[busy], {"group": busy, "type": "classic", "protocol_type": "consumer", "state": "Stable"})
        self.assertEqual((listed[idle]["type"], listed[idle]["state"]), ("classic", "Empty"))
        stable = {entry["group"] for entry in self.as_json("group", "list", "--state", "stable")}
        self.assertIn(busy, stable)
        self.assertNotIn(idle, stable)
        both = {entry["group"] for entry in self.as_json("group", "list", "--state", "Stable", "--state", "Empty")}
        self.assertLessEqual({busy, idle}, both)
        self.assertIn([busy, "classic", "consumer", "Stable"],
                      [line.split("\t") for line in self.tidemark("group", "list").splitlines()])
        self.assertIn("did you mean Stable?", self.refused(2, "group", "list", "--state", "stabel"))

    # --- describe --------------------------------------------------------------------------------------------------
    def test_describing_members_and_lag(self):
        topic = self.new_topic([10, 4, 0])
        group = self.new_group({(topic, 0): 3})
        members = [self.join(group, [topic], client_id=f"reader-{i}", instance_id=f"seat-{i}") for i in range(2)]
        self.await_assignment(*members)
        self.wait_for(lambda: [member.poll(0.05) for member in members] and self.described(group)["state"] == "Stable")
        described = self.described(group)
        self.assertEqual((described["type"], described["protocol_type"], described["protocol"]),
                         ("classic", "consumer", "range"))
        host, port = self.broker.bootstrap.split(":")
        self.assertEqual((described["coordinator"]["host"], described["coordinator"]["port"]), (host, int(port)))
        self.assertEqual({entry["client_id"]: entry["instance_id"] for entry in described["members"]},
                         {"reader-0": "seat-0", "reader-1": "seat-1"})
        seats = {entry["client_id"]: {(part["topic"], number) for part in entry["assignment"] for number in part["partitions"]}
                 for entry in described["members"]}
        self.assertEqual(seats, {f"reader-{i}": {(part.topic, part.partition) for part in member.assignment()}
                                 for i, member in enumerate(members)})
        self.assertRegex(described["members"][0]["host"], r"^/?127\.0\.0\.1$")
        lags = [(entry["partition"], entry["committed_offset"], entry["end_offset"], entry["lag"])
                for entry in described["partitions"]]
        self.assertEqual(lags, [(0, 3, 10, 7), (1, None, 4, None), (2, None, 0, None)])
        self.assertEqual(described["total_lag"], 7)
        owners = {entry["member_id"]: entry["client_id"] for entry in described["members"]}
        for entry in described["partitions"]:
            self.assertEqual(owners[entry["member_id"]], entry["client_id"])
            self.assertIn((topic, entry["partition"]), seats[entry["client_id"]])
        # As lines and as tables.
        lines = [line.split("\t") for line in self.tidemark("group", "describe", group, "--lag").splitlines()]
        self.assertEqual([line[:6] for line in lines],
                         [[group, topic, "0", "3", "10", "7"], [group, topic, "1", "-", "4", "-"], [group, topic, "2", "-", "0", "-"]])
        table = self.tidemark("group", "describe", group, "--lag", "-o", "table").splitlines()
        self.assertEqual(re.split("  +", table[0]), ["GROUP", "TOPIC", "PARTITION", "COMMITTED OFFSET", "END OFFSET", "LAG",
                                                     "LAG SECONDS", "MEMBER ID", "CLIENT ID", "HOST"])
        self.assertEqual(re.split("  +", table[-1])[:6], [group, "total", "-", "-", "-", "7"])
        members_table = self.tidemark("group", "describe", group, "--members").splitlines()
        self.assertEqual(len(members_table), 2)
        # A stranger's broker has no history to show.
        notes = f"{group}: its broker keeps no history of rebalances\n".encode() if self.broker.is_external else b""
        whole = self.tidemark("group", "describe", group, "-o", "table", notes=notes).split("\n\n")
        self.assertEqual([part.split("  ")[0] for part in whole], ["GROUP"] * (3 if self.broker.is_external else 4))

    def test_describing_several_and_one_that_is_not_there(self):
        topic = self.new_topic([2])
        group = self.new_group({(topic, 0): 2})
        other = self.new_group({(topic, 0): 1})
        self.assertEqual({entry["group"]: entry["total_lag"] for entry in self.as_json("group", "describe", group, other)},
                         {group: 0, other: 1})
        told = self.refused(1, "group", "describe", group + "x")
        self.assertEqual(told, f"error: GROUP_ID_NOT_FOUND: there is no group {group}x; did you mean {group}?\n")
        done = self.run_command("group", "describe", group, "nobody-of-this-name")
        self.assertEqual(done.returncode, 1)
        self.assertIn(group.encode(), done.stdout)
        self.refused(2, "group", "describe")

    def test_a_topic_that_is_gone(self):
        topic, kept = self.new_topic([3]), self.new_topic([5])
        group = self.new_group({(topic, 0): 1, (kept, 0): 1})
        self.assertEqual(self.described(group)["total_lag"], 6)
        self.tidemark("topic", "delete", topic)
        described = self.described(group)
        self.assertEqual(described["total_lag"], 4)
        for entry in described["partitions"]:  # a broker may keep its offset for a while
            if entry["topic"] == topic:
                self.assertEqual((entry["end_offset"], entry["lag"]), (None, None))

    # --- reset -----------------------------------------------------------------------------------------------------
    def test_every_way_to_reset(self):
        start = 1_767_000_000_000
        topic = self.new_topic([20, 20], [start + 1000 * i for i in range(20)])
        self.tidemark("topic", "trim", topic, "--before", "4", "-p", "0")
        group = self.new_group({(topic, 0): 10, (topic, 1): 10})

        def check(expected, *arguments, notes=b""):
            before = self.committed(group)
            for flags in (["--dry-run"], []):
                rows = self.as_json("group", "reset", group, *arguments, *flags, notes=notes)
                self.assertEqual({entry["partition"]: entry["new_offset"] for entry in rows}, expected)
                self.assertEqual([before[(topic, entry["partition"])] for entry in rows],
                                 [entry["committed_offset"] for entry in rows])
                after = self.committed(group)
                if flags:
                    self.assertEqual(after, before)
            self.assertEqual({number: after[(topic, number)] for number in expected}, expected)

        check({0: 4, 1: 0}, "--topic", topic, "--to-earliest")
        check({0: 20, 1: 20}, "--all-topics", "--to-latest")
        check({1: 7}, "--topic", f"{topic}:1", "--to-offset", "7")
        check({0: 4}, "--topic", f"{topic}:0", "--to-offset", "1",
              notes=f"warning: {topic}-0: offset 1 is before the log, which starts at 4: reset to that\n".encode())
        check({0: 20}, "--topic", f"{topic}:0", "--to-offset", "21",
              notes=f"warning: {topic}-0: offset 21 is behind the log, which ends at 20: reset to that\n".encode())
        check({0: 9, 1: 9}, "--topic", f"{topic}:0,1", "--to-datetime", "2025-12-29T09:20:08.500Z")
        check({0: 20}, "--topic", f"{topic}:0", "--to-datetime", str(start + 60_000),
              notes=f"warning: {topic}-0: no record is as young as that: reset to the log's end, 20\n".encode())
        check({0: 4, 1: 0}, "--all-topics", "--by-duration", "P20000D")
        check({0: 4, 1: 0}, "--all-topics", "--to-current")
        check({0: 20, 1: 20}, "--to", "end")
        check({0: 5, 1: 5}, "--to", f"@{start + 5000}")
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write(f"{topic},0,11\n{group},{topic},1,12\n")
            file.flush()
            check({0: 11, 1: 12}, "--from-file", file.name)

    def test_shifting(self):
        topic = self.new_topic([20, 20])
        group = self.new_group({(topic, 0): 10, (topic, 1): 2})
        rows = self.as_json("group", "reset", group, "--all-topics", "--shift-by", "-5",
                            notes=f"warning: {topic}-1: offset -3 is before the log, which starts at 0: reset to that\n".encode())
        self.assertEqual([entry["new_offset"] for entry in rows], [5, 0])
        self.assertEqual(self.committed(group), {(topic, 0): 5, (topic, 1): 0})
        self.tidemark("group", "delete-offsets", group, "--topic", f"{topic}:1")
        self.assertIn(f"{topic}-1 has no committed offset to shift",
                      self.refused(2, "group", "reset", group, "--topic", topic, "--shift-by", "1"))

    def test_readers_begin_where_a_reset_put_them(self):
        topic = self.new_topic([20])
        group = self.new_group({(topic, 0): 20})
        self.tidemark("group", "reset", group, "--topic", topic, "--to-offset", "17")
        done = subprocess.run(["kcat", "-b", self.broker.bootstrap, "-X", "auto.offset.reset=error", "-c", "3", "-f", "%o ", "-G", group, topic],
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.stdout, b"17 18 19 ", done)

    def test_a_group_that_is_not_there_is_made(self):
        topic = self.new_topic([5, 5])
        group = self.new_name("group")
        self.assertIn("GROUP_ID_NOT_FOUND", self.refused(1, "group", "reset", group, "--all-topics", "--to-latest"))
        self.tidemark("group", "reset", group, "--topic", topic, "--to-latest")
        self.assertEqual(self.committed(group), {(topic, 0): 5, (topic, 1): 5})

    def test_a_group_in_use_is_not_reset(self):
        topic = self.new_topic([10])
        group = self.new_group({(topic, 0): 5})
        member = self.join(group, [topic], client_id="the-reader")
        self.await_assignment(member)
        arguments = ["group", "reset", group, "--all-topics", "--to-earliest"]
        told = self.refused(1, *arguments)
        self.assertRegex(told, rf"^error: NON_EMPTY_GROUP: {re.escape(group)} is \w+ and has 1 member \(the-reader at .*\): stop it first\n$")
        done = self.run_command(*arguments, "--dry-run", "-o", "json")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(json.loads(done.stdout)[0]["new_offset"], 0)
        self.assertIn("stop it first", done.stderr.decode())
        self.assertIn("NON_EMPTY_GROUP", self.refused(1, "group", "delete", group))
        self.assertIn("GROUP_SUBSCRIBED_TO_TOPIC", self.refused(1, "group", "delete-offsets", group, "--topic", topic))
        self.assertEqual(self.committed(group), {(topic, 0): 5})
        member.close()
        self.wait_for(lambda: self.described(group)["state"] == "Empty")
        self.tidemark(*arguments)
        self.assertEqual(self.committed(group), {(topic, 0): 0})

    def test_refusals_of_a_reset(self):
        topic = self.new_topic([1])
        for told, arguments in (("exactly one of --to-earliest", ["--all-topics"]),
                                ("exactly one of --to-earliest", ["--all-topics", "--to-earliest", "--to-latest"]),
                                ("of which topics?", ["--to-earliest"]),
                                ("not both", ["--all-topics", "--topic", topic, "--to-earliest"]),
                                ("is no time", ["--all-topics", "--to-datetime", "yesterday"]),
                                ("is no duration", ["--all-topics", "--by-duration", "1h"]),
                                ("is neither TOPIC nor", ["--topic", f"{topic}:x", "--to-earliest"]),
                                ("--from-file", ["--topic", topic, "--from-file", __file__]),
                                ("is not topic,partition,offset", ["--from-file", __file__]),
                                ("no/such/file", ["--from-file", "/no/such/file"]),
                                ("none of start, end, N, @TIME", ["--to", "ende"]),
                                ("did you mean --to-latest?", ["--to-lastest"])):
            with self.subTest(arguments):
                self.assertIn(told, self.refused(2, "group", "reset", "some-group", *arguments))
        group = self.new_group({(topic, 0): 1})
        self.assertIn(f"did you mean {topic}?", self.refused(1, "group", "reset", group, "--topic", topic + "x", "--to-earliest"))
        self.assertIn(f"{topic} has no partition 7", self.refused(1, "group", "reset", group, "--topic", f"{topic}:7", "--to-earliest"))

    # --- delete ----------------------------------------------------------------------------------------------------
    def test_deleting(self):
        topic = self.new_topic([1])
        groups = [self.new_group({(topic, 0): 1}) for _ in range(2)]
        done = self.run_command("group", "delete", *groups, groups[0] + "x")
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(sorted(done.stdout.decode().splitlines()), sorted(f"{group}\tdeleted" for group in groups))
        self.assertIn(f"GROUP_ID_NOT_FOUND: there is no group {groups[0]}x", done.stderr.decode())
        left = {entry["group"] for entry in self.as_json("group", "list")}
        self.assertFalse(left & set(groups))
        self.assertIn("GROUP_ID_NOT_FOUND", self.refused(1, "group", "describe", groups[0]))

    def test_deleting_offsets(self):
        first, second = self.new_topic([5, 5]), self.new_topic([5])
        group = self.new_group({(first, 0): 1, (first, 1): 2, (second, 0): 3})
        rows = self.as_json("group", "delete-offsets", group, "--topic", f"{first}:1")
        self.assertEqual(rows, [{"group": group, "topic": first, "partition": 1, "result": "deleted"}])
        self.assertEqual(self.committed(group), {(first, 0): 1, (second, 0): 3})
        self.tidemark("group", "delete-offsets", group, "--topic", first)
        self.assertEqual(self.committed(group), {(second, 0): 3})
        self.assertIn(f"has no offsets of {second}x; did you mean {second}?",
                      self.refused(1, "group", "delete-offsets", group, "--topic", second + "x"))
        self.assertIn(f"did you mean {group}?", self.refused(1, "group", "delete-offsets", group + "x", "--topic", second))

    def test_every_verb_has_help_with_an_example(self):
        for verb in ("list", "describe", "reset", "delete", "delete-offsets"):
            text = self.tidemark("group", verb, "--help")
            self.assertIn(f"tidemark group {verb}", text.partition("Example:\n  ")[2])


if __name__ == "__main__":
    client_suite.main(__name__)
