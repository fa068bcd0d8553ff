/**
 * Changes how a running shard persists, such that a crash at any moment loses neither what the old way promised nor
 * what the new one does. Callers: configure-shard. The order is the whole point:
 *
 *   to the append-only file: begin to write it, wait until all data is in it, only then record that it is what the next
 *   start reads, then end the snapshots;
 *   to snapshots: set the rules, wait for one good dump, record that the next start reads the dump, then end the file;
 *   to nothing: record that the next start reads nothing, then end both.
 *
 * Files that are no longer read are removed last. Every line may be repeated.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type ControlConnection, EngineError } from '#engine/control-connection.ts'
import { parseInfo } from '#engine/info.ts'
import { StepFailed } from '#plan/agent.ts'
import type { Persistence } from '#plan/step.ts'
import { textOf } from '#resp/value.ts'
import { persistenceSettings } from './directives.ts'
import { removeAof, removeDump } from './folder.ts'
import { applySettings, CONTROL_TIMEOUT_MS, readSettings } from './live-settings.ts'
import { hurry } from './pace.ts'
import type { Shard } from './shard.ts'

type Ports = { readonly shard: Shard; readonly connection: ControlConnection; readonly signal: AbortSignal }
type Info = Readonly<Record<string, string>>

const POLL_MIN_MS = 2
const POLL_MAX_MS = 100
/** A rewrite that failed before we asked still shows; after so long without a new one it is the answer to ours. */
const OLD_FAILURE_MS = 5_000

export async function bringPersistence(ports: Ports, wanted: Persistence): Promise<void> {
  switch (wanted.kind) {
    case 'aof':
      return await toAof(ports, wanted)
    case 'snapshot':
      return await toSnapshot(ports, wanted)
    case 'none':
      return await toNone(ports, wanted)
  }
}

async function toAof({ shard, connection, signal }: Ports, wanted: Persistence): Promise<void> {
  const { appendfsync = '', save = '' } = persistenceSettings(wanted)
  await applySettings(connection, { appendfsync })
  const { appendonly } = await readSettings(connection, { appendonly: '' })
  if (appendonly !== 'yes' || shard.record?.dataSource !== 'aof') {
    const before = await readPersistence(connection, signal)
    await hurry(shard)
    try {
      await applySettings(connection, { appendonly: 'yes' })
      await untilRewritten(connection, before, signal)
    } catch (error) {
      if (connection.isOpen && !signal.aborted) await applySettings(connection, { appendonly: 'no' }).catch(() => {})
      throw error
    }
    await shard.keepChanged({ dataSource: 'aof', handOver: false }, { durable: true })
  }
  await applySettings(connection, { save })
  await removeDump(shard.folder)
}

async function toSnapshot({ shard, connection, signal }: Ports, wanted: Persistence): Promise<void> {
  const { appendfsync = '', save = '' } = persistenceSettings(wanted)
  await applySettings(connection, { appendfsync, save })
  if (shard.record?.dataSource !== 'snapshot') {
    await hurry(shard)
    await saveDump(connection, signal)
    await shard.keepChanged({ dataSource: 'snapshot', handOver: false }, { durable: true })
  }
  await applySettings(connection, { appendonly: 'no' })
  await removeAof(shard.folder)
}

async function toNone({ shard, connection }: Ports, wanted: Persistence): Promise<void> {
  if (shard.record?.dataSource !== 'none')
    await shard.keepChanged({ dataSource: 'none', handOver: false }, { durable: true })
  await applySettings(connection, persistenceSettings(wanted))
  await Promise.all([removeDump(shard.folder), removeAof(shard.folder)])
}

/** All data is in the append-only file once a rewrite has ended well: until then the engine itself counts it as not begun. */
async function untilRewritten(connection: ControlConnection, before: Info, signal: AbortSignal): Promise<void> {
  const began = performance.now()
  await poll(signal, async () => {
    const now = await readPersistence(connection, signal)
    if (now.aof_rewrite_in_progress !== '0') return false
    if (now.aof_last_bgrewrite_status === 'ok') return now.aof_rewrite_scheduled === '0'
    const isOld = before.aof_last_bgrewrite_status !== 'ok' && performance.now() - began < OLD_FAILURE_MS
    if (!isOld) throw new StepFailed('disk', 'the append-only file could not be written')
    return false
  })
}

/** A dump that began after this call, or was being written when it was made. */
async function saveDump(connection: ControlConnection, signal: AbortSignal): Promise<void> {
  const before = await readPersistence(connection, signal)
  // Refused while another child of the engine is at work; that ends.
  await poll(signal, async () => {
    const reply = connection.call(['BGSAVE'], { timeoutMs: CONTROL_TIMEOUT_MS })
    return await reply
      .then(() => true)
      .catch((error: unknown) => {
        if (!(error instanceof EngineError)) throw error
        if (/already in progress/i.test(error.message)) return true
        if (/child process|in progress/i.test(error.message)) return false
        throw error
      })
  })
  await poll(signal, async () => {
    const now = await readPersistence(connection, signal)
    if (now.rdb_bgsave_in_progress !== '0') return false
    if (now.rdb_last_bgsave_status !== 'ok') throw new StepFailed('disk', 'the dump could not be written')
    return now.rdb_saves === undefined || now.rdb_saves !== before.rdb_saves
  })
}

async function readPersistence(connection: ControlConnection, signal: AbortSignal): Promise<Info> {
  return parseInfo(
    textOf(await connection.call(['INFO', 'persistence'], { timeoutMs: CONTROL_TIMEOUT_MS, signal })) ?? '',
  )
}

/** Asks again, less and less often, until the answer is yes, it throws, or the caller gives up. */
async function poll(signal: AbortSignal, isDone: () => Promise<boolean>): Promise<void> {
  for (let waitMs = POLL_MIN_MS; !(await isDone()); waitMs = Math.min(waitMs * 2, POLL_MAX_MS)) {
    await delay(waitMs, undefined, { signal })
  }
}
