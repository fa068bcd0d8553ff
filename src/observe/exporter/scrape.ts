/**
 * One scrape: all objects told in turn, with pauses in which others get their answers, and one text for everybody who asks
 * at about the same time. Callers: the exporter's server.
 */
import { setImmediate as pause } from 'node:timers/promises'
import { Exposition } from './exposition.ts'
import type { Sources } from './subjects.ts'
import * as one from './version-1.ts'
import * as two from './version-2.ts'
import * as twoOfNodes from './version-2-nodes.ts'

/** So long others wait for the next line of their answer. */
const TURN_MS = 1
/** Samples are made once a second. */
const FRESH_MS = 900

export type Version = 'v1' | 'v2' | 'v2-node'

export type ScrapeParts = Sources & {
  readonly nodeUid: number
  readonly now: () => number
}

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
  readonly #parts: ScrapeParts
  readonly #last = new Map<Version, Scrape>()
  /** Which know from the last time how much room they need. */
  readonly #idle = new Map<Version, Exposition>()

  constructor(parts: ScrapeParts) {
    this.#parts = parts
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
    const out = this.#idle.get(version) ?? new Exposition()
    this.#idle.delete(version)
    const scrape = { out, text: this.#make(version, out), readers: 0, isFresh: true, wasCutOff: false }
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

  async #make(version: Version, out: Exposition): Promise<readonly Buffer[]> {
    const { state, nodeUid, now } = this.#parts
    const scope = version === 'v2-node' ? { nodeUid } : null
    const nowMs = now()
    if (version === 'v1') one.tellCluster(out, this.#parts)
    else if (!scope) twoOfNodes.tellCluster(out, this.#parts)
    for (const { value } of state.nodes.values()) {
      if (version === 'v1') one.tellNode(out, this.#parts, value.uid, nowMs)
      else if (!scope || scope.nodeUid === value.uid) twoOfNodes.tellNode(out, this.#parts, scope, value.uid, nowMs)
    }
    let began = performance.now()
    for (const { value } of [...state.databases.values()]) {
      if (version === 'v1') one.tellDatabase(out, this.#parts, value)
      else two.tellDatabase(out, this.#parts, scope, value)
      if (performance.now() - began < TURN_MS) continue
      await pause()
      began = performance.now()
    }
    return out.text()
  }
}
