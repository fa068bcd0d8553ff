/**
 * What lies and listens on this machine, for somebody who has to find out what is wrong: data files, sockets, and what the
 * kernel counts of the network. Callers: the agent. It changes nothing; what cannot be read is missing.
 */
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MachineInventory } from '#plan/agent.ts'
import { NAMES, shardFolder } from './folder.ts'

/** Cards; packets and connections of each protocol; sockets that there are. */
const NETWORK = ['dev', 'snmp', 'netstat', 'sockstat', 'sockstat6']
/** Of the numbers that say what a file is and who may use it. */
const PERMISSIONS = 0o777

type FileFacts = { readonly path: string; readonly bytes: number; readonly changedAtMs: number; readonly mode: string }

export async function takeInventory(
  dataDir: string,
  shardUids: readonly number[],
  proxySocket: string,
): Promise<MachineInventory> {
  const texts = await Promise.all(NETWORK.map((name) => readFile(`/proc/net/${name}`, 'latin1').catch(() => '')))
  const network = Object.fromEntries(NETWORK.map((name, index) => [name, texts[index] ?? '']))
  const dataFiles: MachineInventory['dataFiles'][number][] = []
  const sockets: MachineInventory['sockets'][number][] = []
  // One after another: a thousand at once would keep everybody else from the disk and the processor.
  for (const shardUid of shardUids) {
    const { path: folder, socket } = shardFolder(dataDir, shardUid)
    for (const { path, bytes, changedAtMs } of await dataFilesIn(folder))
      dataFiles.push({ shardUid, path, bytes, changedAtMs })
    sockets.push({ shardUid, path: socket, mode: (await factsOf(socket))?.mode ?? null })
  }
  const proxy = await factsOf(proxySocket)
  if (proxy) sockets.push({ shardUid: null, path: proxySocket, mode: proxy.mode })
  return { network, dataFiles, sockets }
}

/** Also drafts of snapshots that a process has not finished, or left behind. */
async function dataFilesIn(folder: string): Promise<FileFacts[]> {
  const names = await readdir(folder).catch(() => [])
  const logs = await readdir(join(folder, NAMES.aofFolder)).catch(() => [])
  const wanted = [
    ...names.filter((name) => name.endsWith('.rdb') || name === NAMES.aof).map((name) => join(folder, name)),
    ...logs.map((name) => join(folder, NAMES.aofFolder, name)),
  ]
  return (await Promise.all(wanted.map(factsOf))).flatMap((facts) => facts ?? [])
}

async function factsOf(path: string): Promise<FileFacts | null> {
  const facts = await lstat(path).catch(() => null)
  if (!facts) return null
  const mode = (facts.mode & PERMISSIONS).toString(8).padStart(4, '0')
  return { path, bytes: facts.size, changedAtMs: Math.round(facts.mtimeMs), mode }
}
