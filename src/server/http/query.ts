/**
 * Query parameters that several routes share, as the OpenAPI document shows them.
 */
import Type from 'typebox'
import { refuse } from '../errors.ts'
import type { ApiRequest, QueryParameter } from './route.ts'

export const FIELDS: QueryParameter = {
  name: 'fields',
  description: 'Comma-separated names: answer with these fields only',
  schema: Type.String(),
}

export const EXTENDED: QueryParameter = {
  name: 'extended',
  description: 'Also show the configuration of modules',
  schema: Type.Boolean(),
}

export const DRY_RUN: QueryParameter = {
  name: 'dry_run',
  description: 'Check everything, change nothing, and answer with what would happen',
  schema: Type.Boolean(),
}

export const TIMES: readonly QueryParameter[] = [
  { name: 'stime', description: 'Nothing before this time, ISO 8601', schema: Type.String() },
  { name: 'etime', description: 'Nothing after this time, ISO 8601', schema: Type.String() },
]

/** A date alone is the beginning of its day, UTC; a time without a zone is UTC too. */
const ISO_8601 = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/i

/** Throws a Refusal. */
export function timeIn(query: ApiRequest['query'], name: string, otherwise: number): number {
  // A plus sign in a query is a space.
  const text = query[name]?.replace(' ', '+')
  if (!text) return otherwise
  const [, time, , , zone] = ISO_8601.exec(text) ?? []
  const ms = Date.parse(time !== undefined && zone === undefined ? `${text}Z` : text.replace(',', '.'))
  if (!ISO_8601.test(text) || Number.isNaN(ms)) {
    const description = `${name} must be a time like 2026-01-31T12:00:00Z.`
    refuse('invalid_query', { field: name, description })
  }
  return ms
}

/** A number within the bounds of the parameter's schema, or its default. Throws a Refusal. */
export function wholeNumber({ query }: ApiRequest, { name, schema }: QueryParameter): number {
  const { minimum, maximum, default: preset }: { minimum?: number; maximum?: number; default?: number } = schema
  const text = query[name]
  if (text === undefined) return Number(preset)
  const value = Number(text)
  if (/^\d{1,9}$/.test(text) && value >= Number(minimum) && value <= Number(maximum)) return value
  const description = `${name} must be a whole number from ${minimum} to ${maximum}.`
  return refuse('invalid_query', { field: name, description })
}
