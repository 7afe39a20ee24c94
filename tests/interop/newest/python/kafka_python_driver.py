"""A driver of kafka-python."""

import time

import lines
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import CommitFailedError, KafkaError

ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor,
             "cooperative-sticky": CooperativeStickyAssignor}


class Verbs:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        self.consumer = KafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=100, max_partition_fetch_bytes=2_000_000,
                                      auto_offset_reset="none")
        self.producers = {}  # one for each way to produce: it outlives the broker

    # --- records -------------------------------------------------------------------------------------------------
    def producer(self, acks, codec, idempotent):
        key = (acks, codec, idempotent)
        if key not in self.producers:
            self.producers[key] = KafkaProducer(
                bootstrap_servers=self.bootstrap, acks=acks if acks == "all" else int(acks), enable_idempotence=idempotent,
                compression_type=None if codec == "none" else codec, linger_ms=2, max_request_size=2_000_000)
        return self.producers[key]

    def produce(self, topic, acks, codec, idempotent, records):
        producer = self.producer(acks, codec, idempotent)
        futures = [producer.send(topic, value, key, headers, partition, timestamp)
                   for partition, key, value, headers, timestamp in records]
        producer.flush(60)
        offsets = [future.get(60).offset for future in futures]
        return {"offsets": [None] * len(records) if acks == "0" else offsets}

    def consume(self, topic, partition, start, count, seconds):
        assigned = TopicPartition(topic, partition)
        self.consumer.assign([assigned])
        self.consumer.seek(assigned, start)
        found, deadline = [], time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            found += [lines.read_record(entry.offset, entry.timestamp, entry.key, entry.value, entry.headers)
                      for entry in self.consumer.poll(200).get(assigned, ())]
        return {"records": found[:count]}

    def offset_for_time(self, topic, partition, time):
        assigned = TopicPartition(topic, partition)
        found = self.consumer.offsets_for_times({assigned: time})[assigned]
        return {"offset": found.offset if found else None}

    def watermarks(self, topic, partition):
        assigned = TopicPartition(topic, partition)
        return {"low": self.consumer.beginning_offsets([assigned])[assigned], "high": self.consumer.end_offsets([assigned])[assigned]}

    # --- administration ------------------------------------------------------------------------------------------
    def create_topic(self, topic, partitions, configs):
        self.admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}})

    def topics(self):
        return {"names": list(self.admin.list_topics())}

    def delete_topic(self, topic):
        self.admin.delete_topics([topic])

    def create_partitions(self, topic, total):
        self.admin.create_partitions({topic: total})

    def topic_configs(self, topic):
        found = self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        (topics,) = found.values()
        return {"configs": {name: entry["value"] for name, entry in topics[topic].items()}}

    def alter_topic_configs(self, topic, set, delete):
        changes = {**{name: ("SET", value) for name, value in set.items()}, **{name: ("DELETE", None) for name in delete}}
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changes)])

    def delete_records(self, topic, partition, offset):
        assigned = TopicPartition(topic, partition)
        return {"low": self.admin.delete_records({assigned: offset})[assigned]["low_watermark"]}

    def groups(self):
        return {"names": [group["group_id"] for group in self.admin.list_groups()]}

    def describe_group(self, group):
        found = self.admin.describe_groups([group])[group]
        return {"state": found["group_state"], "members": len(found["members"])}

    def group_offsets(self, group):
        found = self.admin.list_group_offsets({group: None})[group]
        return {"offsets": [[each.topic, each.partition, entry.offset] for each, entry in found.items()]}

    def alter_group_offset(self, group, topic, partition, offset):
        each = TopicPartition(topic, partition)
        check(self.admin.alter_group_offsets(group, {each: OffsetAndMetadata(offset, "", -1)})[each])

    def delete_group_offset(self, group, topic, partition):
        each = TopicPartition(topic, partition)
        check(self.admin.delete_group_offsets(group, [each])[each])

    def delete_group(self, group):
        check(dict(self.admin.delete_groups([group]))[group])


def check(answer):
    """For a partition or a group the client answers with an error's class, or with its name."""
    name = getattr(answer, "__name__", answer)
    if name not in ("OK", "NoError"):
        raise KafkaError(name)


class Listener(ConsumerRebalanceListener):
    def __init__(self, member):
        self.member = member

    def on_partitions_assigned(self, assigned):
        lines.say("share", sorted(each.partition for each in self.member.consumer.assignment()))

    def on_partitions_revoked(self, revoked):
        """Nothing to commit: members do after every poll, and a rebalance happens within one."""
        lines.say("share", sorted({each.partition for each in self.member.consumer.assignment() - set(revoked)}))


class Member:
    def __init__(self, bootstrap, leave, group, topic, assignor, session_timeout_ms):
        self.consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
            fetch_max_wait_ms=100, heartbeat_interval_ms=200, session_timeout_ms=session_timeout_ms,
            partition_assignment_strategy=[ASSIGNORS[assignor]])
        self.consumer.subscribe([topic], listener=Listener(self))
        while not leave.is_set():
            read = self.consumer.poll(100)
            for entry in (entry for entries in read.values() for entry in entries):
                lines.say("read", entry.partition, entry.offset)
            if read:
                self.commit()
        self.commit()
        self.consumer.close(autocommit=False)

    def commit(self):
        """A group that has gone on refuses it, and a broker may be dead: then what was read is read again."""
        try:
            self.consumer.commit()
        except (CommitFailedError, KafkaError, AssertionError) as error:
            lines.say("complaint", repr(error))


if __name__ == "__main__":
    lines.main(Verbs, Member)
