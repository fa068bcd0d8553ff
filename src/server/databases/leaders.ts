/**
 * Which processes of a database lead, as it is recorded: those that answer applications.
 */
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import { leadOf } from '#plan/leads.ts'
import type { State } from '#store/state.ts'

export function primariesOf(state: State, database: DatabaseDocument): ShardPlace[] {
  return database.shards.filter((place) => wireRole(state, database, place) === 'master')
}

export function wireRole(state: State, database: DatabaseDocument, place: ShardPlace): 'master' | 'slave' {
  const leads = state.statuses.get(database.uid)?.value.leads ?? []
  return leadOf(leads, database.shards, place).shardUid === place.uid ? 'master' : 'slave'
}
