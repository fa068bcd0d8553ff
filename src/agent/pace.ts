/**
 * How often an engine looks after itself. Ten times a second, as engines do; once a second while no application is
 * connected, because a thousand idle engines would otherwise take a whole core for nothing. Who is connected stands in
 * the kernel's list of connections, one look for all shards. Callers: the local agent looks, the steps that wait for an
 * engine's own clock hurry it.
 *
 * What an engine does late at the slow pace (a timeout, an expiry, the end of a child) needs somebody who waits for it.
 */
import { readFile } from 'node:fs/promises'
import type { Log } from './options.ts'
import type { Pace, Shard } from './shard.ts'

/** The list is long where there are many processes, and nobody waits for an engine to be faster at its housekeeping. */
const LOOK_EVERY_MS = 3_000
const TIMEOUT_MS = 5_000
const PACES: Readonly<Record<Pace, string>> = { fast: '10', slow: '1' }

type Options = {
  readonly shards: () => Iterable<Shard>
  /** So long nobody was connected before an engine is slowed. */
  readonly patienceMs: number
  readonly log: Log
}

/** Looks until the signal says stop. Where the kernel's list cannot be read, every engine keeps its pace. */
export function keepPace(options: Options, signal: AbortSignal): void {
  let isLooking = false
  const timer = setInterval(async () => {
    if (isLooking) return
    isLooking = true
    try {
      await look(options)
    } catch (error) {
      options.log.warn({ err: error }, 'connections cannot be listed: idle engines keep their pace')
      clearInterval(timer)
    } finally {
      isLooking = false
    }
  }, LOOK_EVERY_MS)
  signal.addEventListener('abort', () => clearInterval(timer))
}

/** For who waits for something that the engine does by its clock. */
export async function hurry(shard: Shard): Promise<void> {
  shard.idleSince = null
  if (shard.pace !== 'fast') await bring(shard, 'fast')
}

async function look({ shards, patienceMs }: Options): Promise<void> {
  const connected = await connectedPorts()
  const now = performance.now()
  const changes: Promise<void>[] = []
  for (const shard of shards()) {
    if (shard.observed.state !== 'running') continue
    const isUsed = connected.has(shard.record?.spec?.listen.port ?? 0)
    shard.idleSince = isUsed ? null : (shard.idleSince ?? now)
    const isIdle = shard.idleSince !== null && now - shard.idleSince >= patienceMs
    if (isUsed && shard.pace !== 'fast') changes.push(bring(shard, 'fast'))
    if (isIdle && shard.pace !== 'slow') changes.push(bring(shard, 'slow'))
  }
  await Promise.allSettled(changes)
}

async function bring(shard: Shard, pace: Pace): Promise<void> {
  const { connection } = shard
  if (!connection) return
  await connection.call(['CONFIG', 'SET', 'hz', PACES[pace]], { timeoutMs: TIMEOUT_MS })
  if (shard.connection === connection) shard.pace = pace
}

/** The local ports of every connection that is open. */
async function connectedPorts(): Promise<Set<number>> {
  const tables = await Promise.all([
    readFile('/proc/net/tcp', 'latin1'),
    readFile('/proc/net/tcp6', 'latin1').catch(() => ''),
  ])
  const ports = new Set<number>()
  for (const table of tables) {
    for (const [, port = ''] of table.matchAll(ESTABLISHED)) ports.add(Number.parseInt(port, 16))
  }
  return ports
}

/** `  12: 0100007F:2710 0100007F:D2F0 01 …`: local address, remote address, state. */
const ESTABLISHED = /: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 01 /g
