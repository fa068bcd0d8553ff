/**
 * The audit trail: what was changed, what was refused, what became of databases. The files are the truth; memory holds
 * only what the disk could not take yet. Written before the answer goes out, and never a reason for an answer to fail: on
 * a full disk lines wait in a bounded memory, those beyond it are counted, and the count is written when there is room.
 */
import type { EventObject, NewEvent } from '#model/event.ts'
import { Turn } from '../turn.ts'
import { Allowance } from './allowance.ts'
import type { LineFiles } from './line-files.ts'

export type EventQuery = {
  readonly sinceMs: number
  readonly untilMs: number
  readonly order: 'asc' | 'desc'
  readonly offset: number
  /** Undefined: the newest `MOST_EVENTS`. */
  readonly limit: number | undefined
  readonly isVisible: (event: EventObject) => boolean
}

/** In one answer: some four megabytes. */
export const MOST_EVENTS = 10_000
/** Lines that wait for a disk: a megabyte at most. */
const WAITING_LINES = 2_000
const RETRY_MS = 1_000
const MINUTE_MS = 60_000
/** Clocks are set back now and then: this far beyond a border of the query there may still be something within it. */
const CLOCK_SLACK_MS = 3_600_000
/** A minute of guessing from everywhere makes a quarter of a megabyte. */
const ALLOWED = { eachMinute: 120, allMinute: 600, addresses: 256 }

export class EventLog {
  readonly #files: LineFiles
  readonly #now: () => number
  readonly #onTrouble: (error: unknown) => void
  readonly #listeners = new Set<(line: string) => void>()
  readonly #allowance = new Allowance(ALLOWED)
  /** A reader takes a core for as long as it reads. */
  readonly #readers = new Turn()
  #waiting: string[] = []
  #lost = 0
  #retry: NodeJS.Timeout | undefined
  #renewal: NodeJS.Timeout | undefined

  constructor(options: { files: LineFiles; now: () => number; onTrouble: (error: unknown) => void }) {
    this.#files = options.files
    this.#now = options.now
    this.#onTrouble = options.onTrouble
  }

  /** Told each line as it is written. */
  onLine(listener: (line: string) => void): void {
    this.#listeners.add(listener)
  }

  /** Never throws. */
  record(event: NewEvent): void {
    const line = JSON.stringify({ time: new Date(this.#now()).toISOString(), ...event })
    for (const listener of this.#listeners) listener(line)
    if (this.#waiting.length >= WAITING_LINES) this.#lost++
    else this.#waiting.push(line)
    this.#write()
  }

  /** As `record`, unless too many come from there: then it is counted, and the count is recorded within a minute. */
  recordRefusal(event: NewEvent): void {
    if (this.#allowance.take(event.remote_address ?? '')) this.record(event)
    else this.#renewal ??= setTimeout(() => this.#renew(), MINUTE_MS).unref()
  }

  /** Reads as little as it can, in bounded memory; one reader at a time. Rejects with the system's error. */
  read(query: EventQuery): Promise<EventObject[]> {
    return this.#readers.run(async () => {
      const { order, offset, limit } = query
      if (limit !== undefined || offset > 0 || order === 'desc')
        return await this.#collect(order, offset, Math.min(limit ?? MOST_EVENTS, MOST_EVENTS), query)
      return (await this.#collect('desc', 0, MOST_EVENTS, query)).reverse()
    })
  }

  close(): void {
    this.#renew()
    clearTimeout(this.#retry)
    this.#write()
    clearTimeout(this.#retry)
    this.#files.close()
  }

  #write(): void {
    const before = this.#waiting.length
    let written = 0
    try {
      for (const line of this.#waiting) {
        this.#files.append(line)
        written++
      }
      this.#waiting = []
      if (this.#lost > 0) this.#admitLoss()
    } catch (error) {
      this.#waiting = this.#waiting.slice(written)
      // Said once, not with every line that follows.
      if (before <= 1 || written > 0) this.#onTrouble(error)
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined
        this.#write()
      }, RETRY_MS).unref()
    }
  }

  #admitLoss(): void {
    const count = this.#lost
    this.#lost = 0
    const description = 'Events that could not be written, for lack of room.'
    this.record({ type: 'events_lost', severity: 'ERROR', count, description })
  }

  #renew(): void {
    clearTimeout(this.#renewal)
    this.#renewal = undefined
    const description = 'Further refusals within a minute, which were only counted.'
    for (const { address, count } of this.#allowance.renew())
      this.record({ type: 'refusals_counted', severity: 'WARNING', remote_address: address, count, description })
  }

  async #collect(order: EventQuery['order'], offset: number, limit: number, query: EventQuery): Promise<EventObject[]> {
    const since = isoOf(query.sinceMs)
    const until = isoOf(query.untilMs)
    const found: EventObject[] = []
    let toSkip = offset
    const [farBefore, farAfter] = [farther(since, -CLOCK_SLACK_MS), farther(until, CLOCK_SLACK_MS)]
    if (limit === 0) return found
    for await (const line of this.#lines(order)) {
      if (!line.startsWith(BEGINNING)) continue
      const time = line.slice(BEGINNING.length, BEGINNING.length + TIME_LENGTH)
      if (order === 'asc' ? time > farAfter : time < farBefore) break
      if (time < since || time > until) continue
      const event = parseEvent(line)
      if (!event || !query.isVisible(event)) continue
      if (toSkip > 0) toSkip--
      else found.push(event)
      if (found.length >= limit) break
    }
    return found
  }

  /** What waits for the disk is the newest. */
  async *#lines(order: EventQuery['order']): AsyncGenerator<string> {
    const waiting = [...this.#waiting]
    const onDisk = this.#files.snapshot()
    try {
      if (order === 'desc') yield* waiting.reverse()
      yield* onDisk.lines(order)
      if (order === 'asc') yield* waiting
    } finally {
      onDisk.close()
    }
  }
}

/** Every line begins with its time: most need not be parsed. */
const BEGINNING = '{"time":"'
const TIME_LENGTH = '2026-01-01T00:00:00.000Z'.length
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/** Times before 0 and after the year 9999 are not compared as texts: they are the borders. */
function isoOf(ms: number): string {
  return new Date(Math.min(Math.max(ms, 0), LAST_MS)).toISOString()
}

function farther(iso: string, byMs: number): string {
  return isoOf(Date.parse(iso) + byMs)
}

/** Null for what is no event: half a line, or somebody else's. */
function parseEvent(line: string): EventObject | null {
  try {
    const event: unknown = JSON.parse(line)
    return isEvent(event) ? event : null
  } catch {
    return null
  }
}

function isEvent(value: unknown): value is EventObject {
  return typeof value === 'object' && value !== null && 'time' in value && 'type' in value && 'severity' in value
}
