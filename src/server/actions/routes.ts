/**
 * Actions: what is being done, and what was. Both forms of the reference, and beyond it a DELETE that cancels an action
 * and has it undone.
 */
import Type from 'typebox'
import { ActionList, ActionV1, ActionV2, DatabaseAction } from '#model/action.ts'
import { type ActionDocument, type FailoverReceipt, isOver } from '#model/documents/action.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { cancelUnderWay } from '#plan/change.ts'
import type { Held } from '#store/collection.ts'
import type { Change } from '#store/contract.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import type { Answer, ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'

const TRIES = 20
const permission = 'view_status_of_cluster_action'

export const actionRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/actions',
    access: permission,
    summary: 'All actions, running and ended',
    answers: ActionList,
    refusals: ['not_found'],
    handle: (request, parts) => {
      const actions = newestFirst(request, parts)
      const machines = actions.map(({ value }) => ({ ...machine(value), heartbeat: seconds(value.changedAtMs) }))
      return { json: { actions: actions.map(({ value }) => v1(value)), 'state-machines': machines } }
    },
  },
  {
    method: 'GET',
    path: '/v1/actions/{uid}',
    access: permission,
    summary: 'One action',
    answers: ActionV1,
    refusals: ['action_not_exist'],
    handle: (request, parts) => ({ json: v1(find(request, parts).value) }),
  },
  {
    method: 'DELETE',
    path: '/v1/actions/{uid}',
    access: 'cancel_cluster_action',
    summary: 'Cancel an action and have it undone (not in the original)',
    answers: ActionV1,
    refusals: ['action_not_exist', 'action_not_cancellable'],
    handle: cancelAction,
  },
  {
    method: 'GET',
    path: '/v1/actions/bdb/{bdb_uid}',
    access: permission,
    summary: 'The actions of one database',
    answers: Type.Array(DatabaseAction),
    refusals: ['db_not_exist'],
    handle: (request, parts) => {
      const { params } = request
      const own = newestFirst(request, parts).filter(({ value }) => String(value.databaseUid) === params.bdb_uid)
      if (own.length === 0 && !parts.state.databases.get(params.bdb_uid ?? '')) refuse('db_not_exist')
      return { json: own.map(({ value }) => databaseAction(value)) }
    },
  },
  {
    method: 'GET',
    path: '/v2/actions',
    access: permission,
    summary: 'All actions, running and ended',
    answers: Type.Array(ActionV2),
    refusals: [],
    handle: (request, parts) => ({ json: newestFirst(request, parts).map(({ value }) => v2(value)) }),
  },
  {
    method: 'GET',
    path: '/v2/actions/{uid}',
    access: permission,
    summary: 'One action',
    answers: ActionV2,
    refusals: ['action_not_exist'],
    handle: (request, parts) => ({ json: v2(find(request, parts).value) }),
  },
]

function newestFirst(request: ApiRequest, { state }: Parts): Held<ActionDocument>[] {
  return [...state.actions.values()]
    .filter(({ value }) => isInReach(request, value.databaseUid, permission))
    .sort((a, b) => b.value.createdAtMs - a.value.createdAtMs)
}

function find(request: ApiRequest, { state }: Parts): Held<ActionDocument> {
  const { params } = request
  const found = state.actions.get(params.uid ?? '')
  if (found && isInReach(request, found.value.databaseUid, permission)) return found
  return refuse('action_not_exist', { description: `There is no action ${String(params.uid).slice(0, 60)}.` })
}

async function cancelAction(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { state } = parts
  for (let tries = 0; tries < TRIES; tries++) {
    const action = find(request, parts)
    const database = state.databases.get(action.value.databaseUid)
    if (isOver(action.value) || !database || database.value.actionUid !== action.id) return notCancellable(action.value)
    if (action.value.status === 'cancelling') return { json: v1(action.value) }
    const isNew = (state.statuses.get(database.id)?.value.generation ?? 0) === 0
    const leads = state.statuses.get(database.id)?.value.leads ?? []
    const nowMs = parts.now()
    const undone = cancelUnderWay(database.value, isNew, leads, new Date(nowMs).toISOString())
    if (!undone) return notCancellable(action.value)
    const cancelling: ActionDocument = {
      ...action.value,
      status: 'cancelling',
      description: 'undoing what was done so far',
      progressPercent: 0,
      changedAtMs: nowMs,
    }
    const outcome = await state.view.commit({
      compare: [state.databases.unchanged(database.id, database), state.actions.unchanged(action.id, action)],
      changes: [
        state.databases.put(database.id, undone),
        state.actions.put(action.id, cancelling),
        ...(database.value.deletion && !undone.deletion ? [startingAgain(state, database.value)] : []),
      ],
      configuration: true,
    })
    if (outcome.committed) return { json: v1(cancelling) }
  }
  return refuse('busy')
}

