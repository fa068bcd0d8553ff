/**
 * What several shards say of their latencies, as one server would: LATENCY LATEST, HISTORY and HISTOGRAM. Pure. Callers: the
 * commands that are asked of every shard.
 */
import { type RespEntry, type RespValue, textOf } from '#resp/value.ts'
import { firstError, itemsOf, type Join, numberOf } from './join.ts'

const integer = (value: number): RespValue => ({ kind: 'integer', value })
const array = (items: readonly RespValue[]): RespValue => ({ kind: 'array', items })

/** For each event when it was seen last, with how long it took then; the longest anywhere; newer engines count them too. */
export const latestOfAll: Join = (answers) => {
  const byEvent = new Map<string, RespValue[]>()
  for (const row of answers.flatMap(itemsOf)) {
    const fields = itemsOf(row)
    const event = (fields[0] && textOf(fields[0])) ?? ''
    const known = byEvent.get(event)
    byEvent.set(event, known ? mergedEvent(known, fields) : [...fields])
  }
  return firstError(answers) ?? array([...byEvent.values()].map(array))
}

function mergedEvent(one: readonly RespValue[], other: readonly RespValue[]): RespValue[] {
  const later = numberOf(other[1]) - numberOf(one[1])
  const isNewer = later > 0 || (later === 0 && numberOf(other[2]) > numberOf(one[2]))
  const [event, time, took] = isNewer ? other : one
  const worst = integer(Math.max(numberOf(one[3]), numberOf(other[3])))
  const sums = one.slice(4).map((value, index) => integer(numberOf(value) + numberOf(other[index + 4])))
  return [...[event, time, took].flatMap((value) => value ?? []), worst, ...sums]
}

/** Oldest first; of each second a server keeps the longest. */
export const historyOfAll: Join = (answers) => {
  const longest = new Map<number, number>()
  for (const [time, took] of answers.flatMap(itemsOf).map(itemsOf)) {
    const second = numberOf(time)
    longest.set(second, Math.max(longest.get(second) ?? 0, numberOf(took)))
  }
  const entries = [...longest].sort(([a], [b]) => a - b)
  return firstError(answers) ?? array(entries.map((entry) => array(entry.map(integer))))
}

type Histogram = { calls: number; shards: (readonly [bucket: number, count: number])[][] }

/** Calls are added up; the counts of each bucket include those of all before it. */
export const histogramOfAll: Join = (answers) => {
  const error = firstError(answers)
  if (error) return error
  const byCommand = new Map<string, Histogram>()
  for (const [name, value] of answers.flatMap(entriesOf)) {
    const command = textOf(name) ?? ''
    const known = byCommand.get(command) ?? { calls: 0, shards: [] }
    for (const [field, said] of entriesOf(value)) {
      if (textOf(field) === 'calls') known.calls += numberOf(said)
      else known.shards.push(entriesOf(said).map(([bucket, count]) => [numberOf(bucket), numberOf(count)]))
    }
    byCommand.set(command, known)
  }
  const isMap = answers.some(({ kind }) => kind === 'map')
  const pairs = (entries: readonly RespEntry[]): RespValue => (isMap ? { kind: 'map', entries } : array(entries.flat()))
  return pairs(
    [...byCommand].map(([command, { calls, shards }]) => [
      text(command),
      pairs([
        [text('calls'), integer(calls)],
        [text('histogram_usec'), pairs(merged(shards).map(([bucket, count]) => [integer(bucket), integer(count)]))],
      ]),
    ]),
  )
}

/** A shard lists a bucket only when something fell into it: below, it has what the bucket before had. */
function merged(shards: Histogram['shards']): [bucket: number, count: number][] {
  const buckets = [...new Set(shards.flat().map(([bucket]) => bucket))].sort((a, b) => a - b)
  return buckets.map((bucket) => {
    const counts = shards.map((shard) => shard.findLast(([one]) => one <= bucket)?.[1] ?? 0)
    return [bucket, counts.reduce((sum, count) => sum + count, 0)]
  })
}

/** Of a map, or of the list that it is in RESP2. */
function entriesOf(value: RespValue): RespEntry[] {
  if (value.kind === 'map') return [...value.entries]
  const items = itemsOf(value)
  return items.flatMap((item, index): RespEntry[] => {
    const next = items[index + 1]
    return index % 2 === 0 && next ? [[item, next]] : []
  })
}

function text(word: string): RespValue {
  return { kind: 'bulk', bytes: Buffer.from(word) }
}
