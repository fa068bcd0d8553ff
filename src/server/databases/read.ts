/**
 * GET of databases: all of them or one, whole or narrowed to some fields.
 */
import { refuse } from '../errors.ts'
import { flag } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import type { RenderedDatabase } from './render.ts'

export function readDatabases({ query }: ApiRequest, parts: Parts): Answer {
  const extended = flag(query, 'extended')
  const fields = fieldNames(query)
  if (!extended && !fields) return { json: parts.databases.list() }
  return { json: parts.databases.all(extended).map(({ object }) => narrowed(object, fields)) }
}

export function readDatabase({ params, query }: ApiRequest, parts: Parts): Answer {
  return answerDatabase(parts, params.uid ?? '', { extended: flag(query, 'extended'), fields: fieldNames(query) })
}

/** The database as it is now, with its ETag. */
export function answerDatabase(
  parts: Parts,
  uid: string | number,
  shown: { extended: boolean; fields: ReadonlySet<string> | undefined } = { extended: false, fields: undefined },
): Answer {
  const made = parts.databases.one(uid, shown.extended)
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
