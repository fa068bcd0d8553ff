/**
 * The ldap object of the API: which directory is asked about people who are no users of the cluster, and how. What no
 * single field can say, which of them go together, is in `ldapProblem`.
 */
import { applied, kept, refused } from '../field.ts'
import { compileObject, type ObjectParser, settableDefaultsOf } from '../parse.ts'
import { choice, flag, list, maybeOneOf, objectOf, PEM_MAX, type SettableOf, text, whole } from '../shapes.ts'
import { dnKey, filledDn } from './ldap-text.ts'

const NO_DATA_PLANE =
  'Engines compare passwords with hashes that they hold, and ask no directory: people who connect to databases need users here.'
const NO_CERTIFICATES = 'Whoever shows a certificate is a user of the cluster, and is not looked for in the directory.'

const scopes = ['base', 'one', 'subtree'] as const

const query = (description: string, filter: string) =>
  choice(
    {
      base: text('', 'The DN where the search starts.'),
      filter: text('', filter, { maxLength: 4_096 }),
      scope: maybeOneOf([...scopes], 'The base itself, its children, or everything below it.'),
    },
    description,
  )

const fields = {
  control_plane: applied(flag(false, 'Whether the directory is asked about those who call the API.')),
  data_plane: refused(flag(false, 'Whether it is asked about those who connect to databases.'), {
    accepts: [false],
    why: NO_DATA_PLANE,
  }),
  uris: applied(
    list(
      text('', 'ldap://host:389 or ldaps://host:636.', {
        maxLength: 300,
        pattern: '^(ldap|ldaps)://([a-zA-Z0-9.\\-%]+|\\[[a-fA-F0-9:%]+\\])(:[0-9]{1,5})?$',
      }),
      'The servers, in the order they are tried; all hold the same directory.',
      16,
    ),
  ),
  starttls: applied(flag(false, 'Whether connections to ldap:// are encrypted by StartTLS.')),
  ca_cert: applied(
    text('', 'Certificates of authorities, in PEM, that are trusted beside those of the system.', {
      maxLength: PEM_MAX,
    }),
  ),
  bind_dn: applied(text('', 'Who searches the directory; empty: nobody in particular, or the user themselves.')),
  bind_pass: applied(text('', 'The password of bind_dn.', { maxLength: 512 }), { 'x-secret': true }),
  user_dn_template: applied(text('', 'The DN of a user, with %u for the name: "cn=%u,ou=people,dc=example,dc=org".')),
  user_dn_query: applied(query('How the entry of a user is found.', 'A filter with %u for the name: "(cn=%u)".')),
  dn_group_attr: applied(
    text('', "The attribute of a user's entry that lists their groups: memberOf.", { pattern: '^[a-zA-Z0-9.;\\-]*$' }),
  ),
  dn_group_query: applied(query('How the groups of a user are found.', 'A filter with %D for the DN: "(member=%D)".')),
  directory_timeout_s: applied(
    whole(5, 'In how many seconds a login is answered, all servers together.', { minimum: 5, maximum: 60 }),
  ),
  cache_ttl: applied(whole(300, 'For how many seconds an answer of the directory is remembered; 0: not at all.')),
  cba: refused(flag(false, 'Whether people of the directory sign in with certificates.'), {
    accepts: [false],
    why: NO_CERTIFICATES,
  }),
  cba_identity_source: kept(
    maybeOneOf(['subject_cn', 'subject_oid'], 'Where a certificate says who it is for.'),
    NO_CERTIFICATES,
    { 'x-shown': 'when-set' },
  ),
  cba_identity_oid: kept(text('', 'The part of the subject that says so.'), NO_CERTIFICATES),
}

export const LdapObject = objectOf('ldap', fields)

export type LdapSettings = SettableOf<typeof fields>
export type LdapQuery = { readonly base: string; readonly filter: string; readonly scope: (typeof scopes)[number] }

export const ldapParser: ObjectParser<Partial<LdapSettings>> = compileObject<Partial<LdapSettings>>(LdapObject)

export function ldapDefaults(): LdapSettings {
  return settableDefaultsOf<LdapSettings>(LdapObject)
}

/** Each of two stands for the same choice: who sets one lets go of the other. */
const EITHER_OR = [
  ['user_dn_template', 'user_dn_query'],
  ['dn_group_attr', 'dn_group_query'],
] as const

