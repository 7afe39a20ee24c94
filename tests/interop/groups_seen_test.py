#!/usr/bin/python3
"""What operators see of consumer groups: lag as python3-kafka and python3-confluent-kafka compute it is the lag of
`tidemark group describe` and of /metrics, rebalances have a history, and what happens to offsets is counted and logged.
Against genuine Kafka there are no metrics, and no history."""

import json
import os
import re
import struct
import subprocess
import time
import uuid

from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as ConfluentPartition
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

import broker as brokers
import client_suite
import group_broker
from confluent_admin import Admin
from group_messages import DELETE_GROUPS, DESCRIBE_GROUPS, LIST_GROUPS, OFFSET_COMMIT, OFFSET_DELETE, assignment
from message_codec import encode_request, unsigned_varint
from raw_frames import batch, framed, request
from raw_member import RawMember
from served_apis import receive

TIDEMARK = os.path.join(brokers.BIN, "tidemark")
PATIENCE_SECONDS = 30
CLOSE_SECONDS = 4  # between two looks at something that grows older
NONE = 0
INVALID_RECORD = 87
OWN_TAG = 10_000
COORDINATORS = 2
HOUR_MS = 3_600_000
NEEDS_METRICS = brokers.tidemark_only("looks at the metrics and the log")


def named(labels):
    """{name: value} of a metric's labels as text."""
    return dict(re.findall(r'(\w+)="([^"]*)"', labels))


