/**
 * The text of INFO → the numbers that statistics are made of, and what the engine counts per command. Callers: the agent,
 * up to a thousand times a second, so a line that nobody asks for costs a look-up and no more.
 */
import { type CommandReading, INFO_COLUMNS, INFO_NUMBERS, type InfoNumber } from '#model/statistics/readings.ts'

export type InfoReading = {
  readonly numbers: Float64Array
  readonly commands: readonly Omit<CommandReading, 'kind'>[]
}

const COMMAND = 'cmdstat_'
const LATENCY = 'latency_percentiles_usec_'
const HASH = '#'.charCodeAt(0)
/** A piece of a text keeps all of it in memory: names, of which there are few, are kept instead. */
const names = new Map<string, string>()
const MAX_NAMES = 10_000

export function readInfo(text: string): InfoReading {
  const numbers = new Float64Array(INFO_NUMBERS.length).fill(Number.NaN)
  const commands: Omit<CommandReading, 'kind'>[] = []
  const byName = new Map<string, number>()
  let isDatabase = false
  for (let at = 0; at < text.length; ) {
    const newLine = text.indexOf('\n', at)
    const end = newLine < 0 ? text.length : newLine
    const colon = text.charCodeAt(at) === HASH ? -1 : text.indexOf(':', at)
    if (colon > 0 && colon < end) {
      const column = INFO_COLUMNS.get(text.slice(at, colon))
      if (column !== undefined) numbers[column] = Number(text.slice(colon + 1, end))
      else if (text.startsWith(COMMAND, at)) {
        const name = kept(text.slice(at + COMMAND.length, colon))
        byName.set(name, commands.length)
        commands.push(commandOf(name, text.slice(colon + 1, end)))
      } else if (text.startsWith(LATENCY, at)) {
        const index = byName.get(text.slice(at + LATENCY.length, colon)) ?? -1
        const command = commands[index]
        if (command) commands[index] = { ...command, ...percentilesOf(text.slice(colon + 1, end)) }
      } else if (isDatabase && /^db\d/.test(text.slice(at, at + 3))) addDatabase(numbers, text.slice(colon + 1, end))
      else if (text.startsWith('master_link_status', at))
        put(numbers, 'master_link_up', text.startsWith('up', colon + 1) ? 1 : 0)
    } else if (colon < 0 && text.startsWith('# Keyspace', at)) {
      isDatabase = true
      for (const name of ['keys', 'expires', 'avg_ttl'] as const) put(numbers, name, 0)
    }
    at = end + 1
  }
  return { numbers, commands }
}

function kept(piece: string): string {
  const known = names.get(piece)
  if (known !== undefined) return known
  const own = Buffer.from(piece, 'latin1').toString('latin1')
  if (names.size < MAX_NAMES) names.set(own, own)
  return own
}

function put(numbers: Float64Array, name: InfoNumber, value: number): void {
  numbers[INFO_COLUMNS.get(name) ?? -1] = value
}

function commandOf(name: string, text: string): Omit<CommandReading, 'kind'> {
  return {
    name,
    calls: partOf(text, 'calls='),
    microseconds: partOf(text, ',usec='),
    rejected: partOf(text, ',rejected_calls='),
    failed: partOf(text, ',failed_calls='),
  }
}

function percentilesOf(text: string): Pick<CommandReading, 'p50' | 'p99' | 'p999'> {
  return { p50: partOf(text, 'p50='), p99: partOf(text, ',p99='), p999: partOf(text, ',p99.9=') }
}

/** `keys=2,expires=1,avg_ttl=5000`: the time to live is an average over those that expire. */
function addDatabase(numbers: Float64Array, text: string): void {
  const sum = (name: InfoNumber) => numbers[INFO_COLUMNS.get(name) ?? -1] ?? 0
  const expires = partOf(text, ',expires=')
  const before = sum('expires')
  const all = before + expires
  put(numbers, 'avg_ttl', all === 0 ? 0 : (sum('avg_ttl') * before + partOf(text, ',avg_ttl=') * expires) / all)
  put(numbers, 'keys', sum('keys') + partOf(text, 'keys='))
  put(numbers, 'expires', all)
}

/** 0 where an older engine does not say. */
function partOf(text: string, name: string): number {
  const at = text.indexOf(name)
  if (at < 0) return 0
  const from = at + name.length
  const comma = text.indexOf(',', from)
  return Number(comma < 0 ? text.slice(from) : text.slice(from, comma))
}
