/**
 * The fingerprint of what a shard should be. Callers: the planner compares it with what the agent observed; the agent
 * records it once a spec holds in full. `generation` (why the spec was made) and `flushes` (an event, not a setting) are
 * left out, so that a change that is none to this process costs nothing.
 */
import { createHash } from 'node:crypto'
import type { ShardSpec } from './step.ts'

export function specDigest({ generation: _generation, flushes: _flushes, ...settings }: ShardSpec): string {
  return createHash('sha256').update(canonicalJson(settings)).digest('hex')
}

/** JSON with the keys of every object in order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
  })
}
