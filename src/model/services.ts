/**
 * The services_configuration object of the API: which services of a cluster run. Some of the original's are parts of one
 * program here, and cannot be switched off alone; others are not there, and cannot be switched on.
 */
import { applied, kept } from './field.ts'
import { compileObject, defaultsOf, type ObjectParser } from './parse.ts'
import type { Problem } from './problem.ts'
import { objectOf, oneOf, settings } from './shapes.ts'
import { isObject } from './values.ts'

type Mode = 'enabled' | 'disabled'

const service = (preset: Mode, description: string) =>
  settings({ operating_mode: oneOf(['disabled', 'enabled'], preset, 'Whether it runs.') }, description)

const PART = 'It is a part of the control plane, and runs whenever that does.'
const NOT_HERE = 'There is no such service here.'

/** Of those that stay as they are. */
const FIXED: Readonly<Record<string, { readonly mode: Mode; readonly about: string; readonly why: string }>> = {
  alert_mgr: { mode: 'enabled', about: 'Raises alerts.', why: `${PART} Each alert can be switched off by itself.` },
  ldap_agent_mgr: {
    mode: 'enabled',
    about: 'Asks the LDAP directory.',
    why: `${PART} DELETE /v1/cluster/ldap ends it.`,
  },
  stats_archiver: { mode: 'enabled', about: 'Keeps statistics.', why: PART },
  call_home_agent: { mode: 'disabled', about: 'Tells the maker about the use.', why: 'Nothing is told to anybody.' },
  cm_server: { mode: 'disabled', about: 'The user interface.', why: 'There is none yet.' },
  crdb_coordinator: { mode: 'disabled', about: 'Coordinates Active-Active databases.', why: NOT_HERE },
  crdb_worker: { mode: 'disabled', about: 'Works for Active-Active databases.', why: NOT_HERE },
  entraid_agent_mgr: { mode: 'disabled', about: 'Asks Entra ID.', why: NOT_HERE },
  mdns_server: { mode: 'disabled', about: 'Multicast DNS.', why: NOT_HERE },
  pdns_server: { mode: 'disabled', about: 'DNS.', why: NOT_HERE },
}

export const ServicesConfiguration = objectOf('services_configuration', {
  sentinel_service: applied(service('enabled', 'The discovery service, which speaks the Sentinel protocol.')),
  ...Object.fromEntries(
    Object.entries(FIXED).map(([name, { mode, about, why }]) => [name, kept(service(mode, about), why)]),
  ),
})

const parser = compileObject(ServicesConfiguration, { rules: [fixedProblem] })

export function servicesParser(): ObjectParser {
  return parser
}

/** `given`: the settings that were set. */
export function isDiscoveryOn(given: Readonly<Record<string, unknown>>): boolean {
  const { sentinel_service: shown } = { ...defaultsOf(ServicesConfiguration), ...given }
  return !isObject(shown) || shown.operating_mode !== 'disabled'
}

function fixedProblem(given: Readonly<Record<string, unknown>>): Problem | null {
  for (const [name, value] of Object.entries(given)) {
    const fixed = Object.hasOwn(FIXED, name) ? FIXED[name] : undefined
    if (!fixed || !isObject(value) || value.operating_mode === fixed.mode) continue
    const field = `${name}.operating_mode`
    return { code: 'unsupported_feature', field, description: `${field} can only be ${fixed.mode}. ${fixed.why}` }
  }
  return null
}
