/**
 * What a machine should be and have, looked at when somebody asks: each check says what is wrong in words that tell what
 * to do, or nothing. Callers: the agent. It changes nothing, except for one small file that it writes and removes again.
 */
import { constants } from 'node:fs'
import { access, readFile, rm, stat, statfs } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { setImmediate as pause } from 'node:timers/promises'
import { isAlive } from '#engine/process.ts'
import type { PortRange } from '#model/port-range.ts'
import type { HostFacts, NodeCheck } from '#plan/agent.ts'
import { writeWhole } from './folder.ts'
import { Limiter } from './limiter.ts'
import type { LocalAgentOptions } from './options.ts'
import type { Shard } from './shard.ts'

export type CheckContext = {
  readonly options: LocalAgentOptions
  readonly host: HostFacts
  readonly shards: readonly Shard[]
  /** Where endpoints and shards listen. */
  readonly ports: readonly PortRange[]
}

/** Processes and sockets that are looked at before others get their turn. */
const AT_ONCE = 25

type Check = (context: CheckContext) => Promise<string | null>

/** The first five have the names of the reference. */
const CHECKS: Readonly<Record<string, Check>> = {
  port_range: portRange,
  pidfiles: recordedProcesses,
  capabilities: runnableEngines,
  existing_sockets: sockets,
  host_settings: hostSettings,
  open_files: openFiles,
  disk_space: diskSpace,
  data_folder: writableFolder,
  memory: freeMemory,
  clock: steadyClock,
}

export async function checkNode(context: CheckContext): Promise<NodeCheck[]> {
  return await Promise.all(
    Object.entries(CHECKS).map(async ([name, check]) => ({
      name,
      problem: await check(context).catch((error: unknown) => `this could not be found out: ${error}`),
    })),
  )
}

/** The kernel takes ports of this range for connections that go out: one of them may hold a port that we want. */
async function portRange({ ports }: CheckContext): Promise<string | null> {
  const [low = 0, high = 0] = (await kernel('net/ipv4/ip_local_port_range')).split(/\s+/).map(Number)
  const overlap = ports.find(({ first, last }) => first <= high && last >= low)
  if (!overlap) return null
  return `the ports ${overlap.first}-${overlap.last} overlap net.ipv4.ip_local_port_range (${low}-${high}): outgoing connections may take them`
}

async function recordedProcesses({ shards }: CheckContext): Promise<string | null> {
  const lost: Shard[] = []
  for (const [index, shard] of shards.entries()) {
    if (shard.observed.state === 'running' && (!shard.process || !isAlive(shard.process))) lost.push(shard)
    if (index % AT_ONCE === AT_ONCE - 1) await pause()
  }
  return lost.length === 0 ? null : `the process of shard ${uids(lost)} is not the one that was started`
}

async function runnableEngines({ host }: CheckContext): Promise<string | null> {
  if (host.engines.length === 0) return 'no engine is installed: install redis-server or valkey-server'
  for (const { path } of host.engines) {
    const isRunnable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (!isRunnable) return `${path} cannot be executed any more`
  }
  return null
}

async function sockets({ shards }: CheckContext): Promise<string | null> {
  const running = shards.filter(({ observed }) => observed.state === 'running')
  const some = new Limiter(AT_ONCE)
  const isThere = await Promise.all(running.map(({ folder }) => some.run(() => isSocket(folder.socket))))
  const without = running.filter((_, index) => !isThere[index])
  return without.length === 0 ? null : `shard ${uids(without)} runs, and its control socket is gone`
}

/** A primary forks to save: without overcommit the kernel may refuse that, and huge pages make it copy too much. */
async function hostSettings(): Promise<string | null> {
  if ((await kernel('vm/overcommit_memory')) !== '1')
    return 'vm.overcommit_memory is not 1: saving and replication may fail when memory is short'
  const hugePages = await readFile('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').catch(() => '[never]')
  if (hugePages.includes('[always]'))
    return 'transparent_hugepage is always: write never (or madvise) to /sys/kernel/mm/transparent_hugepage/enabled'
  const somaxconn = Number(await kernel('net/core/somaxconn'))
  return somaxconn >= SOMAXCONN ? null : `net.core.somaxconn is ${somaxconn}: bursts of connections need ${SOMAXCONN}`
}
const SOMAXCONN = 1024

/** An engine takes as many as its hard limit allows, and then accepts no more clients. */
async function openFiles(): Promise<string | null> {
  const limits = await readFile('/proc/self/limits', 'utf8')
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? ''
  if (hard === 'unlimited' || Number(hard) >= OPEN_FILES) return null
  return `a process may open ${hard} files (ulimit -Hn): databases with 10,000 clients need ${OPEN_FILES}`
}
/** The usual maxclients, and what an engine keeps for itself. */
const OPEN_FILES = 10_032

async function diskSpace({ options, host }: CheckContext): Promise<string | null> {
  for (const path of new Set([options.dataDir, host.ephemeralPath])) {
    const { blocks, bavail } = await statfs(path)
    const percent = Math.floor((100 * bavail) / Math.max(1, blocks))
    if (percent < FREE_PERCENT) return `the disk of ${path} has ${percent} % left`
  }
  return null
}
const FREE_PERCENT = 5

async function writableFolder({ options }: CheckContext): Promise<string | null> {
  const path = join(options.dataDir, 'write-check')
  try {
    await writeWhole(path, 'This file is written and removed again by a check of the node.\n', { durable: true })
    return null
  } catch (error) {
    return `${options.dataDir} cannot be written: ${error instanceof Error ? error.message : error}`
  } finally {
    await rm(path, { force: true })
  }
}

async function freeMemory(): Promise<string | null> {
  const percent = Math.floor((100 * os.freemem()) / os.totalmem())
  return percent >= FREE_PERCENT ? null : `${percent} % of the memory is left`
}

/** When the clock is set, the moment at which the machine started seems to move. */
async function steadyClock({ options, host }: CheckContext): Promise<string | null> {
  const bootedAt = options.now() - os.uptime() * 1000
  const seconds = Math.round((bootedAt - host.bootedAt) / 1000)
  if (Math.abs(seconds) <= CLOCK_SLACK_SECONDS) return null
  const way = seconds > 0 ? 'forward' : 'back'
  return `the clock was set ${way} by ${Math.abs(seconds)} s since the control plane started: statistics and expiry times jump`
}
/** Whoever follows a time server is moved by fractions of one. */
const CLOCK_SLACK_SECONDS = 2

async function kernel(name: string): Promise<string> {
  return (await readFile(`/proc/sys/${name}`, 'utf8')).trim()
}

async function isSocket(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isSocket(),
    () => false,
  )
}

function uids(shards: readonly Shard[]): string {
  return shards.map(({ uid }) => uid).join(', ')
}
