/**
 * Active-Active databases: no open engine merges the writes of several clusters, so there is none, and none can be made.
 * Lists are empty, whatever is asked of one by its number is asked of something that is not there, and making one is
 * refused with the reason.
 */
import Type, { type TSchema } from 'typebox'
import { CrdbHealthReport, CrdbObject, CrdbTaskObject } from '#model/crdb.ts'
import { NO_ACTIVE_ACTIVE } from '#model/database/active-active.ts'
import type { Permission } from '#model/permissions.ts'
import { refuse } from '../errors.ts'
import { flag, objectBody } from '../http/body.ts'
import { DRY_RUN } from '../http/query.ts'
import type { Answer, ApiRequest, Method, QueryParameter, Route } from '../http/route.ts'

/** Told from others by their schema: a flag, or a number. */
const INSTANCE: QueryParameter = {
  name: 'instance_id',
  description: 'Ask this instance',
  schema: Type.Integer({ minimum: 1 }),
}
const ASYNC: QueryParameter = { name: 'async_flush', description: 'Do not wait for it', schema: Type.Boolean() }
const VERBOSE: QueryParameter = { name: 'verbose', description: 'Tell more of it', schema: Type.Boolean() }
const FORCE: QueryParameter = { name: 'force', description: 'Also when it is nearly done', schema: Type.Boolean() }

const Body = Type.Record(Type.String(), Type.Unknown())

export const activeActiveRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/crdbs',
    access: 'view_crdb_list',
    summary: 'All Active-Active databases: none',
    answers: Type.Object({ crdbs: Type.Array(CrdbObject) }),
    refusals: [],
    handle: () => ({ json: { crdbs: [] } }),
  },
  {
    method: 'POST',
    path: '/v1/crdbs',
    access: 'create_crdb',
    summary: 'Make an Active-Active database: refused, with the reason',
    query: [DRY_RUN],
    body: CrdbObject,
    answers: CrdbTaskObject,
    refusals: ['invalid_query', 'unsupported_feature'],
    handle: refuseCrdb,
  },
  aboutOne('GET', '', 'view_crdb', 'One Active-Active database', { query: [INSTANCE], answers: CrdbObject }),
  aboutOne('PATCH', '', 'update_crdb', 'Change an Active-Active database', { body: CrdbObject }),
  aboutOne('DELETE', '', 'delete_crdb', 'Delete an Active-Active database'),
  aboutOne('PUT', '/flush', 'flush_crdb', 'Empty an Active-Active database', { query: [ASYNC] }),
  aboutOne('GET', '/health_report', 'view_crdb', 'How an Active-Active database is', {
    query: [INSTANCE],
    answers: Type.Array(CrdbHealthReport),
  }),
  aboutOne('PUT', '/purge', 'purge_instance', 'Delete what an instance that is gone has left', { body: Body }),
  aboutOne('POST', '/updates', 'update_crdb', 'Change an Active-Active database, or where it is', {
    query: [DRY_RUN],
    body: Body,
  }),
  aboutOne('POST', '/upgrade', 'upgrade_crdb', 'Bring an Active-Active database to another version', { body: Body }),
  {
    method: 'GET',
    path: '/v1/crdb_tasks',
    access: 'view_crdb_task_list',
    summary: 'The tasks of Active-Active databases: none',
    answers: Type.Array(CrdbTaskObject),
    refusals: [],
    handle: () => ({ json: [] }),
  },
  {
    method: 'GET',
    path: '/v1/crdb_tasks/{task_id}',
    access: 'view_crdb_task',
    summary: 'One task of an Active-Active database',
    query: [VERBOSE],
    answers: CrdbTaskObject,
    refusals: ['invalid_query', 'crdb_task_not_exist'],
    handle: (request) => noTask(request, [VERBOSE]),
  },
  {
    method: 'POST',
    path: '/v1/crdb_tasks/{task_id}/actions/cancel',
    access: 'update_crdb',
    summary: 'Cancel a task of an Active-Active database',
    query: [FORCE],
    refusals: ['invalid_query', 'crdb_task_not_exist'],
    handle: (request) => noTask(request, [FORCE]),
  },
]

type Wire = { readonly query?: readonly QueryParameter[]; readonly body?: TSchema; readonly answers?: TSchema }

function aboutOne(method: Method, end: string, access: Permission, summary: string, wire: Wire = {}): Route {
  const { query = [] } = wire
  return {
    method,
    path: `/v1/crdbs/{crdb_guid}${end}`,
    access,
    summary,
    answers: CrdbTaskObject,
    ...wire,
    refusals: ['crdb_not_exist', ...(query.length > 0 ? (['invalid_query'] as const) : [])],
    handle: (request) => noCrdb(request, query),
  }
}

function refuseCrdb(request: ApiRequest): Answer {
  checkQuery(request, [DRY_RUN])
  objectBody(request.body)
  return refuse('unsupported_feature', { description: NO_ACTIVE_ACTIVE })
}

function noCrdb(request: ApiRequest, query: readonly QueryParameter[]): never {
  checkQuery(request, query)
  const guid = JSON.stringify(request.params.crdb_guid?.slice(0, 60))
  return refuse('crdb_not_exist', { description: `There is no Active-Active database ${guid}.` })
}

function noTask(request: ApiRequest, query: readonly QueryParameter[]): never {
  checkQuery(request, query)
  const id = JSON.stringify(request.params.task_id?.slice(0, 60))
  return refuse('crdb_task_not_exist', { description: `There is no task ${id} of an Active-Active database.` })
}

function checkQuery({ query }: ApiRequest, known: readonly QueryParameter[]): void {
  for (const { name } of known) {
    if (name !== INSTANCE.name) flag(query, name)
    else if (query[name] !== undefined && !/^[1-9]\d{0,8}$/.test(query[name])) {
      const description = `${name} must be the number of an instance.`
      refuse('invalid_query', { field: name, description })
    }
  }
}
