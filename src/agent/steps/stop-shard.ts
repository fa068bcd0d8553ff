/**
 * stop-shard: ends the process and stays until it is gone. With `save` nothing is lost, whatever the persistence: even
 * where none is promised, a dump is handed over to the next start. If it cannot be saved the shard goes on running, and
 * it is never killed while it saves; if it ends by itself before it has, it has crashed, and the step fails. Without
 * `save`: asked, then told (SIGTERM), then made to (SIGKILL).
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ControlConnection, EngineError } from '#engine/control-connection.ts'
import { parseInfo } from '#engine/info.ts'
import { readLastWords } from '#engine/last-words.ts'
import { signalProcess } from '#engine/process.ts'
import { StepFailed } from '#plan/agent.ts'
import { textOf } from '#resp/value.ts'
import { controlPassword } from '../accounts.ts'
import type { StepContext } from '../context.ts'
import { NAMES } from '../folder.ts'
import { greet } from '../greet.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'
import type { Shard } from '../shard.ts'

const SHUTDOWN_GRACE_MS = 2_000
const TERM_GRACE_MS = 2_000
const GONE = ['stopped', 'exited'] as const

export async function stopShard(context: StepContext, { save }: { readonly save: boolean }): Promise<void> {
  const { shard, signal } = context
  if (!shard.record) return
  if (!shard.isUp) {
    await shard.keepChanged({ stopped: true })
    shard.observe({ state: 'stopped', lastWords: null })
    return
  }
  shard.stopping = true
  try {
    if (save) await stopSaving(context)
    else await stopAtOnce(shard, signal)
  } finally {
    shard.stopping = false
  }
}

async function stopSaving(context: StepContext): Promise<void> {
  const { shard, signal } = context
  const state = await shard.until(['running', 'loading', ...GONE], { signal })
  const before = shard.record
  const { connection } = shard
  if (state === 'stopped' || state === 'exited' || !before || !connection) return
  const readsAof = before.dataSource === 'aof'
  if (readsAof) await checkAof(shard, signal)
  // A switch to the append-only file that was cut off would keep the engine from ending; nothing depends on that file yet.
  else if (state === 'running')
    await connection.call(['CONFIG', 'SET', 'appendonly', 'no'], { timeoutMs: CONTROL_TIMEOUT_MS })
  // Before it ends: whoever comes after us must know that the dump is good, and that the end was wanted.
  await shard.keepChanged({ stopped: true, handOver: before.handOver || before.dataSource === 'none' })
  const logMark = (await stat(shard.folder.log).catch(() => null))?.size ?? 0
  const dumpBefore = await dumpMark(shard)
  const refused = shutDown(context, readsAof ? 'NOSAVE' : 'SAVE')
  const refusal = await Promise.race([refused, shard.until(GONE, { signal }).then(() => null)])
  if (refusal) {
    await shard.keep(before)
    const words = (await readLastWords(shard.folder.log, logMark)) ?? refusal.message
    throw new StepFailed('disk', `shard ${shard.uid} could not save its data and goes on running`, words, {
      cause: refusal,
    })
  }
  await shard.until(GONE, { signal })
  // While it still reads its data it has nothing to save; what it was told to append, it has appended.
  if (readsAof || state !== 'running' || (await dumpMark(shard)) !== dumpBefore) return
  const lastWords = (await readLastWords(shard.folder.log, logMark)) ?? 'ended without a word'
  // Somebody else may have everything: it must not pass for one that comes back with it.
  const isPrimary = before.spec?.role.kind === 'primary'
  await shard.keep(isPrimary ? before : { ...before, completeTerm: null })
  shard.observe({ state: 'exited', lastWords })
  if (isPrimary) throw new StepFailed('engine', `shard ${shard.uid} ended before it had saved its data`, lastWords)
}

/**
 * Resolves with why it does not end, or null. On a connection of its own: where one has waited for something with a limit
 * before, as ours does with WAIT, Redis 7.0 applies that limit to the time that SHUTDOWN waits for replicas, and panics.
 * An engine that has none to spare is told over ours all the same.
 */
async function shutDown({ shard, options, signal }: StepContext, how: 'SAVE' | 'NOSAVE'): Promise<EngineError | null> {
  const password = controlPassword(options.controlSecret, shard.uid)
  let fresh: ControlConnection | undefined
  try {
    fresh = (await greet(shard.folder.socket, password, { signal }))?.connection
    await (fresh ?? shard.connection)?.call(['SHUTDOWN', how], { signal })
    return null
  } catch (error) {
    return error instanceof EngineError ? error : null
  } finally {
    fresh?.close()
  }
}

/** Another whenever a dump has been written to its end: the engine writes each to a file of its own, and renames it. */
async function dumpMark({ folder }: Shard): Promise<string> {
  const seen = await stat(join(folder.path, NAMES.dump), { bigint: true }).catch(() => null)
  return seen ? `${seen.ino} ${seen.mtimeNs} ${seen.size}` : ''
}

/** What waits to be appended is in memory only; an engine that cannot append would lose it by ending. */
async function checkAof(shard: Shard, signal: AbortSignal): Promise<void> {
  const reply = await shard.connection?.call(['INFO', 'persistence'], { timeoutMs: CONTROL_TIMEOUT_MS, signal })
  const info = parseInfo((reply && textOf(reply)) ?? '')
  if (info.aof_last_write_status !== 'err') return
  throw new StepFailed('disk', `shard ${shard.uid} cannot append to its file and goes on running`)
}

async function stopAtOnce(shard: Shard, signal: AbortSignal): Promise<void> {
  // A full disk must not keep a process from being ended; then only its end will look unasked after a restart of ours.
  await shard.keepChanged({ stopped: true }).catch(() => {})
  shard.connection?.call(['SHUTDOWN', 'NOSAVE']).catch(() => {})
  if (shard.connection && (await isGoneWithin(shard, SHUTDOWN_GRACE_MS, signal))) return
  if (shard.process) signalProcess(shard.process, 'SIGTERM')
  if (await isGoneWithin(shard, TERM_GRACE_MS, signal)) return
  await killShard(shard, signal)
}

/** Returns when the kernel has taken it off its list. */
export async function killShard(shard: Shard, signal: AbortSignal): Promise<void> {
  while (shard.isUp) {
    if (shard.process) signalProcess(shard.process, 'SIGKILL')
    // Not known yet only while an adoption still looks for it.
    await isGoneWithin(shard, 20, signal)
  }
}

async function isGoneWithin(shard: Shard, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  try {
    const gone = shard.until(GONE, { signal: either }).then(() => true)
    return await Promise.race([gone, delay(timeoutMs, false, { signal: either })])
  } finally {
    over.abort()
  }
}
