/**
 * Ports that databases must not get, as the cluster's `reserved_ports` has them: `11000`, `13000-13010`.
 */
import type { Problem } from './problem.ts'

export type ReservedRange = { readonly first: number; readonly last: number }

const ENTRY = /^([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$/
const PORT_MAX = 65_535

/** Null when it is not such an entry. */
export function reservedRange(entry: string): ReservedRange | null {
  const match = ENTRY.exec(entry)
  if (!match) return null
  const first = Number(match[1])
  const last = Number(match[2] ?? match[1])
  return first <= last && last <= PORT_MAX ? { first, last } : null
}

export function reservedPortsProblem({ reserved_ports }: Readonly<Record<string, unknown>>): Problem | null {
  if (!Array.isArray(reserved_ports)) return null
  const index = reserved_ports.findIndex((entry) => typeof entry !== 'string' || !reservedRange(entry))
  if (index === -1) return null
  const field = `reserved_ports[${index}]`
  return {
    code: 'invalid_configuration',
    field,
    description: `${field} must be a port or a range of ports up to ${PORT_MAX}, such as 11000 or 13000-13010.`,
  }
}
