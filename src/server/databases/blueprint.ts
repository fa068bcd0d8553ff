/**
 * A blueprint: which hash slots go together on one shard, and on which nodes its processes are. Read from the
 * `shards_blueprint` of a create or an update, and told by whoever proposes another placement. It is an order for once
 * and no setting, which is why the object of a database does not have it.
 */
import type { DatabaseConfig } from '#model/database/schema.ts'
import type { ShardPlace } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { type SlotRange, slotsIn, slotText } from '#model/slots.ts'
import { isWhole } from '#plan/balance.ts'
import { leadOf } from '#plan/leads.ts'
import { refuse } from '../errors.ts'
import type { Parts } from '../parts.ts'

export type Blueprint = readonly {
  readonly slots: readonly SlotRange[]
  readonly nodes: readonly { readonly node_uid: string; readonly role: string }[]
}[]

const FIELD = 'shards_blueprint'
const MAX_SHARDS = 512

/** The body without its blueprint. Throws a Refusal when that makes no sense by itself. */
export function takeBlueprint(body: Readonly<Record<string, unknown>>): {
  readonly blueprint: Blueprint | undefined
  readonly body: Readonly<Record<string, unknown>>
} {
  const { [FIELD]: given, ...rest } = body
  return given === undefined ? { blueprint: undefined, body } : { blueprint: parse(given), body: rest }
}

/** Throws a Refusal when the blueprint does not fit the database, or the cluster. */
export function checkBlueprint({ state }: Parts, blueprint: Blueprint, config: DatabaseConfig): void {
  const { sharding, shards_count, replication } = config
  if (!sharding) bad('A database that is not sharded has its one place already: set sharding, or leave it out.')
  if (blueprint.length !== shards_count)
    bad(`It has ${blueprint.length} shards; shards_count is ${shards_count}. They must be as many.`)
  for (const [index, { nodes }] of blueprint.entries()) {
    const roles = nodes.map(({ role }) => role).sort()
    const wanted = replication ? ['master', 'slave'] : ['master']
    if (roles.join() !== wanted.join())
      bad(`${FIELD}[${index}].nodes must have ${wanted.join(' and ')}: replication is ${replication}.`)
    const unknown = nodes.find(({ node_uid }) => !state.nodes.get(node_uid))
    if (unknown) bad(`${FIELD}[${index}].nodes: there is no node ${unknown.node_uid.slice(0, 40)}.`)
  }
}

/** What `places` are, in the form of a blueprint, in the order of their slots. */
export function blueprintOf(places: readonly ShardPlace[], leads: readonly Lead[]): object[] {
  const groups = new Map(places.map((place) => [place.group, place.slots]))
  const roleOf = (place: ShardPlace) => (leadOf(leads, places, place).shardUid === place.uid ? 'master' : 'slave')
  return [...groups]
    .filter(([, slots]) => slots.length > 0)
    .sort(([, a], [, b]) => (a[0]?.first ?? 0) - (b[0]?.first ?? 0))
    .map(([group, slots]) => ({
      nodes: places
        .filter((place) => place.group === group)
        .map((place) => ({ node_uid: String(place.nodeUid), role: roleOf(place) }))
        .sort((a, b) => a.role.localeCompare(b.role)),
      slot_range: slotText(slots),
    }))
}

function parse(given: unknown): Blueprint {
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_SHARDS)
    return bad(`${FIELD} must be a list of 1 to ${MAX_SHARDS} shards, each with nodes and a slot_range.`)
  const blueprint = given.map((shard: unknown, index) => {
    const place = `${FIELD}[${index}]`
    const { nodes, slot_range, ...others } = objectAt(shard, place)
    const [unknown] = Object.keys(others)
    if (unknown !== undefined) bad(`${place} has nodes and a slot_range, and no ${unknown.slice(0, 40)}.`)
    const slots = typeof slot_range === 'string' ? slotsIn(slot_range) : null
    if (!slots) return bad(`${place}.slot_range must be slots such as "0-8191" or "0-99,200-299".`)
    if (!Array.isArray(nodes)) return bad(`${place}.nodes must be a list of nodes.`)
    return { slots, nodes: nodes.map((node: unknown, at) => nodeAt(node, `${place}.nodes[${at}]`)) }
  })
  if (!isWhole(blueprint.map(({ slots }) => slots)))
    bad('The slot ranges together must have every slot from 0 to 16383 exactly once.')
  return blueprint
}

function nodeAt(node: unknown, place: string) {
  const { node_uid, role } = objectAt(node, place)
  const isUid = typeof node_uid === 'string' || typeof node_uid === 'number'
  if (!isUid || (role !== 'master' && role !== 'slave'))
    return bad(`${place} must have a node_uid, and a role that is "master" or "slave".`)
  return { node_uid: String(node_uid), role }
}

function objectAt(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad(`${place} must be an object.`)
  return { ...value }
}

function bad(description: string): never {
  return refuse('bad_shards_blueprint', { field: FIELD, description })
}
