/**
 * A cluster always keeps one administrator who can sign in.
 */
import type { RoleDocument, UserDocument } from '#model/documents/access.ts'
import { refuse } from '../errors.ts'
import type { Parts } from '../parts.ts'

/** While passwords are accepted those who have one; otherwise those who show a certificate that is trusted. */
export function canSignIn({ cluster, certificates }: Parts['state'], user: UserDocument): boolean {
  if (cluster.get('')?.value.settings.control_plane_basic_authentication !== false)
    return user.authMethod === 'regular' && user.passwords.length > 0
  return user.authMethod === 'certificate' && certificates.get('mtls_trusted_ca') !== undefined
}

type Instead = {
  /** Users as they would be; null: gone. */
  readonly users?: ReadonlyMap<number, UserDocument | null>
  readonly roles?: ReadonlyMap<number, RoleDocument | null>
}

/** Throws a Refusal when nobody would be left who may do everything. */
export function keepAnAdministrator({ state }: Parts, { users, roles }: Instead): void {
  const isAdmin = (uid: number) => {
    const role = roles?.has(uid) ? roles.get(uid) : state.roles.get(uid)?.value
    return role?.management === 'admin'
  }
  for (const { value } of state.users.values()) {
    const user = users?.has(value.uid) ? users.get(value.uid) : value
    if (user && canSignIn(state, user) && user.roleUids.some(isAdmin)) return
  }
  refuse('change_last_admin_role_not_allowed')
}
