/**
 * The passwords of a user, several at a time so that they can be rotated: POST adds one, PUT makes it the only one,
 * DELETE removes one. Everybody may change their own, administrators those of others.
 */
import type { UserDocument } from '#model/documents/access.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { hashingAlgorithm, newPassword, verifyPassword } from '../users/password-hash.ts'
import { changeAccess } from './changes.ts'
import { checkPassword, refuseKnown } from './users.ts'

/** Each is tried at a login, and takes a core for 20 ms. */
const MOST_PASSWORDS = 8

export async function addUserPassword(request: ApiRequest, parts: Parts): Promise<void> {
  const added = await newlyGiven(request, parts)
  await change(request, parts, (user) => {
    if (user.passwords.length >= MOST_PASSWORDS) {
      const description = `A user can have ${MOST_PASSWORDS} passwords; remove one first.`
      refuse('invalid_password', { field: 'new_password', description })
    }
    return [...user.passwords, added]
  })
}

export async function setUserPassword(request: ApiRequest, parts: Parts): Promise<void> {
  const only = await newlyGiven(request, parts)
  await change(request, parts, () => [only])
}

export async function removeUserPassword(request: ApiRequest, parts: Parts): Promise<void> {
  const user = whose(request, parts).value
  const old = textIn(request, 'old_password')
  const right: string[] = []
  for (const { hash, sha256 } of user.passwords) if (await verifyPassword(old, hash)) right.push(sha256)
  if (right.length === 0)
    refuse('password_not_exist', { field: 'old_password', description: 'There is no such password.' })
  await change(request, parts, ({ passwords }) => {
    const rest = passwords.filter(({ sha256 }) => !right.includes(sha256))
    return rest.length === 0 ? refuse('cannot_delete_last_password', { field: 'old_password' }) : rest
  })
}

async function newlyGiven(request: ApiRequest, parts: Parts) {
  const user = whose(request, parts).value
  const password = textIn(request, 'new_password')
  checkPassword(parts, password, user.email)
  await refuseKnown(user, password)
  return await newPassword(password, new Date(parts.now()).toISOString(), hashingAlgorithm(parts.state))
}

async function change(
  request: ApiRequest,
  parts: Parts,
  edit: (user: UserDocument) => UserDocument['passwords'],
): Promise<void> {
  const { users, logins } = parts.state
  await changeAccess(request, parts, () => {
    const held = whose(request, parts)
    const user = { ...held.value, passwords: edit(held.value) }
    const changes = [users.put(user.uid, user), logins.delete(user.uid)]
    return { changes, compare: [users.unchanged(user.uid, held)], result: undefined }
  })
}

function whose(request: ApiRequest, { state }: Parts) {
  const { caller } = request
  const { username } = objectBody(request.body)
  if (username !== undefined && typeof username !== 'string')
    return refuse('invalid_field', { field: 'username', description: 'username must be text.' })
  const name = username || caller?.userName
  const held = [...state.users.values()].find(({ value }) => value.email === name)
  if (held?.value.uid !== caller?.userUid && !caller?.rights.management.includes('admin')) refuse('unauthorized_action')
  return held ?? refuse('user_not_exist', { field: 'username' })
}

function textIn(request: ApiRequest, field: string): string {
  const value = objectBody(request.body)[field]
  if (value === undefined) return refuse('missing_field', { field, description: `The body needs ${field}.` })
  return typeof value === 'string' ? value : refuse('invalid_field', { field, description: `${field} must be text.` })
}
