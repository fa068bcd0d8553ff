/**
 * What can be asked of a whole node, or of the cluster as one: the names of the reference, and what each may be told.
 */
import { compileObject, type ObjectParser } from './parse.ts'
import { flag, list, type ObjectSchema, objectOf, text } from './shapes.ts'

export const NODE_ACTIONS = ['remove', 'maintenance_on', 'maintenance_off', 'enslave_node'] as const
export type NodeAction = (typeof NODE_ACTIONS)[number]

export const CLUSTER_ACTIONS = ['change_master'] as const

const LIMITS = { maxLength: 256 } as const

const SCHEMAS: Readonly<Record<NodeAction, ObjectSchema>> = {
  remove: objectOf('remove', {
    wait_for_persistence: flag(false, 'Wait until the shards have been saved where they go.'),
  }),
  maintenance_on: objectOf('maintenance_on', {
    overwrite_snapshot: flag(false, 'Replace the snapshot of an earlier maintenance.'),
    evict_ha_replica: flag(true, 'Replicas leave the node, too.'),
    evict_active_active_replica: flag(true, 'Those of Active-Active databases, too.'),
    evict_dbs: list(text('', 'The uid of a database.', LIMITS), 'Only shards of these leave.', 1_000),
    keep_slave_shards: flag(false, 'Replicas stay; the same under its older name.'),
  }),
  maintenance_off: objectOf('maintenance_off', {
    snapshot_name: text('', 'As which snapshot the node shall be again.', LIMITS),
    skip_shards_restore: flag(false, 'Shards stay where they are.'),
  }),
  enslave_node: objectOf('enslave_node', {}),
}

export const NODE_ACTION_BODIES: readonly ObjectSchema[] = Object.values(SCHEMAS)

const PARSERS: Readonly<Record<NodeAction, ObjectParser>> = {
  remove: compileObject(SCHEMAS.remove),
  maintenance_on: compileObject(SCHEMAS.maintenance_on),
  maintenance_off: compileObject(SCHEMAS.maintenance_off),
  enslave_node: compileObject(SCHEMAS.enslave_node),
}

export function isNodeAction(name: string): name is NodeAction {
  return Object.hasOwn(SCHEMAS, name)
}

export function nodeActionParser(action: NodeAction): ObjectParser {
  return PARSERS[action]
}
