/**
 * A planned failover: primaries of one database are asked to hand over to their replicas. The document says which; the
 * planner sees to it, and the action tells how it goes. A drill, beyond the original, ends the primary's process instead,
 * once its replica has everything; the receipt says whether applications were served again in time.
 */
import { randomUUID } from 'node:crypto'
import { isBusy } from '#model/database/status.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { newAction } from '#plan/action.ts'
import { beginHandOver } from '#plan/change.ts'
import { leadOf, successorOf } from '#plan/leads.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { databaseOfShard, shardUidsIn } from './asked.ts'

const TRIES = 20
/** What we promise ourselves of the worst; see bench/failover.ts. */
const DRILL_TARGET_MS = 250
const LONGEST_TARGET_MS = 3_600_000
/** What they would spare from being stopped or chosen says nothing with one node; sent by known clients. */
const KNOWN: ReadonlySet<string> = new Set([
  'shard_uids',
  'dead_uid',
  'dead_uids',
  'dead_nodes',
  'dry_run',
  'force_rebind',
  'drill',
  'target_ms',
])

export function handOverShard(request: ApiRequest, parts: Parts): Promise<Answer> {
  return handOver(request, parts, [request.params.uid ?? ''])
}

export function handOverShards(request: ApiRequest, parts: Parts): Promise<Answer> {
  return handOver(request, parts, shardUidsIn(request))
}

async function handOver(request: ApiRequest, parts: Parts, uids: readonly string[]): Promise<Answer> {
  const options = optionsOf(request)
  const actionUid = await askToHandOver(parts, () => databaseOf(request, parts, uids), uids.map(Number), options)
  return { json: actionUid && { action_uid: actionUid, description: 'Failover was triggered' } }
}

/** The uid of the action that tells how it goes; null: it was a dry run. Throws a Refusal when it cannot be had. */
export async function askToHandOver(
  parts: Parts,
  find: () => DatabaseDocument,
  uids: readonly number[],
  { dryRun, drillTargetMs }: Options,
): Promise<string | null> {
  const { state } = parts
  for (let tries = 0; tries < TRIES; tries++) {
    const database = find()
    const held = state.databases.get(database.uid)
    if (isBusy(database)) refuse('db_busy', { description: `Database ${database.uid} is being changed.` })
    for (const uid of uids) checkCanHandOver(parts, database, uid)
    const nowMs = parts.now()
    const fields = { uid: randomUUID(), kind: 'hand-over-shards' as const, databaseUid: database.uid }
    const action = newAction({ ...fields, description: 'waiting for the primaries to hand over' }, nowMs)
    if (dryRun) return null
    const asked = beginHandOver(database, uids, { actionUid: action.uid, drillTargetMs })
    const outcome = await state.view.commit({
      compare: [state.databases.unchanged(database.uid, held)],
      changes: [state.databases.put(database.uid, asked), state.actions.put(action.uid, action)],
      configuration: false,
    })
    if (outcome.committed) return action.uid
  }
  return refuse('db_busy')
}

type Options = {
  readonly dryRun: boolean
  /** Null: it is no drill. */
  readonly drillTargetMs: number | null
}

/** Throws a Refusal for what nobody knows or we cannot do. */
function optionsOf(request: ApiRequest): Options {
  const body = request.body === undefined ? {} : objectBody(request.body)
  const unknown = Object.keys(body).find((name) => !KNOWN.has(name))
  if (unknown !== undefined) {
    const description = `There is no field ${JSON.stringify(unknown.slice(0, 40))} here; ${[...KNOWN].join(', ')} are.`
    refuse('unknown_field', { field: unknown, description })
  }
  const { dry_run: dryRun = false, drill = false, target_ms: targetMs } = body
  if (typeof dryRun !== 'boolean')
    return refuse('invalid_field', { field: 'dry_run', description: 'dry_run must be true or false.' })
  if (typeof drill !== 'boolean')
    return refuse('invalid_field', { field: 'drill', description: 'drill must be true or false.' })
  if (!drill && targetMs !== undefined)
    return refuse('invalid_field', { field: 'target_ms', description: 'target_ms needs drill: true.' })
  return { dryRun, drillTargetMs: drill ? drillTarget(targetMs) : null }
}

export function drillTarget(targetMs: unknown = DRILL_TARGET_MS): number {
  const isWhole = typeof targetMs === 'number' && Number.isInteger(targetMs)
  if (isWhole && targetMs >= 1 && targetMs <= LONGEST_TARGET_MS) return targetMs
  const description = `target_ms must be a whole number of milliseconds from 1 to ${LONGEST_TARGET_MS}.`
  return refuse('invalid_field', { field: 'target_ms', description })
}

function databaseOf(request: ApiRequest, parts: Parts, uids: readonly string[]): DatabaseDocument {
  const found = uids.map((uid) => databaseOfShard(request, parts, uid, 'failover_shard'))
  const [first, ...others] = found
  if (!first) return refuse('shard_uids_required', { field: 'shard_uids' })
  if (others.some(({ uid }) => uid !== first.uid)) refuse('failover_shards_different_bdb', { field: 'shard_uids' })
  return first
}

function checkCanHandOver(parts: Parts, database: DatabaseDocument, uid: number): void {
  const place = database.shards.find((one) => one.uid === uid) ?? refuse('shard_not_exist')
  const leads = parts.state.statuses.get(database.uid)?.value.leads ?? []
  const lead = leadOf(leads, database.shards, place)
  if (lead.shardUid !== uid) {
    const description = `Shard ${uid} is a replica; its primary is shard ${lead.shardUid}.`
    refuse('shard_is_slave', { description })
  }
  const observed = [...parts.agents.values()].flatMap((agent) => [...agent.observed().values()])
  if (successorOf(lead, database.shards, observed) === undefined)
    refuse('no_replica_in_step', { description: `Shard ${uid} has no replica that has all of its data.` })
}
