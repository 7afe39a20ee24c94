#!/usr/bin/python3
"""Elections, reassignments, feature levels, producers and unregistering by hand, in every version and with everything wrong
that can be. Every expectation here is genuine Kafka's behaviour (4.3) on one node, except where a test is `tidemark_only`."""

import time
import unittest
import uuid

import broker as brokers
import client_suite
from admin_messages import (ALTER_PARTITION_REASSIGNMENTS, DESCRIBE_PRODUCERS, DESCRIBE_TOPIC_PARTITIONS, ELECT_LEADERS,
                            LIST_CONFIG_RESOURCES, LIST_PARTITION_REASSIGNMENTS, UNREGISTER_BROKER, UPDATE_FEATURES)
from confluent_admin import Admin
from group_broker import await_coordinator
from raw_client import NONE, RawClient
from raw_frames import batch

UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC, INVALID_REPLICA_ASSIGNMENT, INVALID_REQUEST = 3, 17, 39, 42
ELECTION_NOT_NEEDED, NO_REASSIGNMENT_IN_PROGRESS, INVALID_UPDATE_VERSION, BROKER_ID_NOT_REGISTERED = 84, 85, 95, 102
PREFERRED, UNCLEAN = 0, 1
BROKERS = 4
NOT_NEEDED = (ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.")
INVALID_NAME = "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"


class RawAdmin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()
        cls.client = RawClient(cls.broker.bootstrap)
        cls.topic = cls.client.new_topic(2)
        cls.other = cls.client.new_topic(1)
        cls.node = int(cls.client.call(LIST_CONFIG_RESOURCES, 1, types=[BROKERS])["resources"][0]["name"])

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.broker.close()

    # --- elections ----------------------------------------------------------------------------------------------------
    def elect(self, topics, kind=PREFERRED, version=2):
        """(error, {(topic, partition): (error, message)})"""
        topics = None if topics is None else [{"topic": topic, "partitions": partitions} for topic, partitions in topics]
        answer = self.client.call(ELECT_LEADERS, version, topics=topics, **({"type": kind} if version >= 1 else {}))
        return answer.get("error", NONE), {(topic["topic"], entry["partition"]): (entry["error"], entry["message"])
                                           for topic in answer["results"] for entry in topic["partitions"]}

    def test_no_election_is_needed_in_any_version(self):
        for version in range(3):
            for kind in (PREFERRED, UNCLEAN) if version >= 1 else (PREFERRED,):
                with self.subTest(version=version, kind=kind):
                    self.assertEqual(self.elect([(self.topic, [0, 1]), (self.other, [0])], kind, version),
                                     (NONE, {(self.topic, 0): NOT_NEEDED, (self.topic, 1): NOT_NEEDED, (self.other, 0): NOT_NEEDED}))

    def test_elections_everywhere_tell_only_of_those_that_were_needed(self):
        for version in range(3):
            self.assertEqual(self.elect(None, version=version), (NONE, {}))
        answer = self.client.call(ELECT_LEADERS, 2, topics=None)
        self.assertLessEqual({self.topic, self.other}, {entry["topic"] for entry in answer["results"]})
        self.assertEqual(self.elect(None, UNCLEAN), (NONE, {}))
        self.assertEqual(self.elect([]), (NONE, {}))

    def test_elections_of_what_is_not_there(self):
        for kind in (PREFERRED, UNCLEAN):
            self.assertEqual(self.elect([("raw-none", [0]), (self.topic, [9, 0, -1])], kind), (NONE, {
                ("raw-none", 0): (UNKNOWN_TOPIC_OR_PARTITION, "No such topic as raw-none"),
                (self.topic, 9): (UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {self.topic}-9"),
                (self.topic, 0): NOT_NEEDED,
                (self.topic, -1): (UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {self.topic}--1")}))

    def test_an_election_of_an_unknown_type(self):
        self.assertEqual(self.elect([(self.topic, [0])], 7),
                         (INVALID_REQUEST, {(self.topic, 0): (INVALID_REQUEST, "Unknown election type 7")}))
        self.assertEqual(self.elect(None, 7), (INVALID_REQUEST, {}))

    # --- reassignments ------------------------------------------------------------------------------------------------
    def reassign(self, topics, version=1, **fields):
        """[(topic, partition, error, message)]. `topics`: [(topic, [(partition, replicas)])]"""
        answer = self.client.call(ALTER_PARTITION_REASSIGNMENTS, version, topics=[
            {"name": topic, "partitions": [{"partition": partition, "replicas": replicas} for partition, replicas in partitions]}
            for topic, partitions in topics], **fields)
        self.assertEqual((answer["error"], answer["message"] or ""), (NONE, ""))
        if version >= 1:
            self.assertEqual(answer["allow_replication_factor_change"], fields.get("allow_replication_factor_change", True))
        return [(topic["name"], entry["partition"], entry["error"], entry["message"])
                for topic in answer["responses"] for entry in topic["partitions"]]

    def test_what_stands_where_the_plan_wants_it_succeeds_in_every_version(self):
        for version in range(2):
            self.assertEqual(self.reassign([(self.topic, [(0, [self.node]), (1, [self.node])])], version),
                             [(self.topic, 0, NONE, None), (self.topic, 1, NONE, None)])
        self.assertEqual(self.reassign([(self.topic, [(0, [self.node])])], allow_replication_factor_change=False),
                         [(self.topic, 0, NONE, None)])
        self.assertEqual(self.reassign([]), [])

    def test_plans_that_cannot_be(self):
        includes = "The manual partition assignment includes "
        for replicas, message in (([4711], "broker 4711, but no such broker is registered."),
                                  ([self.node, 4711], "broker 4711, but no such broker is registered."),
                                  ([self.node, self.node], f"the broker {self.node} more than once."),
                                  ([], "an empty replica list."), ([-1], "broker -1, but no such broker is registered.")):
            with self.subTest(replicas=replicas):
                self.assertEqual(self.reassign([(self.topic, [(0, replicas)])]),
                                 [(self.topic, 0, INVALID_REPLICA_ASSIGNMENT, includes + message)])

    def test_plans_for_what_is_not_there(self):
        self.assertEqual(self.reassign([("raw-none", [(0, [self.node]), (1, None)]), (self.topic, [(9, [self.node]), (0, [self.node])])]), [
            ("raw-none", 0, UNKNOWN_TOPIC_OR_PARTITION, "Unable to find a topic named raw-none."),
            ("raw-none", 1, UNKNOWN_TOPIC_OR_PARTITION, "Unable to find a topic named raw-none."),
            (self.topic, 9, UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition {self.topic}:9."),
            (self.topic, 0, NONE, None)])

    def test_nothing_can_be_cancelled(self):
        self.assertEqual(self.reassign([(self.topic, [(0, None), (1, None)])]),
                         [(self.topic, partition, NO_REASSIGNMENT_IN_PROGRESS, None) for partition in (0, 1)])

    def test_no_reassignment_is_listed(self):
        for topics in (None, [], [{"name": self.topic, "partitions": [0, 1, 9]}, {"name": "raw-none", "partitions": [0]}]):
            answer = self.client.call(LIST_PARTITION_REASSIGNMENTS, 0, topics=topics)
            self.assertEqual((answer["error"], answer["message"], answer["topics"]), (NONE, None, []))

    # --- feature levels -----------------------------------------------------------------------------------------------
    def update(self, updates, version=2, **fields):
        """(error, message, [(feature, error, message)]). `updates`: [(feature, level, allow_downgrade or upgrade_type)]"""
        how = "upgrade_type" if version >= 1 else "allow_downgrade"
        answer = self.client.call(UPDATE_FEATURES, version, updates=[
            {"feature": feature, "level": level, how: kind} for feature, level, kind in updates], **fields)
        return answer["error"], answer["message"], [tuple(entry.values()) for entry in answer.get("results", [])]

    def test_the_level_that_there_is_succeeds_in_every_version(self):
        for version in range(3):
            kind = 1 if version >= 1 else False
            told = [("metadata.version", NONE, "NONE")] if version < 2 else []
            self.assertEqual(self.update([("metadata.version", 30, kind)], version), (NONE, None, told))
            self.assertEqual(self.update([], version), (NONE, None, []))
        for kind in (2, 3):
            self.assertEqual(self.update([("metadata.version", 30, kind)], validate_only=True), (NONE, None, []))

    def test_levels_that_cannot_be(self):
        wrong = "The update failed for all features since the following feature had an error: Invalid update version {} for feature {}. {}"
        for updates, reason in (
                ([("what", 1, 1)], (1, "what", f"Local controller {self.node} does not support this feature.")),
                ([("what", 0, 1)], (0, "what", "Feature what not found.")),
                ([("", 1, 1)], (1, "", f"Local controller {self.node} does not support this feature.")),
                ([("metadata.version", -1, 1)], (-1, "metadata.version", "A feature version cannot be less than 0.")),
                ([("metadata.version", 30, 0)], (30, "metadata.version", "The controller does not support the given upgrade type.")),
                ([("metadata.version", 30, 4)], (30, "metadata.version", "The controller does not support the given upgrade type.")),
                ([("what", 1, 1), ("metadata.version", 30, 1)],
                 (1, "what", f"Local controller {self.node} does not support this feature."))):
            with self.subTest(updates=updates):
                self.assertEqual(self.update(updates, validate_only=True), (INVALID_UPDATE_VERSION, wrong.format(*reason), []))
        for level in (99, 6):
            error, message, _ = self.update([("metadata.version", level, 1)], validate_only=True)
            self.assertEqual(error, INVALID_UPDATE_VERSION)
            self.assertRegex(message, rf"Invalid update version {level} for feature metadata.version. "
                                      rf"Local controller {self.node} only supports versions (7-)?30$")

    # --- producers ----------------------------------------------------------------------------------------------------
    def producers(self, topics):
        """{(topic, partition): (error, message, producers)}"""
        answer = self.client.call(DESCRIBE_PRODUCERS, 0, topics=[{"name": topic, "partitions": partitions}
                                                                for topic, partitions in topics])
        return {(topic["name"], entry["partition"]): (entry["error"], entry["message"], entry["producers"])
                for topic in answer["topics"] for entry in topic["partitions"]}

    def test_the_producers_of_a_partition(self):
        topic = self.client.new_topic(2)
        first, second = 10 ** 12, 10 ** 12 + 1
        time_ms = int(time.time() * 1000) - 5000
        for producer, epoch, sequence, count in ((first, 0, 0, 3), (first, 0, 3, 2), (second, 7, 0, 1)):
            self.assertEqual(self.client.produce(topic, batch([b"x"] * count, producer=(producer, epoch, sequence),
                                                              timestamp_ms=time_ms + sequence))[0], NONE)
        self.assertEqual(self.client.produce(topic, batch([b"x"]))[0], NONE)  # without an id
        none = {"coordinator_epoch": -1, "transaction_start": -1}
        found = self.producers([(topic, [0, 1])])
        error, message, producers = found[(topic, 0)]
        self.assertEqual((error, message), (NONE, None))
        self.assertEqual(sorted(producers, key=lambda entry: entry["id"]), [
            {"id": first, "epoch": 0, "last_sequence": 4, "last_timestamp": time_ms + 3, **none},
            {"id": second, "epoch": 7, "last_sequence": 0, "last_timestamp": time_ms, **none}])
        self.assertEqual(found[(topic, 1)], (NONE, None, []))

    def test_producers_of_what_is_not_there(self):
        self.assertEqual(self.producers([(self.topic, [9]), ("raw-none", [0]), ("", [0]), ("a b", [0])]), {
            (self.topic, 9): (UNKNOWN_TOPIC_OR_PARTITION, None, []),
            ("raw-none", 0): (UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.", []),
            ("", 0): (INVALID_TOPIC, "Topic name is invalid: the empty string is not allowed", []),
            ("a b", 0): (INVALID_TOPIC, INVALID_NAME, [])})

    # --- brokers and topics -------------------------------------------------------------------------------------------
    def test_brokers_that_cannot_be_unregistered(self):
        for number in (4711, -1):
            answer = self.client.call(UNREGISTER_BROKER, 0, broker=number)
            self.assertEqual((answer["error"], answer["message"]),
                             (BROKER_ID_NOT_REGISTERED, f"Broker ID {number} is not currently registered"))

    @brokers.tidemark_only("Kafka obeys, and serves nobody until it is started again")
    def test_a_broker_that_runs_is_not_unregistered(self):
        answer = self.client.call(UNREGISTER_BROKER, 0, broker=self.node)
        self.assertEqual((answer["error"], answer["message"]),
                         (INVALID_REQUEST, f"Broker ID {self.node} is running: stop it before it is unregistered"))
        self.assertEqual(self.client.produce(self.topic, batch([b"x"]))[0], NONE)

    def test_internal_topics_say_that_they_are(self):
        await_coordinator(self.broker.bootstrap)
        name = f"raw-{uuid.uuid4().hex[:8]}"
        Admin(self.broker.bootstrap).create_topic(name)
        deadline = time.monotonic() + 10
        while True:
            topics = self.client.call(DESCRIBE_TOPIC_PARTITIONS, 0, topics=[{"name": name}, {"name": "__consumer_offsets"}])["topics"]
            found = {entry["name"]: (entry["error"], entry["is_internal"]) for entry in topics}
            if found.get(name) == (NONE, False) or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self.assertEqual(found, {name: (NONE, False), "__consumer_offsets": (NONE, True)})


if __name__ == "__main__":
    client_suite.main(__name__)
