/**
 * How users, roles and ACLs may be called, as the reference has it.
 */
export const ROLE_NAME = '^[a-zA-Z0-9_ \\[\\]()@,.;#-]+$'
/** Printable ASCII without `&<>"`. */
export const USER_NAME = "^[ !#-%'-;=?-~]+$"
export const NAME_MAX = 255

/** Accounts that every engine has here: of whoever has the password, of authentication_admin_pass, and our own. */
const TAKEN: ReadonlySet<string> = new Set(['default', 'admin', 'holdfast', 'holdfast-replica'])

/** Engines know no account with a space in its name. */
export function canBeAccount(name: string): boolean {
  return /^[^\s]+$/.test(name) && name.length <= NAME_MAX && !TAKEN.has(name)
}
