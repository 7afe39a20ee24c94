#!/usr/bin/python3
"""What genuine Kafka and Tidemark answer alike, asked right and wrong, of topics and records. Where ours differ on purpose, a case
names the fields and says why. Run by reference_suites.py, with a genuine Kafka in TIDEMARK_TEST_BOOTSTRAP."""

import time
import uuid

import client_suite
import side_by_side
from raw_frames import batch


class SameAnswers(side_by_side.SideBySide):
    # --- versions -----------------------------------------------------------------------------------------------------
    def test_no_version_is_served_that_kafka_does_not_serve(self):
        for key, (first, last) in self.ours.served.items():
            self.assertLessEqual(self.kafka.served[key][0], first, key)
            self.assertGreaterEqual(self.kafka.served[key][1], last, key)

    def test_api_versions(self):
        served = ("ApiKeys", "SupportedFeatures", "FinalizedFeatures", "FinalizedFeaturesEpoch", "MinVersion", "MaxVersion")
        for name in ("raw", "", "a b"):
            self.same("ApiVersions", {"ClientSoftwareName": name, "ClientSoftwareVersion": "1"}, range(3, 5), but=served)

    # --- topics -------------------------------------------------------------------------------------------------------
    def create(self, *wishes, versions=(2, 4, 5, 7), but=()):
        """`wishes`: functions of a new name."""
        for validate_only in (True, False):
            for version in versions:
                name = f"same-{uuid.uuid4().hex[:8]}"
                self.same("CreateTopics", {"Topics": [wish(name) for wish in wishes], "timeoutMs": 10_000,
                                           "validateOnly": validate_only}, [version], but)

    def test_topics_are_created(self):
        wish = self.wish
        self.create()
        for partitions, replication in ((2, 1), (-1, -1), (0, 1), (-2, 1), (1, 3), (1, 0), (1, -2)):
            self.create(lambda name: wish(name, partitions, replication))
        for name in ("", ".", "..", "a b", "x" * 250, "__cluster_metadata"):
            self.create(lambda _: wish(name))
        self.create(lambda name: wish(name.ljust(249, "y")))
        self.create(lambda name: wish(name), lambda _: wish("a b"), lambda name: wish(name + "b"))
        for assigned in ([(0, [1]), (1, [1])], [(0, [1]), (2, [1])], [(0, [7])], [(0, [1, 1])], [(0, [])], [(0, [1]), (0, [1])],
                         [(-1, [1])]):
            self.create(lambda name: wish(name, -1, -1, assigned))
        self.create(lambda name: wish(name, 1, -1, [(0, [1])]))
        self.create(lambda name: wish(name, -1, 1, [(0, [1])]))

    def test_topics_are_created_with_settings(self):
        for configs in ({"retention_ms": "1000"}, {"retention_ms": "soon"}, {"no_such": "x"}, {"retention_ms": None}, {"": "1"},
                        {"segment_bytes": "1"}, {"cleanup_policy": "x"}, {"cleanup_policy": ""}, {"cleanup_policy": "compact,delete"},
                        {"preallocate": "x"}, {"compression_type": "brotli"}, {"compression_gzip_level": "77"},
                        {"retention_ms": "-2"}):
            self.create(lambda name: self.wish(name, **configs))
        self.create(lambda name: self.wish(name, min_cleanable_dirty_ratio="7"), but=["ErrorMessage"])  # Kafka's says 7.0
        for configs in ({"cleanup_policy": "compact, delete"}, {"retention_ms": " 5000 "}):  # Kafka keeps the spaces
            self.create(lambda name: self.wish(name, **configs), but=["Value"])

    def test_topics_are_deleted(self):
        def named(*names):
            return {"TimeoutMs": 10_000, "TopicNames": names,
                    "Topics": [{"Name": name, "TopicId": side_by_side.NO_ID} for name in names]}

        for names in (["no-such"], ["a b"], [""], [], ["no-such"] * 2, ["__cluster_metadata"]):
            self.same("DeleteTopics", named(*names))
        for name, of_topic in ((None, "no-such"), (self.topic, self.topic)):
            self.same("DeleteTopics", lambda side: {"TimeoutMs": 10_000, "Topics": [
                {"Name": name, "TopicId": side.topic_id(of_topic)}]}, [6])
        self.same("DeleteTopics", {"TimeoutMs": 10_000, "Topics": [{"Name": None, "TopicId": side_by_side.NO_ID}]}, [6])
        for version in range(1, 7):
            topic = self.new_topic()
            self.same("DeleteTopics", named(topic), [version])
            self.same("DeleteTopics", named(topic), [version])

    def test_partitions_are_added(self):
        def add(*wishes):
            self.same("CreatePartitions", {"TimeoutMs": 10_000, "ValidateOnly": True, "Topics": [
                {"Name": name, "Count": count, "Assignments": assigned and [{"BrokerIds": ids} for ids in assigned]}
                for name, count, assigned in wishes]})

        for count, assigned in ((1, None), (3, None), (0, None), (-1, None), (5, [[1]]), (4, [[7]]), (4, [[]]), (4, [[1, 1]]),
                                (4, [[1], [1]]), (4, [[1]]), (4, None)):
            add((self.topic, count, assigned))
        for name in ("no-such", "a b", ""):
            add((name, 3, None))
        add((self.topic, 5, None), (self.topic, 6, None))

    # --- what there is ------------------------------------------------------------------------------------------------
    def metadata(self, *names, versions=range(4, 14), **fields):
        self.same("Metadata", {"Topics": [{"Name": name} for name in names], "AllowAutoTopicCreation": False, **fields}, versions)

    def test_metadata(self):
        for names in ([self.topic], [], ["no-such", self.topic], ["a b"], [""], ["x" * 250], [self.topic] * 2):
            self.metadata(*names)
        self.metadata(self.topic, IncludeTopicAuthorizedOperations=True, versions=range(8, 14))
        self.metadata(self.topic, IncludeClusterAuthorizedOperations=True, versions=range(8, 11))
        for name in (None, self.topic):
            self.same("Metadata", lambda side: {"Topics": [{"TopicId": side.topic_id(self.topic), "Name": name}]}, range(10, 14))
        self.same("Metadata", {"Topics": [{"TopicId": b"no such topic id", "Name": None}]}, range(10, 14))

    def test_topics_are_described_in_pieces(self):
        topics = [{"Name": name} for name in (self.topic, self.new_topic(2), "no-such", "a b")]
        self.same("DescribeTopicPartitions", {"Topics": topics})
        self.same("DescribeTopicPartitions", {"Topics": topics[:1] * 2})
        for limit in (2, 1, 0, -1):
            self.same("DescribeTopicPartitions", {"Topics": topics[:1], "ResponsePartitionLimit": limit})
        for name, partition in ((self.topic, 1), (self.topic, 9), (self.topic, -1), ("no-such", 0), (self.topic + "a", 0)):
            self.same("DescribeTopicPartitions", {"Topics": topics[:1], "Cursor": {"TopicName": name, "PartitionIndex": partition}})

    def test_the_cluster(self):
        self.same("DescribeCluster", {"IncludeClusterAuthorizedOperations": True})
        self.same("DescribeCluster", {"IncludeFencedBrokers": True}, [2])
        for kind in (2, 9):  # ours says which type was asked for, and its id
            self.same("DescribeCluster", {"EndpointType": kind}, [1, 2], but=["ErrorMessage", "EndpointType", "ClusterId"])
        for topic, partitions in ((self.topic, [0, 1, 9]), ("no-such", [0])):
            self.same("DescribeLogDirs", {"Topics": [{"Topic": topic, "Partitions": partitions}]})
        self.same("DescribeLogDirs", {"Topics": []})
        # Our log has its own length and listener, and its node is told with an error, too.
        for topic, partition in (("__cluster_metadata", 0), ("__cluster_metadata", 1), (self.topic, 0)):
            self.same("DescribeQuorum", {"Topics": [{"TopicName": topic, "Partitions": [{"PartitionIndex": partition}]}]},
                      but=["HighWatermark", "LogEndOffset", "Nodes", "Name", "ErrorMessage"])

    def test_settings_are_described(self):
        topic, broker, loggers, metrics, group = 2, 4, 8, 16, 32
        for kind, name, keys in ((topic, self.topic, None), (topic, self.topic, ["retention.ms", "no.such"]), (topic, self.topic, []),
                                 (topic, "no-such", None), (topic, "a b", None), (topic, "", None), (group, "no-group", None),
                                 (group, "", None), (metrics, "no-metrics", None), (metrics, "", None), (broker, "x", None),
                                 (broker, "4711", None), (broker, "1", ["log.retention.ms", "num.partitions"]), (loggers, "x", None),
                                 (99, "x", None)):
            self.same("DescribeConfigs", {"IncludeSynonyms": True, "IncludeDocumentation": False, "Resources": [
                {"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}]},
                      but=["ErrorMessage"] if kind in (loggers, 99) else [])  # ours says that it has none

    # --- records ------------------------------------------------------------------------------------------------------
    def produce(self, records, topic=None, partition=0, acks=-1, versions=(3, 7, 12, 13), but=()):
        topic = topic or self.topic
        # Ours says more of what is wrong. With an error Kafka has some offsets as well, and of a duplicate its batch's time.
        self.same("Produce", lambda side: {"Acks": acks, "TimeoutMs": 10_000, "TopicData": [
            {"Name": topic, "TopicId": side.topic_id(topic), "PartitionData": [{"Index": partition, "Records": records}]}]}, versions,
                  ["ErrorMessage", "BatchIndexErrorMessage", "LogStartOffset", "LogAppendTimeMs", *but])

    def test_produce(self):
        now = int(time.time() * 1000)
        for records in (batch([b"a", b"b"]), b"", batch([b"x"], timestamp_ms=-1), batch([b"x"], timestamp_ms=-5),
                        batch([b"x"], timestamp_ms=now + 7_200_000), batch([b"x"], crc=1),
                        batch([b"x"], magic=0), batch([b"x"], magic=1), batch([b"x"], magic=3),
                        batch([b"x"], count=2), batch([b"x"], count=0), batch([b"x"], count=-1),
                        batch([b"x", b"y"], last_delta=5), batch([b"x"], length_change=100), batch([b"x"], length_change=-10),
                        batch([b"x"]) + batch([b"y"]), batch([b"x"]) + b"zz", batch([b"x"])[:30], batch([b"x"])[:9],
                        *(batch([b"x"], attributes=attributes) for attributes in (8, 32, 64, 128, 1 << 14))):
            self.produce(records)
        for attributes in (1, 2, 3, 4, 5, 6, 16):
            # With codecs that are none, or cannot be opened, Kafka's server has an unknown error; transactions are not there yet.
            self.produce(batch([b"x"], attributes=attributes), but=["ErrorCode"])
        for topic, partition in ((self.topic, 9), (self.topic, -1), ("no-such", 0), ("a b", 0), ("", 0)):
            self.produce(batch([b"x"]), topic, partition)
        for acks in (0x7F, 2, -2):
            self.produce(batch([b"x"]), acks=acks)

    def test_produce_to_topics_with_settings(self):
        now = int(time.time() * 1000)
        compacted = self.new_topic(cleanup_policy="compact")
        for records in (batch([b"a"]), batch([b"a", b"b"], keys=[b"k", None]), batch([b"a"], keys=[b"k"])):
            self.produce(records, compacted)
        self.produce(batch([b"a"]), self.new_topic(message_timestamp_type="LogAppendTime"))
        self.produce(batch([b"x" * 400]), self.new_topic(max_message_bytes="300"))
        strict = self.new_topic(message_timestamp_before_max_ms="1000", message_timestamp_after_max_ms="1000")
        for away in (-100_000, 100_000):
            self.produce(batch([b"x"], timestamp_ms=now + away), strict)

    def test_sequences_of_a_producer(self):
        producer = 5_000_000
        for epoch, sequence, count in ((0, 0, 1), (0, 0, 1), (0, 7, 1), (0, 1, 3), (0, 2, 4), (0, 0, 1),
                                       *((0, number, 1) for number in range(4, 10)), (0, 0, 1), (0, 1, 1),
                                       (1, 3, 1), (1, 0, 1), (0, 10, 1), (1, -1, 1), (9, 0, 1)):
            self.produce(batch([b"x"] * count, producer=(producer, epoch, sequence)), versions=[7, 12])
        self.produce(batch([b"x"], producer=(producer + 1, 0, 5)))  # whoever is not known may begin anywhere
        self.produce(batch([b"x", b"y"], producer=(producer + 2, 0, 0x7FFFFFFF)))
        self.produce(batch([b"x"], producer=(producer + 2, 0, 1)))
        self.produce(batch([b"x"], producer=(producer + 3, -1, -1)))

    def test_producers_get_their_ids(self):
        for fields in ({"TransactionTimeoutMs": 1000}, {"TransactionTimeoutMs": 0}, {"TransactionTimeoutMs": -1}):
            self.same("InitProducerId", {"TransactionalId": None, **fields})
        self.same("InitProducerId", {"TransactionalId": "", "TransactionTimeoutMs": 1000})
        for producer, epoch in ((7, 3), (7, -1)):
            self.same("InitProducerId", {"TransactionalId": None, "TransactionTimeoutMs": 1000, "ProducerId": producer,
                                         "ProducerEpoch": epoch}, range(3, 6))

    def filled(self):
        """The topic, with two batches in its first partition."""
        records = batch([b"a", b"b"])
        for _ in range(2):
            self.produce(records, versions=[12])
        return self.topic

    def test_offsets_are_listed(self):
        topic = self.filled()

        def listed(*times, name=topic, epoch=-1, **fields):
            self.same("ListOffsets", {"ReplicaId": -1, **fields, "Topics": [{"Name": name, "Partitions": [
                {"PartitionIndex": partition, "CurrentLeaderEpoch": epoch, "Timestamp": time_ms} for partition, time_ms in times]}]})

        for time_ms in (-1, -2, -3, -4, -5, -6, -7, 0, 1 << 50):
            listed((0, time_ms))
        for partition, time_ms in ((9, -1), (-1, -1), (2, -1), (2, -2), (2, -3), (2, 5)):
            listed((partition, time_ms))
        listed((0, -1), (0, -2))
        for epoch in (0, 9, -2):
            listed((0, -1), epoch=epoch)
        for fields in ({"IsolationLevel": 1}, {"ReplicaId": 1}, {"name": "no-such"}, {"name": "a b"}):
            listed((0, -1), **fields)
        self.same("ListOffsets", {"ReplicaId": -1, "Topics": []})

    def fetch(self, topic, but=(), part=0, **fields):
        partition = {"Partition": part, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20}
        partition.update({name: fields.pop(name) for name in list(fields) if name in (
            *partition, "CurrentLeaderEpoch", "LastFetchedEpoch", "LogStartOffset")})
        self.same("Fetch", lambda side: {"MaxWaitMs": 50, "MinBytes": 1, **fields, "Topics": [
            {"Topic": topic, "TopicId": side.topic_id(topic), "Partitions": [partition]}]}, but=["SessionId", *but])

    def test_fetch(self):
        topic = self.filled()
        offsets = ["HighWatermark", "LastStableOffset", "LogStartOffset"]  # ours tells them with these errors, too
        for fields in ({}, {"IsolationLevel": 1}, {"MaxBytes": 1}, {"MaxBytes": 0}, {"PartitionMaxBytes": 1}, {"PartitionMaxBytes": 0},
                       {"MinBytes": 1 << 20}, {"CurrentLeaderEpoch": 0}, {"CurrentLeaderEpoch": 9}, {"LastFetchedEpoch": 0},
                       {"LogStartOffset": 99}, {"part": 9}, {"part": -1}, {"SessionId": 77, "SessionEpoch": 1}, {"SessionEpoch": 1},
                       {"SessionId": 5, "SessionEpoch": 0}):
            self.fetch(topic, but=["AbortedTransactions"] if "part" in fields else [], **fields)
        for fields in ({"FetchOffset": 99}, {"FetchOffset": -1}, {"LastFetchedEpoch": 9}):
            self.fetch(topic, but=offsets, **fields)
        for name in ("no-such", "a b"):
            self.fetch(name, but=["AbortedTransactions"])  # none, or null: no client tells them apart
        self.same("Fetch", {"MaxWaitMs": 10, "MinBytes": 0, "Topics": []}, but=["SessionId"])

    def test_epochs_have_their_ends(self):
        topic = self.filled()
        for name, partition, current, epoch in (
                (topic, 0, -1, 0), (topic, 0, -1, 5), (topic, 0, -1, -1), (topic, 0, 7, 0), (topic, 0, 0, 0), (topic, 9, -1, 0),
                (topic, 2, -1, 0), ("no-such", 0, -1, 0), ("a b", 0, -1, 0)):
            self.same("OffsetForLeaderEpoch", {"ReplicaId": -1, "Topics": [{"Topic": name, "Partitions": [
                {"Partition": partition, "CurrentLeaderEpoch": current, "LeaderEpoch": epoch}]}]})

    def test_records_are_deleted(self):
        topic = self.filled()
        for name, partition, offset in (
                *((topic, 0, offset) for offset in (1, 0, 99, -2)), *((topic, 2, offset) for offset in (0, 1, -1)),
                *((topic, partition, 0) for partition in (9, -1)), (topic, 0, -1),
                *((name, 0, 0) for name in ("no-such", "a b", "__consumer_offsets", self.new_topic(cleanup_policy="compact")))):
            self.same("DeleteRecords", {"TimeoutMs": 10_000, "Topics": [{"Name": name, "Partitions": [
                {"PartitionIndex": partition, "Offset": offset}]}]})
        self.same("DeleteRecords", {"Topics": [], "TimeoutMs": 10_000})


if __name__ == "__main__":
    client_suite.main(__name__)
