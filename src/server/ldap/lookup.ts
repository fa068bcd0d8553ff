/**
 * What one login asks of one server: who is meant, whether the password is theirs, and which groups they are in.
 */
import { randomUUID } from 'node:crypto'
import { type LdapSettings, setQuery } from '#model/access/ldap.ts'
import { dnKey, filledDn, filledFilter } from '#model/access/ldap-text.ts'
import type { LdapConnection } from './connection.ts'

/** Somebody whom the directory knows, and the keys of the DNs of their groups. */
export type Person = { readonly dn: string; readonly groupKeys: ReadonlySet<string> }

const MOST_GROUPS = 5_000
const ANY_ENTRY = '(objectClass=*)'

/** Null: no such user, or not their password. Rejects when the server cannot say. */
export async function lookUp(
  connection: LdapConnection,
  settings: LdapSettings,
  name: string,
  password: string,
): Promise<Person | null> {
  const dn = await dnOf(connection, settings, name)
  if (dn === null) {
    // Nobody shall learn which names there are by how long a refusal takes.
    await connection.bind(`cn=${randomUUID()}`, randomUUID())
    return null
  }
  if (!(await connection.bind(dn, password))) return null
  await bindAsOurselves(connection, settings)
  const groups = await groupsOf(connection, settings, name, dn)
  return { dn, groupKeys: new Set(groups.flatMap((group) => dnKey(group) ?? [])) }
}

/** From here on the server sees the account that is meant for searching, where there is one. */
export async function bindAsOurselves(connection: LdapConnection, settings: LdapSettings): Promise<void> {
  if (settings.bind_dn === '') return
  if (!(await connection.bind(settings.bind_dn, settings.bind_pass))) throw new Error('bind_dn or bind_pass is wrong')
}

async function dnOf(connection: LdapConnection, settings: LdapSettings, name: string): Promise<string | null> {
  const query = setQuery(settings.user_dn_query)
  if (!query) return filledDn(settings.user_dn_template, name)
  const filter = filledFilter(query.filter, { name, dn: '' })
  const [first, second] = await connection.search({ ...query, filter }, 2)
  if (second) throw new Error('user_dn_query finds several entries for one name')
  return first?.dn ?? null
}

async function groupsOf(
  connection: LdapConnection,
  settings: LdapSettings,
  name: string,
  dn: string,
): Promise<readonly string[]> {
  const query = setQuery(settings.dn_group_query)
  if (query) {
    const filter = filledFilter(query.filter, { name, dn })
    return (await connection.search({ ...query, filter }, MOST_GROUPS)).map((group) => group.dn)
  }
  const own = { base: dn, filter: ANY_ENTRY, scope: 'base' } as const
  const [entry] = await connection.search(own, 1, settings.dn_group_attr)
  return entry?.values ?? []
}
