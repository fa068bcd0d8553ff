/**
 * What a sample of keys says about a database: the largest, those used most, and how memory is spread over names of the
 * same pattern. Pure.
 */
import type { KeySample } from '#plan/agent.ts'

export type SampledShard = { readonly shardUid: number; readonly total: number; readonly samples: readonly KeySample[] }

export type KeyReport = {
  readonly keys: number
  readonly sampled: number
  readonly biggest: readonly ShownKey[]
  readonly hottest: readonly ShownKey[]
  readonly patterns: readonly PatternShare[]
  readonly types: readonly PatternShare[]
}

export type ShownKey = {
  readonly name: string
  readonly type: string
  readonly memory_bytes: number
  readonly ttl_ms: number | null
  readonly idle_seconds: number | null
  readonly frequency: number | null
  readonly shard_uid: string
}

/** Of all keys, reckoned from the sample. */
export type PatternShare = {
  readonly pattern: string
  readonly estimated_keys: number
  readonly estimated_bytes: number
  readonly average_bytes: number
  /** Of the sampled ones. */
  readonly without_ttl_percent: number
}

/** More patterns than that say nothing any more. */
const PATTERNS_MAX = 50

export function keyReport(shards: readonly SampledShard[], top: number): KeyReport {
  const all = shards.flatMap(({ shardUid, total, samples }) => {
    // A shard of which a smaller part was seen counts more for each key.
    const weight = samples.length === 0 ? 0 : total / samples.length
    return samples.map((sample) => ({ sample, shardUid, weight }))
  })
  const shown = ({ sample, shardUid }: Weighted): ShownKey => ({
    name: sample.name,
    type: sample.type,
    memory_bytes: sample.bytes,
    ttl_ms: sample.ttlMs,
    idle_seconds: sample.idleSeconds,
    frequency: sample.frequency,
    shard_uid: String(shardUid),
  })
  const first = (order: (a: KeySample, b: KeySample) => number) =>
    all
      .toSorted((a, b) => order(a.sample, b.sample))
      .slice(0, top)
      .map(shown)
  return {
    keys: shards.reduce((sum, { total }) => sum + total, 0),
    sampled: all.length,
    biggest: first((a, b) => b.bytes - a.bytes),
    hottest: first(byUse),
    patterns: shares(all, ({ name }) => patternOf(name)),
    types: shares(all, ({ type }) => type),
  }
}

type Weighted = { readonly sample: KeySample; readonly shardUid: number; readonly weight: number }

/** Counted uses say more than how long ago the last one was. */
function byUse(a: KeySample, b: KeySample): number {
  const counted = (b.frequency ?? -1) - (a.frequency ?? -1)
  return counted !== 0 ? counted : (a.idleSeconds ?? Number.MAX_VALUE) - (b.idleSeconds ?? Number.MAX_VALUE)
}

function shares(all: readonly Weighted[], groupOf: (sample: KeySample) => string): PatternShare[] {
  const groups = Map.groupBy(all, ({ sample }) => groupOf(sample))
  return [...groups]
    .map(([pattern, members]) => {
      const keys = members.reduce((sum, { weight }) => sum + weight, 0)
      const bytes = members.reduce((sum, { weight, sample }) => sum + weight * sample.bytes, 0)
      const lasting = members.filter(({ sample }) => sample.ttlMs === null).length
      return {
        pattern,
        estimated_keys: Math.round(keys),
        estimated_bytes: Math.round(bytes),
        average_bytes: Math.round(bytes / Math.max(keys, 1)),
        without_ttl_percent: Math.round((100 * lasting) / members.length),
      }
    })
    .sort((a, b) => b.estimated_bytes - a.estimated_bytes || (a.pattern < b.pattern ? -1 : 1))
    .slice(0, PATTERNS_MAX)
}

/**
 * `user:4711:cart` and `user:12:cart` are `user:*:cart`: a part between separators that is a number, an id in hexadecimal
 * digits, or a mixture that no person would choose, is whatever. What stands in braces is like any other part.
 */
export function patternOf(name: string): string {
  return name
    .split(/([:/|.,;{}\s]+)/)
    .map((part, index) => (index % 2 === 0 && isId(part) ? '*' : part))
    .join('')
}

function isId(part: string): boolean {
  if (part === '') return false
  return (
    /^[0-9_-]*[0-9][0-9_-]*$/.test(part) || /^[0-9a-f-]{8,}$/i.test(part) || (part.length >= 6 && digits(part) >= 3)
  )
}

function digits(text: string): number {
  return text.replace(/[^0-9]/g, '').length
}
