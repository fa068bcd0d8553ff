/**
 * What somebody may do: the permissions of all their roles, each in the databases that its role is limited to.
 */
import type { RoleDocument } from '#model/documents/access.ts'
import { type ManagementRole, type Permission, permissionsOf } from '#model/permissions.ts'

export class Rights {
  readonly #roles: readonly RoleDocument[]

  /** Whether some databases may be out of reach. */
  readonly isLimited: boolean

  constructor(roles: readonly RoleDocument[]) {
    this.#roles = roles
    this.isLimited = roles.some(({ databaseUids }) => databaseUids !== null)
  }

  /** Somewhere at least. */
  may(permission: Permission): boolean {
    return this.#roles.some(({ management }) => permissionsOf(management).has(permission))
  }

  /** In this database. */
  mayIn(databaseUid: number, permission: Permission): boolean {
    return this.#roles.some(
      ({ management, databaseUids }) =>
        permissionsOf(management).has(permission) && (databaseUids === null || databaseUids.includes(databaseUid)),
    )
  }

  /** In every database, also those that are still to come. */
  mayEverywhere(permission: Permission): boolean {
    return this.#roles.some(
      ({ management, databaseUids }) => databaseUids === null && permissionsOf(management).has(permission),
    )
  }

  /** The management roles, without doubles. */
  get management(): readonly ManagementRole[] {
    return [...new Set(this.#roles.map(({ management }) => management))]
  }
}
