// A driver of @platformatic/kafka. It has no consumer outside of groups: what a test reads, it reads in a group of its own.
import zlib from 'node:zlib'
import { Admin, Consumer, MessagesStreamFallbackModes, MessagesStreamModes, Producer } from '@platformatic/kafka'
import { encoded, main, say, sleep } from './lines.mjs'

const TOPIC = 2
const SET = 0
const DELETE = 1
const EARLIEST = -2n
const LATEST = -1n

async function openVerbs (bootstrap) {
  const common = { clientId: 'newest', bootstrapBrokers: [bootstrap], retries: 100, retryDelay: 100, timeout: 10_000 }
  const admin = new Admin(common)
  const producers = {} // one for each way to produce: it outlives the broker
  let groups = 0

  async function offsetAt (topic, partition, timestamp) {
    const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }] })
    return Number(found.partitions[0].offset)
  }

  return {
    async produce ({ topic, acks, codec, idempotent, records }) {
      if (codec === 'zstd' && !zlib.zstdCompressSync) return { missing: 'zstd needs a newer Node.js' }
      const key = `${acks} ${codec} ${idempotent}`
      producers[key] ??= new Producer({ ...common, idempotent, acks: acks === 'all' ? -1 : Number(acks), compression: codec,
        autocreateTopics: false, maxInflights: idempotent ? 1 : undefined })
      const messages = records.map(({ partition, key, value, headers, timestamp }) => ({
        topic, partition, key: key ?? undefined, value: value ?? undefined,
        headers: new Map(headers.map(([name, data]) => [Buffer.from(name), data])),
        timestamp: timestamp === null ? undefined : BigInt(timestamp) }))
      const sent = await producers[key].send({ messages })
      const next = Object.fromEntries((sent.offsets ?? []).map(each => [each.partition, Number(each.offset)]))
      return { offsets: records.map(({ partition }) => (acks === '0' ? null : next[partition]++)) }
    },
    async consume ({ topic, partition, start, count, seconds }) {
      const consumer = new Consumer({ ...common, groupId: `reader-${process.pid}-${++groups}`, maxWaitTime: 100, autocommit: false })
      const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.MANUAL, maxBytes: 4_000_000,
        fallbackMode: MessagesStreamFallbackModes.FAIL, offsets: [{ topic, partition, offset: BigInt(start) }] })
      const patience = setTimeout(() => stream.destroy(), 1000 * seconds)
      const found = []
      try {
        for await (const message of stream) {
          if (message.partition !== partition || message.offset < start) continue
          found.push([Number(message.offset), Number(message.timestamp), encoded(message.key), encoded(message.value),
            [...message.headers].map(([name, data]) => [name.toString(), encoded(data)])])
          if (found.length === count) break
        }
      } finally {
        clearTimeout(patience)
        await consumer.close(true)
      }
      return { records: found }
    },
    async offset_for_time ({ topic, partition, time }) {
      const offset = await offsetAt(topic, partition, BigInt(time))
      return { offset: offset < 0 ? null : offset }
    },
    async watermarks ({ topic, partition }) {
      return { low: await offsetAt(topic, partition, EARLIEST), high: await offsetAt(topic, partition, LATEST) }
    },
    async create_topic ({ topic, partitions, configs }) {
      const wanted = Object.entries(configs).map(([name, value]) => ({ name, value }))
      await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: wanted })
    },
    async topics () {
      return { names: await admin.listTopics() }
    },
    async delete_topic ({ topic }) {
      await admin.deleteTopics({ topics: [topic] })
    },
    async create_partitions ({ topic, total }) {
      await admin.createPartitions({ topics: [{ name: topic, count: total, assignments: null }] })
    },
    async topic_configs ({ topic }) {
      const [found] = await admin.describeConfigs({ resources: [{ resourceType: TOPIC, resourceName: topic, configurationKeys: null }] })
      return { configs: Object.fromEntries(found.configs.map(each => [each.name, each.value])) }
    },
    async alter_topic_configs ({ topic, set, delete: deleted }) {
      const configs = [...Object.entries(set).map(([name, value]) => ({ name, value, configOperation: SET })),
        ...deleted.map(name => ({ name, value: null, configOperation: DELETE }))]
      await admin.incrementalAlterConfigs({ resources: [{ resourceType: TOPIC, resourceName: topic, configs }] })
    },
    async delete_records ({ topic, partition, offset }) {
      const [found] = await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset: BigInt(offset) }] }] })
      return { low: Number(found.partitions[0].lowWatermark) }
    },
    async groups () {
      return { names: [...(await admin.listGroups()).keys()] }
    },
    async describe_group ({ group }) {
      const found = (await admin.describeGroups({ groups: [group] })).get(group)
      return { state: found.state[0].toUpperCase() + found.state.slice(1).toLowerCase(), members: found.members.size }
    },
    async group_offsets ({ group }) {
      const [found] = await admin.listConsumerGroupOffsets({ groups: [group] })
      return { offsets: found.topics.flatMap(({ name, partitions }) =>
        partitions.map(each => [name, each.partitionIndex, Number(each.committedOffset)])) }
    },
    async alter_group_offset ({ group, topic, partition, offset }) {
      await admin.alterConsumerGroupOffsets({ groupId: group,
        topics: [{ name: topic, partitionOffsets: [{ partition, offset: BigInt(offset) }] }] })
    },
    async delete_group_offset ({ group, topic, partition }) {
      await admin.deleteConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionIndexes: [partition] }] })
    },
    async delete_group ({ group }) {
      await admin.deleteGroups({ groups: [group] })
    }
  }
}

// A stream ends with the first error that the client does not try away (offsets that cannot be listed while the broker is dead): then
// the member begins anew.
async function member (bootstrap, settings, left) {
  let isLeaving = false
  left.then(() => { isLeaving = true })
  while (!isLeaving) {
    try {
      await readOn(bootstrap, settings, left)
    } catch (error) {
      say('complaint', String(error))
      await sleep(200)
    }
  }
}

async function readOn (bootstrap, { group, topic, session_timeout_ms: sessionTimeout }, left) {
  const consumer = new Consumer({ clientId: 'newest', bootstrapBrokers: [bootstrap], retries: 100, retryDelay: 100, groupId: group,
    sessionTimeout, rebalanceTimeout: 20_000, heartbeatInterval: 200, maxWaitTime: 100, autocommit: false })
  consumer.on('consumer:group:join', ({ assignments }) =>
    say('share', (assignments ?? []).flatMap(each => each.partitions).sort((a, b) => a - b)))
  const read = new Map() // by partition, the last message that is not committed yet
  const commit = async () => {
    const messages = [...read.values()]
    read.clear()
    await Promise.all(messages.map(message => message.commit())).catch(error => say('complaint', String(error)))
  }
  let committing = Promise.resolve()
  const pace = setInterval(() => { committing = committing.then(commit) }, 200)
  try {
    const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.COMMITTED,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST })
    left.then(() => stream.close())
    for await (const message of stream) {
      say('read', message.partition, Number(message.offset))
      read.set(message.partition, message)
    }
    await committing.then(commit)
  } finally {
    clearInterval(pace)
    say('share', [])
    await consumer.close(true)
  }
}

await main(openVerbs, member)
