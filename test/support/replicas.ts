/**
 * Databases with replicas, as tests and the history run see them: who leads, which process it is, and when every replica
 * is sent every write.
 */
import assert from 'node:assert/strict'
import type { Instance } from './instance.ts'
import { until } from './wait.ts'

export type SeenShard = {
  readonly uid: string
  readonly role: 'master' | 'slave'
  readonly status: string
  readonly assigned_slots: string
  readonly sync: { readonly status: string }
}

export type Receipt = {
  readonly from_shard_uid: string
  readonly to_shard_uid: string
  readonly term: number
  readonly cause: string
  readonly serving_after_ms?: number
  readonly may_have_lost_writes: boolean
  readonly successor_was_in_step: boolean
  readonly replication_gap_bytes?: number | null
  readonly drill?: { readonly target_ms: number; readonly target_met: boolean }
}

type SeenAction = { readonly additional_info: { readonly object_uid: string; readonly failover?: Receipt } }

export async function shardsOf({ api }: Instance, uid: number): Promise<SeenShard[]> {
  return (await api.get(`/v1/bdbs/${uid}/shards`)).json
}

/** Uids of those that lead and run, in the order of their slots. */
export async function primariesOf(instance: Instance, uid: number): Promise<number[]> {
  const leading = (await shardsOf(instance, uid)).filter(({ role, status }) => `${role} ${status}` === 'master active')
  return leading.sort((a, b) => firstSlot(a) - firstSlot(b)).map((shard) => Number(shard.uid))
}

export async function replicaOf(instance: Instance, uid: number, primary: number): Promise<number> {
  const all = await shardsOf(instance, uid)
  const slots = all.find((shard) => Number(shard.uid) === primary)?.assigned_slots
  const replica = all.find((shard) => shard.role === 'slave' && shard.assigned_slots === slots)
  assert.ok(replica, `shard ${primary} has no replica`)
  return Number(replica.uid)
}

export async function pidOf(instance: Instance, shardUid: number | string): Promise<number> {
  const engine = (await instance.engines()).find((one) => one.shardUid === Number(shardUid))
  assert.ok(engine, `shard ${shardUid} has no process`)
  return engine.pid
}

/** Resolves when every primary runs and its replica is sent every write; returns the primaries. */
export async function inStep(instance: Instance, uid: number, groups = 1, timeoutMs = 30_000): Promise<number[]> {
  await until(
    `${groups} primaries with replicas in step`,
    async () => {
      const all = await shardsOf(instance, uid)
      const words = all.map(({ role, status, sync }) => `${role} ${status} ${sync.status}`)
      const count = (what: string) => words.filter((word) => word === what).length
      if (count('master active idle') === groups && count('slave active idle') === groups) return true
      throw new Error(words.join(', '))
    },
    timeoutMs,
  )
  return await primariesOf(instance, uid)
}

/** Receipts of the failovers of a database, the newest first. */
export async function receiptsOf({ api }: Instance, uid: number): Promise<Receipt[]> {
  const { json } = await api.get('/v2/actions')
  return json.flatMap(({ additional_info: about }: SeenAction) =>
    about.object_uid === String(uid) && about.failover ? [about.failover] : [],
  )
}

function firstSlot({ assigned_slots }: SeenShard): number {
  return Number.parseInt(assigned_slots, 10)
}
