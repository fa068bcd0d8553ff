/**
 * One scrape: all objects told in turn, with pauses in which others get their answers, and one text for everybody who asks
 * at about the same time. Callers: the exporter's server.
 */
import { setImmediate as pause } from 'node:timers/promises'
import { Exposition } from './exposition.ts'
import type { Recent } from './recent.ts'
import type { Sources } from './subjects.ts'
import * as one from './version-1.ts'
import * as two from './version-2.ts'
import * as twoOfNodes from './version-2-nodes.ts'

/** So long others wait for the next line of their answer. */
const TURN_MS = 4
/** Samples are made once a second. */
const FRESH_MS = 900

export type Version = 'v1' | 'v2' | 'v2-node'

export type ScrapeParts = Sources & {
  readonly recent: Recent
  readonly nodeUid: number
  readonly now: () => number
}

export class Scraper {
  readonly #parts: ScrapeParts
  readonly #made = new Map<Version, { readonly atMs: number; readonly text: Promise<string> }>()

  constructor(parts: ScrapeParts) {
    this.#parts = parts
  }

  text(version: Version): Promise<string> {
    const nowMs = performance.now()
    const known = this.#made.get(version)
    if (known && nowMs - known.atMs < FRESH_MS) return known.text
    const text = this.#make(version)
    this.#made.set(version, { atMs: nowMs, text })
    return text
  }

  async #make(version: Version): Promise<string> {
    const { state, recent, nodeUid, now } = this.#parts
    const out = new Exposition()
    const scope = version === 'v2-node' ? { nodeUid } : null
    const nowMs = now()
    if (version === 'v1') one.tellCluster(out, this.#parts)
    else if (!scope) twoOfNodes.tellCluster(out, this.#parts)
    for (const { value } of state.nodes.values()) {
      if (version === 'v1') one.tellNode(out, this.#parts, recent, value.uid, nowMs)
      else if (!scope || scope.nodeUid === value.uid) twoOfNodes.tellNode(out, this.#parts, scope, value.uid, nowMs)
    }
    let began = performance.now()
    for (const { value } of [...state.databases.values()]) {
      if (version === 'v1') one.tellDatabase(out, this.#parts, recent, value)
      else two.tellDatabase(out, this.#parts, scope, value)
      if (performance.now() - began < TURN_MS) continue
      await pause()
      began = performance.now()
    }
    return out.text()
  }
}
