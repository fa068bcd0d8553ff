/**
 * What the generated parts of the documentation say, made from the schemas, the settings and the error catalogue. Each
 * part stands between two comments in a file that is otherwise written by hand.
 */

import { LdapObject } from '#model/access/ldap.ts'
import { LdapMappingObject } from '#model/access/ldap-mapping.ts'
import { ALERTS } from '#model/alerts/catalogue.ts'
import { AuditingObject } from '#model/auditing.ts'
import { ClusterObject } from '#model/cluster.ts'
import { ClusterPolicy } from '#model/cluster-policy.ts'
import { DatabaseObject } from '#model/database/schema.ts'
import type { Field } from '#model/field.ts'
import { NodeObject } from '#model/node.ts'
import { OcspObject } from '#model/ocsp.ts'
import { isPermission, MANAGEMENT_ROLES, type ManagementRole, permissionsOf } from '#model/permissions.ts'
import { ProxyObject } from '#model/proxy.ts'
import { SsoObject } from '#model/sso.ts'
import { commandTable } from '#proxy/command-docs.ts'
import { REFUSAL_CODES } from '#server/errors.ts'
import { type Access, databaseParameter } from '#server/http/route.ts'
import { ROUTES } from '#server/routes.ts'
import { settingsTable } from './settings.ts'

type Document = { readonly path: string; readonly render: (before: string) => string }

export const documents: readonly Document[] = [
  { path: 'README.md', render: (before) => replacePart(before, 'settings', settingsTable()) },
  {
    path: 'docs/compatibility.md',
    render: (before) =>
      [
        ['alerts', alertTable()],
        ['requests', requestTable()],
        ['bdb', fieldTable(DatabaseObject.properties)],
        ['cluster', fieldTable(ClusterObject.properties)],
        ['cluster_settings', fieldTable(ClusterPolicy.properties)],
        ['node', fieldTable(NodeObject.properties)],
        ['proxy', fieldTable(ProxyObject.properties)],
        ['auditing', fieldTable(AuditingObject.properties)],
        ['ldap', fieldTable(LdapObject.properties)],
        ['ldap_mapping', fieldTable(LdapMappingObject.properties)],
        ['ocsp', fieldTable(OcspObject.properties)],
        ['sso', fieldTable(SsoObject.properties)],
      ].reduce((text, [name = '', table = '']) => replacePart(text, name, table), before),
  },
  { path: 'docs/permissions.md', render: (before) => replacePart(before, 'permissions', permissionTable()) },
  { path: 'docs/proxy.md', render: (before) => replacePart(before, 'commands', commandTable()) },
  { path: 'docs/errors.md', render: (before) => replacePart(before, 'errors', errorTable()) },
]

/** Throws when the file has no such part: then it has lost its place. */
export function replacePart(text: string, name: string, body: string): string {
  const open = new RegExp(`<!-- ${name}:[^>]*-->`).exec(text)?.[0]
  const close = `<!-- /${name} -->`
  const from = open === undefined ? -1 : text.indexOf(open) + open.length
  const to = text.indexOf(close)
  if (from < 0 || to < from) throw new Error(`there is no part <!-- ${name}: … --> … ${close}`)
  return `${text.slice(0, from)}\n\n${body.trim()}\n\n${text.slice(to)}`
}

function alertTable(): string {
  const rows = Object.values(ALERTS)
    .flat()
    .map(({ name, event, severity, threshold, isOnByDefault, isOurs, isRaised, found }) => {
      const level = threshold ? `${threshold.preset || '–'} ${threshold.unit}` : ''
      const marks = [isOurs && 'Not in the original', isOnByDefault && 'On by default'].filter(Boolean)
      const notes = [isRaised ? found : `Never raised. ${found}`, ...marks.map((mark) => `${mark}.`)].join(' ')
      return `| \`${name}\` | ${isRaised ? `\`${event}\`` : ''} | ${isRaised ? severity : ''} | ${level} | ${notes} |`
    })
  return ['| Alert | Event | Severity | Threshold | How it is found out |', '|---|---|---|---|---|', ...rows].join('\n')
}

const EFFECTS = {
  applied: 'takes effect',
  kept: 'kept',
  refused: 'refused',
  reported: 'reported',
} as const

function fieldTable(fields: Readonly<Record<string, Field>>): string {
  const rows = Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => {
      const effect = field['x-effect'] ?? 'reported'
      const marks = [field['x-create-only'] ? 'at creation only' : '', field.deprecated ? 'deprecated' : '']
      const accepts = effect === 'refused' ? `; accepted: ${accepted(field)}` : ''
      const note = [cell(field['x-why'] ?? ''), ...marks].filter((text) => text !== '').join(' ')
      return `| \`${name}\` | ${EFFECTS[effect]}${accepts} | ${note} |`
    })
  return ['| Field | Here | Why, and when |', '|---|---|---|', ...rows].join('\n')
}

function accepted(field: Field): string {
  const values = (field['x-accepts'] ?? []).map((value) => `\`${cell(JSON.stringify(value))}\``)
  return values.length > 0 ? values.join(', ') : 'nothing'
}

function requestTable(): string {
  const rows = ROUTES.map(
    ({ method, path, access, summary }) => `| ${method} | \`${path}\` | \`${access}\` | ${summary} |`,
  )
  return ['| Method | Path | Permission | |', '|---|---|---|---|', ...rows].join('\n')
}

/** What test/permissions.test.ts tries, request by request. */
function permissionTable(): string {
  const rows = ROUTES.map(({ method, path, access }) => {
    const marks = MANAGEMENT_ROLES.map((role) => mark(access, role, databaseParameter(path) !== undefined))
    return `| ${method} \`${path}\` | ${isPermission(access) ? `\`${access}\`` : access} | ${marks.join(' | ')} |`
  })
  const head = ['Request', 'Permission', ...MANAGEMENT_ROLES]
  return [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows].join('\n')
}

function mark(access: Access, role: ManagementRole, isAboutDatabase: boolean): string {
  if (!isPermission(access)) return '✓'
  if (!permissionsOf(role).has(access)) return ''
  const canBeLimited = role === 'db_member' || role === 'db_viewer'
  if (canBeLimited && access === 'create_bdb') return '✓ unlimited'
  return canBeLimited && isAboutDatabase ? '✓ in reach' : '✓'
}

function errorTable(): string {
  const rows = [...REFUSAL_CODES].map(([code, { status, says }]) => `| \`${code}\` | ${status} | ${says} |`)
  return ['| Code | Status | Says |', '|---|---|---|', ...rows].join('\n')
}

/** A pipe would end the cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
