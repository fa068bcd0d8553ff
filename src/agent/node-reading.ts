/**
 * Reads the counters of the machine from /proc. Callers: the agent, once a second. What the
 * kernel does not say is NaN, never an error.
 */
import { readFile, statfs } from 'node:fs/promises'
import os from 'node:os'
import type { NodeReading, StorageReading } from '#model/statistics/readings.ts'

type Place = { readonly dataDir: string; readonly now: () => number }

export async function readNode({ dataDir, now }: Place): Promise<Omit<NodeReading, 'proxy'>> {
  const [cpu, memory, network, persistentStorage, ephemeralStorage] = await Promise.all([
    readText('/proc/stat').then(cpuOf),
    readText('/proc/meminfo').then(memoryOf),
    readText('/proc/net/dev').then(networkOf),
    readStorage(dataDir),
    readStorage(os.tmpdir()),
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
