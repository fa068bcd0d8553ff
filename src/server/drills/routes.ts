/**
 * Beyond the original: when a primary of a database is ended for a drill, and how the last one went.
 */
import Type from 'typebox'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { isCron } from '#model/job-scheduler.ts'
import type { Held } from '#store/collection.ts'
import type { State } from '#store/state.ts'
import { wireReceipt } from '../actions/routes.ts'
import { noSuchDatabase } from '../databases/read.ts'
import { type RefusalCode, refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { Answer, ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { drillTarget } from '../shards/failover.ts'

const TRIES = 20
const path = '/v1/bdbs/{uid}/failover_drill'
const CHANGE: readonly RefusalCode[] = ['db_not_exist', 'busy']

const DrillBody = Type.Object({
  cron_expression: Type.String(),
  target_ms: Type.Optional(Type.Integer({ minimum: 1 })),
})
const DrillAnswer = Type.Object({
  cron_expression: Type.Union([Type.String(), Type.Null()]),
  target_ms: Type.Union([Type.Integer(), Type.Null()]),
  last: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
})

export const drillRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    access: 'view_bdb_info',
    summary: 'When failover drills of a database are, and how the last one went (not in the original)',
    answers: DrillAnswer,
    refusals: ['db_not_exist'],
    handle: ({ params }, { state }) => ({ json: shown(state, find(state, params.uid).value) }),
  },
  {
    method: 'PUT',
    path,
    access: 'failover_shard',
    summary: 'Have failover drills of a database at certain times (not in the original)',
    body: DrillBody,
    answers: DrillAnswer,
    refusals: [...CHANGE, 'unknown_field', 'invalid_field', 'missing_field'],
    handle: (request, parts) => change(request, parts, drillsIn(request)),
  },
  {
    method: 'DELETE',
    path,
    access: 'failover_shard',
    summary: 'Have no failover drills of a database any more (not in the original)',
    answers: DrillAnswer,
    refusals: CHANGE,
    handle: (request, parts) => change(request, parts, undefined),
  },
]

type Drills = DatabaseDocument['drills']

function drillsIn(request: ApiRequest): NonNullable<Drills> {
  const { cron_expression: cron, target_ms: targetMs, ...rest } = objectBody(request.body)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) {
    const description = `There is no field ${JSON.stringify(unknown.slice(0, 40))} here; cron_expression and target_ms are.`
    return refuse('unknown_field', { field: unknown, description })
  }
  const field = 'cron_expression'
  const form = 'five fields, minute, hour, day of the month, month and day of the week, in UTC, such as "0 3 * * 1"'
  if (cron === undefined) return refuse('missing_field', { field, description: `cron_expression is missing: ${form}.` })
  if (typeof cron === 'string' && isCron(cron)) return { cron: cron.trim(), targetMs: drillTarget(targetMs) }
  return refuse('invalid_field', { field, description: `cron_expression must be ${form}.` })
}

async function change(request: ApiRequest, { state }: Parts, drills: Drills): Promise<Answer> {
  for (let tries = 0; tries < TRIES; tries++) {
    const held = find(state, request.params.uid)
    const { drills: _before, ...rest } = held.value
    const database = drills ? { ...rest, drills } : rest
    const outcome = await state.view.commit({
      compare: [state.databases.unchanged(held.id, held)],
      changes: [state.databases.put(held.id, database)],
      configuration: true,
    })
    if (outcome.committed) return { json: shown(state, database) }
  }
  return refuse('busy')
}

function find(state: State, uid = ''): Held<DatabaseDocument> {
  return state.databases.get(uid) ?? noSuchDatabase(uid)
}

function shown(state: State, { uid, drills }: DatabaseDocument): object {
  const last = [...state.actions.values()]
    .filter(({ value }) => value.databaseUid === uid && value.receipt?.drillTargetMs !== undefined)
    .sort((a, b) => b.value.createdAtMs - a.value.createdAtMs)[0]?.value.receipt
  return {
    cron_expression: drills?.cron ?? null,
    target_ms: drills?.targetMs ?? null,
    last: last ? wireReceipt(last) : null,
  }
}
