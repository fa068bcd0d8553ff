/**
 * PUT of a database, alone or with an action (flush, reset_admin_pass). `dry_run` answers with what would happen.
 */
import { isDeepStrictEqual } from 'node:util'
import { withSnapshotPolicy, withTlsMode } from '#model/database/rules.ts'
import type { DatabaseConfig } from '#model/database/schema.ts'
import { NOTHING_GIVEN } from '#model/documents/cluster.ts'
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import { slotText } from '#model/slots.ts'
import type { DatabaseEdit } from '#plan/change.ts'
import { placesFor, withoutReplicas } from '#plan/placement.ts'
import { needsInnerPort } from '#plan/serving.ts'
import { refuse } from '../errors.ts'
import { flag, objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { type Blueprint, checkBlueprint, takeBlueprint } from './blueprint.ts'
import { type Changed, changeDatabase } from './change.ts'
import { checkConfig, checkMemory, checkRolesPermissions } from './check.ts'
import { newPassword } from './create.ts'
import { wireRole } from './leaders.ts'
import { masked, withoutMasks } from './masking.ts'
import { type GivenFields, parseDatabase } from './parse.ts'
import { choosePort, innerPort, withPorts } from './ports.ts'
import { answerDatabase } from './read.ts'
import { renderDatabase } from './render.ts'
import { checkSplit } from './split.ts'
import { hidesSecrets } from './visibility.ts'

/** What a restart of one process costs, as measured by `npm run bench` with an empty database. */
const RESTART_SECONDS = 0.1

export function updateDatabase(request: ApiRequest, parts: Parts): Promise<Answer> {
  return update(request, parts, (edit) => edit)
}

/** What may need ports or uids that nobody has. */
const DRAWS = [
  ...['port', 'sharding', 'shards_count', 'replication', 'shards_blueprint'],
  ...['tls_mode', 'ssl', 'enforce_client_authentication', 'client_cert_subject_validation_type', 'authorized_names'],
  'data_internode_encryption',
]

type Act = (edit: DatabaseEdit, database: DatabaseDocument) => DatabaseEdit

const ACTIONS: Readonly<Record<string, Act>> = {
  flush: (edit, { lastFlush }) => ({ ...edit, flushes: lastFlush + 1 }),
  reset_admin_pass: (edit) => ({ ...edit, config: { ...edit.config, authentication_admin_pass: newPassword() } }),
}

export const UPDATE_ACTIONS = Object.keys(ACTIONS)

export function updateDatabaseWithAction(request: ApiRequest, parts: Parts): Promise<Answer> {
  const name = request.params.action ?? ''
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
  if (!action) {
    const description = `There is no action ${JSON.stringify(name.slice(0, 40))}; there are: ${UPDATE_ACTIONS.join(', ')}.`
    return refuse('unknown_action', { field: 'action', description })
  }
  return update(request, parts, action)
}

async function update(request: ApiRequest, parts: Parts, act: Act): Promise<Answer> {
  const dryRun = flag(request.query, 'dry_run')
  const whole = request.body === undefined ? {} : withoutMasks(objectBody(request.body))
  const { blueprint, body } = takeBlueprint(whole)
  const change = () =>
    changeDatabase(request, parts, { dryRun }, async (database) => {
      const shown = parts.databases.one(database.uid, { extended: true, masked: false })?.object
      return act(await edited(parts, database, parseDatabase(body, 'update', shown), blueprint), database)
    })
  const changed = await (DRAWS.some((name) => name in whole) ? parts.allocation.run(change) : change())
  return dryRun ? preview(request, parts, changed) : answerDatabase(request, parts, changed.after.uid)
}

/** The document with the given fields in place. Throws a Refusal when they do not fit. */
export async function edited(
  parts: Parts,
  database: DatabaseDocument,
  given: GivenFields,
  blueprint?: Blueprint,
): Promise<DatabaseEdit> {
  const { uid, extraPasswords, flushes, isTrafficStopped = false, engine } = database
  const { uid: _uid, port, ...fields } = given
  const config = withTlsMode(withSnapshotPolicy({ ...database.config, ...fields }), database.config)
  // `port: 0` comes back from a GET of a database whose port was chosen: it asks for nothing.
  let endpointPort = database.endpointPort
  if (port && port !== endpointPort) {
    endpointPort = await choosePort(parts, port, uid)
    config.port = port
  }
  checkConfig(parts, config, engine)
  if (fields.roles_permissions) checkRolesPermissions(parts, config)
  if (config.memory_size > database.config.memory_size) checkMemory(parts, config, uid)
  // A new password replaces every password there was: rotation goes through /passwords.
  const replaced =
    fields.authentication_redis_pass !== undefined &&
    fields.authentication_redis_pass !== database.config.authentication_redis_pass
  await checkSplit(parts, database, config)
  if (blueprint) checkBlueprint(parts, blueprint, config)
  const shards = await placesOf(parts, database, config, blueprint)
  return {
    config,
    extraPasswords: replaced ? [] : extraPasswords,
    endpointPort,
    innerPort: needsInnerPort(config) ? (database.innerPort ?? (await innerPort(parts))) : null,
    flushes,
    isTrafficStopped,
    engine,
    shards,
  }
}

/** Whoever draws the uid of a shard writes the counters; see change.ts. */
async function placesOf(
  parts: Parts,
  database: DatabaseDocument,
  config: DatabaseConfig,
  blueprint: Blueprint | undefined,
): Promise<ShardPlace[]> {
  const { state, nodeUid } = parts
  const { uid, shards } = database
  const leads = state.statuses.get(uid)?.value.leads ?? []
  // A process becomes one of several only by a restart, and brings what it has: only one may, or both would claim the slots.
  const isSplit = config.sharding !== database.config.sharding
  const before = isSplit ? withoutReplicas(shards, leads) : shards
  const places = placesFor(before, leads, {
    shardsCount: config.shards_count,
    isReplicated: config.replication,
    firstShardUid: { ...NOTHING_GIVEN, ...state.counters.get('')?.value }.shard + 1,
    nodeUid,
    shares: blueprint?.map(({ slots }) => slots),
  })
  return config.sharding ? await withPorts(parts, places) : places.map((place) => ({ ...place, ports: null }))
}

function preview(request: ApiRequest, parts: Parts, { before, after, impact }: Changed): Answer {
  const clusterName = parts.state.cluster.get('')?.value.name ?? ''
  const address = parts.state.nodes.get(parts.nodeUid)?.value.address ?? ''
  const status = parts.state.statuses.get(after.uid)?.value
  const isRole = (uid: number) => parts.state.roles.get(uid) !== undefined
  const render = (database: DatabaseDocument) =>
    renderDatabase(database, status, { clusterName, address, isRole }, false)
  const [old, next] = [render(before), render(after)]
  const derived = new Set(['status', 'action_uid', 'background_op', 'last_changed_time'])
  const names = Object.keys(next).filter((name) => !derived.has(name) && !isDeepStrictEqual(old[name], next[name]))
  const { action_uid, ...shown } = hidesSecrets(request, parts, after.uid) ? masked(next) : next
  return {
    json: {
      ...shown,
      status: old.status,
      dry_run: {
        changed_fields: names,
        processes_started: 0,
        processes_restarted: impact.restarts.map(({ shardUid, reason }) => ({ shard_uid: String(shardUid), reason })),
        processes_reconfigured: impact.concernsProcesses ? after.shards.length - impact.restarts.length : 0,
        placement: after.shards.map((shard) => ({
          shard_uid: String(shard.uid),
          node_uid: String(shard.nodeUid),
          role: wireRole(parts.state, after, shard),
          assigned_slots: slotText(shard.slots),
        })),
        impact_seconds: impact.restarts.length > 0 ? RESTART_SECONDS : 0,
      },
    },
  }
}
