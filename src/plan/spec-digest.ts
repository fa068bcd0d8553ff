/**
 * The fingerprint of what a shard should be. Callers: the planner compares it with what the agent observed; the agent
 * records it once a spec holds in full. `generation` (why the spec was made) and `flushes` (an event, not a setting) are
 * left out, so that a change that is none to this process costs nothing.
 */
import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ShardSpec } from './step.ts'

export function specDigest(spec: ShardSpec): string {
  return hash('sha256', canonicalJson(settingsOf(spec)), 'hex')
}

/** Whether this is the digest of the spec. `of`: what it was made of, as far as is known: comparing that costs less. */
export function isDigestOf(spec: ShardSpec, digest: string | null, of: ShardSpec | null): boolean {
  if (digest === null) return false
  return (of !== null && isDeepStrictEqual(settingsOf(of), settingsOf(spec))) || digest === specDigest(spec)
}

/** Whether both have the same digest. */
export function isSameSpec(one: ShardSpec, other: ShardSpec): boolean {
  return canonicalJson(settingsOf(one)) === canonicalJson(settingsOf(other))
}

function settingsOf({ generation: _generation, flushes: _flushes, ...settings }: ShardSpec): object {
  return settings
}

/** JSON with the keys of every object in order. */
function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members: string[] = []
  for (const [name, member] of Object.entries(value).sort(byName)) {
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${canonicalJson(member)}`)
  }
  return `{${members.join(',')}}`
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
