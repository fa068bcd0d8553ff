/**
 * Placing the shards of a database anew: what would be best (a blueprint), having it made so (rebalance), and changing
 * how many there are on the way (revamp). With one node the question is which slots go together: where, has one answer.
 */
import { withTlsMode } from '#model/database/rules.ts'
import type { DatabaseConfig } from '#model/database/schema.ts'
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import { balancedShares, type SlotLoads } from '#plan/balance.ts'
import { placesFor } from '#plan/placement.ts'
import { refuse } from '../errors.ts'
import { flag, objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { blueprintOf } from './blueprint.ts'
import { changeDatabase, type Editor } from './change.ts'
import { checkConfig, checkMemory } from './check.ts'
import { primariesOf } from './leaders.ts'
import { nothingToDo } from './nothing-to-do.ts'
import { parseDatabase } from './parse.ts'
import { noSuchDatabase } from './read.ts'
import { edited } from './update.ts'

const ASK_TIMEOUT_MS = 2_000
const TOPOLOGY = new Set([
  'avoid_nodes',
  'bigstore_ram_size',
  'memory_size',
  'replication',
  'shards_count',
  'shards_placement',
])

export function optimizedPlacement(request: ApiRequest, parts: Parts): Answer {
  const uid = request.params.uid ?? ''
  const database = parts.state.databases.get(uid)?.value ?? noSuchDatabase(uid)
  const given = parseDatabase(queried(request), 'update')
  const { uid: _uid, ...fields } = given
  const config = withTlsMode({ ...database.config, ...fields }, database.config)
  checkConfig(parts, config, database.engine)
  if (config.memory_size > database.config.memory_size) checkMemory(parts, config, database.uid)
  const leads = parts.state.statuses.get(uid)?.value.leads ?? []
  return { json: blueprintOf(placed(parts, database, config), leads) }
}

export async function rebalanceDatabase(request: ApiRequest, parts: Parts): Promise<Answer> {
  const onlyFailovers = flag(request.query, 'only_failovers')
  checkOperations(request, onlyFailovers)
  const uid = request.params.uid ?? ''
  const held = parts.state.databases.get(uid)?.value ?? noSuchDatabase(uid)
  const loads = held.config.sharding && !onlyFailovers ? await slotLoads(parts, held) : new Map()
  return await rearrange(request, parts, async (database) => {
    const { config, extraPasswords, endpointPort, innerPort, engine, flushes, isTrafficStopped = false } = database
    const shards: ShardPlace[] = config.sharding && !onlyFailovers ? balanced(database, loads) : [...database.shards]
    return { config, extraPasswords, endpointPort, innerPort, engine, flushes, isTrafficStopped, shards }
  })
}

export async function revampDatabase(request: ApiRequest, parts: Parts): Promise<Answer> {
  if (flag(request.query, 'pause_persistence')) {
    const description = 'Persistence is never paused here; leave pause_persistence false.'
    refuse('unsupported_feature', { field: 'pause_persistence', description })
  }
  const body = request.body === undefined ? {} : objectBody(request.body)
  const other = Object.keys(body).find((name) => !TOPOLOGY.has(name))
  if (other !== undefined) {
    const description = `A revamp changes ${[...TOPOLOGY].join(', ')}, and not ${other.slice(0, 40)}.`
    refuse('unknown_field', { field: other, description })
  }
  const editor: Editor = async (database) => {
    const edit = await edited(parts, database, parseDatabase(body, 'update'))
    return { ...edit, shards: edit.config.sharding ? balanced({ shards: edit.shards }, new Map()) : edit.shards }
  }
  return await parts.allocation.run(() => rearrange(request, parts, editor))
}

/** Answers with the blueprint of a dry run, else with the action that carries it out. */
async function rearrange(request: ApiRequest, parts: Parts, edit: Editor): Promise<Answer> {
  const dryRun = flag(request.query, 'dry_run')
  const { after, impact } = await changeDatabase(request, parts, { dryRun }, edit)
  const leads = parts.state.statuses.get(after.uid)?.value.leads ?? []
  if (dryRun) return { json: blueprintOf(after.shards, leads) }
  if (impact.concernsProcesses) return { json: { action_uid: after.actionUid } }
  return { json: { action_uid: await nothingToDo(parts, after.uid, 'everything is where it should be already') } }
}

/** Those that are about to go have none, and get none. */
function balanced(
  { shards }: { readonly shards: readonly ShardPlace[] },
  loads: SlotLoads,
  percent = 20,
): ShardPlace[] {
  const staying = shards.filter(({ slots }) => slots.length > 0)
  const shares = balancedShares(staying, loads, percent)
  return shards.map((place) => ({ ...place, slots: shares.get(place.group) ?? [] }))
}

/** As the primaries say at this moment. Throws a Refusal when one does not. */
async function slotLoads(parts: Parts, database: DatabaseDocument): Promise<SlotLoads> {
  const told = primariesOf(parts.state, database).map(async ({ uid, nodeUid, slots }) => {
    const loads = await parts.agents
      .get(nodeUid)
      ?.slotLoads(uid, slots, ASK_TIMEOUT_MS)
      .catch(() => undefined)
    return (
      loads ??
      refuse('bdb_unavailable', {
        description: `Shard ${uid} does not say what its hash slots hold: try again when it answers.`,
      })
    )
  })
  return new Map((await Promise.all(told)).flatMap((loads) => [...loads]))
}

function placed({ nodeUid }: Parts, database: DatabaseDocument, config: DatabaseConfig): ShardPlace[] {
  const isReplicated = config.replication
  const places = placesFor(database.shards, [], {
    shardsCount: config.shards_count,
    isReplicated,
    firstShardUid: Math.max(...database.shards.map(({ uid }) => uid)) + 1,
    nodeUid,
  })
  return balanced({ shards: places }, new Map())
}

/** As the fields of a database, from their texts in the query. */
function queried({ query }: ApiRequest): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(query)) {
    if (!TOPOLOGY.has(name) || text === undefined) continue
    if (name === 'replication') fields[name] = switched(text)
    else if (name === 'avoid_nodes') fields[name] = text.split(',').filter((uid) => uid !== '')
    else fields[name] = name === 'shards_placement' ? text : numberIn(name, text)
  }
  return fields
}

function switched(text: string): boolean {
  if (text === 'enabled' || text === 'true') return true
  if (text === 'disabled' || text === 'false') return false
  return refuse('invalid_query', { field: 'replication', description: 'replication must be enabled or disabled.' })
}

function numberIn(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  return refuse('invalid_query', { field: name, description: `${name} must be a whole number.` })
}

function checkOperations({ query }: ApiRequest, onlyFailovers: boolean): void {
  const { max_operations: text } = query
  if (text === undefined) return
  if (numberIn('max_operations', text) > 0 && onlyFailovers) return
  const description = 'max_operations must be at least 1, and goes with only_failovers=true only.'
  refuse('invalid_query', { field: 'max_operations', description })
}
