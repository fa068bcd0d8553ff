/**
 * A planned failover: primaries of one database are asked to hand over to their replicas. The document says which; the
 * planner sees to it, and the action tells how it goes.
 */
import { randomUUID } from 'node:crypto'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { newAction } from '#plan/action.ts'
import { beginHandOver } from '#plan/change.ts'
import { leadOf, successorOf } from '#plan/leads.ts'
import { isBusy } from '../databases/status.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'

const TRIES = 20
/** What they would spare from being stopped or chosen says nothing with one node; sent by known clients. */
const KNOWN: ReadonlySet<string> = new Set([
  'shard_uids',
  'dead_uid',
  'dead_uids',
  'dead_nodes',
  'dry_run',
  'force_rebind',
])

export function handOverShard(request: ApiRequest, parts: Parts): Promise<Answer> {
  return handOver(request, parts, [request.params.uid ?? ''])
}

export function handOverShards(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { shard_uids: uids } = objectBody(request.body)
  const isList = Array.isArray(uids) && uids.length > 0 && uids.every((uid) => /^\d+$/.test(String(uid)))
  if (!isList) return refuse('shard_uids_required', { field: 'shard_uids' })
  return handOver(request, parts, uids.map(String))
}

async function handOver(request: ApiRequest, parts: Parts, uids: readonly string[]): Promise<Answer> {
  const dryRun = optionsOf(request)
  const { state } = parts
  for (let tries = 0; tries < TRIES; tries++) {
    const database = databaseOf(request, parts, uids)
    const held = state.databases.get(database.uid)
    if (isBusy(database)) refuse('db_busy', { description: `Database ${database.uid} is being changed.` })
    for (const uid of uids) checkCanHandOver(parts, database, Number(uid))
    const nowMs = parts.now()
    const fields = { uid: randomUUID(), kind: 'hand-over-shards' as const, databaseUid: database.uid }
    const action = newAction({ ...fields, description: 'waiting for the primaries to hand over' }, nowMs)
    if (dryRun) return { json: null }
    const outcome = await state.view.commit({
      compare: [state.databases.unchanged(database.uid, held)],
      changes: [
        state.databases.put(database.uid, beginHandOver(database, uids.map(Number), action.uid)),
        state.actions.put(action.uid, action),
      ],
      configuration: false,
    })
    if (outcome.committed) return { json: { action_uid: action.uid, description: 'Failover was triggered' } }
  }
  return refuse('db_busy')
}

/** Whether it is a dry run. Throws a Refusal for what nobody knows or we cannot do. */
function optionsOf(request: ApiRequest): boolean {
  const body = request.body === undefined ? {} : objectBody(request.body)
  const unknown = Object.keys(body).find((name) => !KNOWN.has(name))
  if (unknown !== undefined) {
    const description = `There is no field ${JSON.stringify(unknown.slice(0, 40))} here; ${[...KNOWN].join(', ')} are.`
    refuse('unknown_field', { field: unknown, description })
  }
  const { dry_run: dryRun = false } = body
  if (typeof dryRun === 'boolean') return dryRun
  return refuse('invalid_field', { field: 'dry_run', description: 'dry_run must be true or false.' })
}

function databaseOf(request: ApiRequest, { state }: Parts, uids: readonly string[]): DatabaseDocument {
  const found = uids.map((uid) => {
    for (const { value } of state.databases.values()) {
      const isIt = value.shards.some((place) => String(place.uid) === uid)
      if (isIt && isInReach(request, value.uid, 'failover_shard')) return value
    }
    return refuse('shard_not_exist', { description: `There is no shard with the uid ${uid.slice(0, 40)}.` })
  })
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
