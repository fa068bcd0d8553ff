/**
 * LDAP mappings: which roles the members of a group of the directory have. A change takes effect with the next request of
 * whoever is in the group.
 */
import { type GivenLdapMapping, KEPT_MAPPING_FIELDS, ldapMappingParser } from '#model/access/ldap-mapping.ts'
import { dnKey } from '#model/access/ldap-text.ts'
import type { LdapMappingDocument } from '#model/documents/access.ts'
import type { Mode } from '#model/parse.ts'
import { changeAccess, uidIn } from '../access/changes.ts'
import { isRefusalCode, type RefusalCode, refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'

/** The reference has a code of its own for a wrong value of each of these. */
const CODES: Readonly<Record<string, RefusalCode>> = {
  name: 'invalid_name_param',
  dn: 'invalid_dn_param',
  role_uids: 'invalid_role_uids_param',
  account_id: 'invalid_account_id_param',
}

/** Rejects with a Refusal, as do the others. */
export async function createMapping(request: ApiRequest, parts: Parts): Promise<LdapMappingDocument> {
  const { ldapMappings } = parts.state
  const given = parseMapping(request, 'create')
  const { name, dn, role_uids: roleUids } = given
  if (name === undefined) return missing('name')
  if (dn === undefined) return missing('dn')
  if (roleUids === undefined) return missing('role_uids')
  return await changeAccess(request, parts, ({ uidOf }) => {
    const made = { uid: uidOf('ldapMapping'), name, dn, roleUids: [...new Set(roleUids)], alerts: keptFields(given) }
    check(parts, made)
    return {
      changes: [ldapMappings.put(made.uid, made)],
      compare: [ldapMappings.unchanged(made.uid, undefined)],
      result: made,
    }
  })
}

export async function updateMapping(request: ApiRequest, parts: Parts): Promise<LdapMappingDocument> {
  const { ldapMappings } = parts.state
  const given = parseMapping(request, 'update')
  return await changeAccess(request, parts, () => {
    const held = findMapping(request, parts)
    const before = held.value
    const changed = {
      ...before,
      name: given.name ?? before.name,
      dn: given.dn ?? before.dn,
      roleUids: [...new Set(given.role_uids ?? before.roleUids)],
      alerts: { ...before.alerts, ...keptFields(given) },
    }
    check(parts, changed)
    return {
      changes: [ldapMappings.put(changed.uid, changed)],
      compare: [ldapMappings.unchanged(changed.uid, held)],
      result: changed,
    }
  })
}

export async function deleteMapping(request: ApiRequest, parts: Parts): Promise<void> {
  const { ldapMappings } = parts.state
  await changeAccess(request, parts, () => {
    const held = findMapping(request, parts)
    const { uid } = held.value
    return { changes: [ldapMappings.delete(uid)], compare: [ldapMappings.unchanged(uid, held)], result: undefined }
  })
}

export function findMapping(request: ApiRequest, { state }: Parts) {
  return state.ldapMappings.get(uidIn(request, 'ldap_mapping_not_exist')) ?? refuse('ldap_mapping_not_exist')
}

export function renderMapping({ uid, name, dn, roleUids, alerts }: LdapMappingDocument): Record<string, unknown> {
  return { uid, name, dn, role_uids: roleUids, ...KEPT_MAPPING_FIELDS, ...alerts }
}

function parseMapping(request: ApiRequest, mode: Mode): GivenLdapMapping {
  const parsed = ldapMappingParser.parse(objectBody(request.body), mode)
  if (parsed.ok) return parsed.value
  const { code, field, description } = parsed.problem
  const [name = ''] = field.split(/[.[]/)
  const known = isRefusalCode(code) ? code : 'invalid_field'
  return refuse(known === 'invalid_field' ? (CODES[name] ?? known) : known, { field, description })
}

function missing(field: string): never {
  return refuse('missing_field', { field, description: `An LDAP mapping needs ${field}.` })
}

function check({ state }: Parts, mapping: LdapMappingDocument): void {
  if (mapping.name === '') refuse('invalid_name_param', { field: 'name', description: 'An LDAP mapping needs a name.' })
  if (dnKey(mapping.dn) === null) {
    const description = 'dn must be the distinguished name of a group: "cn=admins,ou=groups,dc=example,dc=org".'
    refuse('invalid_dn_param', { field: 'dn', description })
  }
  if (mapping.roleUids.length === 0)
    refuse('invalid_role_uids_param', { field: 'role_uids', description: 'An LDAP mapping needs one role at least.' })
  const unknown = mapping.roleUids.find((uid) => !state.roles.get(uid))
  if (unknown !== undefined) {
    const description = `There is no role with the uid ${unknown}.`
    refuse('invalid_role_uids_param', { field: 'role_uids', description })
  }
  for (const { value } of state.ldapMappings.values()) {
    if (value.uid !== mapping.uid && value.name === mapping.name)
      refuse('name_already_exists', { field: 'name', description: `LDAP mapping ${value.uid} has this name already.` })
  }
}

function keptFields(given: GivenLdapMapping): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(KEPT_MAPPING_FIELDS).flatMap((name) => (name in given ? [[name, given[name]]] : [])),
  )
}
