/**
 * The fields that a body gives of a user, a role or an ACL.
 */
import type { Mode, ObjectParser } from '#model/parse.ts'
import { isRefusalCode, refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { ApiRequest } from '../http/route.ts'

/** Throws a Refusal. */
export function parseGiven<T>(parser: ObjectParser<T>, request: ApiRequest, mode: Mode): T {
  const parsed = parser.parse(objectBody(request.body), mode)
  if (parsed.ok) return parsed.value
  const { code, field, description } = parsed.problem
  return refuse(isRefusalCode(code) ? code : 'invalid_field', { field, description })
}
