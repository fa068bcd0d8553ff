/**
 * The fields that a body gives of an object, as its schema reads them.
 */
import type { Mode, ObjectParser } from '#model/parse.ts'
import type { Problem } from '#model/problem.ts'
import { isRefusalCode, refuse } from '../errors.ts'
import { objectBody } from './body.ts'

/**
 * Only what can be set. `current`: the object as it is shown now, where parts of its fields may be sent, or some chosen
 * only once. Throws a Refusal that names the wrong field.
 */
export function parseGiven<T>(
  parser: ObjectParser<T>,
  { body }: { readonly body: unknown },
  mode: Mode,
  current?: Readonly<Record<string, unknown>>,
): T {
  const parsed = parser.parse(objectBody(body), mode, current)
  return parsed.ok ? parsed.value : refuseProblem(parsed.problem)
}

export function refuseProblem({ code, field, description }: Problem): never {
  return refuse(isRefusalCode(code) ? code : 'invalid_field', { field, description })
}
