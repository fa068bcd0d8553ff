/**
 * The fields that a body gives of a user, a role or an ACL.
 */
import type { Mode, ObjectParser } from '#model/parse.ts'
import { isRefusalCode, refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { ApiRequest } from '../http/route.ts'

/** `current`: the object as it is, where parts of its fields may be sent. Throws a Refusal. */
export function parseGiven<T>(parser: ObjectParser<T>, request: ApiRequest, mode: Mode, current?: object): T {
  const parsed = parser.parse(objectBody(request.body), mode, current && { ...current })
  if (parsed.ok) return parsed.value
  const { code, field, description } = parsed.problem
  return refuse(isRefusalCode(code) ? code : 'invalid_field', { field, description })
}
