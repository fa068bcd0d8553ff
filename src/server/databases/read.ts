/**
 * GET of databases: all of them or one, whole or narrowed to some fields.
 */
import { refuse } from '../errors.ts'
import { flag } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import type { RenderedDatabase } from './render.ts'
import { hidesSecrets, isInReach } from './visibility.ts'

export function readDatabases(request: ApiRequest, parts: Parts): Answer {
  const { caller, query } = request
  const extended = flag(query, 'extended')
  const fields = fieldNames(query)
  // Nobody is special: the same bytes go to all who may see everything.
  if (!extended && !fields && !caller?.rights.isLimited)
    return { json: parts.databases.list(hidesSecrets(request, parts, 0)) }
  const shown = parts.databases.uids
    .filter((uid) => isInReach(request, uid, 'view_all_bdbs_info'))
    .flatMap((uid) => parts.databases.one(uid, { extended, masked: hidesSecrets(request, parts, uid) }) ?? [])
  return { json: shown.map(({ object }) => narrowed(object, fields)) }
}

export function readDatabase(request: ApiRequest, parts: Parts): Answer {
  const { params, query } = request
  const shown = { extended: flag(query, 'extended'), fields: fieldNames(query) }
  return answerDatabase(request, parts, params.uid ?? '', shown)
}

/** The database as it is now and as the caller may see it, with its ETag. */
export function answerDatabase(
  request: ApiRequest,
  parts: Parts,
  uid: string | number,
  shown: { extended: boolean; fields: ReadonlySet<string> | undefined } = { extended: false, fields: undefined },
): Answer {
  const form = { extended: shown.extended, masked: hidesSecrets(request, parts, Number(uid)) }
  const made = parts.databases.one(uid, form)
  if (!made) return noSuchDatabase(uid)
  const headers = { etag: made.etag }
  return { json: shown.fields ? narrowed(made.object, shown.fields) : made.json, headers }
}

export function noSuchDatabase(uid: string | number): never {
  return refuse('db_not_exist', { description: `There is no database with the uid ${String(uid).slice(0, 40)}.` })
}

/** Undefined: all of them. Names that no object has simply find nothing. */
export function fieldNames(query: Readonly<Record<string, string>>): ReadonlySet<string> | undefined {
  if (query.fields === undefined || query.fields === '') return undefined
  return new Set(query.fields.split(',').map((name) => name.trim()))
}

export function narrowed(object: RenderedDatabase, fields: ReadonlySet<string> | undefined): RenderedDatabase {
  if (!fields) return object
  const few: Record<string, unknown> = {}
  for (const name of fields) if (Object.hasOwn(object, name)) few[name] = object[name]
  return few
}
