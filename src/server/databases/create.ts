/**
 * POST of a database: parse, check, choose what was left open, write the document and its action in one transaction.
 * The reconciler makes it so. One create at a time draws uids and ports, so that they do not fight each other over them;
 * the transaction's compares still decide, since another node may create at the same moment.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { ClusterPolicy } from '#model/cluster-policy.ts'
import { withSnapshotPolicy, withTlsMode } from '#model/database/rules.ts'
import { type DatabaseConfig, databaseDefaults } from '#model/database/schema.ts'
import { type CountersDocument, NOTHING_GIVEN } from '#model/documents/cluster.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { defaultsOf } from '#model/parse.ts'
import { PROXY_POLICIES } from '#model/proxy-policies.ts'
import { slotText } from '#model/slots.ts'
import { newAction } from '#plan/action.ts'
import { placesFor } from '#plan/placement.ts'
import { needsInnerPort } from '#plan/serving.ts'
import { shardMemoryBytes } from '#plan/shard-spec.ts'
import type { Held } from '#store/collection.ts'
import type { Change, Compare } from '#store/contract.ts'
import { refuse } from '../errors.ts'
import { flag, objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { type Blueprint, checkBlueprint, takeBlueprint } from './blueprint.ts'
import { checkConfig, checkMemory, checkRolesPermissions, chooseEngine } from './check.ts'
import { wireRole } from './leaders.ts'
import { checkStateId, expectedStateId } from './locks.ts'
import { masked } from './masking.ts'
import { parseDatabase } from './parse.ts'
import { choosePort, innerPort, withPorts } from './ports.ts'
import { answerDatabase } from './read.ts'
import { renderDatabase } from './render.ts'
import { hidesSecrets } from './visibility.ts'

const POLICY_DEFAULTS = defaultsOf(ClusterPolicy)
/** Another writer can win this often before we say that the cluster is busy. */
const TRIES = 20

export async function createDatabase(request: ApiRequest, parts: Parts): Promise<Answer> {
  return create(request, parts, objectBody(request.body))
}

/** The same under `bdb`, as /v2 has it. */
export async function createDatabaseV2(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { bdb, recovery_plan, ...rest } = objectBody(request.body)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) {
    refuse('unknown_field', {
      field: unknown,
      description: `There is no field ${JSON.stringify(unknown)} here; bdb is.`,
    })
  }
  if (bdb === undefined) refuse('missing_field', { field: 'bdb', description: 'The database belongs under "bdb".' })
  if (recovery_plan !== undefined) {
    const description = 'A recovery plan cannot be carried out here yet; leave recovery_plan out.'
    refuse('unsupported_feature', { field: 'recovery_plan', description })
  }
  return create(request, parts, objectBody(bdb))
}

async function create(request: ApiRequest, parts: Parts, body: Readonly<Record<string, unknown>>): Promise<Answer> {
  const dryRun = flag(request.query, 'dry_run')
  const { blueprint, body: fields } = takeBlueprint(body)
  const wanted = parseDatabase(fields, 'create')
  const repeat = idempotency(request, { ...wanted, ...(blueprint && { blueprint }) })
  const ifStateId = expectedStateId(request)
  return parts.allocation.run(async () => {
    for (let tries = 0; tries < TRIES; tries++) {
      const earlier = repeat && answerOfEarlier(request, parts, repeat)
      if (earlier) return earlier
      checkStateId(parts, ifStateId)
      const draft = await draftDatabase(parts, wanted, blueprint)
      if (dryRun) return preview(request, parts, draft.database)
      const outcome = await parts.state.view.commit({
        compare: [...draft.compare, ...(repeat ? [parts.state.idempotency.unchanged(repeat.id, undefined)] : [])],
        changes: [...draft.changes, ...(repeat ? [remembered(parts, repeat, draft.database.uid)] : [])],
        configuration: true,
        ifStateId,
      })
      if (outcome.committed) return answerDatabase(request, parts, draft.database.uid)
    }
    return refuse('busy', { description: 'Too many databases are being created at once; try again.' })
  })
}

type Draft = { readonly database: DatabaseDocument; readonly compare: Compare[]; readonly changes: Change[] }

async function draftDatabase(
  parts: Parts,
  wanted: Partial<DatabaseConfig> & { uid?: number },
  blueprint: Blueprint | undefined,
): Promise<Draft> {
  const { state } = parts
  const config = withDefaults(parts, wanted)
  const engine = chooseEngine(parts, config.redis_version)
  checkConfig(parts, config, engine)
  checkRolesPermissions(parts, config)
  checkMemory(parts, config, undefined)
  if (blueprint) checkBlueprint(parts, blueprint, config)
  const counters = state.counters.get('')
  const uid = chooseUid(parts, wanted.uid, counters)
  const endpointPort = await choosePort(parts, config.port, undefined)
  const firstShardUid = (counters?.value.shard ?? 0) + 1
  const nowMs = parts.now()
  const nowIso = new Date(nowMs).toISOString()
  const description = 'starting its processes'
  const action = newAction({ uid: randomUUID(), kind: 'create-database', databaseUid: uid, description }, nowMs)
  const places = placesFor([], [], {
    shardsCount: config.shards_count,
    isReplicated: config.replication,
    firstShardUid,
    nodeUid: parts.nodeUid,
    shares: blueprint?.map(({ slots }) => slots),
  })
  const shards = config.sharding ? await withPorts(parts, places) : places
  const database: DatabaseDocument = {
    uid,
    generation: 1,
    edition: 1,
    createdAt: nowIso,
    changedAt: nowIso,
    config,
    extraPasswords: [],
    endpointPort,
    innerPort: needsInnerPort(config) ? await innerPort(parts) : null,
    engine: { name: engine.name, version: engine.version },
    shards,
    flushes: 0,
    lastFlush: 0,
    handOver: [],
    actionUid: action.uid,
    previous: null,
    deletion: null,
  }
  const given = counters?.value ?? NOTHING_GIVEN
  const next: CountersDocument = {
    ...given,
    database: Math.max(given.database, uid),
    shard: firstShardUid + shards.length - 1,
  }
  return {
    database,
    compare: [state.counters.unchanged('', counters), state.databases.unchanged(uid, undefined)],
    changes: [state.databases.put(uid, database), state.actions.put(action.uid, action), state.counters.put('', next)],
  }
}

