/**
 * All that is told in one scrape, object after object, with pauses in which others get their answers. Callers: the exporter,
 * for its thread.
 */
import { setImmediate as pause } from 'node:timers/promises'
import { Figures } from './figures.ts'
import type { Batch, Version } from './messages.ts'
import type { Sources } from './subjects.ts'
import * as one from './version-1.ts'
import * as two from './version-2.ts'
import * as twoOfNodes from './version-2-nodes.ts'

/** So long others wait for the next line of their answer. */
const TURN_MS = 1

export type GatherParts = Sources & {
  readonly nodeUid: number
  readonly now: () => number
}

export class Gatherer {
  readonly #parts: GatherParts
  /** They know which kinds of lines the thread has been told of. */
  readonly #figures = new Map<Version, Figures>()

  constructor(parts: GatherParts) {
    this.#parts = parts
  }

  /**
   * `post` is given lines after each turn, all of a version in the order in which they are told, also when it is gathered
   * twice at a time.
   */
  async gather(version: Version, post: (batch: Batch) => void): Promise<void> {
    const out = this.#figuresOf(version)
    try {
      await this.#tellAll(version, out, () => post(out.take()))
    } finally {
      // Also after a failure: the kinds of lines that are told now are known from then on.
      post(out.take())
    }
  }

  async #tellAll(version: Version, out: Figures, endTurn: () => void): Promise<void> {
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
      endTurn()
      await pause()
      began = performance.now()
    }
  }

  #figuresOf(version: Version): Figures {
    const figures = this.#figures.get(version) ?? new Figures()
    this.#figures.set(version, figures)
    return figures
  }
}
