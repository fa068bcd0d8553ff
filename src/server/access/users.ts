/**
 * Users: who may call the API, and who has accounts in databases. A change reaches every login and every database that
 * gives one of the user's roles something, at once.
 */

import { passwordProblem } from '#model/access/password-rules.ts'
import { type GivenUser, KEPT_USER_FIELDS, userParser } from '#model/access/user.ts'
import { BUILT_IN_ROLES } from '#model/built-in.ts'
import type { UserDocument } from '#model/documents/access.ts'
import { MANAGEMENT_ROLES, type ManagementRole } from '#model/permissions.ts'
import { wireTime } from '../databases/render.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { sameLine } from '../users/client-certificates.ts'
import { hashingAlgorithm, newPassword, verifyPassword } from '../users/password-hash.ts'
import { keepAnAdministrator } from './administrators.ts'
import { changeAccess, uidIn } from './changes.ts'

/** As the reference has it. */
export const MOST_USERS = 32_000

export async function createUser(request: ApiRequest, parts: Parts): Promise<UserDocument> {
  const { users } = parts.state
  const given = parseGiven(userParser, request, 'create')
  const { password, auth_method: authMethod = 'regular', certificate_subject_line: certificateSubject = '' } = given
  checkMethod(authMethod, certificateSubject, password)
  const email = given.email ?? ''
  const name = given.name || email
  if (name === '') refuse('missing_field', { field: 'email', description: 'A user needs an e-mail address or a name.' })
  if (password !== undefined) checkPassword(parts, password, email)
  const createdAt = new Date(parts.now()).toISOString()
  const passwords =
    password === undefined ? [] : [await newPassword(password, createdAt, hashingAlgorithm(parts.state))]
  return await changeAccess(request, parts, ({ uidOf }) => {
    if (users.size >= MOST_USERS) refuse('invalid_configuration', { description: `${MOST_USERS} users are the most.` })
    const user: UserDocument = {
      uid: uidOf('user'),
      email: email || name,
      name,
      authMethod,
      certificateSubject,
      roleUids: rolesOf(parts, given) ?? rolesOf(parts, { role: 'db_viewer' }) ?? [],
      passwords,
      alerts: keptFields(given),
      createdAt,
    }
    checkNames(parts, user)
    return { changes: [users.put(user.uid, user)], compare: [users.unchanged(user.uid, undefined)], result: user }
  })
}

/** Who may not change users may still change their own name, password and alerts. */
export async function updateUser(request: ApiRequest, parts: Parts): Promise<UserDocument> {
  const { users, logins } = parts.state
  const given = parseGiven(userParser, request, 'update')
  const uid = uidIn(request, 'user_not_exist')
  checkMayChange(request, uid, given)
  const before = users.get(uid) ?? refuse('user_not_exist')
  const { password } = given
  if (password !== undefined) {
    checkPassword(parts, password, before.value.email)
    await refuseKnown(before.value, password)
  }
  const hashed =
    password === undefined
      ? undefined
      : await newPassword(password, new Date(parts.now()).toISOString(), hashingAlgorithm(parts.state))
  return await changeAccess(request, parts, () => {
    const held = users.get(uid) ?? refuse('user_not_exist')
    const user: UserDocument = {
      ...held.value,
      name: given.name || held.value.name,
      email: given.email || held.value.email,
      roleUids: rolesOf(parts, given) ?? held.value.roleUids,
      passwords: hashed ? [hashed] : held.value.passwords,
      authMethod: given.auth_method ?? held.value.authMethod,
      certificateSubject: given.certificate_subject_line ?? held.value.certificateSubject,
      alerts: { ...held.value.alerts, ...keptFields(given) },
    }
    checkMethod(user.authMethod, user.certificateSubject, user.passwords.at(-1)?.hash)
    checkNames(parts, user)
    keepAnAdministrator(parts, { users: new Map([[uid, user]]) })
    // A new password is also how somebody who was locked out gets in again.
    const changes = hashed ? [users.put(uid, user), logins.delete(uid)] : [users.put(uid, user)]
    return { changes, compare: [users.unchanged(uid, held)], result: user }
  })
}

/** Throws a Refusal when somebody could not sign in as it is said, or in a way that nobody thinks of. */
function checkMethod(method: UserDocument['authMethod'], subject: string, password: string | undefined): void {
  if (method === 'regular' && !password)
    refuse('missing_field', { field: 'password', description: 'A user needs a password.' })
  if (method === 'certificate' && subject === '') {
    const description = 'Who signs in by certificate needs a certificate_subject_line, such as "CN=app,O=Example".'
    refuse('missing_field', { field: 'certificate_subject_line', description })
  }
}

