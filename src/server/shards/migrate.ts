/**
 * Moving shards to another node. A shard that is there already stays, which the reference says costs nothing: with one
 * node that is every shard that may be asked for, and any other node is refused because nobody knows it.
 */

import { isBusy } from '#model/database/status.ts'
import { nothingToDo } from '../databases/nothing-to-do.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { databaseOfShard, shardUidsIn } from './asked.ts'

const FLAGS = ['override_rack_policy', 'dry_run', 'preserve_roles'] as const
const KNOWN = new Set<string>([...FLAGS, 'shard_uids', 'target_node_uid', 'max_concurrent_bdb_migrations'])

export function migrateShard(request: ApiRequest, parts: Parts): Promise<Answer> {
  return migrate(request, parts, [request.params.uid ?? ''])
}

export function migrateShards(request: ApiRequest, parts: Parts): Promise<Answer> {
  return migrate(request, parts, shardUidsIn(request))
}

async function migrate(request: ApiRequest, parts: Parts, uids: readonly string[]): Promise<Answer> {
  const { state } = parts
  const body = request.body === undefined ? {} : objectBody(request.body)
  checkOptions(body)
  const databases = uids.map((uid) => databaseOfShard(request, parts, uid, 'migrate_shard'))
  const { target_node_uid: target } = body
  if (target === undefined)
    refuse('node_not_found', { field: 'target_node_uid', description: 'target_node_uid must say where to.' })
  if (!state.nodes.get(String(target))) {
    const description = `There is no node with the uid ${String(target).slice(0, 40)}.`
    refuse('node_not_found', { field: 'target_node_uid', description })
  }
  const busy = databases.find(isBusy)
  if (busy) refuse('db_busy', { description: `Database ${busy.uid} is being changed.` })
  if (body.dry_run === true) return { json: null }
  const [first] = databases
  const action_uid = await nothingToDo(parts, first?.uid ?? 0, 'every shard is on the node already')
  return { json: { action_uid, description: 'Migrate was triggered' } }
}

function checkOptions(body: Readonly<Record<string, unknown>>): void {
  const unknown = Object.keys(body).find((name) => !KNOWN.has(name))
  if (unknown !== undefined) {
    const description = `There is no field ${JSON.stringify(unknown.slice(0, 40))} here; ${[...KNOWN].join(', ')} are.`
    refuse('unknown_field', { field: unknown, description })
  }
  for (const name of FLAGS) {
    if (body[name] !== undefined && typeof body[name] !== 'boolean')
      refuse('invalid_field', { field: name, description: `${name} must be true or false.` })
  }
}
