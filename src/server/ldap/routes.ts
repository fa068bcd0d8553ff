/**
 * The routes of the LDAP directory: how it is asked, and what its groups may do. What a row does is in the file that its
 * handler comes from.
 */
import Type from 'typebox'
import { LdapObject } from '#model/access/ldap.ts'
import { LdapMappingObject } from '#model/access/ldap-mapping.ts'
import type { RefusalCode } from '../errors.ts'
import { DRY_RUN } from '../http/query.ts'
import type { Route } from '../http/route.ts'
import { CHANGE_REFUSALS } from '../settings-object.ts'
import { deleteLdap, renderLdap, updateLdap } from './configuration.ts'
import { createMapping, deleteMapping, findMapping, renderMapping, updateMapping } from './mappings.ts'
import { ldapSettings } from './settings.ts'

const BAD_MAPPING: readonly RefusalCode[] = [
  'unknown_field',
  'invalid_field',
  'name_already_exists',
  'invalid_dn_param',
  'invalid_name_param',
  'invalid_role_uids_param',
  'invalid_account_id_param',
  ...CHANGE_REFUSALS,
]

export const ldapRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/ldap',
    access: 'view_ldap_config',
    summary: 'How the LDAP directory is asked',
    answers: LdapObject,
    refusals: [],
    handle: (_request, { state }) => ({ json: renderLdap(ldapSettings(state)) }),
  },
  {
    method: 'PUT',
    path: '/v1/cluster/ldap',
    access: 'config_ldap',
    summary: 'Change how the LDAP directory is asked; what is left out stays',
    query: [DRY_RUN],
    body: LdapObject,
    answers: LdapObject,
    refusals: [
      'unknown_field',
      'invalid_field',
      'unsupported_feature',
      'illegal_fields_combination',
      ...CHANGE_REFUSALS,
    ],
    handle: async (request, parts) => ({ json: renderLdap(await updateLdap(request, parts)) }),
  },
  {
    method: 'DELETE',
    path: '/v1/cluster/ldap',
    access: 'config_ldap',
    summary: 'Ask no LDAP directory any more, and forget how',
    refusals: CHANGE_REFUSALS,
    handle: async (request, parts) => {
      await deleteLdap(request, parts)
      return { json: null }
    },
  },
  {
    method: 'GET',
    path: '/v1/ldap_mappings',
    access: 'view_all_ldap_mappings_info',
    summary: 'All LDAP mappings',
    answers: Type.Array(LdapMappingObject),
    refusals: [],
    handle: (_request, { state }) => ({
      json: [...state.ldapMappings.values()]
        .map(({ value }) => value)
        .sort((one, other) => one.uid - other.uid)
        .map(renderMapping),
    }),
  },
  {
    method: 'GET',
    path: '/v1/ldap_mappings/{uid}',
    access: 'view_ldap_mapping_info',
    summary: 'One LDAP mapping',
    answers: LdapMappingObject,
    refusals: ['ldap_mapping_not_exist'],
    handle: (request, parts) => ({ json: renderMapping(findMapping(request, parts).value) }),
  },
  {
    method: 'POST',
    path: '/v1/ldap_mappings',
    access: 'create_ldap_mapping',
    summary: 'Give roles to the members of a group of the LDAP directory',
    query: [DRY_RUN],
    body: LdapMappingObject,
    answers: LdapMappingObject,
    refusals: [...BAD_MAPPING, 'missing_field'],
    handle: async (request, parts) => ({ json: renderMapping(await createMapping(request, parts)) }),
  },
  {
    method: 'PUT',
    path: '/v1/ldap_mappings/{uid}',
    access: 'update_ldap_mapping',
    summary: 'Change an LDAP mapping',
    query: [DRY_RUN],
    body: LdapMappingObject,
    answers: LdapMappingObject,
    refusals: [...BAD_MAPPING, 'ldap_mapping_not_exist'],
    handle: async (request, parts) => ({ json: renderMapping(await updateMapping(request, parts)) }),
  },
  {
    method: 'DELETE',
    path: '/v1/ldap_mappings/{uid}',
    access: 'delete_ldap_mapping',
    summary: 'Delete an LDAP mapping',
    refusals: ['ldap_mapping_not_exist', ...CHANGE_REFUSALS],
    handle: async (request, parts) => {
      await deleteMapping(request, parts)
      return { json: null }
    },
  },
]
