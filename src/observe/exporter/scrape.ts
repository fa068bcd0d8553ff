/**
 * One scrape: what is told becomes text as it comes in, one for everybody who asks at about the same time. Callers: the
 * exporter's server, in its thread.
 */
import { Exposition, Kinds } from './exposition.ts'
import type { Batch, Version } from './messages.ts'

/** Samples are made once a second. */
const FRESH_MS = 900

/** Resolves when `take` has been given everything there is to tell. Rejects when not all of it can be told. */
export type Gather = (version: Version, take: (batch: Batch) => void) => Promise<void>

type Scrape = {
  readonly out: Exposition
  readonly text: Promise<readonly Buffer[]>
  /** Those who have not passed it on yet. */
  readers: number
  isFresh: boolean
  /** Somebody gave up passing it on, and whoever packs it may still be reading. */
  wasCutOff: boolean
}

export class Scraper {
  readonly #gather: Gather
  readonly #kinds = new Map<Version, Kinds>()
  readonly #last = new Map<Version, Scrape>()
  /** Which know from the last time how much room they need. */
  readonly #idle = new Map<Version, Exposition>()

  constructor(gather: Gather) {
    this.#gather = gather
  }

  /** `pass` gets UTF-8 in pieces, which stay what they are until it has resolved. */
  async tell(version: Version, pass: (text: readonly Buffer[]) => Promise<void>): Promise<void> {
    const scrape = this.#last.get(version) ?? this.#begin(version)
    scrape.readers++
    try {
      await pass(await scrape.text)
    } catch (error) {
      scrape.wasCutOff = true
      throw error
    } finally {
      scrape.readers--
      this.#release(version, scrape)
    }
  }

  #begin(version: Version): Scrape {
    const kinds = this.#kinds.get(version) ?? new Kinds()
    this.#kinds.set(version, kinds)
    const out = this.#idle.get(version) ?? new Exposition(kinds)
    this.#idle.delete(version)
    const scrape = { out, text: this.#make(version, kinds, out), readers: 0, isFresh: true, wasCutOff: false }
    this.#last.set(version, scrape)
    setTimeout(() => {
      scrape.isFresh = false
      if (this.#last.get(version) === scrape) this.#last.delete(version)
      this.#release(version, scrape)
    }, FRESH_MS).unref()
    return scrape
  }

  #release(version: Version, { out, readers, isFresh, wasCutOff }: Scrape): void {
    if (readers > 0 || isFresh) return
    out.release({ isRead: wasCutOff })
    this.#idle.set(version, out)
  }

  async #make(version: Version, kinds: Kinds, out: Exposition): Promise<readonly Buffer[]> {
    await this.#gather(version, (batch) => {
      kinds.learn(batch.kinds)
      out.add(batch)
    })
    return out.text()
  }
}