/** Its processes may have been stopped by now: it is not active before they are back. */
function startingAgain(state: Parts['state'], { uid, generation }: DatabaseDocument): Change {
  const leads = state.statuses.get(uid)?.value.leads ?? []
  const reason = 'its deletion was called off'
  return state.statuses.put(uid, { databaseUid: uid, phase: 'recovering', generation, reason, leads })
}

function notCancellable(action: ActionDocument): never {
  const description = isOver(action)
    ? `The action is over: ${action.status}.`
    : 'The action is past the point where it could be undone.'
  return refuse('action_not_cancellable', { description })
}

const NAMES: Readonly<Record<ActionDocument['kind'], string>> = {
  'create-database': 'SMCreateBDB',
  'update-database': 'SMUpdateBDB',
  'upgrade-database': 'SMUpgradeBDB',
  'delete-database': 'SMDeleteBDB',
  'recover-database': 'SMRecoverBDB',
  'hand-over-shards': 'SMFailoverShards',
  'fail-over-shard': 'SMFailoverShard',
}

/** The four words of the request page; the object page has more, which strict clients do not know. */
function v1Status(action: ActionDocument): string {
  switch (action.status) {
    case 'queued':
      return 'pending'
    case 'running':
    case 'cancelling':
      return 'active'
    case 'completed':
      return 'completed'
    case 'cancelled':
    case 'failed':
      return 'failed'
  }
}

function v2Status(action: ActionDocument): string {
  const status = v1Status(action)
  return status === 'pending' ? 'queued' : status === 'active' ? 'running' : status
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

function errorOf(action: ActionDocument): string {
  return action.error || (action.status === 'cancelled' ? 'cancelled' : '')
}

/** Progress and time are strings here, as the original sends them. */
function v1(action: ActionDocument): object {
  const error = errorOf(action)
  return {
    action_uid: action.uid,
    name: NAMES[action.kind],
    status: v1Status(action),
    progress: String(action.progressPercent),
    creation_time: String(seconds(action.createdAtMs)),
    node_uid: '1',
    object_name: `bdb:${action.databaseUid}`,
    state: action.description,
    task_id: action.uid,
    ...(error ? { error, error_code: 'internal_error', error_message: error } : {}),
  }
}

function machine(action: ActionDocument): object {
  const error = errorOf(action)
  return {
    action_uid: action.uid,
    name: NAMES[action.kind],
    object_name: `bdb:${action.databaseUid}`,
    status: v1Status(action),
    state: action.description,
    progress: action.progressPercent,
    ...(error ? { error } : {}),
  }
}

function databaseAction(action: ActionDocument): object {
  return { ...machine(action), heartbeat: seconds(action.changedAtMs), pending_ops: {} }
}

function v2(action: ActionDocument): object {
  const error = errorOf(action)
  return {
    action_uid: action.uid,
    action_type: 'state-machine',
    creation_time: seconds(action.createdAtMs),
    name: NAMES[action.kind],
    progress: action.progressPercent,
    status: v2Status(action),
    additional_info: {
      description: action.description,
      object_type: 'bdb',
      object_uid: String(action.databaseUid),
      ...(error ? { error } : {}),
      ...(action.receipt ? { failover: wireReceipt(action.receipt) } : {}),
    },
  }
}

/** Beyond the original: what a failover cost. */
export function wireReceipt(receipt: FailoverReceipt): object {
  const { lostAtMs, decidedAtMs, servingAtMs, drillTargetMs: targetMs } = receipt
  const isMet = servingAtMs > 0 && targetMs !== undefined && servingAtMs - lostAtMs <= targetMs
  return {
    from_shard_uid: String(receipt.from),
    to_shard_uid: String(receipt.to),
    term: receipt.term,
    cause: receipt.cause,
    lost_at_ms: lostAtMs,
    decided_after_ms: decidedAtMs - lostAtMs,
    ...(servingAtMs > 0 ? { serving_after_ms: servingAtMs - lostAtMs } : {}),
    ...(targetMs === undefined ? {} : { drill: { target_ms: targetMs, target_met: isMet } }),
    may_have_lost_writes: receipt.mayHaveLostWrites,
    ...(receipt.wasInStep === undefined ? {} : { successor_was_in_step: receipt.wasInStep }),
    ...(receipt.gapBytes === undefined ? {} : { replication_gap_bytes: receipt.gapBytes }),
  }
}
