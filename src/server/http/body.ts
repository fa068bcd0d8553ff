/**
 * Request bodies: JSON, whatever the client calls it as long as it does not call it something else. Clients send
 * charsets, send a content type with no body at all, and (Python's requests with `data=`) a body with no content type.
 * One route is sent forms, by browsers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Refusal, refuse } from '../errors.ts'

/** The largest object is a database with its certificates; a mebibyte is ten times that. */
const LIMIT_BYTES = 1_048_576
/** Deeper than any object of the API by far; what recurses into a body never runs out of stack. */
const LIMIT_DEPTH = 64

const FORM = 'application/x-www-form-urlencoded'

type Sent = { readonly request: IncomingMessage; readonly response: ServerResponse }

/** What the body holds; undefined for an empty one. Rejects with a Refusal, also when the sender goes away. */
export async function readBody(sent: Sent, isForm = false): Promise<unknown> {
  const type = mediaType(sent.request)
  return isForm ? parseForm(type, await readBytes(sent)) : parseBody(type, await readBytes(sent))
}

function mediaType({ headers }: IncomingMessage): string {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
}

function readBytes({ request, response }: Sent): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > LIMIT_BYTES) return Promise.reject(tooLarge())
  if (request.headers.expect !== undefined) response.writeContinue()
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const take = (chunk: Buffer) => {
      length += chunk.length
      if (length <= LIMIT_BYTES) chunks.push(chunk)
      else {
        request.off('data', take)
        request.pause()
        reject(tooLarge())
      }
    }
    request.on('data', take)
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', () => reject(new Refusal('bad_request', { description: 'The body ended in the middle.' })))
  })
}

function tooLarge(): Refusal {
  return new Refusal('body_too_large', { description: `A body may have ${LIMIT_BYTES} bytes at most.` })
}

/** Undefined for an empty body. Throws a Refusal. */
function parseForm(type: string, body: Buffer): unknown {
  if (body.length === 0) return undefined
  if (type !== FORM) refuse('unsupported_media_type', { description: `The body must be ${FORM}.` })
  return Object.fromEntries(new URLSearchParams(body.toString('utf8')))
}

/** Undefined for an empty body. Throws a Refusal. */
function parseBody(type: string, body: Buffer): unknown {
  if (body.length === 0) return undefined
  if (type !== '' && type !== 'application/json' && !type.endsWith('+json')) {
    refuse('unsupported_media_type', { description: `The body must be application/json, not ${type}.` })
  }
  if (isDeeperThan(body, LIMIT_DEPTH))
    refuse('invalid_json', { description: `A body may nest ${LIMIT_DEPTH} levels at most.` })
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return refuse('invalid_json')
  }
}

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\[]{}')

/** Brackets within texts do not count. */
function isDeeperThan(json: Buffer, limit: number): boolean {
  let depth = 0
  let isText = false
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    if (isText) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) isText = false
    } else if (byte === QUOTE) isText = true
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > limit) return true
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--
  }
  return false
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
