/**
 * The machine: what stays the same while we run (facts), and what changes all the time (readings). Callers: the agent.
 */
import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { BlockList } from 'node:net'
import os from 'node:os'
import type { EngineBuild, HostFacts, HostReadings } from '#plan/agent.ts'

type Places = { readonly dataDir: string; readonly engines: readonly EngineBuild[]; readonly now: () => number }

const PRIVATE_IPV4 = [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
] as const
const PRIVATE_IPV6 = [
  ['fc00::', 7],
  ['fe80::', 10],
  ['::1', 128],
] as const

export function readHostFacts({ dataDir, engines, now }: Places): HostFacts {
  const release = osRelease()
  return {
    hostname: os.hostname(),
    architecture: os.machine(),
    cores: os.availableParallelism(),
    totalMemoryBytes: os.totalmem(),
    osName: release.ID ?? os.type().toLowerCase(),
    osVersion: release.VERSION_ID ?? os.release(),
    bootedAt: Math.round(now() - os.uptime() * 1000),
    addresses: addresses(),
    persistentPath: dataDir,
    ephemeralPath: os.tmpdir(),
    engines,
  }
}

export async function readHost({ dataDir }: Pick<Places, 'dataDir'>): Promise<HostReadings> {
  const [persistent, ephemeral] = await Promise.all([statfs(dataDir), statfs(os.tmpdir())])
  return {
    // What could be used, not what happens to lie idle: the kernel's MemAvailable.
    freeMemoryBytes: os.freemem(),
    persistentStorageBytes: persistent.blocks * persistent.bsize,
    persistentStorageFreeBytes: persistent.bavail * persistent.bsize,
    ephemeralStorageBytes: ephemeral.blocks * ephemeral.bsize,
    ephemeralStorageFreeBytes: ephemeral.bavail * ephemeral.bsize,
  }
}

function addresses(): HostFacts['addresses'] {
  const inner = new BlockList()
  for (const [net, bits] of PRIVATE_IPV4) inner.addSubnet(net, bits, 'ipv4')
  for (const [net, bits] of PRIVATE_IPV6) inner.addSubnet(net, bits, 'ipv6')
  return Object.entries(os.networkInterfaces()).flatMap(([name, list]) =>
    (list ?? []).map(({ address, family }) => {
      const format = family === 'IPv6' ? 'ipv6' : 'ipv4'
      return { address, format, interface: name, private: inner.check(address, format) } as const
    }),
  )
}

/** `ID=debian`, `VERSION_ID="12"`: shell assignments, of which only plain ones are read. */
function osRelease(): Readonly<Record<string, string>> {
  try {
    const lines = readFileSync('/etc/os-release', 'utf8').split('\n')
    return Object.fromEntries(
      lines.flatMap((line) => {
        const [, name, value] = /^([A-Z_]+)="?([^"]*)"?$/.exec(line) ?? []
        return name && value !== undefined ? [[name, value]] : []
      }),
    )
  } catch {
    return {}
  }
}
