/**
 * How the LDAP directory is asked, as the cluster has it at this moment: for those who ask, and for those who show it.
 */
import { type LdapSettings, ldapDefaults } from '#model/access/ldap.ts'
import type { State } from '#store/state.ts'

/** As they are now, the password among them; the defaults where nobody has set any. */
export function ldapSettings({ ldap }: State): LdapSettings {
  const held = ldap.get('')?.value
  return held ? Object.assign({ ...ldapDefaults() }, held.settings, { bind_pass: held.bindPassword }) : ldapDefaults()
}
