/**
 * stop-shard: ends the process and stays until it is gone. With `save` nothing is lost, whatever the persistence: even
 * where none is promised, a dump is handed over to the next start. If it cannot be saved the shard goes on running, and
 * it is never killed while it saves. Without `save`: asked, then told (SIGTERM), then made to (SIGKILL).
 */
import { stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { EngineError } from '#engine/control-connection.ts'
import { parseInfo } from '#engine/info.ts'
import { readLastWords } from '#engine/last-words.ts'
import { signalProcess } from '#engine/process.ts'
import { StepFailed } from '#plan/agent.ts'
import { textOf } from '#resp/value.ts'
import type { StepContext } from '../context.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'
import type { Shard } from '../shard.ts'

const SHUTDOWN_GRACE_MS = 2_000
const TERM_GRACE_MS = 2_000
const GONE = ['stopped', 'exited'] as const

export async function stopShard({ shard, signal }: StepContext, { save }: { readonly save: boolean }): Promise<void> {
  if (!shard.record) return
  if (!shard.isUp) {
    await shard.keepChanged({ stopped: true })
    shard.observe({ state: 'stopped', lastWords: null })
    return
  }
  shard.stopping = true
  try {
    if (save) await stopSaving(shard, signal)
    else await stopAtOnce(shard, signal)
  } finally {
    shard.stopping = false
  }
}

async function stopSaving(shard: Shard, signal: AbortSignal): Promise<void> {
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
  const refused = connection.call(['SHUTDOWN', readsAof ? 'NOSAVE' : 'SAVE'], { signal }).then(
    () => null,
    (error: unknown) => (error instanceof EngineError ? error : null),
  )
  const refusal = await Promise.race([refused, shard.until(GONE, { signal }).then(() => null)])
  if (!refusal) {
    await shard.until(GONE, { signal })
    return
  }
  await shard.keep(before)
  const words = (await readLastWords(shard.folder.log, logMark)) ?? refusal.message
  throw new StepFailed('disk', `shard ${shard.uid} could not save its data and goes on running`, words, {
    cause: refusal,
  })
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