/** `before` with what was given; of two that exclude each other the given one stays, and a password without owner goes. */
export function changedLdap(before: LdapSettings, given: Partial<LdapSettings>): LdapSettings {
  const changed = { ...before, ...given }
  const empty = ldapDefaults()
  for (const [one, other] of EITHER_OR) {
    if (isSet(given[one]) && given[other] === undefined) Object.assign(changed, { [other]: empty[other] })
    if (isSet(given[other]) && given[one] === undefined) Object.assign(changed, { [one]: empty[one] })
  }
  if (given.bind_dn === '' && given.bind_pass === undefined) changed.bind_pass = ''
  return changed
}

/** A query that has been set, else undefined. */
export function setQuery(given: LdapSettings['user_dn_query']): LdapQuery | undefined {
  const { base, filter, scope } = given
  return base === undefined || filter === undefined || scope === undefined ? undefined : { base, filter, scope }
}

export type LdapProblem = { readonly field: string; readonly description: string }

/** What does not go together, or is missing; null: nothing. */
export function ldapProblem(settings: LdapSettings): LdapProblem | null {
  return serverProblem(settings) ?? bindProblem(settings) ?? userProblem(settings) ?? groupProblem(settings)
}

function serverProblem({ uris, starttls, control_plane }: LdapSettings): LdapProblem | null {
  if (control_plane && uris.length === 0) return problem('uris', 'control_plane needs uris: the servers to ask.')
  const isTls = uris.map((uri) => uri.startsWith('ldaps:'))
  if (isTls.includes(true) && isTls.includes(false))
    return problem('uris', 'uris must be all ldap:// or all ldaps://: a password that is protected once is so always.')
  if (starttls && isTls.includes(true))
    return problem('starttls', 'starttls is for ldap:// only; ldaps:// is encrypted from the start.')
  const bad = uris.find((uri) => portOf(uri) < 1 || portOf(uri) > 65_535)
  return bad === undefined ? null : problem('uris', `${bad} has no port from 1 to 65535.`)
}

function portOf(uri: string): number {
  return Number(/:(\d+)$/.exec(uri)?.[1] ?? 1)
}

function bindProblem({ bind_dn, bind_pass }: LdapSettings): LdapProblem | null {
  if (bind_dn !== '' && bind_pass === '')
    return problem('bind_pass', 'bind_dn needs bind_pass: without a password servers take anybody for nobody.')
  if (bind_dn === '' && bind_pass !== '') return problem('bind_dn', 'bind_pass needs bind_dn: whose password it is.')
  return null
}

function userProblem({ user_dn_template: template, user_dn_query: query, control_plane }: LdapSettings) {
  if (template !== '' && isSet(query))
    return problem('user_dn_query', 'Either user_dn_template or user_dn_query can be set, not both.')
  if (template !== '' && (!template.includes('%u') || dnKey(filledDn(template, 'name')) === null))
    return problem('user_dn_template', 'user_dn_template must be a DN with %u where the name goes.')
  if (isSet(query)) return queryProblem('user_dn_query', query, '%u')
  if (control_plane && template === '')
    return problem('user_dn_template', 'control_plane needs user_dn_template or user_dn_query.')
  return null
}

function groupProblem({ dn_group_attr: attribute, dn_group_query: query, control_plane }: LdapSettings) {
  if (attribute !== '' && isSet(query))
    return problem('dn_group_query', 'Either dn_group_attr or dn_group_query can be set, not both.')
  if (isSet(query)) return queryProblem('dn_group_query', query, '%D')
  if (control_plane && attribute === '')
    return problem('dn_group_attr', 'control_plane needs dn_group_attr or dn_group_query.')
  return null
}

function queryProblem(field: string, given: LdapSettings['user_dn_query'], placeholder: string): LdapProblem | null {
  const query = setQuery(given)
  if (!query) return problem(field, `${field} needs base, filter and scope.`)
  if (!query.filter.includes(placeholder))
    return problem(`${field}.filter`, `${field}.filter must hold ${placeholder}: without it everybody is the same.`)
  return null
}

function isSet(value: string | object | undefined): boolean {
  return typeof value === 'object' ? Object.keys(value).length > 0 : value !== undefined && value !== ''
}

function problem(field: string, description: string): LdapProblem {
  return { field, description }
}
