/**
 * The OpenAPI 3.1 document, derived from the table of routes, the schemas and the error catalogue. Nothing is written
 * twice; nothing needs a running server.
 */
import type { Field } from '#model/field.ts'
import { isPermission } from '#model/permissions.ts'
import { isRefusalCode, REFUSAL_CODES, type RefusalCode } from './errors.ts'
import type { Route } from './http/route.ts'

const ERROR_REFERENCE = { $ref: '#/components/schemas/Error' }

/** What any route may be refused with, besides its own codes: by the gate before it, or because something broke. */
const ALWAYS: readonly RefusalCode[] = [
  'invalid_header',
  'unsupported_api_version',
  'headers_too_large',
  'request_timeout',
  'internal_error',
  'store_unavailable',
]
const WITH_CREDENTIALS: readonly RefusalCode[] = [
  'unauthorized',
  'client_certificate_required',
  'too_many_logins',
  'ldap_unreachable',
]
const GOOD_PASSWORD: readonly RefusalCode[] = ['password_expired']
const NEEDS_PERMISSION: readonly RefusalCode[] = ['insufficient_permissions']
const NEEDS_CLUSTER: readonly RefusalCode[] = ['not_bootstrapped']
/** Also where none is wanted: it is read before the route is asked. */
const WITH_FORM: readonly RefusalCode[] = ['bad_request', 'body_too_large', 'unsupported_media_type']
const WITH_BODY: readonly RefusalCode[] = [...WITH_FORM, 'invalid_json']
const WITH_QUERY: readonly RefusalCode[] = ['invalid_query']
const CHANGING: readonly RefusalCode[] = ['disk_full', 'disk_read_only', 'outcome_unknown']

export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const item = paths[route.path] ?? {}
    item[route.method.toLowerCase()] = operation(route)
    paths[route.path] = item
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      description:
        'An open control plane for Redis and Valkey databases that speaks the Redis Enterprise Software REST API.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'https://localhost:9443' }],
    security: [{ basic: [] }],
    paths,
    components: {
      securitySchemes: { basic: { type: 'http', scheme: 'basic' } },
      schemas: {
        Error: {
          type: 'object',
          required: ['error_code', 'description', 'message'],
          properties: {
            error_code: { type: 'string', enum: [...REFUSAL_CODES.keys()] },
            description: { type: 'string', description: 'What is wrong and what would be right' },
            message: { type: 'string', description: 'The same as description' },
            field: { type: 'string', description: 'The field, parameter or header that is wrong, where it is one' },
          },
        },
      },
    },
  }
}

function operation(route: Route): object {
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(isOpen(route) ? { security: [] } : { 'x-permission': route.access }),
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(route.body
      ? {
          requestBody: {
            content: {
              [route.isForm ? 'application/x-www-form-urlencoded' : 'application/json']: { schema: route.body },
            },
          },
        }
      : {}),
    responses: responses(route),
  }
}

function isOpen({ access }: Route): boolean {
  return access === 'open' || access === 'open-until-bootstrapped'
}

function operationId({ method, path }: Route): string {
  return `${method.toLowerCase()}${path.replace(/[{}]/g, '').replace(/[/_]+(\w)/g, (_match, letter) => letter.toUpperCase())}`
}

function pathParameters({ path }: Route): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters({ query = [] }: Route): object[] {
  return query.map(({ name, description, schema }) => ({ name, in: 'query', description, required: false, schema }))
}

/** Undefined: the body is empty. */
function contentOf({ answers, file }: Route): object | undefined {
  if (file) return { [file]: { schema: { type: 'string', format: 'binary' } } }
  return answers && { 'application/json': { schema: answers } }
}

/** Every code that a route can refuse with: what callers are told is one of them. */
export function refusalsOf(route: Route): ReadonlySet<RefusalCode> {
  const isChange = route.method !== 'GET'
  return new Set([
    ...route.refusals,
    ...ALWAYS,
    ...fieldRefusals(route.body),
    ...((route.query ?? []).some(({ schema }) => canBeWrong(schema)) ? WITH_QUERY : []),
    ...(route.beforeBootstrap ? [] : NEEDS_CLUSTER),
    ...(route.access === 'open' ? [] : WITH_CREDENTIALS),
    ...(route.access === 'open' || route.access === 'own-password' ? [] : GOOD_PASSWORD),
    ...(isPermission(route.access) ? NEEDS_PERMISSION : []),
    ...(isChange ? CHANGING : []),
    ...(isChange && !route.ignoresBody ? (route.isForm ? WITH_FORM : WITH_BODY) : []),
  ])
}

/** What fields are refused with that cannot be had here, also within others. */
function fieldRefusals(schema: Field | undefined): RefusalCode[] {
  if (!schema) return []
  const { 'x-effect': effect, 'x-refusal': code, properties = {}, items } = schema
  const own = effect === 'refused' && code !== undefined && isRefusalCode(code) ? [code] : []
  return [...own, ...fieldRefusals(items), ...Object.values(properties).flatMap(fieldRefusals)]
}

/** Any text will do for a parameter that is text. */
function canBeWrong({ type, enum: values }: Field): boolean {
  return type !== 'string' || values !== undefined
}

function responses(route: Route): Record<string, object> {
  const byStatus = new Map<number, RefusalCode[]>()
  for (const code of refusalsOf(route)) {
    const status = REFUSAL_CODES.get(code)?.status ?? 500
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const ok = contentOf(route)
  const refused = [...byStatus]
    .sort(([a], [b]) => a - b)
    .map(([status, all]) => [
      String(status),
      { description: all.join(', '), content: { 'application/json': { schema: ERROR_REFERENCE } } },
    ])
  const done = { description: ok ? 'Done, or accepted' : 'Yes; the body is empty', ...(ok && { content: ok }) }
  return {
    ...(route.redirects === undefined ? { 200: done } : { 302: { description: route.redirects } }),
    ...Object.fromEntries(refused),
  }
}
