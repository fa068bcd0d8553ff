/**
 * From which engine to which a database can be moved by replication: the newer reads what the older sends. Pure.
 */
import { majorOf } from './needs-restart.ts'

export type Engine = { readonly name: 'redis' | 'valkey'; readonly version: string }

/** Since this version an engine gives its port away while it runs. */
const LIVE_PORT_MAJOR = 7
/** Valkey began as Redis 7.2; what later versions of Redis send, it does not read. */
const LAST_COMMON = [7, 2] as const

/** Why it cannot be done, in words that say what can; null: it can. */
export function upgradeProblem(from: Engine, to: Engine): string | null {
  const path = `${from.name} ${from.version} → ${to.name} ${to.version}`
  if (majorOf(from.version) < LIVE_PORT_MAJOR)
    return `${path}: ${from.version} cannot give its port away while it runs; create a new database and copy the data`
  if (from.name === to.name)
    return isOlder(to.version, from.version)
      ? `${path}: an older version does not read what a newer one writes; only the same or a newer one can follow`
      : null
  if (from.name === 'valkey') return `${path}: Redis does not read what Valkey writes`
  const [major, minor] = partsOf(from.version)
  const isCommon = major < LAST_COMMON[0] || (major === LAST_COMMON[0] && minor <= LAST_COMMON[1])
  return isCommon ? null : `${path}: Valkey reads what Redis up to ${LAST_COMMON.join('.')} writes, and no later one`
}

export function isSameEngine(one: Engine, other: Engine): boolean {
  return one.name === other.name && one.version === other.version
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0
}

function partsOf(version: string): [number, number] {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return [major, minor]
}
