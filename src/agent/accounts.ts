/**
 * Whose accounts an engine has: the agent's own, and those of the spec. Callers: the steps. The control account's
 * password is derived from the node's secret, so it is stored nowhere and differs from shard to shard.
 */
import { createHash, createHmac } from 'node:crypto'
import { type Account, AccountRefused } from '#engine/accounts.ts'
import type { ShardSpec } from '#plan/step.ts'

export const CONTROL_USER = 'holdfast'

export function controlPassword(controlSecret: Buffer, shardUid: number): string {
  return createHmac('sha256', controlSecret).update(`control:${shardUid}`).digest('hex')
}

/** The engine itself has an account `default` that may do everything: a spec that forgets it gets it switched off. */
const SHUT_DEFAULT: Account = { name: 'default', enabled: false, passwordHashes: [], rules: ['-@all'] }

export function accountsOf(spec: ShardSpec, controlSecret: Buffer): Account[] {
  if (spec.users.some((user) => user.name === CONTROL_USER))
    throw new AccountRefused(`the account ${CONTROL_USER} is the control plane's own`)
  const hash = createHash('sha256').update(controlPassword(controlSecret, spec.uid)).digest('hex')
  const control: Account = { name: CONTROL_USER, enabled: true, passwordHashes: [hash], rules: ['~*', '&*', '+@all'] }
  const shut = spec.users.some((user) => user.name === 'default') ? [] : [SHUT_DEFAULT]
  return [control, ...shut, ...spec.users]
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
