// A driver of kafkajs. It has no consumer outside of groups: what a test reads, it reads by seeking in a group of its own.
import { createRequire } from 'node:module'
import { lz4Compress, lz4Decompress } from '@platformatic/wasm-utils'
import { encoded, main, say, sleep } from './lines.mjs'

const BATCH = 2000
const require = createRequire(import.meta.url)
const { Kafka, CompressionTypes, CompressionCodecs, logLevel, ConfigResourceTypes } = require('kafkajs')
const zstd = await new Promise(resolve => require('zstd-codec').ZstdCodec.run(codec => resolve(new codec.Streaming())))

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => lz4Compress(encoder.buffer),
  decompress: async buffer => lz4Decompress(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer))
})
const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }

function connectTo (bootstrap) {
  return new Kafka({ clientId: 'newest', brokers: [bootstrap], logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 } })
}

// Headers of the same name are one entry with a list.
function grouped (headers) {
  const found = {}
  for (const [name, data] of headers) (found[name] ??= []).push(data)
  return Object.fromEntries(Object.entries(found).map(([name, all]) => [name, all.length === 1 ? all[0] : all]))
}

function listed (headers) {
  return Object.entries(headers ?? {}).flatMap(([name, data]) => [data].flat().map(each => [name, encoded(each)]))
}

async function openVerbs (bootstrap) {
  const kafka = connectTo(bootstrap)
  const admin = kafka.admin()
  await admin.connect()
  const producers = {} // one for each way to produce: it outlives the broker
  let reader

  async function producerFor (codec, idempotent) {
    const key = `${codec} ${idempotent}`
    if (!producers[key]) {
      producers[key] = kafka.producer({ idempotent, maxInFlightRequests: idempotent ? 1 : undefined, allowAutoTopicCreation: false,
        createPartitioner: () => ({ message }) => message.partition })
      await producers[key].connect()
    }
    return producers[key]
  }

  // One consumer at a time; it seeks while it runs.
  async function readerOf (topic) {
    if (reader?.topic === topic) return reader
    await reader?.consumer.disconnect()
    const consumer = kafka.consumer({ groupId: `reader-of-${topic}`, maxWaitTimeInMs: 100, maxBytesPerPartition: 2_000_000 })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve))
    reader = { topic, consumer, wanted: null }
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async ({ batch, resolveOffset }) => {
      const wanted = reader.wanted
      for (const message of batch.messages) {
        if (wanted && batch.partition === wanted.partition && Number(message.offset) >= wanted.next) {
          wanted.found.push([Number(message.offset), Number(message.timestamp), encoded(message.key), encoded(message.value),
            listed(message.headers)])
          wanted.next = Number(message.offset) + 1
        }
        resolveOffset(message.offset)
      }
    } })
    await joined
    return reader
  }

  const of = (topics, partition) => topics.find(each => each.partition === partition)

  return {
    async produce ({ topic, acks, codec, idempotent, records }) {
      const producer = await producerFor(codec, idempotent)
      const offsets = []
      for (let start = 0; start < records.length; start += BATCH) { // a large batch takes this client long
        const part = records.slice(start, start + BATCH)
        const messages = part.map(each => ({ ...each, headers: grouped(each.headers),
          timestamp: each.timestamp === null ? undefined : String(each.timestamp) }))
        const sent = await producer.send({ topic, acks: acks === 'all' ? -1 : Number(acks), compression: codecs[codec], messages })
        const next = Object.fromEntries(sent.map(each => [each.partition, Number(each.baseOffset)]))
        offsets.push(...part.map(({ partition }) => (acks === '0' ? null : next[partition]++)))
      }
      return { offsets }
    },
    async consume ({ topic, partition, start, count, seconds }) {
      const { consumer } = await readerOf(topic)
      const wanted = reader.wanted = { partition, next: start, found: [] }
      consumer.seek({ topic, partition, offset: String(start) })
      for (const end = Date.now() + 1000 * seconds; wanted.found.length < count && Date.now() < end;) await sleep(5)
      reader.wanted = null
      return { records: wanted.found.slice(0, count) }
    },
    async offset_for_time ({ topic, partition, time }) {
      const found = of(await admin.fetchTopicOffsetsByTimestamp(topic, time), partition)
      const { high } = of(await admin.fetchTopicOffsets(topic), partition) // which it answers where there is nothing so late
      return { offset: found.offset === high ? null : Number(found.offset) }
    },
    async watermarks ({ topic, partition }) {
      const { low, high } = of(await admin.fetchTopicOffsets(topic), partition)
      return { low: Number(low), high: Number(high) }
    },
    async create_topic ({ topic, partitions, configs }) {
      const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
      const made = await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }] })
      if (!made) throw new Error('it is there already')
    },
    async topics () {
      return { names: await admin.listTopics() }
    },
    async delete_topic ({ topic }) {
      await admin.deleteTopics({ topics: [topic] })
    },
    async create_partitions ({ topic, total }) {
      await admin.createPartitions({ topicPartitions: [{ topic, count: total }] })
    },
    async topic_configs ({ topic }) {
      const { resources } = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] })
      return { configs: Object.fromEntries(resources[0].configEntries.map(each => [each.configName, each.configValue])) }
    },
    async delete_records ({ topic, partition, offset }) {
      await admin.fetchTopicOffsets(topic) // so that it knows who leads
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
      return { low: Number(of(await admin.fetchTopicOffsets(topic), partition).low) }
    },
    async groups () {
      return { names: (await admin.listGroups()).groups.map(each => each.groupId) }
    },
    async describe_group ({ group }) {
      const [found] = (await admin.describeGroups([group])).groups
      return { state: found.state, members: found.members.length }
    },
    async group_offsets ({ group }) {
      const found = await admin.fetchOffsets({ groupId: group })
      return { offsets: found.flatMap(({ topic, partitions }) => partitions.map(each => [topic, each.partition, Number(each.offset)])) }
    },
    async alter_group_offset ({ group, topic, partition, offset }) {
      await admin.setOffsets({ groupId: group, topic, partitions: [{ partition, offset: String(offset) }] })
    },
    async delete_group ({ group }) {
      await admin.deleteGroups([group])
    }
  }
}

// Its only assignor is round robin. A batch that a rebalance overtakes cannot be committed: then it is read again.
async function member (bootstrap, { group, topic, session_timeout_ms: sessionTimeout }, left) {
  const consumer = connectTo(bootstrap).consumer({ groupId: group, sessionTimeout, heartbeatInterval: 200, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => say('share', payload.memberAssignment[topic] ?? []))
  consumer.on(consumer.events.REBALANCING, () => say('share', []))
  consumer.on(consumer.events.CRASH, ({ payload }) => say('complaint', String(payload.error)))
  await consumer.run({ autoCommit: false, eachBatch: async ({ batch }) => {
    for (const { offset } of batch.messages) say('read', batch.partition, Number(offset))
    await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(Number(batch.lastOffset()) + 1) }])
  } })
  await left
  await consumer.disconnect()
}

await main(openVerbs, member)
