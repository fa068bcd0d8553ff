/**
 * Roles: what their holders may do through the API. Deleting one takes it from every database at once, because databases
 * ask for roles by number, and numbers are never given twice.
 */
import Type from 'typebox'
import { type GivenRole, RoleObject, roleParser } from '#model/access/role.ts'
import type { RoleDocument } from '#model/documents/access.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import { DRY_RUN } from '../http/query.ts'
import type { ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { CHANGE_REFUSALS } from '../settings-object.ts'
import { keepAnAdministrator } from './administrators.ts'
import { changeAccess, uidIn } from './changes.ts'

export const roleRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/roles',
    access: 'view_all_roles_info',
    summary: 'All roles',
    answers: Type.Array(RoleObject),
    refusals: [],
    handle: (_request, { state }) => ({
      json: [...state.roles.values()]
        .map(({ value }) => value)
        .sort((one, other) => one.uid - other.uid)
        .map(renderRole),
    }),
  },
  {
    method: 'GET',
    path: '/v1/roles/{uid}',
    access: 'view_role_info',
    summary: 'One role',
    answers: RoleObject,
    refusals: ['role_not_exist'],
    handle: (request, parts) => ({ json: renderRole(find(request, parts).value) }),
  },
  {
    method: 'POST',
    path: '/v1/roles',
    access: 'create_role',
    summary: 'Create a role',
    query: [DRY_RUN],
    body: RoleObject,
    answers: RoleObject,
    refusals: ['unknown_field', 'invalid_field', 'missing_field', 'name_already_exists', ...CHANGE_REFUSALS],
    handle: async (request, parts) => ({ json: renderRole(await createRole(request, parts)) }),
  },
  {
    method: 'PUT',
    path: '/v1/roles/{uid}',
    access: 'update_role',
    summary: 'Change a role',
    query: [DRY_RUN],
    body: RoleObject,
    answers: RoleObject,
    refusals: [
      'role_not_exist',
      'unknown_field',
      'invalid_field',
      'name_already_exists',
      'change_last_admin_role_not_allowed',
      ...CHANGE_REFUSALS,
    ],
    handle: async (request, parts) => ({ json: renderRole(await updateRole(request, parts)) }),
  },
  {
    method: 'DELETE',
    path: '/v1/roles/{uid}',
    access: 'delete_role',
    summary: 'Delete a role that nobody has and no LDAP mapping gives',
    refusals: ['role_not_exist', 'role_in_use', 'change_last_admin_role_not_allowed', ...CHANGE_REFUSALS],
    handle: async (request, parts) => {
      await deleteRole(request, parts)
      return { json: null }
    },
  },
]

function createRole(request: ApiRequest, parts: Parts): Promise<RoleDocument> {
  const { roles } = parts.state
  const given = parseGiven(roleParser, request, 'create')
  return changeAccess(request, parts, ({ uidOf }) => {
    const name = given.name || refuse('missing_field', { field: 'name', description: 'A role needs a name.' })
    const management = given.management ?? 'none'
    const role = { uid: uidOf('role'), name, management, databaseUids: databaseUidsOf(given, management) }
    checkName(parts, role)
    return { changes: [roles.put(role.uid, role)], compare: [roles.unchanged(role.uid, undefined)], result: role }
  })
}

function updateRole(request: ApiRequest, parts: Parts): Promise<RoleDocument> {
  const { roles } = parts.state
  const given = parseGiven(roleParser, request, 'update')
  return changeAccess(request, parts, () => {
    const held = find(request, parts)
    const management = given.management ?? held.value.management
    const role = {
      ...held.value,
      name: given.name ?? held.value.name,
      management,
      databaseUids: given.resources === undefined ? held.value.databaseUids : databaseUidsOf(given, management),
    }
    if (role.name === '') refuse('missing_field', { field: 'name', description: 'A role needs a name.' })
    checkName(parts, role)
    checkScope(role)
    keepAnAdministrator(parts, { roles: new Map([[role.uid, role]]) })
    return { changes: [roles.put(role.uid, role)], compare: [roles.unchanged(role.uid, held)], result: role }
  })
}

function deleteRole(request: ApiRequest, parts: Parts): Promise<void> {
  const { ldapMappings, roles, users } = parts.state
  return changeAccess(request, parts, () => {
    const held = find(request, parts)
    keepAnAdministrator(parts, { roles: new Map([[held.value.uid, null]]) })
    const holders = [...users.values()].filter(({ value }) => value.roleUids.includes(held.value.uid))
    const [first] = holders
    if (first) {
      const names = holders.slice(0, 5).map(({ value }) => value.email || value.name)
      refuse('role_in_use', { description: `${holders.length} users have this role, ${names.join(', ')} among them.` })
    }
    for (const { value } of ldapMappings.values()) {
      if (value.roleUids.includes(held.value.uid))
        refuse('role_in_use', { description: `LDAP mapping ${value.uid}, ${value.name}, gives this role.` })
    }
    return { changes: [roles.delete(held.value.uid)], compare: [roles.unchanged(held.id, held)], result: undefined }
  })
}

function find(request: ApiRequest, { state }: Parts) {
  return state.roles.get(uidIn(request, 'role_not_exist')) ?? refuse('role_not_exist')
}

function checkName({ state }: Parts, role: RoleDocument): void {
  for (const { value } of state.roles.values()) {
    if (value.uid !== role.uid && value.name === role.name)
      refuse('name_already_exists', { field: 'name', description: `Role ${value.uid} has this name already.` })
  }
}

function databaseUidsOf(given: GivenRole, management: RoleDocument['management']): number[] | null {
  const uids = given.resources?.flatMap(({ uids: some }) => some.map(Number)) ?? []
  const databaseUids = uids.length === 0 ? null : [...new Set(uids)]
  checkScope({ management, databaseUids })
  return databaseUids
}

/** Only these two speak of single databases: on any other the limit would be a promise that nobody keeps. */
function checkScope({ management, databaseUids }: Pick<RoleDocument, 'management' | 'databaseUids'>): void {
  if (databaseUids === null || management === 'db_member' || management === 'db_viewer') return
  const description = `resources limits db_member and db_viewer only, not ${management}.`
  refuse('invalid_field', { field: 'resources', description })
}

export function renderRole({ uid, name, management, databaseUids }: RoleDocument): Record<string, unknown> {
  const resources = databaseUids && [{ type: 'db', uids: databaseUids.map(String) }]
  return { uid, name, management, ...(resources ? { resources } : {}) }
}
