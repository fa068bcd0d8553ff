/**
 * The body of a create or an update: the settable fields that were given, checked one by one. Names that known clients
 * send although they mean nothing are left out, as are read-only fields, so that what was read can be sent back.
 */
import { type DatabaseRequest, databaseParser } from '#model/database/schema.ts'
import { parseGiven } from '../http/parse.ts'

export type GivenFields = DatabaseRequest

/** `current`: the object as it is shown now, when it is being changed. Throws a Refusal that names the wrong field. */
export function parseDatabase(
  body: Readonly<Record<string, unknown>>,
  mode: 'create' | 'update',
  current?: Readonly<Record<string, unknown>>,
): GivenFields {
  return parseGiven(databaseParser(), { body }, mode, current)
}
