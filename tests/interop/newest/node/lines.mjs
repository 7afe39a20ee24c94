// The drivers' language for Node.js: one JSON request a line in, one JSON answer a line out (../README.md).
import { createInterface } from 'node:readline'

export const encoded = data => (data === null || data === undefined ? null : Buffer.from(data).toString('base64'))
export const decoded = text => (text === null ? null : Buffer.from(text, 'base64'))
export const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

export function say (...words) {
  process.stdout.write(JSON.stringify(words) + '\n')
}

// Records as objects, their bytes as buffers.
function unpacked (records) {
  return records.map(([partition, key, value, headers, timestamp]) => ({
    partition, key: decoded(key), value: decoded(value), timestamp, headers: headers.map(([name, data]) => [name, decoded(data)])
  }))
}

async function answer (verbs, { verb, ...fields }) {
  if (!verbs[verb]) return { missing: 'this client has no such call' }
  if (fields.records) fields.records = unpacked(fields.records)
  try {
    return (await verbs[verb](fields)) ?? {}
  } catch (error) {
    const causes = (error.errors ?? []).map(each => each.message)
    return { error: [`${error.name}: ${error.message}`, ...causes].join('; ') }
  }
}

export async function main (openVerbs, member) {
  const [bootstrap, word, settings] = process.argv.slice(2)
  if (word === 'member') {
    const left = new Promise(resolve => process.stdin.on('end', resolve).resume())
    await member(bootstrap, JSON.parse(settings), left)
    say('left')
    process.exit(0)
  }
  const verbs = await openVerbs(bootstrap)
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(verbs, JSON.parse(line))) + '\n')
  }
  process.exit(0)
}
