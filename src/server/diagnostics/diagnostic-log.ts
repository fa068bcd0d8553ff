/**
 * Diagnostic logging: at the times that the cluster is told, each collector writes what it finds into a file of its own,
 * in place of what it found before. Nothing secret is in them; arguments of slow commands are, so that only the owner of
 * the data folder may read them. Callers: main makes it.
 */
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { COLLECTED_NAMES, type Collected, type CollectorSettings, collectorSettings } from '#model/diagnostics.ts'
import { Timetable } from '../jobs/timetable.ts'
import type { Parts } from '../parts.ts'
import { COLLECTORS } from './collected.ts'
import { Rests } from './rests.ts'
import { type Scrub, scrubberOf } from './scrub.ts'

/** Whoever has a thousand shards that all hang gets what is known by then. */
const LONGEST_MS = 120_000
/** Of lines that are written together: each write is work for another thread. */
const PIECE_LENGTH = 65_536

export class DiagnosticLog {
  readonly #parts: Parts
  readonly #folder: string
  readonly #timetable = new Timetable()
  /** Many are due at the same minute: one after the other they are no load. */
  #work: Promise<void> = Promise.resolve()
  /** As of the last collector, and of which revision of the state. */
  #scrubber: { readonly revision: number; readonly scrub: Scrub } | null = null
  #isClosed = false

  constructor(parts: Parts, folder: string) {
    this.#parts = parts
    this.#folder = folder
    const { state } = parts
    state.view.onChange((collection) => {
      if (collection === state.cluster) this.#follow()
    })
    this.#follow()
  }

  /** What is under way ends after its next line. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timetable.close()
    await this.#work
  }

  #follow(): void {
    const cluster = this.#parts.state.cluster.get('')?.value
    if (!cluster) return
    for (const name of COLLECTED_NAMES) {
      const settings = collectorSettings(cluster.diagnostics ?? {}, name)
      this.#timetable.set(name, settings, settings.cron, () => this.#enqueue(name, settings))
    }
  }

  #enqueue(name: Collected, settings: CollectorSettings): Promise<void> {
    this.#work = this.#work.then(async () => {
      if (this.#isClosed) return
      try {
        await this.#collect(name, settings)
      } catch (error) {
        this.#parts.log.warn({ err: error, collector: name }, 'diagnostics could not be collected')
      }
    })
    return this.#work
  }

  async #collect(name: Collected, settings: CollectorSettings): Promise<void> {
    const { now } = this.#parts
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const path = join(this.#folder, `${name}.jsonl`)
    const draft = `${path}.new`
    const scrub = this.#scrub()
    try {
      await using file = await open(draft, 'w', 0o600)
      let piece = ''
      const write = async (line: object) => {
        piece += `${scrub(JSON.stringify(line))}\n`
        if (piece.length >= PIECE_LENGTH) await flush()
      }
      const flush = async () => {
        await file.appendFile(piece)
        piece = ''
      }
      await write({ collected_at: new Date(now()).toISOString() })
      const rests = new Rests()
      for await (const line of COLLECTORS[name](this.#parts, settings)) {
        if (this.#isClosed) return
        await write(line)
        await rests.restIfDue()
        if (rests.workedMs < LONGEST_MS) continue
        await write({ problem: `the rest would have taken longer than ${LONGEST_MS / 1000} s` })
        break
      }
      await flush()
      await rename(draft, path)
    } finally {
      await rm(draft, { force: true })
    }
  }

  /** Gathering the secrets of a thousand databases takes longer than some collectors: those of one minute share them. */
  #scrub(): Scrub {
    const { state } = this.#parts
    const { revision } = state.view
    if (this.#scrubber?.revision !== revision) this.#scrubber = { revision, scrub: scrubberOf(state.secrets()) }
    return this.#scrubber.scrub
  }
}
