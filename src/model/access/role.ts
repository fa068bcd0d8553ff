/**
 * The role object of the API: what its holders may do through the API, and in which databases. What they may do inside
 * a database says the database (`roles_permissions`).
 */
import { applied, kept, reported } from '../field.ts'
import { compileObject, type ObjectParser } from '../parse.ts'
import { MANAGEMENT_ROLES, type ManagementRole } from '../permissions.ts'
import { INT32_MAX, list, objectOf, oneOf, record, text, uidOf, whole } from '../shapes.ts'
import { NAME_MAX, ROLE_NAME } from './names.ts'

const resource = record({
  type: oneOf(['db'], 'db', 'What is meant: databases.'),
  uids: list(text('', 'The uid of a database.', { pattern: '^[1-9][0-9]{0,9}$' }), 'Which of them.', 1_000),
})

const fields = {
  uid: reported(uidOf('The number of the role.')),
  name: applied(text('', 'Its name, unlike any other.', { maxLength: NAME_MAX, pattern: ROLE_NAME })),
  management: applied(oneOf([...MANAGEMENT_ROLES], 'none', 'What its holders may do through the API.')),
  resources: applied(
    list(resource, 'The databases that db_member and db_viewer are limited to; none: all of them.', 100),
  ),
  account_id: kept(whole(0, 'A number of an account.', { maximum: INT32_MAX }), 'There are no accounts here.'),
  action_uid: reported(text('', 'Roles change at once: never set.')),
}

export const RoleObject = objectOf('role', fields)

export type GivenRole = {
  readonly name?: string
  readonly management?: ManagementRole
  readonly resources?: readonly { readonly type: 'db'; readonly uids: readonly string[] }[]
}

export const roleParser: ObjectParser<GivenRole> = compileObject<GivenRole>(RoleObject)