function withDefaults(parts: Parts, wanted: Partial<DatabaseConfig>): DatabaseConfig {
  if (wanted.name === undefined || wanted.name === '') refuse('missing_db_name', { field: 'name' })
  if (wanted.memory_size === undefined) refuse('missing_memory_size', { field: 'memory_size' })
  const policy = parts.state.cluster.get('')?.value.policy ?? {}
  const config: DatabaseConfig = { ...databaseDefaults(), ...wanted }
  if (wanted.redis_version === undefined && typeof policy.default_provisioned_redis_version === 'string') {
    config.redis_version = policy.default_provisioned_redis_version
  }
  if (
    wanted.tracking_table_max_keys === undefined &&
    typeof policy.default_tracking_table_max_keys_policy === 'number'
  ) {
    config.tracking_table_max_keys = policy.default_tracking_table_max_keys_policy
  }
  if (wanted.proxy_policy === undefined) {
    const name = config.sharding ? 'default_sharded_proxy_policy' : 'default_non_sharded_proxy_policy'
    const preset = policy[name] ?? POLICY_DEFAULTS[name]
    config.proxy_policy = PROXY_POLICIES.find((one) => one === preset) ?? config.proxy_policy
  }
  if (wanted.data_internode_encryption === undefined)
    config.data_internode_encryption = policy.data_internode_encryption === true
  // There is always an administrative account, so that its password must be made up when none is given.
  if (!config.authentication_admin_pass) config.authentication_admin_pass = newPassword()
  return withTlsMode(withSnapshotPolicy(config), databaseDefaults())
}

export function newPassword(): string {
  return randomBytes(24).toString('base64url')
}

function chooseUid(parts: Parts, wanted: number | undefined, counters: Held<CountersDocument> | undefined): number {
  if (wanted === undefined) return (counters?.value.database ?? 0) + 1
  if (parts.state.databases.get(wanted)) {
    refuse('uid_exists', { field: 'uid', description: `Database ${wanted} exists already.` })
  }
  return wanted
}

/** What would come of it: the whole object, where its shards would go, and that nothing else would be touched. */
function preview(request: ApiRequest, parts: Parts, database: DatabaseDocument): Answer {
  const clusterName = parts.state.cluster.get('')?.value.name ?? ''
  const address = parts.state.nodes.get(parts.nodeUid)?.value.address ?? ''
  const isRole = (uid: number) => parts.state.roles.get(uid) !== undefined
  const whole = renderDatabase(database, undefined, { clusterName, address, isRole }, false)
  const object = hidesSecrets(request, parts, database.uid) ? masked(whole) : whole
  const placement = database.shards.map((shard) => ({
    shard_uid: String(shard.uid),
    node_uid: String(shard.nodeUid),
    role: wireRole(parts.state, database, shard),
    assigned_slots: slotText(shard.slots),
    memory_bytes: shardMemoryBytes(database.config),
  }))
  const { action_uid, ...shown } = object
  return {
    json: {
      ...shown,
      dry_run: {
        changed_fields: [],
        processes_started: placement.length,
        processes_restarted: [],
        placement,
        impact_seconds: 0,
      },
    },
  }
}

type Repeat = { readonly id: string; readonly requestDigest: string }

/** A key that makes the create safe to repeat: the same request under it is answered, not carried out, again. */
function idempotency(request: ApiRequest, wanted: object): Repeat | undefined {
  const key = request.header('idempotency-key')
  if (key === undefined) return undefined
  if (key === '' || key.length > 255) {
    const description = 'Idempotency-Key must have 1 to 255 characters.'
    refuse('invalid_header', { field: 'idempotency-key', description })
  }
  const digest = (text: string) => createHash('sha256').update(text).digest('hex')
  const { userUid, userName } = request.caller ?? {}
  // People of a directory have no number; no number begins with a slash.
  const who = userUid === 0 ? `/${userName}` : userUid
  return { id: digest(`${who} ${key}`), requestDigest: digest(JSON.stringify(wanted)) }
}

function answerOfEarlier(request: ApiRequest, parts: Parts, repeat: Repeat): Answer | undefined {
  const earlier = parts.state.idempotency.get(repeat.id)
  if (!earlier) return undefined
  if (earlier.value.requestDigest !== repeat.requestDigest) {
    refuse('idempotency_key_reused', { field: 'idempotency-key' })
  }
  return answerDatabase(request, parts, earlier.value.databaseUid)
}

function remembered(parts: Parts, repeat: Repeat, databaseUid: number): Change {
  const { requestDigest } = repeat
  return parts.state.idempotency.put(repeat.id, { requestDigest, databaseUid, createdAtMs: parts.now() })
}
