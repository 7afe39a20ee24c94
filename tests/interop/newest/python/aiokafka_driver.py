"""A driver of aiokafka: one event loop, each verb one coroutine of it."""

import asyncio
import time

import lines
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor}


class Verbs:
    """Looks every verb up among the coroutines of `Coroutines`, and waits for it."""

    def __init__(self, bootstrap):
        self.loop = asyncio.new_event_loop()
        self.coroutines = self.loop.run_until_complete(opened(bootstrap))

    def __getattr__(self, verb):
        coroutine = getattr(self.coroutines, verb, None)
        return coroutine and (lambda **fields: self.loop.run_until_complete(coroutine(**fields)))


async def opened(bootstrap):
    coroutines = Coroutines(bootstrap)
    coroutines.admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    coroutines.consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="none", fetch_max_wait_ms=100,
                                           max_partition_fetch_bytes=2_000_000, enable_auto_commit=False)
    await coroutines.admin.start()
    await coroutines.consumer.start()
    return coroutines


class Coroutines:
    def __init__(self, bootstrap):
        self.bootstrap, self.admin, self.consumer = bootstrap, None, None
        self.producers = {}  # one for each way to produce: it outlives the broker

    # --- records -------------------------------------------------------------------------------------------------
    async def producer(self, acks, codec, idempotent):
        key = (acks, codec, idempotent)
        if key not in self.producers:
            self.producers[key] = AIOKafkaProducer(
                bootstrap_servers=self.bootstrap, acks=acks if acks == "all" else int(acks), enable_idempotence=idempotent,
                compression_type=None if codec == "none" else codec, linger_ms=2, max_request_size=2_000_000,
                request_timeout_ms=60_000)
            await self.producers[key].start()
        return self.producers[key]

    async def produce(self, topic, acks, codec, idempotent, records):
        producer = await self.producer(acks, codec, idempotent)
        futures = [await producer.send(topic, value, key, partition, timestamp, headers)
                   for partition, key, value, headers, timestamp in records]
        await producer.flush()
        found = await asyncio.gather(*futures)
        return {"offsets": [None] * len(records) if acks == "0" else [entry.offset for entry in found]}

    async def consume(self, topic, partition, start, count, seconds):
        assigned = TopicPartition(topic, partition)
        self.consumer.assign([assigned])
        self.consumer.seek(assigned, start)
        found, deadline = [], time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            read = await self.consumer.getmany(assigned, timeout_ms=200)
            found += [lines.read_record(entry.offset, entry.timestamp, entry.key, entry.value, entry.headers)
                      for entry in read.get(assigned, ())]
        return {"records": found[:count]}

    async def offset_for_time(self, topic, partition, time):
        assigned = TopicPartition(topic, partition)
        found = (await self.consumer.offsets_for_times({assigned: time}))[assigned]
        return {"offset": found.offset if found else None}

    async def watermarks(self, topic, partition):
        assigned = TopicPartition(topic, partition)
        return {"low": (await self.consumer.beginning_offsets([assigned]))[assigned],
                "high": (await self.consumer.end_offsets([assigned]))[assigned]}

    # --- administration ------------------------------------------------------------------------------------------
    async def create_topic(self, topic, partitions, configs):
        check_topics(await self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)]))

    async def topics(self):
        return {"names": list(await self.admin.list_topics())}

    async def delete_topic(self, topic):
        await self.admin.delete_topics([topic])

    async def create_partitions(self, topic, total):
        await self.admin.create_partitions({topic: NewPartitions(total)})

    async def topic_configs(self, topic):
        response, = await self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        (code, message, _, _, entries), = response.resources
        if code:
            raise KafkaError(message)
        return {"configs": {entry[0]: entry[1] for entry in entries}}

    async def delete_records(self, topic, partition, offset):
        assigned = TopicPartition(topic, partition)
        return {"low": (await self.admin.delete_records({assigned: RecordsToDelete(offset)}))[assigned]}

    async def groups(self):
        return {"names": [name for name, _ in await self.admin.list_consumer_groups()]}

    async def describe_group(self, group):
        response, = await self.admin.describe_consumer_groups([group])
        code, _, state, _, _, members = response.groups[0][:6]
        if code:
            raise KafkaError(str(code))
        return {"state": state, "members": len(members)}

    async def group_offsets(self, group):
        found = await self.admin.list_consumer_group_offsets(group)
        return {"offsets": [[each.topic, each.partition, entry.offset] for each, entry in found.items()]}

    async def alter_group_offset(self, group, topic, partition, offset):
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        consumer.assign([TopicPartition(topic, partition)])
        await consumer.commit({TopicPartition(topic, partition): offset})
        await consumer.stop()


def check_topics(response):
    for name, code, *rest in response.topic_errors:
        if code:
            raise KafkaError(f"{name}: {code} {rest}")


class Listener(ConsumerRebalanceListener):
    def __init__(self, consumer):
        self.consumer = consumer

    async def on_partitions_revoked(self, revoked):
        await commit(self.consumer)

    async def on_partitions_assigned(self, assigned):
        lines.say("share", sorted(each.partition for each in assigned))


async def commit(consumer):
    """A group that has gone on refuses it, and a broker may be dead: then what was read is read again."""
    try:
        if consumer.assignment():
            await consumer.commit()
    except KafkaError as error:
        lines.say("complaint", repr(error))


async def read_on(bootstrap, leave, group, topic, assignor, session_timeout_ms):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=100,
        heartbeat_interval_ms=200, session_timeout_ms=session_timeout_ms, partition_assignment_strategy=[ASSIGNORS[assignor]])
    consumer.subscribe([topic], listener=Listener(consumer))
    await consumer.start()
    while not leave.is_set():
        read = await consumer.getmany(timeout_ms=100)
        for entry in (entry for entries in read.values() for entry in entries):
            lines.say("read", entry.partition, entry.offset)
        if read:
            await commit(consumer)
    await commit(consumer)
    await consumer.stop()


def member(bootstrap, leave, **settings):
    asyncio.run(read_on(bootstrap, leave, **settings))


if __name__ == "__main__":
    lines.main(Verbs, member)