class GroupsSeen(group_broker.GroupBrokerTest):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker(properties={**group_broker.PROPERTIES, "offsets.topic.num.partitions": str(COORDINATORS),
                                                     "offsets.retention.check.interval.ms": "1000"})
        group_broker.await_coordinator(cls.broker.bootstrap)

    def setUp(self):
        self.group = f"seen-{uuid.uuid4().hex[:8]}"
        self.outsider = self.member()

    def member(self, group=None, **settings):
        member = RawMember(self.broker.bootstrap, group or self.group, **settings)
        self.addCleanup(member.close)
        return member

    # --- the three who say how far behind a group is ------------------------------------------------------------------
    def described(self, group=None, *flags, stderr=""):
        done = subprocess.run([TIDEMARK, "group", "describe", group or self.group, *flags, "-o", "json"], capture_output=True,
                              timeout=90, check=False, env=dict(os.environ, TIDEMARK_BOOTSTRAP=self.broker.bootstrap))
        self.assertEqual((done.returncode, done.stderr.decode()), (0, stderr), done)
        return json.loads(done.stdout)[0]

    def command_lags(self):
        return {(entry["topic"], entry["partition"]): (entry["committed_offset"], entry["lag"])
                for entry in self.described(None, "--lag")["partitions"] if entry["committed_offset"] is not None}

    def series(self, metric, group=None):
        """{(topic, partition) or (): value} of a group's series."""
        found = {}
        for labels, value in self.broker.metric(metric).items():
            label = named(labels)
            if label.get("group") == (group or self.group):
                found[(label["topic"], int(label["partition"])) if "topic" in label else ()] = value
        return found

    def metric_lags(self):
        lags = self.series("tidemark_group_lag_records")
        offsets = self.series("tidemark_group_committed_offset")  # of a later scrape
        return {key: (int(offset), int(lags[key])) for key, offset in offsets.items() if key in lags}

    def confluent_lags(self, topic, partitions):
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self.group})
        lags = {}
        for entry in consumer.committed([ConfluentPartition(topic, number) for number in range(partitions)], timeout=30):
            if entry.offset >= 0:
                _, end = consumer.get_watermark_offsets(entry, timeout=30)
                lags[topic, entry.partition] = (entry.offset, end - entry.offset)
        consumer.close()
        return lags

    def python_lags(self, topic, partitions):
        consumer = KafkaConsumer(bootstrap_servers=self.broker.bootstrap, group_id=self.group, enable_auto_commit=False)
        wanted = [TopicPartition(topic, number) for number in range(partitions)]
        ends = consumer.end_offsets(wanted)
        committed = {partition: consumer.committed(partition) for partition in wanted}
        consumer.close()
        return {(topic, partition.partition): (offset, ends[partition] - offset)
                for partition, offset in committed.items() if offset is not None}

    def eventually(self, look, expected):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (seen := look()) != expected:
            self.assertLess(time.monotonic(), deadline, f"{seen} instead of {expected}")
            time.sleep(0.2)

    def eventually_close(self, look, expected):
        """`expected()`: seconds by key; they grow while we look."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            seen, wanted = look(), expected()
            if seen.keys() == wanted.keys() and all(abs(seen[key] - wanted[key]) <= CLOSE_SECONDS for key in wanted):
                return
            self.assertLess(time.monotonic(), deadline, f"{seen} instead of {wanted}")
            time.sleep(0.2)

    def commit(self, topic, offsets, group=None):
        partitions = [{"partition": number, "offset": offset, "leader_epoch": -1, "metadata": ""}
                      for number, offset in offsets.items()]
        answer = self.outsider.call(OFFSET_COMMIT, 9, group=group or self.group, topics=[{"topic": topic, "partitions": partitions}])
        self.assertEqual({entry["error"] for entry in answer["topics"][0]["partitions"]}, {NONE})

    def fill(self, counts, timestamp_ms=None, configs=None):
        """A topic with so many records in each partition, ten in a batch."""
        topic = self.outsider.new_topic(len(counts), configs)
        for number, count in enumerate(counts):
            for first in range(0, count, 10):
                values = [b"x"] * min(10, count - first)
                self.assertEqual(self.outsider.produce(topic, batch(values, timestamp_ms=timestamp_ms), partition=number)[0], NONE)
        return topic

    def restart(self):
        self.outsider.close()
        self.broker.stop()
        self.broker.start()
        self.outsider = self.member()
        group_broker.await_coordinator(self.broker.bootstrap)

    # --- lag ------------------------------------------------------------------------------------------------------------
    def check_lags(self, topic, partitions, expected):
        self.assertEqual(self.confluent_lags(topic, partitions), expected)
        self.assertEqual(self.python_lags(topic, partitions), expected)
        self.assertEqual(self.command_lags(), expected)
        if not self.broker.is_external:
            self.eventually(self.metric_lags, expected)
            total = sum(max(lag, 0) for _, lag in expected.values())
            self.eventually(lambda: self.series("tidemark_group_total_lag_records"), {(): total})
            self.assertEqual(self.described()["total_lag"], total)

    def test_everybody_counts_the_same_lag(self):
        topic = self.fill([25, 10, 3, 0, 7])
        self.commit(topic, {0: 12, 1: 10, 2: 0, 3: 0})
        self.check_lags(topic, 5, {(topic, 0): (12, 13), (topic, 1): (10, 0), (topic, 2): (0, 3), (topic, 3): (0, 0)})
        self.outsider.produce(topic, batch([b"x"] * 5), partition=1)
        self.commit(topic, {0: 20, 4: 100})
        self.check_lags(topic, 5, {(topic, 0): (20, 5), (topic, 1): (10, 5), (topic, 2): (0, 3), (topic, 3): (0, 0),
                                   (topic, 4): (100, -93)})

    def test_a_real_member_that_reads_and_commits(self):
        topic = self.fill([40, 40])
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self.group, "enable.auto.commit": False,
                             "auto.offset.reset": "earliest", "session.timeout.ms": 10_000})
        consumer.subscribe([topic])
        read = {}
        while sum(read.values()) < 30:
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                read[message.partition()] = read.get(message.partition(), 0) + 1
                consumer.commit(message, asynchronous=False)
        expected = {(topic, number): (count, 40 - count) for number, count in read.items()}
        self.check_lags(topic, 2, expected)
        if not self.broker.is_external:
            self.eventually(lambda: self.series("tidemark_group_members"), {(): 1})
            states = [named(labels)["state"] for labels in self.broker.metric("tidemark_group_state")
                      if named(labels)["group"] == self.group]
            self.assertEqual(states, ["Stable"])
        consumer.close()
        if not self.broker.is_external:
            self.eventually(lambda: self.series("tidemark_group_members"), {(): 0})

    def check_seconds(self, topic, times_ms):
        """`times_ms`: of the first record that is not read, or None where there is none, by partition."""
        def expected():
            now = time.time()
            return {(topic, number): 0 if time_ms is None else now - time_ms / 1000 for number, time_ms in times_ms.items()}

        self.eventually_close(lambda: {(entry["topic"], entry["partition"]): entry["lag_seconds"]
                                       for entry in self.described(None, "--lag")["partitions"]}, expected)
        if not self.broker.is_external:
            self.eventually_close(lambda: self.series("tidemark_group_lag_seconds"), expected)
            self.eventually_close(lambda: self.series("tidemark_group_max_lag_seconds"),
                                  lambda: {(): max(expected().values())})

    def test_the_age_of_what_is_not_read(self):
        now_ms = int(time.time() * 1000)
        topic = self.outsider.new_topic(4)
        ages = [3 * HOUR_MS, 2 * HOUR_MS, HOUR_MS]  # of three batches of two records
        for number in range(4):
            for age in ages:
                self.outsider.produce(topic, batch([b"x", b"y"], timestamp_ms=now_ms - age), partition=number)
        self.commit(topic, {0: 0, 1: 2, 2: 5, 3: 6})
        self.check_seconds(topic, {0: now_ms - 3 * HOUR_MS, 1: now_ms - 2 * HOUR_MS, 2: now_ms - HOUR_MS, 3: None})
        self.commit(topic, {0: 4, 1: 6})
        self.check_seconds(topic, {0: now_ms - HOUR_MS, 1: None, 2: now_ms - HOUR_MS, 3: None})

    def test_what_is_not_there_any_more_is_not_waited_for(self):
        now_ms = int(time.time() * 1000)
        topic = self.outsider.new_topic(1)
        for age in (3 * HOUR_MS, 2 * HOUR_MS, HOUR_MS):
            self.outsider.produce(topic, batch([b"x", b"y"], timestamp_ms=now_ms - age))
        self.commit(topic, {0: 1})
        self.check_seconds(topic, {0: now_ms - 3 * HOUR_MS})
        subprocess.run([TIDEMARK, "topic", "trim", topic, "--before", "4", "-p", "0"], check=True, timeout=60,
                       stdout=subprocess.DEVNULL, env=dict(os.environ, TIDEMARK_BOOTSTRAP=self.broker.bootstrap))
        self.check_seconds(topic, {0: now_ms - HOUR_MS})
        self.assertEqual(self.command_lags(), {(topic, 0): (1, 5)})

    def test_the_age_where_the_log_sets_the_times_and_where_batches_are_compressed(self):
        long_ago = int(time.time() * 1000) - HOUR_MS
        topic = self.fill([3], timestamp_ms=long_ago, configs={"message.timestamp.type": "LogAppendTime"})
        began_ms = int(time.time() * 1000)
        self.commit(topic, {0: 1})
        self.check_seconds(topic, {0: began_ms})
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "compression.type": "zstd", "linger.ms": 100})
        other = self.outsider.new_topic(1)
        for _ in range(100):
            producer.produce(other, b"z" * 100, partition=0, timestamp=long_ago)
        producer.flush(30)
        self.commit(other, {0: 50}, group=self.group + "-other")
        self.group += "-other"
        self.check_seconds(other, {0: long_ago})

    @NEEDS_METRICS
    def test_times_that_only_the_disk_knows(self):
        """After a restart nothing is in memory; every partition has its time, some looks later. They are more than one piece
        of a look, and the group's total is of them all. Its age is that of the oldest: shown once all are known, never less."""
        now_ms = int(time.time() * 1000)
        long_ago = now_ms - HOUR_MS
        partitions = 600
        topic = self.fill([3] * (partitions - 1) + [0], timestamp_ms=long_ago)
        self.outsider.produce(topic, batch([b"x"] * 3, timestamp_ms=now_ms - 3 * HOUR_MS), partition=partitions - 1)
        self.commit(topic, dict.fromkeys(range(partitions), 1))
        self.eventually(lambda: self.series("tidemark_group_total_lag_records"), {(): 2 * partitions})
        self.restart()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (greatest := self.series("tidemark_group_max_lag_seconds")):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertGreater(greatest[()], 2.9 * HOUR_MS / 1000)
        self.check_seconds(topic, {**dict.fromkeys(range(partitions - 1), long_ago), partitions - 1: now_ms - 3 * HOUR_MS})
        self.eventually(lambda: self.series("tidemark_group_total_lag_records"), {(): 2 * partitions})

    @NEEDS_METRICS
    def test_others_that_read_from_the_disk_leave_it_to_a_newcomer_too(self):
        """A group of twice as many partitions as a look reads from the disk commits in all of them between any two looks; one that
        is looked at after it has its age all the same."""
        partitions, records = 128, 90
        long_ago = int(time.time() * 1000) - HOUR_MS
        topic = self.fill([records] * partitions, timestamp_ms=long_ago)
        self.restart()
        reading, newcomer = self.group + "-a", self.group + "-c"  # of one coordinator, since they differ by an even number
        for offset in range(records):
            self.commit(topic, dict.fromkeys(range(partitions), offset), group=reading)
            if offset == 10:
                self.commit(topic, {0: 1}, group=newcomer)
            if seconds := self.series("tidemark_group_max_lag_seconds", newcomer):
                break
            time.sleep(0.25)
        self.assertGreaterEqual(seconds.get((), 0), HOUR_MS / 1000)

    def test_thousands_of_groups_are_listed_each_once_and_those_that_lag_are_shown(self):
        """More than a coordinator lists in one piece, and than have names in the metrics."""
        topic = self.fill([10])
        names = [f"{self.group}-{i:04}" for i in range(2300)]
        # Many at once share a synced write.
        committers = [(self.member(), names[first:first + 50]) for first in range(0, len(names), 50)]
        for committer, its_names in committers:
            for name in its_names:
                committer.send(OFFSET_COMMIT, 9, group=name, topics=[{"topic": topic, "partitions": [
                    {"partition": 0, "offset": 3 if name.endswith("777") else 10, "leader_epoch": -1, "metadata": ""}]}])
        for committer, its_names in committers:
            for _ in its_names:
                self.assertEqual(committer.answer(OFFSET_COMMIT, 9)["topics"][0]["partitions"][0]["error"], NONE)
        for version in (0, 5):
            listed = [entry["group"] for entry in self.outsider.call(LIST_GROUPS, version)["groups"]]
            self.assertEqual(len(listed), len(set(listed)))
            self.assertEqual([name for name in sorted(listed) if name.startswith(self.group)], names)
        self.assertEqual(self.outsider.call(LIST_GROUPS, 5, states=["Stable"])["error"], NONE)
        if not self.broker.is_external:
            for name in (name for name in names if name.endswith("777")):
                self.eventually(lambda: self.series("tidemark_group_lag_records", name), {(topic, 0): 7})
                self.eventually(lambda: self.series("tidemark_group_total_lag_records", name), {(): 7})
            self.assertLessEqual(len(self.broker.metric("tidemark_group_members")), 200)
            self.assertLessEqual(len(self.broker.metric("tidemark_group_lag_records")), 2000)
            everybody = sum(self.broker.metric("tidemark_groups").values())
            self.assertGreaterEqual(everybody, len(names))
            self.assertEqual(self.broker.metric("tidemark_groups_unnamed")[""], everybody - 200)
            self.assertLess(self.broker.metric("tidemark_group_look_seconds")[""], 5)
            self.check_newcomer(topic, names)
        answer = self.outsider.call(DELETE_GROUPS, 2, groups=names)
        self.assertEqual({entry["error"] for entry in answer["results"]}, {NONE})

    def check_newcomer(self, topic, names):
        """All names are taken by groups that lag a little; one that is an hour late gets one, its partition too."""
        behind = names[:250]
        for first in range(0, len(behind), 50):
            for name in behind[first:first + 50]:
                self.outsider.send(OFFSET_COMMIT, 9, group=name, topics=[{"topic": topic, "partitions": [
                    {"partition": 0, "offset": 2, "leader_epoch": -1, "metadata": ""}]}])
            for _ in behind[first:first + 50]:
                self.outsider.answer(OFFSET_COMMIT, 9)
        self.eventually(lambda: sum(lag > 0 for lag in self.broker.metric("tidemark_group_total_lag_records").values()), 200)
        long_ago = int(time.time() * 1000) - HOUR_MS
        late = self.fill([3], timestamp_ms=long_ago)
        self.commit(late, {0: 1})
        self.eventually(lambda: self.series("tidemark_group_total_lag_records"), {(): 2})
        self.check_seconds(late, {0: long_ago})
        self.assertEqual(len(self.broker.metric("tidemark_group_members")), 200)

    # --- rebalances -----------------------------------------------------------------------------------------------------
    def rebalance(self, member):
        self.assertEqual(member.join()["error"], NONE)
        self.assertEqual(member.sync({member.member: assignment({"none": [0]})})["error"], NONE)

    def state(self):
        described, = self.outsider.call(DESCRIBE_GROUPS, 6, groups=[self.group])["groups"]
        return described["state"]

    def test_the_history_of_rebalances(self):
        first = self.member(session_timeout_ms=30_000, rebalance_timeout_ms=30_000)
        self.rebalance(first)
        second = self.member(session_timeout_ms=30_000, rebalance_timeout_ms=30_000)
        second.announce()
        self.eventually(self.state, "PreparingRebalance")
        self.rebalance(first)
        self.assertEqual(second.await_joined()["error"], NONE)
        self.assertEqual(second.sync()["error"], NONE)
        second.leave()
        if self.broker.is_external:
            described = self.described(None, "--rebalances",
                                       stderr=f"{self.group}: its broker keeps no history of rebalances\n")
            self.assertIsNone(described["rebalances"])
            self.assertIsNone(described["rebalance_loop"])
            return
        rebalances = self.described(None, "--rebalances")["rebalances"]
        self.assertEqual([(entry["cause"], entry["outcome"], entry["generation"], entry["members"]) for entry in rebalances],
                         [("join", "stable", 1, 1), ("join", "stable", 2, 2), ("leave", "running", None, 0)])
        self.assertEqual([entry["changes"] for entry in rebalances],
                         [[{"kind": "joined", "count": 1, "members": [first.member]}],
                          [{"kind": "joined", "count": 1, "members": [second.member]}],
                          [{"kind": "left", "count": 1, "members": [second.member]}]])
        for entry in rebalances:
            self.assertRegex(entry["started"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertLess(max(entry["joining_ms"], entry["assigning_ms"]), 20_000)
        self.assertIn("new member", rebalances[0]["reason"])
        # As lines: what is empty is a dash.
        lines = subprocess.run([TIDEMARK, "group", "describe", self.group, "--rebalances"], capture_output=True, timeout=60,
                               check=True, env=dict(os.environ, TIDEMARK_BOOTSTRAP=self.broker.bootstrap)).stdout.decode()
        self.assertEqual([line.split("\t")[2:6] for line in lines.splitlines()],
                         [["stable", "join", "1", "1"], ["stable", "join", "2", "2"], ["running", "leave", "-", "0"]])
        self.assertEqual(self.broker.metric("tidemark_group_rebalances_total").keys(), {
            f'{{cause="{cause}",outcome="{outcome}"}}' for cause in ("join", "rejoin", "leave", "timeout", "other")
            for outcome in ("stable", "empty", "superseded")})

    @NEEDS_METRICS
    def test_a_group_that_goes_on_rebalancing(self):
        loops = self.broker.metric("tidemark_group_rebalance_loops_total")[""]
        rejoins = self.broker.metric("tidemark_group_rebalances_total")['{cause="rejoin",outcome="stable"}']
        member = self.member(session_timeout_ms=60_000)
        for _ in range(7):
            self.rebalance(member)
        self.eventually(lambda: self.series("tidemark_group_loop_rebalances"), {(): 7})
        self.eventually(lambda: self.series("tidemark_group_generation"), {(): 7})
        self.assertEqual(self.broker.metric("tidemark_groups_in_rebalance_loop")[""], 1)
        self.assertEqual(self.broker.metric("tidemark_group_rebalance_loops_total")[""], loops + 1)
        self.assertEqual(self.broker.metric("tidemark_group_rebalances_total")['{cause="rejoin",outcome="stable"}'], rejoins + 6)
        lines = [line for line in self.log_lines("a group goes on rebalancing, and does little else")
                 if line["group"] == self.group]
        self.assertEqual(len(lines), 1)
        self.assertEqual((lines[0]["level"], lines[0]["rebalances"]), ("warning", 5))
        done = subprocess.run([TIDEMARK, "group", "describe", self.group], capture_output=True, timeout=60, check=True,
                              env=dict(os.environ, TIDEMARK_BOOTSTRAP=self.broker.bootstrap))
        self.assertRegex(done.stderr.decode(), rf"^{self.group} goes on rebalancing: 7 times in a row since 20\S+Z; the last time: "
                                               r"member \S+ leads, and rejoined; client's reason: not given\n$")
        member.leave()

    def test_only_who_asks_gets_our_own_field(self):
        """Everybody else gets Kafka's bytes, also for a group with a history."""
        member = self.member(session_timeout_ms=60_000)
        self.rebalance(member)
        plain = encode_request(DESCRIBE_GROUPS, 6, groups=[self.group])
        field = unsigned_varint(OWN_TAG) + unsigned_varint(1) + b"\1"
        asking = plain[:-1] + unsigned_varint(1) + field
        answers = []
        for body in (plain, asking, plain):
            self.outsider.connection.sendall(framed(request(DESCRIBE_GROUPS.key, 6, body)))
            answers.append(receive(self.outsider.connection))
        no_fields = struct.pack(">i", -(1 << 31)) + b"\0\0"  # the operations nobody asked for, and nothing of a group or behind
        self.assertTrue(answers[0].endswith(no_fields), answers[0])
        self.assertEqual(answers[0][4:], answers[2][4:])
        if self.broker.is_external:
            self.assertEqual(answers[1][4:], answers[0][4:])
        else:
            self.assertTrue(answers[1].startswith(answers[0][:-2]))
            self.assertIn(b"\1" + unsigned_varint(OWN_TAG), answers[1][len(answers[0]) - 2:])
        member.leave()

    # --- offsets --------------------------------------------------------------------------------------------------------
    def log_lines(self, event):
        found = []
        for start in range(1, self.broker.starts + 1):
            with open(f"{self.broker.log_path}.{start}", encoding="utf-8") as log:
                found += [entry for entry in map(json.loads, log) if entry.get("event") == event]
        return found

    def told(self, event, group=None):
        return [entry for entry in self.log_lines(event) if entry.get("group") == (group or self.group)]

    def counted(self, metric, labels=""):
        return self.broker.metric(metric).get(labels, 0)

    @NEEDS_METRICS
    def test_what_becomes_of_offsets(self):
        before = {name: self.broker.metric(name) for name in (
            "tidemark_group_offset_commits_total", "tidemark_group_offset_resets_total", "tidemark_group_offsets_ended_total",
            "tidemark_groups_ended_total")}

        def risen(metric, labels=""):
            return self.counted(metric, labels) - before[metric].get(labels, 0)

        topic = self.fill([20, 20])
        self.commit(topic, {0: 5, 1: 5})
        self.commit(topic, {0: 7})
        self.assertEqual(risen("tidemark_group_offset_commits_total"), 3)
        self.assertEqual((risen("tidemark_group_offset_resets_total"), self.told("offsets of a group were reset")), (0, []))
        self.commit(topic, {0: 2, 1: 2})
        self.assertEqual(risen("tidemark_group_offset_resets_total"), 2)
        line, = self.told("offsets of a group were reset")
        self.assertEqual(line["offsets"], 2)

        self.outsider.call(OFFSET_DELETE, 0, group=self.group, topics=[{"topic": topic, "partitions": [{"partition": 0}]}])
        self.assertEqual(risen("tidemark_group_offsets_ended_total", '{end="deleted"}'), 1)
        line, = self.told("offsets of a group are no more")
        self.assertEqual((line["why"], line["offsets"]), ("deleted", 1))

        Admin(self.broker.bootstrap).delete_topic(topic)
        self.eventually(lambda: risen("tidemark_group_offsets_ended_total", '{end="topic_deleted"}'), 1)
        # What is left of the group goes with the next expiry.
        self.eventually(lambda: [(entry["why"], entry["offsets"]) for entry in self.told("a group is no more")], [("expired", 0)])
        self.assertGreaterEqual(risen("tidemark_groups_ended_total", '{end="expired"}'), 1)  # others' groups may have gone too
        self.eventually(lambda: self.series("tidemark_group_members"), {})

        other = self.fill([20])
        self.commit(other, {0: 1})
        self.assertEqual(self.outsider.call(DELETE_GROUPS, 2, groups=[self.group])["results"][0]["error"], NONE)
        self.assertEqual(risen("tidemark_groups_ended_total", '{end="group_deleted"}'), 1)
        self.assertEqual(risen("tidemark_group_offsets_ended_total", '{end="group_deleted"}'), 1)

    def listed(self):
        return {entry["group"] for entry in self.outsider.call(LIST_GROUPS, 5)["groups"]}

    def test_a_simple_group_without_offsets_is_there_until_the_next_expiry(self):
        """Genuine Kafka needs a short offsets.retention.check.interval.ms for this, or patience."""
        topic = self.fill([5])
        self.commit(topic, {0: 1})
        answer = self.outsider.call(OFFSET_DELETE, 0, group=self.group, topics=[{"topic": topic, "partitions": [{"partition": 0}]}])
        self.assertEqual(answer["topics"][0]["partitions"][0]["error"], NONE)
        described, = self.outsider.call(DESCRIBE_GROUPS, 6, groups=[self.group])["groups"]
        if described["error"] == NONE:  # else an expiry was quicker
            self.assertEqual((described["state"], described["members"]), ("Empty", []))
        self.eventually(lambda: self.group in self.listed(), False)

    # --- records that nobody of ours wrote -----------------------------------------------------------------------------
    @NEEDS_METRICS
    def test_what_others_write_into_the_offsets_topic_keeps_no_partition_from_loading(self):
        """Kafka takes them all, skips the first at its next start, and does not coordinate a partition with one of the others any
        more. Here the others are refused: unread, they would hide what their keys have stood for."""

        def text(value):
            return struct.pack(">h", len(value)) + value.encode()

        key = struct.pack(">h", 1) + text(self.group) + text("orders") + struct.pack(">i", 0)
        unreadable = [(key, struct.pack(">h", 77) + b"\0" * 30),                   # a value of a newer version
                      (key, struct.pack(">h", 3) + b"\0"),                         # one that is cut off
                      (key, b""), (b"", b"x"), (b"\0", b"x"),                      # nothing to tell a version from
                      (struct.pack(">h", 2) + b"\x7f\xff", b"x"),                  # a key that is cut off
                      (struct.pack(">h", 1) + text("g") + b"\xff", None)]
        records = [(struct.pack(">h", 99) + b"abc", b"x"), *unreadable]
        topic = self.fill([20])
        self.commit(topic, {0: 4})
        groups = {}
        for i in range(40):  # in every partition of the offsets topic
            groups[f"{self.group}-{i}"] = i
            self.commit(topic, {0: i % 20}, group=f"{self.group}-{i}")
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "client.id": "__admin_client"})
        told = []
        for partition in range(COORDINATORS):
            for record_key, value in records:
                producer.produce("__consumer_offsets", key=record_key, value=value, partition=partition,
                                 on_delivery=lambda error, _: told.append(error.code() if error else NONE))
                producer.flush(30)  # a batch of its own
        self.assertEqual(told, COORDINATORS * [NONE, *len(unreadable) * [INVALID_RECORD]])
        self.restart()
        self.eventually(lambda: self.series("tidemark_group_committed_offset"), {(topic, 0): 4})
        for group, i in groups.items():
            self.eventually(lambda: self.series("tidemark_group_committed_offset", group), {(topic, 0): i % 20})
        self.assertEqual(self.counted("tidemark_group_unreadable_records_total"), 0)
        self.commit(topic, {0: 9})
        admin = KafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
        offsets = admin.list_consumer_group_offsets(self.group)
        admin.close()
        self.assertEqual({key.partition: value.offset for key, value in offsets.items()}, {0: 9})


if __name__ == "__main__":
    client_suite.main(__name__)
