/**
 * What lies and listens on this machine, for somebody who has to find out what is wrong: data files, sockets, and what the
 * kernel counts of the network. Callers: the agent. It changes nothing; what cannot be read is missing.
 */
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataFileFacts, SocketFacts } from '#plan/agent.ts'
import { NAMES, shardFolder } from './folder.ts'
import { Limiter } from './limiter.ts'

/** Cards; packets and connections of each protocol; sockets that there are. */
const NETWORK = ['dev', 'snmp', 'netstat', 'sockstat', 'sockstat6']
/** Of the numbers that say what a file is and who may use it. */
const PERMISSIONS = 0o777

/** Shards that are looked at together: a thousand would keep everybody else from the disk and the processor. */
const AT_ONCE = 25

type FileFacts = { readonly path: string; readonly bytes: number; readonly changedAtMs: number; readonly mode: string }

export async function networkCounters(): Promise<Record<string, string>> {
  const texts = await Promise.all(NETWORK.map((name) => readFile(`/proc/net/${name}`, 'latin1').catch(() => '')))
  return Object.fromEntries(NETWORK.map((name, index) => [name, texts[index] ?? '']))
}

export function dataFiles(dataDir: string, shardUids: readonly number[]): Promise<DataFileFacts[]> {
  return ofEach(shardUids, async (shardUid) => {
    const files = await dataFilesIn(shardFolder(dataDir, shardUid).path)
    return files.map(({ path, bytes, changedAtMs }) => ({ shardUid, path, bytes, changedAtMs }))
  })
}

export async function sockets(
  dataDir: string,
  shardUids: readonly number[],
  proxySocket: string,
): Promise<SocketFacts[]> {
  const found = await ofEach<SocketFacts>(shardUids, async (shardUid) => {
    const { socket: path } = shardFolder(dataDir, shardUid)
    return [{ shardUid, path, mode: (await factsOf(path))?.mode ?? null }]
  })
  const proxy = await factsOf(proxySocket)
  return proxy ? [...found, { shardUid: null, path: proxySocket, mode: proxy.mode }] : found
}

async function ofEach<T>(shardUids: readonly number[], look: (shardUid: number) => Promise<T[]>): Promise<T[]> {
  const some = new Limiter(AT_ONCE)
  return (await Promise.all(shardUids.map((uid) => some.run(() => look(uid))))).flat()
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
