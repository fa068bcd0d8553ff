/**
 * The ldap_mapping object of the API: which roles the members of a group of the LDAP directory have.
 */
import { applied, kept, reported } from '../field.ts'
import { compileObject, type ObjectParser } from '../parse.ts'
import { flag, INT32_MAX, list, objectOf, text, uidOf, whole } from '../shapes.ts'
import { NAME_MAX, ROLE_NAME } from './names.ts'

/** As the reference has it. */
const EMAIL = '^$|^[a-zA-Z0-9_.+\\-]+@[a-zA-Z0-9\\-]+\\.[a-zA-Z0-9\\-.]+$'

const fields = {
  uid: reported(uidOf('The number of the mapping.')),
  name: applied(text('', 'Its name, unlike any other.', { maxLength: NAME_MAX, pattern: `^$|${ROLE_NAME}` })),
  dn: applied(text('', 'The distinguished name of the group.')),
  role_uids: applied(list(uidOf('A role.'), 'The roles that members of the group have, one at least.', 100)),
  email: applied(text('', 'Where mail about alerts goes.', { maxLength: NAME_MAX, pattern: EMAIL })),
  email_alerts: applied(flag(true, 'Whether mail is sent.')),
  bdbs_email_alerts: applied(list(text('', 'A database, or all.'), 'About which databases; empty: all of them.')),
  cluster_email_alerts: applied(flag(false, 'Whether also about the cluster.')),
  account_id: kept(whole(0, 'A number of an account.', { maximum: INT32_MAX }), 'There are no accounts here.'),
  action_uid: reported(text('', 'Mappings change at once: never set.')),
}

export const LdapMappingObject = objectOf('ldap_mapping', fields)

export type GivenLdapMapping = {
  readonly name?: string
  readonly dn?: string
  readonly role_uids?: readonly number[]
} & Readonly<Record<string, unknown>>

export const ldapMappingParser: ObjectParser<GivenLdapMapping> = compileObject<GivenLdapMapping>(LdapMappingObject)

/** What mail is sent, with what they are until they are set. */
export const KEPT_MAPPING_FIELDS = {
  email: '',
  email_alerts: true,
  bdbs_email_alerts: [],
  cluster_email_alerts: false,
  account_id: 0,
} as const
