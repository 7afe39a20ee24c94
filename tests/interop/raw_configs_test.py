#!/usr/bin/python3
"""Settings of topics, brokers, groups and client metrics subscriptions by hand, in every version and with everything wrong
that can be. Every expectation here is genuine Kafka's behaviour (4.3), except where a test is `tidemark_only`."""

import time
import unittest
import uuid

import broker as brokers
import client_suite
from admin_messages import (ALTER_CONFIGS, DESCRIBE_CONFIGS, INCREMENTAL_ALTER_CONFIGS, LIST_CONFIG_RESOURCES)
from raw_client import NONE, RawClient

UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC, UNSUPPORTED_VERSION, INVALID_CONFIG, INVALID_REQUEST = 3, 17, 35, 40, 42
TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
DYNAMIC_TOPIC, DYNAMIC_BROKER, DYNAMIC_DEFAULT, STATIC, DEFAULT, SUBSCRIPTION, OF_GROUP = 1, 2, 3, 4, 5, 7, 8
SET, DELETE, APPEND, SUBTRACT = range(4)
NOT_A_LONG = "Invalid value {} for configuration {}: Not a number of type LONG"


class RawConfigs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()
        cls.client = RawClient(cls.broker.bootstrap)
        cls.topic = cls.client.new_topic(2)
        found = cls.client.call(LIST_CONFIG_RESOURCES, 1, types=[BROKER])["resources"]
        cls.node = found[0]["name"]

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.broker.close()

    def setUp(self):
        self.addCleanup(self.await_config, TOPIC, self.topic, "retention.ms", "604800000")
        self.addCleanup(self.replace, TOPIC, self.topic, {})

    def replace(self, kind, name, configs, version=2, **fields):
        """AlterConfigs of one resource: (error, message)."""
        configs = configs.items() if isinstance(configs, dict) else configs
        answer = self.client.call(ALTER_CONFIGS, version, resources=[{"type": kind, "name": name, "configs": [
            {"name": key, "value": value} for key, value in configs]}], **fields)
        return self.one(answer, kind, name)

    def change(self, kind, name, changes, version=1, **fields):
        """IncrementalAlterConfigs of one resource. `changes`: (key, operation, value)"""
        answer = self.client.call(INCREMENTAL_ALTER_CONFIGS, version, resources=[{"type": kind, "name": name, "configs": [
            {"name": key, "operation": operation, "value": value} for key, operation, value in changes]}], **fields)
        return self.one(answer, kind, name)

    def one(self, answer, kind, name):
        found, = answer["responses"]
        self.assertEqual((found["type"], found["name"]), (kind, name))
        return found["error"], found["message"]

    def describe(self, kind, name, keys=None, version=4, **fields):
        """{key: (value, source, [(synonym, value, source)])}"""
        found, = self.client.call(DESCRIBE_CONFIGS, version, resources=[{"type": kind, "name": name, "keys": keys}],
                                  **fields)["results"]
        self.assertEqual((found["error"], found["message"] or ""), (NONE, ""))
        return {entry["name"]: (entry["value"], entry["source"],
                                [(one["name"], one["value"], one["source"]) for one in entry["synonyms"]])
                for entry in found["configs"]}

    def await_config(self, kind, name, key, value):
        """A broker of genuine Kafka learns of a change a moment after it was answered."""
        deadline = time.monotonic() + 10
        while True:
            found = self.describe(kind, name).get(key, (None,))
            if found[0] == value or time.monotonic() > deadline:
                self.assertEqual(found[0], value)
                return found
            self.assertTrue(self.broker.is_external, "in force when it is answered")
            time.sleep(0.05)

    def listed(self, types, version=1):
        answer = self.client.call(LIST_CONFIG_RESOURCES, version, **({"types": types} if version >= 1 else {}))
        self.assertEqual(answer["error"], NONE)
        return [(entry["name"], entry.get("type", CLIENT_METRICS)) for entry in answer["resources"]]

    # --- AlterConfigs: topics -----------------------------------------------------------------------------------------
    def test_all_of_a_topics_settings_are_replaced_in_every_version(self):
        for version in range(3):
            with self.subTest(version=version):
                value = str(70000 + version)
                self.assertEqual(self.replace(TOPIC, self.topic, {"retention.ms": value, "segment.ms": "88888"}, version),
                                 (NONE, None))
                self.await_config(TOPIC, self.topic, "retention.ms", value)
                self.assertEqual(self.replace(TOPIC, self.topic, {"segment.ms": "99999"}, version), (NONE, None))
                self.assertEqual(self.await_config(TOPIC, self.topic, "retention.ms", "604800000")[1], DEFAULT)
                self.assertEqual(self.await_config(TOPIC, self.topic, "segment.ms", "99999"),
                                 ("99999", DYNAMIC_TOPIC, [("segment.ms", "99999", DYNAMIC_TOPIC)]))

    def test_only_validated(self):
        self.assertEqual(self.replace(TOPIC, self.topic, {"retention.ms": "5"}, validate_only=True), (NONE, None))
        self.assertEqual(self.replace(TOPIC, self.topic, {"retention.ms": "soon"}, validate_only=True)[0], INVALID_CONFIG)
        self.await_config(TOPIC, self.topic, "retention.ms", "604800000")

    def test_wrong_settings_of_a_topic(self):
        for configs, error, message in (
                ({"retention.ms": "soon"}, INVALID_CONFIG, NOT_A_LONG.format("soon", "retention.ms")),
                ({"no.such": "1"}, INVALID_CONFIG, "Unknown topic config name: no.such"),
                ({"retention.ms": None, "segment.ms": None}, INVALID_REQUEST,
                 "Null value not supported for : retention.ms, segment.ms"),
                ([("retention.ms", "1"), ("retention.ms", "2")], INVALID_REQUEST, "Error due to duplicate config keys"),
                ({"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"}, INVALID_CONFIG,
                 "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)")):
            with self.subTest(configs=configs):
                self.assertEqual(self.replace(TOPIC, self.topic, configs), (error, message))

    def test_topics_that_cannot_be_changed(self):
        for name, error, message in (
                ("", INVALID_REQUEST, "Default topic resources are not allowed."),
                ("raw-none", UNKNOWN_TOPIC_OR_PARTITION, "The topic 'raw-none' does not exist."),
                ("a b", INVALID_TOPIC, "Topic name is invalid: 'a b' contains one or more characters other than ASCII "
                                       "alphanumerics, '.', '_' and '-'")):
            with self.subTest(name=name):
                self.assertEqual(self.replace(TOPIC, name, {"retention.ms": "1"}), (error, message))

    def test_resources_of_unknown_types(self):
        for kind in (0, 1, 3, LOGGER, 99):
            with self.subTest(kind=kind):
                self.assertEqual(self.replace(kind, "a", {}), (INVALID_REQUEST, f"Unknown resource type {kind}"))

    def test_several_resources_are_answered_each(self):
        answer = self.client.call(ALTER_CONFIGS, 2, resources=[
            {"type": TOPIC, "name": "raw-none", "configs": []},
            {"type": TOPIC, "name": self.topic, "configs": [{"name": "retention.ms", "value": "4711"}]}])
        self.assertEqual([(entry["name"], entry["error"]) for entry in answer["responses"]],
                         [("raw-none", UNKNOWN_TOPIC_OR_PARTITION), (self.topic, NONE)])
        self.await_config(TOPIC, self.topic, "retention.ms", "4711")

    @brokers.tidemark_only("Kafka never answers such an AlterConfigs")
    def test_a_resource_that_is_named_twice(self):
        answer = self.client.call(ALTER_CONFIGS, 2, resources=[{"type": TOPIC, "name": self.topic, "configs": []}] * 2)
        self.assertEqual([(entry["error"], entry["message"]) for entry in answer["responses"]],
                         [(INVALID_REQUEST, "Each resource must appear at most once.")] * 2)

    # --- brokers ------------------------------------------------------------------------------------------------------
    def test_layers_of_a_brokers_settings_have_their_sources(self):
        self.addCleanup(self.await_config, BROKER, self.node, "log.retention.ms", None)
        self.addCleanup(self.change, BROKER, "", [("log.retention.ms", DELETE, None)])
        self.addCleanup(self.change, BROKER, self.node, [("log.retention.ms", DELETE, None)])
        hours = ("log.retention.hours", "168", DEFAULT)
        self.assertEqual(self.change(BROKER, "", [("log.retention.ms", SET, "100000")]), (NONE, None))
        self.assertEqual(self.await_config(BROKER, self.node, "log.retention.ms", "100000")[1:],
                         (DYNAMIC_DEFAULT, [("log.retention.ms", "100000", DYNAMIC_DEFAULT), hours]))
        self.assertEqual(self.describe(BROKER, "")["log.retention.ms"],
                         ("100000", DYNAMIC_DEFAULT, [("log.retention.ms", "100000", DYNAMIC_DEFAULT)]))
        self.assertEqual(self.replace(BROKER, self.node, {"log.retention.ms": "200000"}), (NONE, None))
        wanted = [("log.retention.ms", "200000", DYNAMIC_BROKER), ("log.retention.ms", "100000", DYNAMIC_DEFAULT), hours]
        self.assertEqual(self.await_config(BROKER, self.node, "log.retention.ms", "200000")[1:], (DYNAMIC_BROKER, wanted))
        self.assertEqual(self.describe(TOPIC, self.topic)["retention.ms"][1:], (DYNAMIC_BROKER, wanted))
        self.assertEqual(self.change(TOPIC, self.topic, [("retention.ms", SET, "5")]), (NONE, None))
        self.assertEqual(self.await_config(TOPIC, self.topic, "retention.ms", "5")[1:],
                         (DYNAMIC_TOPIC, [("retention.ms", "5", DYNAMIC_TOPIC), *wanted]))
        self.assertEqual(self.replace(BROKER, self.node, {}), (NONE, None))
        self.assertEqual(self.await_config(BROKER, self.node, "log.retention.ms", "100000")[1], DYNAMIC_DEFAULT)
        node = self.describe(BROKER, self.node, ["node.id", "num.partitions"])
        if self.broker.is_external:  # ours is not told its id, but where it keeps its data
            self.assertEqual(node["node.id"][:2], (self.node, STATIC))
        else:
            self.assertEqual(self.describe(BROKER, self.node, ["log.dirs"])["log.dirs"][:2], (self.broker.data_dir, STATIC))
        self.assertEqual(node["num.partitions"][1:], (DEFAULT, [("num.partitions", "1", DEFAULT)]))

    def test_wrong_changes_of_a_broker(self):
        node = self.node
        for name, configs, error, message in (
                (node, {"num.partitions": "3", "log.dirs": "x", "log.retention.ms": "5"}, INVALID_REQUEST,
                 "Cannot update these configs dynamically: [num.partitions, log.dirs]"),
                ("", {"num.partitions": "3"}, INVALID_REQUEST, "Cannot update these configs dynamically: [num.partitions]"),
                ("4711", {"log.retention.ms": "3"}, INVALID_REQUEST, f"Unexpected broker id, expected {node}, but received 4711"),
                ("x", {"log.retention.ms": "3"}, INVALID_REQUEST, "Node id must be an integer, but it is: x"),
                (node, {"log.retention.ms": "x"}, INVALID_REQUEST, NOT_A_LONG.format("x", "log.retention.ms")),
                (node, {"log.retention.ms": None}, INVALID_REQUEST, "Null value not supported for : log.retention.ms")):
            with self.subTest(name=name, configs=configs):
                self.assertEqual(self.replace(BROKER, name, configs), (error, message))

    @brokers.tidemark_only("Kafka takes any name, which may be a plug-in's")
    def test_a_brokers_setting_that_nobody_knows(self):
        self.assertEqual(self.replace(BROKER, self.node, {"what.is.it": "1"}), (INVALID_CONFIG, "Unknown broker config name: what.is.it"))

    # --- groups -------------------------------------------------------------------------------------------------------
    def test_a_groups_settings_are_there_without_the_group(self):
        group = f"raw-{uuid.uuid4().hex[:8]}"
        found = self.describe(GROUP, group)
        self.assertEqual(len(found), 17)
        self.assertEqual(found["consumer.session.timeout.ms"],
                         ("45000", DEFAULT, [("group.consumer.session.timeout.ms", "45000", DEFAULT)]))
        self.assertEqual(found["share.auto.offset.reset"], ("latest", DEFAULT, [("share.auto.offset.reset", "latest", DEFAULT)]))
        self.assertEqual(self.describe(GROUP, group, ["consumer.session.timeout.ms"], include_synonyms=False),
                         {"consumer.session.timeout.ms": ("45000", DEFAULT, [])})

    def test_a_group_with_settings_is_listed(self):
        group = f"raw-{uuid.uuid4().hex[:8]}"
        self.assertEqual(self.replace(GROUP, group, {"consumer.session.timeout.ms": "45000"}), (NONE, None))
        self.await_listed((group, GROUP), True)
        deadline = time.monotonic() + 10
        while self.describe(GROUP, group)["consumer.session.timeout.ms"][1] != OF_GROUP and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.describe(GROUP, group)["consumer.session.timeout.ms"],
                         ("45000", OF_GROUP, [("consumer.session.timeout.ms", "45000", OF_GROUP),
                                              ("group.consumer.session.timeout.ms", "45000", DEFAULT)]))
        self.assertEqual(self.change(GROUP, group, [("consumer.session.timeout.ms", DELETE, None)]), (NONE, None))
        self.await_listed((group, GROUP), False)

    def await_listed(self, resource, there):
        deadline = time.monotonic() + 10
        while (resource in self.listed([resource[1]])) != there and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(resource in self.listed([resource[1]]), there)

    def test_wrong_settings_of_a_group(self):
        for name, configs, error, message in (
                ("", {"consumer.session.timeout.ms": "45000"}, INVALID_REQUEST, "Default group resources are not allowed."),
                ("raw", {"nope": "1"}, INVALID_CONFIG, "Unknown group config name: nope"),
                ("raw", {"consumer.session.timeout.ms": "x"}, INVALID_CONFIG,
                 "Invalid value x for configuration consumer.session.timeout.ms: Not a number of type INT"),
                ("raw", {"share.partition.max.record.locks": "50"}, INVALID_CONFIG,
                 "Invalid value 50 for configuration share.partition.max.record.locks: Value must be at least 100"),
                ("raw", {"share.isolation.level": "x"}, INVALID_CONFIG,
                 "Invalid value x for configuration share.isolation.level: String must be one of: read_committed, read_uncommitted"),
                ("raw", {"share.auto.offset.reset": "x"}, INVALID_CONFIG,
                 "Invalid value x for configuration share.auto.offset.reset: Invalid value `x` for configuration "
                 "share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format "
                 "'by_duration:<PnDTnHnMn.nS>'.")):
            with self.subTest(name=name, configs=configs):
                self.assertEqual(self.replace(GROUP, name, configs, validate_only=True), (error, message))
        self.assertEqual(self.change(GROUP, "raw", [("consumer.heartbeat.interval.ms", APPEND, "3")]),
                         (INVALID_CONFIG, "Can't APPEND to key consumer.heartbeat.interval.ms because its type is not LIST."))

    @brokers.tidemark_only("the newer group protocol, which this steers, is not served")
    def test_a_groups_setting_of_a_protocol_that_is_not_there(self):
        self.assertEqual(self.replace(GROUP, "raw", {"consumer.session.timeout.ms": "50000"}),
                         (INVALID_CONFIG, "Refused configuration consumer.session.timeout.ms: the newer group protocol comes "
                                          "with a later release (only 45000 is accepted)"))

    # --- client metrics subscriptions ---------------------------------------------------------------------------------
    def test_a_subscription(self):
        name = f"raw-{uuid.uuid4().hex[:8]}"
        self.assertEqual(self.describe(CLIENT_METRICS, name), {"interval.ms": ("300000", DEFAULT, []), "match": ("", DEFAULT, []),
                                                              "metrics": ("", DEFAULT, [])})
        configs = {"metrics": "org.apache.kafka.producer.,x", "interval.ms": "1000", "match": "client_id=a.*,client_software_name=b"}
        self.assertEqual(self.replace(CLIENT_METRICS, name, configs), (NONE, None))
        self.await_listed((name, CLIENT_METRICS), True)
        self.await_config(CLIENT_METRICS, name, "interval.ms", "1000")
        self.assertEqual(self.describe(CLIENT_METRICS, name),
                         {key: (value, SUBSCRIPTION, [(key, value, SUBSCRIPTION)]) for key, value in configs.items()})
        self.assertIn((name, CLIENT_METRICS), self.listed(None, version=0))
        self.assertEqual(self.change(CLIENT_METRICS, name, [(key, DELETE, None) for key in configs]), (NONE, None))
        self.await_listed((name, CLIENT_METRICS), False)

    def test_wrong_subscriptions(self):
        interval = ", interval must be between 100 and 3600000 (1 hour)"
        for configs, error, message in (
                ({"interval.ms": "99"}, INVALID_REQUEST, "Invalid value 99 for interval.ms" + interval),
                ({"interval.ms": "3600001"}, INVALID_REQUEST, "Invalid value 3600001 for interval.ms" + interval),
                ({"interval.ms": "x"}, INVALID_CONFIG, "Invalid value x for configuration interval.ms: Not a number of type INT"),
                ({"match": "x"}, INVALID_CONFIG, "Illegal client matching pattern: x"),
                ({"match": "x=y"}, INVALID_CONFIG, "Illegal client matching pattern: x=y"),
                ({"match": "client_id=[a"}, INVALID_CONFIG, "Illegal client matching pattern: client_id=[a"),
                ({"match": "client_id=a=b"}, INVALID_CONFIG, "Illegal client matching pattern: client_id=a=b"),
                ({"match": "client_id="}, INVALID_CONFIG, "Illegal client matching pattern: client_id="),
                ({"metrics": "a,,b"}, INVALID_CONFIG, "Configuration 'metrics' values must not be empty."),
                ({"nope": "1"}, INVALID_REQUEST, "Unknown client metrics configuration: nope")):
            with self.subTest(configs=configs):
                found = self.replace(CLIENT_METRICS, "raw", configs, validate_only=True)
                self.assertEqual((found[0], found[1].split(" (a ")[0]), (error, message))  # ours says what is wrong with a pattern
        self.assertEqual(self.replace(CLIENT_METRICS, "", {"interval.ms": "500"}), (INVALID_REQUEST, "Subscription name can't be empty"))
        for operation, word in ((APPEND, "APPEND"), (SUBTRACT, "SUBTRACT")):
            self.assertEqual(self.change(CLIENT_METRICS, "raw", [("metrics", operation, "x")]),
                             (INVALID_CONFIG, f"Can't {word} to key metrics because its type is not LIST."))

    # --- listing and describing ---------------------------------------------------------------------------------------
    def test_resources_are_listed_by_type(self):
        self.assertIn((self.topic, TOPIC), self.listed([TOPIC]))
        self.assertEqual(self.listed([BROKER, BROKER]), [(self.node, BROKER)])
        everything = self.listed([])
        self.assertLessEqual({(self.topic, TOPIC), (self.node, BROKER)}, set(everything))
        for types in ([99], [0], [TOPIC, 99]):
            answer = self.client.call(LIST_CONFIG_RESOURCES, 1, types=types)
            self.assertEqual((answer["error"], answer["resources"]), (UNSUPPORTED_VERSION, []))

    def test_resources_without_a_name_are_not_described(self):
        for kind, message in ((GROUP, "Group name must not be empty"),
                              (CLIENT_METRICS, "Client metrics subscription name must not be empty")):
            found, = self.client.call(DESCRIBE_CONFIGS, 4, resources=[{"type": kind, "name": ""}])["results"]
            self.assertEqual((found["error"], found["message"], found["configs"]), (INVALID_REQUEST, message, []))

    def test_all_kinds_are_described_in_every_version(self):
        for version in range(1, 5):
            for kind, name, key in ((TOPIC, self.topic, "retention.ms"), (BROKER, self.node, "num.partitions"),
                                    (GROUP, "raw", "consumer.session.timeout.ms"), (CLIENT_METRICS, "raw", "interval.ms")):
                with self.subTest(version=version, kind=kind):
                    self.assertEqual(list(self.describe(kind, name, [key], version)), [key])


if __name__ == "__main__":
    client_suite.main(__name__)
