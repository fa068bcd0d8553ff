/**
 * The longer intervals on disk: a folder for each, in it a file for each step. A file is written once, under another name
 * first, so that there is never half of one; the oldest go when there are as many as are kept. A disk that is full or
 * broken costs the steps that could not be written, and nothing else. Callers: the recorder.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TimeRange } from '#model/statistics/contract.ts'
import { INTERVALS, type Interval } from '#model/statistics/intervals.ts'
import type { Sample } from '#model/statistics/sample.ts'
import { encodeSegment, Segment } from './segment.ts'

/** What is shorter is in memory only: it is gone after minutes anyway. */
export const ON_DISK: readonly Interval[] = INTERVALS.slice(2)
const NAME = /^(\d+)\.seg$/
/** One for each step that is kept, and what a clock that was wrong left in the future. */
const SPARE_FILES = 2

export type HistoryLog = { warn(fields: object, message: string): void }

export class History {
  readonly #folder: string
  readonly #log: HistoryLog
  /** When steps began that are on disk, ascending, by the interval. */
  readonly #steps = new Map<Interval, number[]>(ON_DISK.map((interval) => [interval, []]))
  #hasComplained = false

  constructor(options: { readonly folder: string; readonly log: HistoryLog }) {
    this.#folder = options.folder
    this.#log = options.log
  }

  /** Looks at what is there. */
  async open(): Promise<void> {
    for (const interval of ON_DISK) {
      const names = await readdir(this.#folderOf(interval)).catch(() => [])
      const steps = names.flatMap((name) => (NAME.test(name) ? Number(NAME.exec(name)?.[1]) * 1_000 : []))
      this.#steps.set(
        interval,
        steps.sort((a, b) => a - b),
      )
    }
  }

  has(interval: Interval, startMs: number): boolean {
    return this.#steps.get(interval)?.includes(startMs) === true
  }

  /** When steps began that overlap the range, ascending. */
  stepsWithin(interval: Interval, { fromMs, toMs }: TimeRange): number[] {
    const lengthMs = interval.seconds * 1_000
    return (this.#steps.get(interval) ?? []).filter((startMs) => startMs + lengthMs > fromMs && startMs < toMs)
  }

  /** Null: it is not there, or cannot be read. */
  async read(interval: Interval, startMs: number): Promise<Segment | null> {
    const bytes = await readFile(this.#fileOf(interval, startMs)).catch(() => null)
    return bytes && Segment.parse(bytes)
  }

  /** Never rejects. */
  async write(interval: Interval, startMs: number, samples: ReadonlyMap<number, Sample>): Promise<void> {
    const file = this.#fileOf(interval, startMs)
    try {
      await mkdir(this.#folderOf(interval), { recursive: true, mode: 0o700 })
      await writeFile(`${file}.new`, encodeSegment(startMs, samples), { mode: 0o600 })
      await rename(`${file}.new`, file)
      this.#hasComplained = false
    } catch (error) {
      if (!this.#hasComplained) this.#log.warn({ err: error }, 'statistics cannot be written down')
      this.#hasComplained = true
      await rm(`${file}.new`, { force: true }).catch(() => undefined)
      return
    }
    const steps = new Set([...(this.#steps.get(interval) ?? []), startMs])
    this.#steps.set(
      interval,
      [...steps].sort((a, b) => a - b),
    )
    await this.#prune(interval)
  }

  async #prune(interval: Interval): Promise<void> {
    const steps = this.#steps.get(interval) ?? []
    const gone = steps.slice(0, Math.max(0, steps.length - interval.samples - SPARE_FILES))
    this.#steps.set(interval, steps.slice(gone.length))
    for (const startMs of gone) await rm(this.#fileOf(interval, startMs), { force: true }).catch(() => undefined)
  }

  #folderOf({ name }: Interval): string {
    return join(this.#folder, name)
  }

  #fileOf(interval: Interval, startMs: number): string {
    return join(this.#folderOf(interval), `${startMs / 1_000}.seg`)
  }
}
