/**
 * What databases copy from elsewhere, by Replica Of or as peers of an Active-Active database: nothing yet. Whoever asks
 * how it goes hears that there is nothing to go.
 */
import Type from 'typebox'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { noSuchDatabase } from '../databases/read.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import type { ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'

const SyncerState = Type.Record(Type.String(), Type.Integer())
const Migration = Type.Object({
  migration: Type.Object({
    status: Type.String(),
    lag: Type.Integer(),
    rdb_size: Type.Integer(),
    rdb_transferred: Type.Integer(),
    run_id: Type.String(),
    flush_counter: Type.Integer(),
    source_shards: Type.Array(Type.Object({ replication_id: Type.String(), replication_offset: Type.Integer() })),
    error: Type.Object({ error_code: Type.String(), message: Type.String(), timestamp: Type.String() }),
  }),
})

export const sourceRoutes: readonly Route[] = [
  ...(['/v1/bdbs/{uid}/syncer_state', '/v1/bdbs/{uid}/syncer_state/crdt'] as const).map(
    (path): Route => ({
      method: 'GET',
      path,
      access: 'view_bdb_info',
      summary: 'How far a database has copied from its peers: it has none',
      answers: SyncerState,
      refusals: ['db_not_exist', 'db_not_active_active'],
      handle: (request, parts) => {
        databaseIn(request, parts)
        return refuse('db_not_active_active')
      },
    }),
  ),
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}/syncer_state/replica',
    access: 'view_bdb_info',
    summary: 'How far a database has copied from its sources: it has none',
    answers: SyncerState,
    refusals: ['db_not_exist', 'source_not_exist'],
    handle: noSource,
  },
  {
    method: 'GET',
    path: '/v1/migrations/{uid}',
    access: 'view_bdb_info',
    summary: 'How the migration into a database by Replica Of goes: there is none',
    answers: Migration,
    refusals: ['db_not_exist', 'source_not_exist'],
    handle: noSource,
  },
]

function noSource(request: ApiRequest, parts: Parts): never {
  const { uid } = databaseIn(request, parts)
  return refuse('source_not_exist', { description: `Database ${uid} copies from no other.` })
}

/** One out of the caller's reach is none. */
function databaseIn(request: ApiRequest, { state }: Parts): DatabaseDocument {
  const { uid = '' } = request.params
  const held = state.databases.get(uid)
  return held && isInReach(request, held.value.uid, 'view_bdb_info') ? held.value : noSuchDatabase(uid)
}