export function deleteUser(request: ApiRequest, parts: Parts): Promise<void> {
  const { users, logins } = parts.state
  const uid = uidIn(request, 'user_not_exist')
  return changeAccess(request, parts, () => {
    const held = users.get(uid) ?? refuse('user_not_exist')
    keepAnAdministrator(parts, { users: new Map([[uid, null]]) })
    return {
      changes: [users.delete(uid), logins.delete(uid)],
      compare: [users.unchanged(uid, held)],
      result: undefined,
    }
  })
}

/** Throws a Refusal when the cluster asks for more. */
export function checkPassword(parts: Parts, password: string, email: string): void {
  const settings = parts.state.cluster.get('')?.value.settings ?? {}
  const policy = {
    complexity: settings.password_complexity === true,
    minLength: Number(settings.password_min_length ?? 8),
  }
  const problem = passwordProblem(password, email, policy)
  if (problem !== null) refuse('password_not_complex', { field: 'password', description: `The password ${problem}.` })
}

/** Rejects with a Refusal when the user has this password already. */
export async function refuseKnown(user: UserDocument, password: string): Promise<void> {
  for (const { hash } of user.passwords) {
    if (await verifyPassword(password, hash)) refuse('new_password_same_as_current', { field: 'password' })
  }
}

export function renderUser(parts: Parts, user: UserDocument): Record<string, unknown> {
  const { state, credentials } = parts
  const roles = user.roleUids.flatMap((uid) => state.roles.get(uid)?.value ?? [])
  return {
    uid: user.uid,
    name: user.name,
    email: user.email,
    role: strongestRole(roles.map(({ management }) => management)),
    role_uids: user.roleUids,
    auth_method: user.authMethod,
    certificate_subject_line: user.certificateSubject,
    email_alerts: true,
    bdbs_email_alerts: [],
    cluster_email_alerts: false,
    ...user.alerts,
    password_issue_date: wireTime(user.passwords.at(-1)?.issuedAt ?? ''),
    last_login: Math.floor((state.logins.get(user.uid)?.value.lastLoginAtMs ?? 0) / 1000),
    status: credentials.statusOf(user),
  }
}

/** The first of the list that is there: it begins with those who may do most. */
export function strongestRole(roles: readonly ManagementRole[]): ManagementRole {
  return MANAGEMENT_ROLES.find((role) => roles.includes(role)) ?? 'none'
}

function checkMayChange(request: ApiRequest, uid: number, given: GivenUser): void {
  const { caller } = request
  if (caller?.rights.may('update_user')) return
  if (caller?.userUid !== uid)
    refuse('insufficient_permissions', { description: 'Only user managers may change somebody else.' })
  const own = new Set<string>(['name', 'password', ...KEPT_USER_FIELDS])
  const field = Object.keys(given).find((name) => !own.has(name))
  if (field !== undefined)
    refuse('insufficient_permissions', { field, description: `Only user managers may change ${field}.` })
}

/** `role` means the built-in role of that name. Undefined: none was given. */
function rolesOf({ state }: Parts, given: Pick<GivenUser, 'role' | 'role_uids'>): number[] | undefined {
  if (given.role_uids !== undefined) {
    const missing = given.role_uids.find((uid) => !state.roles.get(uid))
    if (missing !== undefined)
      refuse('invalid_field', { field: 'role_uids', description: `There is no role with the uid ${missing}.` })
    return [...new Set(given.role_uids)]
  }
  if (given.role === undefined) return undefined
  const builtIn = BUILT_IN_ROLES.find(({ management }) => management === given.role)?.uid ?? 0
  const isThere = state.roles.get(builtIn)?.value.management === given.role
  const other = [...state.roles.values()].find(({ value }) => value.management === given.role && !value.databaseUids)
  const uid = isThere ? builtIn : other?.value.uid
  if (uid === undefined)
    return refuse('invalid_field', { field: 'role', description: `There is no role with management ${given.role}.` })
  return [uid]
}

function checkNames({ state }: Parts, user: UserDocument): void {
  for (const { value } of state.users.values()) {
    if (value.uid === user.uid) continue
    if (value.email.toLowerCase() === user.email.toLowerCase())
      refuse('email_already_exists', { field: 'email', description: `User ${value.uid} has this address already.` })
    if (user.certificateSubject !== '' && sameLine(value.certificateSubject, user.certificateSubject)) {
      const description = `User ${value.uid} is known by this certificate already.`
      refuse('name_already_exists', { field: 'certificate_subject_line', description })
    }
    if (value.name === user.name)
      refuse('name_already_exists', { field: 'name', description: `User ${value.uid} has this name already.` })
  }
}

function keptFields(given: GivenUser): Record<string, unknown> {
  return Object.fromEntries(KEPT_USER_FIELDS.flatMap((name) => (name in given ? [[name, given[name]]] : [])))
}
