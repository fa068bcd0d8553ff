/**
 * configure-shard: changes a running process into what its spec says, and only where it differs, so that carrying it out
 * twice, or after half of it, ends the same. The record says "half applied" from the first change to the last.
 */
import { accountRules, renderAccounts } from '#engine/accounts.ts'
import type { ControlConnection } from '#engine/control-connection.ts'
import { StepFailed } from '#plan/agent.ts'
import { needsRestart } from '#plan/needs-restart.ts'
import { specDigest } from '#plan/spec-digest.ts'
import type { ShardSpec } from '#plan/step.ts'
import { type RespValue, textOf } from '#resp/value.ts'
import { accountsOf, usersShutOut } from '../accounts.ts'
import type { StepContext } from '../context.ts'
import { configurationText, plainSettings } from '../directives.ts'
import { writeWhole } from '../folder.ts'
import { applySettings, CONTROL_TIMEOUT_MS } from '../live-settings.ts'
import { bringPersistence } from '../persistence.ts'
import { bringRole, checkTerm } from '../role.ts'
import { endpointSettings } from '../tls.ts'

/** All but replicas and ourselves. */
const EVERYBODY_OUT = [
  ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'],
  ['CLIENT', 'KILL', 'TYPE', 'pubsub'],
]

export async function configureShard(context: StepContext, spec: ShardSpec): Promise<void> {
  const { shard, options, signal } = context
  const digest = specDigest(spec)
  if (shard.isUp) await shard.until(['running', 'exited', 'stopped'], { signal })
  const connection = shard.requireConnection()
  const before = shard.record?.spec ?? null
  if (shard.record?.specDigest === digest) return
  const obstacle = before && needsRestart(before, spec)
  if (obstacle) throw new StepFailed('engine', `shard ${spec.uid} must be restarted: ${obstacle}`)

  checkTerm(shard, spec)
  await shard.keepChanged({ specDigest: null })
  await applySettings(connection, await endpointSettings(options, spec, before), { together: true })
  await applySettings(connection, plainSettings(spec))
  await applyAccounts(connection, before, spec, options.controlSecret)
  await bringRole({ shard, connection, controlSecret: options.controlSecret }, spec)
  await bringPersistence({ shard, connection, signal }, spec.persistence)
  // For people and for the next start, which writes them again anyway.
  await writeWhole(shard.folder.users, renderAccounts(accountsOf(spec, options.controlSecret)))
  await writeWhole(shard.folder.config, configurationText(spec, spec.persistence, shard.folder))
  await shard.keepChanged({ spec, specDigest: digest })
}

/** Each account is set as a whole in one command, so nobody can log in to half of one; the others are not touched. */
async function applyAccounts(
  connection: ControlConnection,
  before: ShardSpec | null,
  spec: ShardSpec,
  controlSecret: Buffer,
): Promise<void> {
  const accounts = accountsOf(spec, controlSecret)
  const names = new Set(accounts.map(({ name }) => name))
  const present = textList(await connection.call(['ACL', 'USERS'], { timeoutMs: CONTROL_TIMEOUT_MS }))
  const vanished = present.filter((name) => !names.has(name))
  const shutOut = before && spec.disconnectOnPasswordRemoval ? usersShutOut(before, spec) : []
  const commands = [
    ...accounts.map((account) => ['ACL', 'SETUSER', account.name, ...accountRules(account)]),
    ...vanished.map((name) => ['ACL', 'DELUSER', name]),
    ...shutOut.map((name) => ['CLIENT', 'KILL', 'USER', name]),
    ...(spec.takesClients ? [] : EVERYBODY_OUT),
  ]
  await Promise.all(connection.send(commands, { timeoutMs: CONTROL_TIMEOUT_MS }))
}

function textList(reply: RespValue): string[] {
  return reply.kind === 'array' ? reply.items.map((item) => textOf(item) ?? '') : []
}
