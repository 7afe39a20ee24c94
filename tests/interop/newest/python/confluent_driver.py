"""A driver of confluent-kafka (librdkafka underneath)."""

import time

import lines
from confluent_kafka import (OFFSET_INVALID, Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic)

SECONDS = 30


class Verbs:
    def __init__(self, bootstrap):
        self.settings = {"bootstrap.servers": bootstrap, "log_level": 0}
        self.admin = AdminClient(dict(self.settings))
        self.producers = {}  # one for each way to produce: it outlives the broker

    # --- records -------------------------------------------------------------------------------------------------
    def consumer(self, group="by-assignment"):
        return Consumer({**self.settings, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "error",
                         "fetch.wait.max.ms": 100, "message.max.bytes": 2_000_000})

    def producer(self, acks, codec, idempotent):
        key = (acks, codec, idempotent)
        if key not in self.producers:
            self.producers[key] = Producer({**self.settings, "acks": acks, "compression.type": codec, "linger.ms": 2,
                                            "enable.idempotence": idempotent, "message.max.bytes": 2_000_000,
                                            "message.timeout.ms": 60_000})
        return self.producers[key]

    def produce(self, topic, acks, codec, idempotent, records):
        producer, offsets, errors = self.producer(acks, codec, idempotent), [None] * len(records), []

        def on_delivery(index):
            def done(error, message):
                if error:
                    errors.append(error)
                elif acks != "0":
                    offsets[index] = message.offset()
            return done
        for index, (partition, key, value, headers, timestamp) in enumerate(records):
            optional = {} if timestamp is None else {"timestamp": timestamp}
            while True:
                try:
                    producer.produce(topic, value, key, partition, headers=headers or None, on_delivery=on_delivery(index), **optional)
                    break
                except BufferError:
                    producer.poll(0.05)
            producer.poll(0)
        producer.flush(60)
        if errors:
            raise KafkaException(errors[0])
        return {"offsets": offsets}

    def consume(self, topic, partition, start, count, seconds):
        consumer, found, deadline = self.consumer(), [], time.monotonic() + seconds
        consumer.assign([TopicPartition(topic, partition, start)])
        while len(found) < count and time.monotonic() < deadline:
            for message in consumer.consume(count - len(found), 0.2):
                if message.error():
                    raise KafkaException(message.error())
                found.append(lines.read_record(message.offset(), message.timestamp()[1], message.key(), message.value(),
                                               message.headers()))
        consumer.close()
        return {"records": found}

    def offset_for_time(self, topic, partition, time):
        consumer = self.consumer()
        found, = consumer.offsets_for_times([TopicPartition(topic, partition, time)], timeout=SECONDS)
        consumer.close()
        return {"offset": None if found.offset < 0 else found.offset}

    def watermarks(self, topic, partition):
        consumer = self.consumer()
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=SECONDS)
        consumer.close()
        return {"low": low, "high": high}

    # --- administration ------------------------------------------------------------------------------------------
    @staticmethod
    def only(futures):
        (future,) = futures.values()
        return future.result(SECONDS)

    def create_topic(self, topic, partitions, configs):
        self.only(self.admin.create_topics([NewTopic(topic, partitions, 1, config=configs)]))

    def topics(self):
        return {"names": list(self.admin.list_topics(timeout=SECONDS).topics)}

    def delete_topic(self, topic):
        self.only(self.admin.delete_topics([topic]))

    def create_partitions(self, topic, total):
        self.only(self.admin.create_partitions([NewPartitions(topic, total)]))

    def topic_configs(self, topic):
        found = self.only(self.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]))
        return {"configs": {name: entry.value for name, entry in found.items()}}

    def alter_topic_configs(self, topic, set, delete):
        changes = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in set.items()]
        changes += [ConfigEntry(name, None, incremental_operation=AlterConfigOpType.DELETE) for name in delete]
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=changes)
        self.only(self.admin.incremental_alter_configs([resource]))

    def delete_records(self, topic, partition, offset):
        return {"low": self.only(self.admin.delete_records([TopicPartition(topic, partition, offset)])).low_watermark}

    def groups(self):
        return {"names": [group.group_id for group in self.admin.list_consumer_groups().result(SECONDS).valid]}

    def describe_group(self, group):
        found = self.only(self.admin.describe_consumer_groups([group]))
        return {"state": found.state.name.capitalize(), "members": len(found.members)}

    def group_offsets(self, group):
        found = self.only(self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])).topic_partitions
        return {"offsets": [[each.topic, each.partition, each.offset] for each in found if each.offset != OFFSET_INVALID]}

    def alter_group_offset(self, group, topic, partition, offset):
        wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition, offset)])
        for each in self.only(self.admin.alter_consumer_group_offsets([wanted])).topic_partitions:
            if each.error:
                raise KafkaException(each.error)

    def delete_group(self, group):
        self.only(self.admin.delete_consumer_groups([group]))


class Member:
    def __init__(self, bootstrap, leave, group, topic, assignor, session_timeout_ms):
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "log_level": 0, "group.id": group, "enable.auto.commit": False,
                                  "auto.offset.reset": "earliest", "fetch.wait.max.ms": 100, "heartbeat.interval.ms": 200,
                                  "session.timeout.ms": session_timeout_ms, "partition.assignment.strategy": assignor})
        self.share, self.positions = set(), {}
        self.topic = topic
        self.consumer.subscribe([topic], on_assign=self.take, on_revoke=self.give_up, on_lost=self.lose)
        read = 0
        while not leave.is_set():
            message = self.consumer.poll(0.1)  # one at a time: callbacks of a rebalance come before the record behind them
            if message is None or read >= 100:
                self.commit(set(self.positions))
                read = 0
            if message is not None and not message.error():
                lines.say("read", message.partition(), message.offset())
                self.positions[message.partition()] = message.offset() + 1
                read += 1
        self.commit(set(self.positions), tries=20)
        self.consumer.close()

    def tell(self):
        lines.say("share", sorted(self.share))

    def take(self, _, partitions):
        self.share |= {each.partition for each in partitions}
        self.tell()

    def give_up(self, _, partitions):
        given = {each.partition for each in partitions}
        self.commit(given, tries=20)
        self.share -= given
        self.tell()

    def lose(self, _, partitions):
        for each in partitions:
            self.share.discard(each.partition)
            self.positions.pop(each.partition, None)
        self.tell()

    def commit(self, partitions, tries=1):
        """What a rebalance refuses is tried again: by the next call, or here when there is none."""
        for _ in range(tries):
            offsets = [TopicPartition(self.topic, each, self.positions[each]) for each in partitions & set(self.positions)]
            try:
                if offsets:
                    self.consumer.commit(offsets=offsets, asynchronous=False)
                for each in partitions:
                    self.positions.pop(each, None)
                return
            except KafkaException as error:
                lines.say("complaint", str(error))
                time.sleep(0.1)


if __name__ == "__main__":
    lines.main(Verbs, Member)
