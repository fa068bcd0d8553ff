/**
 * Recovering a database that is down. The control plane tries that by itself, ever more slowly; whoever has put a file in
 * order asks it to try at once, and whoever has given the data up asks for the processes that are down to start without
 * it. The others keep theirs.
 */
import { randomUUID } from 'node:crypto'
import Type from 'typebox'
import { type RecoveryRequest, RecoveryRequestObject, recoveryParser } from '#model/database/recovery.ts'
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import { slotText } from '#model/slots.ts'
import { newAction } from '#plan/action.ts'
import { beginRecovery } from '#plan/change.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import type { Answer, ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { checkSettled } from './change.ts'
import { wireRole } from './leaders.ts'
import { checkIfMatch, checkStateId, expectedStateId } from './locks.ts'
import { noSuchDatabase } from './read.ts'

const TRIES = 20

const DataFileObject = Type.Object({
  filename: Type.String(),
  last_modified: Type.Number(),
  node_uid: Type.String(),
  shard_role: Type.String(),
  shard_slots: Type.String(),
  shard_uid: Type.String(),
  size: Type.Integer(),
})
const RecoveryPlan = Type.Object({
  data_files: Type.Array(DataFileObject),
  status: Type.Enum(['ready', 'missing-files']),
})

export const recoveryRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}/actions/recover',
    access: 'view_bdb_recovery_plan',
    summary: 'Which files the processes of a database would start from',
    answers: RecoveryPlan,
    refusals: ['db_not_exist'],
    handle: async ({ params }, parts) => ({ json: await planOf(parts, databaseAt(parts, params.uid).value) }),
  },
  {
    method: 'POST',
    path: '/v1/bdbs/{uid}/actions/recover',
    access: 'start_bdb_recovery',
    summary: 'Try at once to bring back what is down of a database; without its data where that is asked for',
    body: RecoveryRequestObject,
    answers: Type.Object({ action_uid: Type.String() }),
    refusals: [
      'db_not_exist',
      'unknown_field',
      'invalid_field',
      'unsupported_feature',
      'busy',
      'db_not_active',
      'not_recoverable',
      'etag_mismatch',
      'wrong_cluster_state_id',
    ],
    handle: recoverDatabase,
  },
]

type Plan = { readonly data_files: readonly Readonly<Record<string, unknown>>[]; readonly status: string }

async function planOf({ state, agents }: Parts, database: DatabaseDocument): Promise<Plan> {
  const { shards, config } = database
  const found = await Promise.all(
    shards.map(async (place) => ({ place, file: (await agents.get(place.nodeUid)?.dataFile(place.uid)) ?? null })),
  )
  // Whoever promises nothing comes back with nothing.
  const isPromised = config.data_persistence !== 'disabled'
  const isThere = ({ group }: { readonly group: number }) =>
    found.some(({ place, file }) => place.group === group && file !== null)
  return {
    data_files: found.flatMap(({ place, file }) =>
      file === null
        ? []
        : {
            filename: file.name,
            last_modified: file.changedAtMs / 1000,
            node_uid: String(place.nodeUid),
            shard_role: wireRole(state, database, place),
            shard_slots: slotText(place.slots),
            shard_uid: String(place.uid),
            size: file.bytes,
          },
    ),
    status: isPromised && !shards.every(isThere) ? 'missing-files' : 'ready',
  }
}

async function recoverDatabase(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { state, now } = parts
  const { uid } = request.params
  databaseAt(parts, uid)
  const body = request.body === undefined ? {} : request.body
  const wanted = parseGiven(recoveryParser, { body }, 'create')
  const ifStateId = expectedStateId(request)
  for (let tries = 0; tries < TRIES; tries++) {
    const held = databaseAt(parts, uid)
    const database = held.value
    const status = state.statuses.get(database.uid)
    checkIfMatch(request, database)
    checkStateId(parts, ifStateId)
    checkSettled(parts, database)
    if (status?.value.phase !== 'recovering') return notRecoverable(`Database ${database.uid} is not down.`)
    await checkFiles(parts, database, wanted)
    const emptied = wanted.recover_without_data ? downIn(parts, database) : []
    if (wanted.recover_without_data && emptied.length === 0)
      return notRecoverable(`No data of database ${database.uid} is lost yet: a process has it, or still reads it.`)
    const description = emptied.length > 0 ? 'starting without the data' : 'trying again'
    const fields = { uid: randomUUID(), kind: 'recover-database' as const, databaseUid: database.uid, description }
    const action = newAction(fields, now())
    const outcome = await state.view.commit({
      compare: [state.databases.unchanged(database.uid, held), state.statuses.unchanged(database.uid, status)],
      changes: [
        state.databases.put(database.uid, beginRecovery(database, { actionUid: action.uid, emptied })),
        state.actions.put(action.uid, action),
      ],
      configuration: false,
      ifStateId,
    })
    if (outcome.committed) return { json: { action_uid: action.uid } }
  }
  return refuse('busy')
}

/** Shards without a process, where no other has their data or still reads it: that one may come back with it. */
function downIn({ agents }: Parts, { shards }: DatabaseDocument): number[] {
  const isDown = ({ uid, nodeUid }: ShardPlace) => {
    const seen = agents.get(nodeUid)?.observed().get(uid)
    return seen === undefined || seen.state === 'exited' || seen.state === 'stopped'
  }
  const isLost = ({ group }: ShardPlace) => shards.filter((place) => place.group === group).every(isDown)
  return shards.filter(isLost).map(({ uid }) => uid)
}

/** Throws a Refusal for files that are not where the processes look for them. */
async function checkFiles(parts: Parts, database: DatabaseDocument, { data_files: files }: RecoveryRequest) {
  if (files === undefined || files.length === 0) return
  const plan = await planOf(parts, database)
  for (const [index, file] of files.entries()) {
    const isPlanned = plan.data_files.some((planned) =>
      (['filename', 'node_uid', 'shard_slots', 'shard_uid'] as const).every(
        (name) => file[name] === undefined || file[name] === planned[name],
      ),
    )
    if (isPlanned) continue
    const description = `data_files[${index}] is none of the recovery plan. Put the file in the place of that one instead.`
    refuse('unsupported_feature', { field: `data_files[${index}]`, description })
  }
}

function databaseAt({ state }: Parts, uid = '') {
  return state.databases.get(uid) ?? noSuchDatabase(uid)
}

function notRecoverable(description: string): never {
  return refuse('not_recoverable', { description })
}
