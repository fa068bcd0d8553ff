/**
 * The text of INFO → the numbers that statistics are made of, and what the engine counts per command. Callers: the agent,
 * up to a thousand times a second. Lines mostly come in the order in which they came before: then a line costs one look
 * whether it is the one expected, and a number no text of its own.
 */
import { type CommandReading, INFO_COLUMNS, INFO_NUMBERS, type InfoNumber } from '#model/statistics/readings.ts'

type CommandCounts = Omit<CommandReading, 'kind'>

export type InfoReading = {
  readonly numbers: Float64Array
  readonly commands: readonly CommandCounts[]
}

/** What lines of one name say. */
type Line = {
  /** The name and the colon. */
  readonly prefix: string
  readonly says: 'number' | 'command' | 'database' | 'link' | 'nothing'
  readonly column: number
  /** Of a line about one. */
  readonly command: string
  /** The one that came behind it last. */
  next: Line | null
}

const COMMAND = 'cmdstat_'
const LINK = 'master_link_status'
const [HASH, COMMA, CR, DOT, ZERO] = ['#', ',', '\r', '.', '0'].map((sign) => sign.charCodeAt(0)) as Five
type Five = [number, number, number, number, number]
/** More digits may not be a whole number exactly. */
const EXACT_DIGITS = 15
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, power) => 10 ** power)
const lines = new Map<string, Line>()
const MAX_LINES = 10_000
const START: Line = lineNamed('')

export function readInfo(text: string): InfoReading {
  const numbers = new Float64Array(INFO_NUMBERS.length).fill(Number.NaN)
  const commands: CommandCounts[] = []
  let isDatabase = false
  let last = START
  for (let at = 0; at < text.length; ) {
    if (text.charCodeAt(at) === HASH) {
      if (text.startsWith('# Keyspace', at)) {
        isDatabase = true
        for (const name of ['keys', 'expires', 'avg_ttl'] as const) put(numbers, name, 0)
      }
      at = endOf(text, at) + 1
      continue
    }
    let line = last.next
    if (line === null || !text.startsWith(line.prefix, at)) {
      line = lineAt(text, at)
      if (line === null) {
        at = endOf(text, at) + 1
        continue
      }
      last.next = line
    }
    last = line
    const from = at + line.prefix.length
    const end = endOf(text, from)
    if (line.says === 'number') numbers[line.column] = numberAt(text, from, end)
    else if (line.says === 'command') commands.push(commandOf(line.command, text, from, end))
    else if (line.says === 'database' && isDatabase) addDatabase(numbers, text, from, end)
    else if (line.says === 'link') put(numbers, 'master_link_up', text.startsWith('up', from) ? 1 : 0)
    at = end + 1
  }
  return { numbers, commands }
}

function endOf(text: string, at: number): number {
  const newLine = text.indexOf('\n', at)
  return newLine < 0 ? text.length : newLine
}

/** Null: nothing has a name there. */
function lineAt(text: string, at: number): Line | null {
  const colon = text.indexOf(':', at)
  if (colon <= at || colon > endOf(text, at)) return null
  const name = text.slice(at, colon)
  const known = lines.get(name)
  if (known) return known
  // A piece of a text keeps all of it in memory.
  const line = lineNamed(Buffer.from(name, 'latin1').toString('latin1'))
  if (lines.size < MAX_LINES) lines.set(line.prefix.slice(0, -1), line)
  return line
}

function lineNamed(name: string): Line {
  const line = { prefix: `${name}:`, says: 'nothing', column: -1, command: '', next: null } as const
  const column = INFO_COLUMNS.get(name)
  if (column !== undefined) return { ...line, says: 'number', column }
  if (name.startsWith(COMMAND)) return { ...line, says: 'command', command: name.slice(COMMAND.length) }
  if (/^db\d+$/.test(name)) return { ...line, says: 'database' }
  return { ...line, says: name === LINK ? 'link' : 'nothing' }
}

function put(numbers: Float64Array, name: InfoNumber, value: number): void {
  numbers[INFO_COLUMNS.get(name) ?? -1] = value
}

function commandOf(name: string, text: string, from: number, end: number): CommandCounts {
  return {
    name,
    calls: partOf(text, 'calls=', from, end),
    microseconds: partOf(text, ',usec=', from, end),
    failed: partOf(text, ',failed_calls=', from, end),
  }
}

/** `keys=2,expires=1,avg_ttl=5000`: the time to live is an average over those that expire. */
function addDatabase(numbers: Float64Array, text: string, from: number, end: number): void {
  const sum = (name: InfoNumber) => numbers[INFO_COLUMNS.get(name) ?? -1] ?? 0
  const expires = partOf(text, ',expires=', from, end)
  const before = sum('expires')
  const all = before + expires
  const lifetime = partOf(text, ',avg_ttl=', from, end)
  put(numbers, 'avg_ttl', all === 0 ? 0 : (sum('avg_ttl') * before + lifetime * expires) / all)
  put(numbers, 'keys', sum('keys') + partOf(text, 'keys=', from, end))
  put(numbers, 'expires', all)
}

/** 0 where an older engine does not say. */
function partOf(text: string, name: string, from: number, end: number): number {
  const at = text.indexOf(name, from)
  return at < 0 || at >= end ? 0 : numberAt(text, at + name.length, end)
}

/** Up to a comma, or the end of the line. */
function numberAt(text: string, from: number, end: number): number {
  let digits = 0
  let point = -1
  let at = from
  for (; at < end; at++) {
    const sign = text.charCodeAt(at)
    if (sign === COMMA || sign === CR) break
    if (sign === DOT && point < 0) point = at
    else if (sign >= ZERO && sign <= ZERO + 9) digits = digits * 10 + (sign - ZERO)
    else return otherNumber(text, from, end)
  }
  // One whole number by another is as near as a number can be to what stands there.
  if (at - from > EXACT_DIGITS || at - from < (point < 0 ? 1 : 2)) return otherNumber(text, from, end)
  return point < 0 ? digits : digits / (POWERS[at - point - 1] ?? 1)
}

function otherNumber(text: string, from: number, end: number): number {
  const comma = text.indexOf(',', from)
  return Number(text.slice(from, comma < 0 || comma > end ? end : comma))
}
