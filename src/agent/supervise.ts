/**
 * Watches one process from the moment it was started, or found running, until it is gone; then the shard is `stopped`
 * if somebody wanted that, `exited` if nobody did. Callers: the start step and the adoption. It never starts or ends a
 * process: the planner decides what an end means.
 *
 * The control socket is tried every millisecond while it does not answer, the kernel's list of processes says in
 * between whether there is still somebody to wait for. Afterwards the socket closes when the process dies, with one
 * exception: a child that saves keeps it open. A parent is told of the death anyway; of a process that was adopted, the
 * kernel is asked once a second.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type ControlConnection, EngineError } from '#engine/control-connection.ts'
import { parseInfo } from '#engine/info.ts'
import { readLastWords } from '#engine/last-words.ts'
import { endLeftovers, identify, isAlive, isListed, type ProcessEnd, type ProcessIdentity } from '#engine/process.ts'
import { textOf } from '#resp/value.ts'
import { watchCluster } from './cluster-view.ts'
import { removeDump } from './folder.ts'
import { type Greeting, greet } from './greet.ts'
import { beatMs, watchHeart } from './heartbeat.ts'
import type { Log } from './options.ts'
import { watchLink } from './role.ts'
import type { Shard } from './shard.ts'

export type Subject = {
  readonly shard: Shard
  readonly password: string
  readonly log: Log
  readonly hangsAfterMs: () => number
  /** Null: not known yet; the engine says so itself, or `find` does. */
  readonly process: ProcessIdentity | null
  readonly find: () => ProcessIdentity | null
  /** How it ended, if it is a child of ours. */
  readonly ended: Promise<ProcessEnd> | null
}

/** Waits between two tries, by how long it has been silent. */
const FAST_MS = 1
const FAST_FOR_MS = 500
const SLOW_MS = 25
/** After a connection was lost and the process lives on, so long it still counts as what it was. */
const REATTACH_GRACE_MS = 1_000
const RECOVERY_MS = 1_000
const LOADING_POLL_MIN_MS = 2
const LOADING_POLL_MAX_MS = 100
const ADOPTED_POLL_MS = 1_000
/** The kernel tells a parent at once; this only bounds the wait. */
const EXIT_NOTICE_MS = 1_000

export async function supervise(subject: Subject, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  const { shard, log } = subject
  shard.process = subject.process
  for (let isOver = false; !isOver && !signal.aborted; ) {
    try {
      await untilEnded(subject, signal)
      await recordEnd(subject)
      isOver = true
    } catch (error) {
      if (signal.aborted) return
      // A machine without file descriptors or memory to spare: the shard is not to blame, and is looked after again.
      log.warn({ err: error, shardUid: shard.uid }, 'supervision failed')
      await delay(RECOVERY_MS, undefined, { signal }).catch(() => {})
    }
  }
}

async function untilEnded(subject: Subject, signal: AbortSignal): Promise<void> {
  for (;;) {
    const greeting = await reach(subject, signal)
    if (!greeting) return
    await attend(subject, greeting, signal)
  }
}

/** The engine's greeting, or null when there is no process any more. */
async function reach({ shard, password, find, log }: Subject, signal: AbortSignal): Promise<Greeting | null> {
  const began = performance.now()
  let complained = false
  for (;;) {
    signal.throwIfAborted()
    const greeting = await greet(shard.folder.socket, password, { signal }).catch((error: unknown) => {
      if (!complained) log.warn({ err: error, shardUid: shard.uid }, 'shard refuses the control user')
      complained = true
      if (error instanceof EngineError) return null
      throw error
    })
    if (greeting) return greeting
    shard.process ??= find()
    if (!shard.process || !isAlive(shard.process)) return null
    const silentMs = performance.now() - began
    if (shard.observed.state !== 'starting' && silentMs > REATTACH_GRACE_MS) shard.observe({ state: 'starting' })
    await delay(silentMs < FAST_FOR_MS ? FAST_MS : SLOW_MS, undefined, { signal })
  }
}

