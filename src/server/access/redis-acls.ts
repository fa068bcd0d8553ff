/**
 * Redis ACLs: rules that databases give to roles. The engine itself says whether it understands them, before they are
 * kept; a change reaches the databases that use them like any other change.
 */
import Type from 'typebox'
import { aclWords, RedisAclObject, redisAclParser, wordAboutLogin } from '#model/access/redis-acl.ts'
import { FULL_ACCESS_UID } from '#model/built-in.ts'
import type { RedisAclDocument } from '#model/documents/access.ts'
import { type RefusalCode, refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import { parseGiven } from '../http/parse.ts'
import { DRY_RUN } from '../http/query.ts'
import type { ApiRequest, Route } from '../http/route.ts'
import { localAgent, type Parts } from '../parts.ts'
import { CHANGE_REFUSALS } from '../settings-object.ts'
import { changeAccess, uidIn } from './changes.ts'

const BAD_RULES: readonly RefusalCode[] = [
  'unknown_field',
  'invalid_field',
  'missing_field',
  'invalid_redis_acl',
  'name_already_exists',
]

export const redisAclRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/redis_acls',
    access: 'view_all_redis_acls_info',
    summary: 'All Redis ACLs',
    answers: Type.Array(RedisAclObject),
    refusals: [],
    handle: (_request, { state }) => ({
      json: [...state.redisAcls.values()].map(({ value }) => value).sort((one, other) => one.uid - other.uid),
    }),
  },
  {
    method: 'GET',
    path: '/v1/redis_acls/{uid}',
    access: 'view_redis_acl_info',
    summary: 'One Redis ACL',
    answers: RedisAclObject,
    refusals: ['redis_acl_not_exist'],
    handle: (request, parts) => ({ json: find(request, parts).value }),
  },
  {
    method: 'POST',
    path: '/v1/redis_acls',
    access: 'create_redis_acl',
    summary: 'Create a Redis ACL',
    query: [DRY_RUN],
    body: RedisAclObject,
    answers: RedisAclObject,
    refusals: [...BAD_RULES, ...CHANGE_REFUSALS],
    handle: async (request, parts) => ({ json: await createAcl(request, parts) }),
  },
  {
    method: 'POST',
    path: '/v1/redis_acls/validate',
    access: 'create_redis_acl',
    summary: 'Whether the engine understands the rules; nothing is kept',
    body: RedisAclObject,
    answers: RedisAclObject,
    refusals: BAD_RULES,
    handle: async (request, parts) => {
      const given = parseGiven(redisAclParser, request, 'create')
      await checkRules(parts, given.acl)
      const { uid } = objectBody(request.body)
      if (given.name) checkName(parts, { uid, name: given.name })
      return { json: { ...given } }
    },
  },
  {
    method: 'PUT',
    path: '/v1/redis_acls/{uid}',
    access: 'update_redis_acl',
    summary: 'Change a Redis ACL, also in the databases that use it',
    query: [DRY_RUN],
    body: RedisAclObject,
    answers: RedisAclObject,
    refusals: [...BAD_RULES, 'redis_acl_not_exist', 'redis_acl_read_only', ...CHANGE_REFUSALS],
    handle: async (request, parts) => ({ json: await updateAcl(request, parts) }),
  },
  {
    method: 'DELETE',
    path: '/v1/redis_acls/{uid}',
    access: 'delete_redis_acl',
    summary: 'Delete a Redis ACL that no database uses',
    refusals: ['redis_acl_not_exist', 'redis_acl_read_only', 'redis_acl_in_use', ...CHANGE_REFUSALS],
    handle: async (request, parts) => {
      await deleteAcl(request, parts)
      return { json: null }
    },
  },
]

async function createAcl(request: ApiRequest, parts: Parts): Promise<RedisAclDocument> {
  const { redisAcls } = parts.state
  const given = parseGiven(redisAclParser, request, 'create')
  const name = given.name || refuse('missing_field', { field: 'name', description: 'An ACL needs a name.' })
  const acl = await checkRules(parts, given.acl)
  return await changeAccess(request, parts, ({ uidOf }) => {
    const made = { uid: uidOf('redisAcl'), name, acl }
    checkName(parts, made)
    return {
      changes: [redisAcls.put(made.uid, made)],
      compare: [redisAcls.unchanged(made.uid, undefined)],
      result: made,
    }
  })
}

async function updateAcl(request: ApiRequest, parts: Parts): Promise<RedisAclDocument> {
  const { redisAcls } = parts.state
  const given = parseGiven(redisAclParser, request, 'update')
  const rules = given.acl === undefined ? undefined : await checkRules(parts, given.acl)
  return await changeAccess(request, parts, () => {
    const held = findChangeable(request, parts)
    const changed = { ...held.value, name: given.name || held.value.name, acl: rules ?? held.value.acl }
    checkName(parts, changed)
    return {
      changes: [redisAcls.put(changed.uid, changed)],
      compare: [redisAcls.unchanged(changed.uid, held)],
      result: changed,
    }
  })
}

function deleteAcl(request: ApiRequest, parts: Parts): Promise<void> {
  const { databases, redisAcls } = parts.state
  return changeAccess(request, parts, () => {
    const held = findChangeable(request, parts)
    const { uid } = held.value
    for (const { value } of databases.values()) {
      if (value.config.roles_permissions.some(({ redis_acl_uid }) => redis_acl_uid === uid))
        refuse('redis_acl_in_use', { description: `Database ${value.uid} uses it in roles_permissions.` })
    }
    return { changes: [redisAcls.delete(uid)], compare: [redisAcls.unchanged(uid, held)], result: undefined }
  })
}

/** The rules, if every engine that is installed here understands them. Rejects with a Refusal. */
async function checkRules(parts: Parts, acl: string | undefined): Promise<string> {
  if (!acl?.trim()) return refuse('missing_field', { field: 'acl', description: 'An ACL needs rules: "+@read ~*".' })
  const login = wordAboutLogin(acl)
  if (login !== undefined) {
    const description = `"${login}" says who may log in; an ACL says what may be done: commands, keys and channels.`
    refuse('invalid_redis_acl', { field: 'acl', description })
  }
  const problem = await localAgent(parts).aclProblem(aclWords(acl))
  if (problem !== null) refuse('invalid_redis_acl', { field: 'acl', description: `The engine refuses it: ${problem}` })
  return acl
}

function find(request: ApiRequest, { state }: Parts) {
  return state.redisAcls.get(uidIn(request, 'redis_acl_not_exist')) ?? refuse('redis_acl_not_exist')
}

function findChangeable(request: ApiRequest, parts: Parts) {
  const held = find(request, parts)
  return held.value.uid === FULL_ACCESS_UID ? refuse('redis_acl_read_only') : held
}

/** Throws a Refusal when another one than that of the uid has the name. */
function checkName({ state }: Parts, acl: { readonly uid?: unknown; readonly name: string }): void {
  for (const { value } of state.redisAcls.values()) {
    if (value.uid !== acl.uid && value.name === acl.name)
      refuse('name_already_exists', { field: 'name', description: `ACL ${value.uid} has this name already.` })
  }
}
