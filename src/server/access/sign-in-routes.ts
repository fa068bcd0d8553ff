/**
 * What somebody who has signed in may ask for: a token, its successor, what roles may do, and their own.
 */
import Type from 'typebox'
import { allPermissions, MANAGEMENT_ROLES, type ManagementRole, permissionsOf } from '#model/permissions.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { Answer, ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { TOKEN_TTL_SECONDS } from '../users/tokens.ts'
import { strongestRole } from './users.ts'

const LONGEST_TTL_SECONDS = 86_400

const TokenRequest = Type.Object({
  ttl: Type.Optional(Type.Integer({ minimum: 1, maximum: LONGEST_TTL_SECONDS, default: TOKEN_TTL_SECONDS })),
})
const Token = Type.Object({ access_token: Type.String() })
const Permissions = Type.Record(Type.String(), Type.Array(Type.String()))

export const signInRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/users/authorize',
    access: 'signed-in',
    summary: 'A token that stands for this login',
    body: TokenRequest,
    answers: Token,
    refusals: ['invalid_field', 'password_expired'],
    handle: issueToken,
  },
  {
    method: 'POST',
    path: '/v1/users/refresh_jwt',
    access: 'signed-in',
    summary: 'A fresh token in exchange for one that is still good',
    body: TokenRequest,
    answers: Token,
    refusals: ['invalid_field', 'unauthorized'],
    handle: (request, parts) => {
      const isToken = /^(bearer|jwt) /i.test(request.header('authorization') ?? '')
      if (!isToken) refuse('unauthorized', { description: 'Send the token that is to be replaced, not a password.' })
      return issueToken(request, parts)
    },
  },
  {
    method: 'GET',
    path: '/v1/users/permissions',
    access: 'signed-in',
    summary: 'The permissions of every management role',
    answers: Permissions,
    refusals: [],
    handle: () => ({ json: Object.fromEntries(MANAGEMENT_ROLES.map((role) => [role, namesOf(role)])) }),
  },
  {
    method: 'GET',
    path: '/v1/users/permissions/{role}',
    access: 'signed-in',
    summary: 'The permissions of one management role',
    answers: Permissions,
    refusals: ['role_not_exist'],
    handle: ({ params }) => {
      const role = MANAGEMENT_ROLES.find((name) => name === params.role)
      if (role === undefined)
        return refuse('role_not_exist', { description: `The management roles are ${MANAGEMENT_ROLES.join(', ')}.` })
      return { json: { [role]: namesOf(role) } }
    },
  },
  {
    method: 'GET',
    path: '/v1/users/role',
    access: 'signed-in',
    summary: 'The management role of whoever asks; the strongest when there are several',
    answers: Type.Object({ role: Type.String() }),
    refusals: [],
    handle: ({ caller }) => ({ json: { role: strongestRole(caller?.rights.management ?? []) } }),
  },
]

async function issueToken(request: ApiRequest, { credentials }: Parts): Promise<Answer> {
  const { ttl = TOKEN_TTL_SECONDS } = request.body === undefined ? {} : objectBody(request.body)
  if (!Number.isInteger(ttl) || Number(ttl) < 1 || Number(ttl) > LONGEST_TTL_SECONDS) {
    const description = `ttl must be a whole number of seconds from 1 to ${LONGEST_TTL_SECONDS}.`
    refuse('invalid_field', { field: 'ttl', description })
  }
  if (!request.caller) return refuse('unauthorized')
  return { json: { access_token: await credentials.issueToken(request.caller, Number(ttl)) } }
}

function namesOf(role: ManagementRole): readonly string[] {
  const has = permissionsOf(role)
  return allPermissions()
    .filter((permission) => has.has(permission))
    .sort()
}
