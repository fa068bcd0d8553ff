/**
 * Whose accounts an engine has: the agent's own, and those of the spec. Callers: the steps. The control account's
 * password is derived from the node's secret, so it is stored nowhere and differs from shard to shard.
 */
import { createHash, createHmac } from 'node:crypto'
import { type Account, AccountRefused } from '#engine/accounts.ts'
import type { ShardSpec } from '#plan/step.ts'

export const CONTROL_USER = 'holdfast'
/** Whoever follows a primary of the same database logs in to it as this. */
export const REPLICATION_USER = 'holdfast-replica'

/** What the proxy is when it asks for itself; its clients are themselves. */
export const PROXY_USER = 'holdfast-proxy'

/** Runs commands of administrators through the proxy, with full rights: the control account is another at each shard. */
export const OPERATOR_USER = 'holdfast-operator'

export function controlPassword(controlSecret: Buffer, shardUid: number): string {
  return createHmac('sha256', controlSecret).update(`control:${shardUid}`).digest('hex')
}

export function replicationPassword(controlSecret: Buffer, databaseUid: number): string {
  return createHmac('sha256', controlSecret).update(`replication:${databaseUid}`).digest('hex')
}

export function proxyPassword(controlSecret: Buffer, databaseUid: number): string {
  return createHmac('sha256', controlSecret).update(`proxy:${databaseUid}`).digest('hex')
}

export function operatorPassword(controlSecret: Buffer, databaseUid: number): string {
  return createHmac('sha256', controlSecret).update(`operator:${databaseUid}`).digest('hex')
}

/** The engine itself has an account `default` that may do everything: a spec that forgets it gets it switched off. */
const SHUT_DEFAULT: Account = { name: 'default', enabled: false, passwordHashes: [], rules: ['-@all'] }

const FULL_RIGHTS = ['~*', '&*', '+@all']
const OWN_USERS = new Set([CONTROL_USER, REPLICATION_USER, PROXY_USER, OPERATOR_USER])

export function accountsOf(spec: ShardSpec, controlSecret: Buffer): Account[] {
  const own = spec.users.find(({ name }) => OWN_USERS.has(name))
  if (own) throw new AccountRefused(`the account ${own.name} is the control plane's own`)
  const control = ownAccount(CONTROL_USER, controlPassword(controlSecret, spec.uid), FULL_RIGHTS)
  const follower = ownAccount(REPLICATION_USER, replicationPassword(controlSecret, spec.databaseUid), [
    '+psync',
    '+replconf',
    '+ping',
  ])
  const shut = spec.users.some((user) => user.name === 'default') ? [] : [SHUT_DEFAULT]
  const proxy = ownAccount(PROXY_USER, proxyPassword(controlSecret, spec.databaseUid), [
    '+cluster|slots',
    '+info',
    '+command',
    '+client|unblock',
  ])
  const operator = ownAccount(OPERATOR_USER, operatorPassword(controlSecret, spec.databaseUid), FULL_RIGHTS)
  return [control, follower, ...(spec.cluster ? [proxy, operator] : []), ...shut, ...spec.users]
}

function ownAccount(name: string, password: string, rules: readonly string[]): Account {
  const hash = createHash('sha256').update(password).digest('hex')
  return { name, enabled: true, passwordHashes: [hash], rules }
}

/** Those who could log in before in a way that no longer opens their account. */
export function usersShutOut(before: ShardSpec, after: ShardSpec): string[] {
  const users = new Map(after.users.map((user) => [user.name, user]))
  const shutOut = before.users.filter((old) => {
    const now = users.get(old.name)
    if (!now) return false // The engine closes the connections of an account that is deleted.
    if (old.enabled && !now.enabled) return true
    if (now.passwordHashes === null) return false
    return old.passwordHashes === null || old.passwordHashes.some((hash) => !now.passwordHashes?.includes(hash))
  })
  return shutOut.map((user) => user.name)
}
