/**
 * Reads the counters of the machine and of our own programs on it from /proc. Callers: the agent, once a second. What the
 * kernel does not say is NaN, never an error.
 */
import { readdir, readFile, statfs } from 'node:fs/promises'
import os from 'node:os'
import type { NodeReading, ProgramReading, StorageReading } from '#model/statistics/readings.ts'

type Place = { readonly dataDir: string; readonly now: () => number }

/** What the kernel counts in, wherever Linux runs. */
const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4_096

export async function readNode({ dataDir, now }: Place, proxyPids: readonly number[]): Promise<NodeReading> {
  const [cpu, memory, network, persistentStorage, ephemeralStorage, programs] = await Promise.all([
    readText('/proc/stat').then(cpuOf),
    readText('/proc/meminfo').then(memoryOf),
    readText('/proc/net/dev').then(networkOf),
    readStorage(dataDir),
    readStorage(os.tmpdir()),
    Promise.all([readProgram('control-plane', [process.pid], now()), readProgram('proxy', proxyPids, now())]),
  ])
  return {
    atMs: now(),
    clockMs: performance.now(),
    cores: os.availableParallelism(),
    cpu,
    ...memory,
    ...network,
    persistentStorage,
    ephemeralStorage,
    programs: programs.filter(({ pids }) => pids.length > 0),
  }
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'latin1').catch(() => '')
}

/** `cpu  user nice system idle iowait irq softirq steal …`, in ticks. */
export function cpuOf(text: string): NodeReading['cpu'] {
  const line = /^cpu +(.*)/m.exec(text)?.[1] ?? ''
  const fields = line.split(' ')
  const [user, nice, system, idle, iowait, irq, softIrq, steal] = Array.from({ length: 8 }, (_, index) =>
    Number(fields[index] ?? Number.NaN),
  ) as [number, number, number, number, number, number, number, number]
  return { user, nice, system, idle, iowait, irqs: irq + softIrq, steal }
}

export function memoryOf(
  text: string,
): Pick<NodeReading, 'totalMemoryBytes' | 'freeMemoryBytes' | 'availableMemoryBytes'> {
  const bytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) * 1_024
  return {
    totalMemoryBytes: bytes('MemTotal'),
    freeMemoryBytes: bytes('MemFree'),
    availableMemoryBytes: bytes('MemAvailable'),
  }
}

/** Bytes received are the first number of a card's line, bytes sent the ninth. */
export function networkOf(text: string): Pick<NodeReading, 'receivedBytes' | 'sentBytes'> {
  let receivedBytes = 0
  let sentBytes = 0
  for (const [, name, counters = ''] of text.matchAll(/^ *([^ :]+): *(.*)$/gm)) {
    if (name === 'lo') continue
    const fields = counters.split(/ +/)
    receivedBytes += Number(fields[0])
    sentBytes += Number(fields[8])
  }
  return { receivedBytes, sentBytes }
}

async function readStorage(path: string): Promise<StorageReading> {
  const { blocks, bfree, bavail, bsize } = await statfs(path).catch(() => NO_STORAGE)
  return { totalBytes: blocks * bsize, freeBytes: bfree * bsize, availableBytes: bavail * bsize }
}
const NO_STORAGE = { blocks: Number.NaN, bfree: Number.NaN, bavail: Number.NaN, bsize: 1 }

/** Processes that have ended meanwhile are left out. */
async function readProgram(
  name: ProgramReading['name'],
  pids: readonly number[],
  nowMs: number,
): Promise<ProgramReading> {
  const found = (await Promise.all(pids.map(readProcess))).filter((one) => one !== null)
  const sum = (of: (one: Process) => number) => found.reduce((total, one) => total + of(one), 0)
  const uptimes = found.map(({ startTicks }) => os.uptime() - startTicks / TICKS_PER_SECOND)
  return {
    name,
    pids: found.map(({ pid }) => pid),
    userSeconds: sum(({ userTicks }) => userTicks) / TICKS_PER_SECOND,
    systemSeconds: sum(({ systemTicks }) => systemTicks) / TICKS_PER_SECOND,
    residentBytes: sum(({ residentPages }) => residentPages) * PAGE_BYTES,
    openFiles: sum(({ openFiles }) => openFiles),
    startedAtMs: Math.round(nowMs - Math.max(0, ...uptimes) * 1_000),
  }
}

type Process = {
  readonly pid: number
  readonly userTicks: number
  readonly systemTicks: number
  readonly startTicks: number
  readonly residentPages: number
  readonly openFiles: number
}

async function readProcess(pid: number): Promise<Process | null> {
  const [stat, files] = await Promise.all([readText(`/proc/${pid}/stat`), readdir(`/proc/${pid}/fd`).catch(() => [])])
  if (stat === '') return null
  // The name, in parentheses, may hold anything; the fields begin behind it.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const field = (index: number) => fields[index] ?? Number.NaN
  return {
    pid,
    userTicks: field(11),
    systemTicks: field(12),
    startTicks: field(19),
    residentPages: field(21),
    openFiles: files.length,
  }
}
