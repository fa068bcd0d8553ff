/**
 * What has statistics, and the number by which each is found: small enough to be an exact double, so that it can be a
 * key in memory and on disk. Pure.
 */
import type { Kind } from './metrics.ts'

export type Measured =
  | { readonly kind: 'shard' | 'database' | 'node'; readonly uid: number }
  /** The part of a database's endpoint that one node serves. */
  | { readonly kind: 'endpoint'; readonly uid: number; readonly nodeUid: number }
  | { readonly kind: 'cluster' }

/** Written down: never change what one means. */
const NUMBERS: Readonly<Record<Kind, number>> = { shard: 1, database: 2, endpoint: 3, node: 4, cluster: 5 }
const KINDS: readonly (Kind | undefined)[] = [undefined, 'shard', 'database', 'endpoint', 'node', 'cluster']
const UID_SPAN = 2 ** 32
const NODE_SPAN = 2 ** 16

export function keyOf(object: Measured): number {
  const uid = object.kind === 'cluster' ? 0 : object.uid
  const nodeUid = object.kind === 'endpoint' ? object.nodeUid : 0
  return (NUMBERS[object.kind] * UID_SPAN + uid) * NODE_SPAN + nodeUid
}

/** Undefined for a number that no object has. */
export function objectOf(key: number): Measured | undefined {
  const nodeUid = key % NODE_SPAN
  const rest = Math.floor(key / NODE_SPAN)
  const uid = rest % UID_SPAN
  const kind = KINDS[Math.floor(rest / UID_SPAN)]
  if (kind === undefined) return undefined
  if (kind === 'cluster') return { kind }
  return kind === 'endpoint' ? { kind, uid, nodeUid } : { kind, uid }
}
