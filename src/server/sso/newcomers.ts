/**
 * Users who come to be when they sign in for the first time, with the roles that the identity provider says. What it
 * says of those who are users already changes nothing about them.
 */
import { NAME_MAX, USER_NAME } from '#model/access/names.ts'
import type { UserDocument } from '#model/documents/access.ts'
import type { State } from '#store/state.ts'
import type { Drawn } from '../access/changes.ts'
import { MOST_USERS } from '../access/users.ts'
import type { Parts } from '../parts.ts'
import { NoLogin } from './assertion.ts'

const ADDRESS = /^[!-?A-~]+@[!-?A-~]+$/
const NAME = new RegExp(USER_NAME)
const MOST_ROLES = 100

/** `mapping`: uids of roles, each a value or several in one, separated by commas. Throws NoLogin. */
export function userFrom(
  { state, now }: Parts,
  given: { readonly email: string; readonly mapping: readonly string[]; readonly uidOf: Drawn['uidOf'] },
): UserDocument {
  const { email, mapping, uidOf } = given
  const isAddress = email.length <= NAME_MAX && ADDRESS.test(email) && NAME.test(email)
  if (!isAddress) throw new NoLogin('the attribute email is no address that a user can have')
  if (state.users.size >= MOST_USERS) throw new NoLogin(`${MOST_USERS} users are the most`)
  for (const { value } of state.users.values())
    if (value.name === email || value.email.toLowerCase() === email.toLowerCase())
      throw new NoLogin(`user ${value.uid} has this name already`)
  return {
    uid: uidOf('user'),
    email,
    name: email,
    authMethod: 'sso',
    certificateSubject: '',
    roleUids: rolesIn(state, mapping),
    passwords: [],
    alerts: {},
    createdAt: new Date(now()).toISOString(),
  }
}

function rolesIn({ roles }: State, mapping: readonly string[]): number[] {
  const uids = mapping
    .flatMap((value) => value.split(','))
    .map((uid) => uid.trim())
    .filter((uid) => uid !== '')
  if (uids.length === 0) throw new NoLogin('nobody of this address is a user, and redisRoleMapping names no role')
  if (uids.length > MOST_ROLES) throw new NoLogin(`redisRoleMapping names more than ${MOST_ROLES} roles`)
  const unknown = uids.find((uid) => !/^[1-9]\d{0,9}$/.test(uid) || !roles.get(uid))
  if (unknown !== undefined) throw new NoLogin(`redisRoleMapping names ${unknown}, which is the uid of no role`)
  return [...new Set(uids.map(Number))]
}