/** From the greeting to the end of the connection. */
async function attend(subject: Subject, greeting: Greeting, signal: AbortSignal): Promise<void> {
  const { shard, log } = subject
  const { connection, pid, version, role } = greeting
  using _closing = onAbort(signal, () => connection.close())
  using _leaving = { [Symbol.dispose]: () => leave(shard, connection) }
  using _death = onDeath(subject, connection)
  shard.connection = connection
  shard.own.begin(pid, connection)
  shard.pace = null
  shard.idleSince = null
  shard.process = identify(pid) ?? shard.process
  const seen = { pid, role, engineVersion: version, lastWords: null, diedInDrill: false }
  if (greeting.loading) {
    shard.observe({ ...seen, state: 'loading', loadingPercent: shard.observed.loadingPercent ?? 0 })
    if (!(await untilLoaded(shard, signal))) return
  }
  await forgetHandOver(shard, log)
  shard.observe({ ...seen, state: 'running', loadingPercent: null, onlineReplicas: 0 })
  using _following = watchLink(shard, connection, log)
  using _beating = watchHeart(shard, connection, subject)
  using _looking = watchCluster(shard, connection, log)
  const reason = await connection.closed
  if (!signal.aborted && !shard.stopping) log.info({ err: reason, shardUid: shard.uid }, 'control connection ended')
}

function leave(shard: Shard, connection: ControlConnection): void {
  connection.close()
  shard.own.end(connection)
  if (shard.connection === connection) shard.connection = null
}

/** False: the connection ended first. */
async function untilLoaded(shard: Shard, signal: AbortSignal): Promise<boolean> {
  for (let waitMs = LOADING_POLL_MIN_MS; ; waitMs = Math.min(waitMs * 2, LOADING_POLL_MAX_MS)) {
    const reply = await shard.connection?.call(['INFO', 'persistence'], { signal }).catch(() => null)
    if (!reply) return false
    const info = parseInfo(textOf(reply) ?? '')
    if (info.loading === '0') return true
    shard.observe({ loadingPercent: Math.floor(Number(info.loading_loaded_perc ?? 0)) })
    await delay(waitMs, undefined, { signal })
  }
}

/** What was saved for one start has been read; kept longer, a later crash would bring it back. */
async function forgetHandOver(shard: Shard, log: Log): Promise<void> {
  if (!shard.record?.handOver || shard.stopping) return
  try {
    await removeDump(shard.folder)
    await shard.keepChanged({ handOver: false })
  } catch (error) {
    log.warn({ err: error, shardUid: shard.uid }, 'data of the last stop could not be removed')
  }
}

async function recordEnd({ shard, ended, log }: Subject): Promise<void> {
  const end = ended && (await exitNotice(ended))
  if (shard.process) endLeftovers(shard.process.pid, shard.folder.path)
  const words = await readLastWords(shard.folder.log, shard.record?.logMark ?? 0)
  // Before it is told: whoever hears of it may start the next process at once.
  shard.process = null
  shard.connection = null
  const gone = { pid: null, role: null, isLinked: false, linkLostAt: null, engineVersion: null, loadingPercent: null }
  if (!shard.record || shard.record.stopped || shard.stopping) {
    shard.observe({ ...gone, state: 'stopped', lastWords: null, diedInDrill: false })
    return
  }
  const lastWords = end?.error?.message ?? words ?? describeEnd(end)
  log.warn({ shardUid: shard.uid, lastWords }, 'shard ended unasked')
  shard.observe({ ...gone, state: 'exited', lastWords, diedInDrill: shard.drilling })
  shard.drilling = false
}

async function exitNotice(ended: Promise<ProcessEnd>): Promise<ProcessEnd | null> {
  const heard = new AbortController()
  try {
    return await Promise.race([ended, delay(EXIT_NOTICE_MS, null, { signal: heard.signal })])
  } finally {
    heard.abort()
  }
}

function describeEnd(end: ProcessEnd | null): string {
  if (end?.signal) return `ended by ${end.signal} without a word`
  return typeof end?.code === 'number' ? `ended with code ${end.code} without a word` : 'ended without a word'
}

function onDeath({ shard, ended }: Subject, connection: ControlConnection): Disposable {
  const attending = new AbortController()
  ended?.then(() => attending.signal.aborted || connection.close())
  const look = () => {
    if (!shard.process) return
    // In a container nobody may wait for it: it stays listed, dead. To find that out of a thousand takes time, and whoever
    // has just spoken, or is just being asked, is alive.
    const isSilent = performance.now() - connection.heardAtMs >= beatMs(shard) + ADOPTED_POLL_MS
    if (!(isSilent ? isAlive(shard.process) : isListed(shard.process.pid))) connection.close()
  }
  const timer = ended ? undefined : setInterval(look, ADOPTED_POLL_MS)
  return {
    [Symbol.dispose]: () => {
      attending.abort()
      clearInterval(timer)
    },
  }
}

function onAbort(signal: AbortSignal, act: () => void): Disposable {
  signal.addEventListener('abort', act)
  if (signal.aborted) act()
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', act) }
}
