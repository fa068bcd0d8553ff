/**
 * Request bodies: JSON, whatever the client calls it as long as it does not call it something else. Clients send
 * charsets, send a content type with no body at all, and (Python's requests with `data=`) a body with no content type.
 */
import { Refusal, refuse } from '../errors.ts'

/** Undefined for an empty body. Throws a Refusal. */
export function parseBody(contentType: string | undefined, body: Buffer): unknown {
  if (body.length === 0) return undefined
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (type !== '' && type !== 'application/json' && !type.endsWith('+json')) {
    refuse('unsupported_media_type', { description: `The body must be application/json, not ${type}.` })
  }
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw notJson()
  }
}

export function notJson(): Refusal {
  return new Refusal('invalid_json')
}

/** The body as an object. Throws a Refusal for anything else. */
export function objectBody(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return Object.fromEntries(Object.entries(body))
  return refuse('invalid_json', { description: 'The body must be a JSON object.' })
}

/** True for `?dry_run`, `?dry_run=true`, `?dry_run=1`. Throws a Refusal for what is neither yes nor no. */
export function flag(query: Readonly<Record<string, string>>, name: string): boolean {
  const value = query[name]?.toLowerCase()
  if (value === undefined || value === 'false' || value === '0') return false
  if (value === '' || value === 'true' || value === '1') return true
  return refuse('invalid_query', { field: name, description: `${name} is a flag: true or false, not "${value}".` })
}
