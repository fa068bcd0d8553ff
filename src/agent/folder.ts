/**
 * The folder of a shard: what lies where, whole-file writes, and the data files that an engine leaves behind. Callers:
 * the steps and the record. Nobody but its owner may look inside: 0700, files 0600.
 */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

export type ShardFolder = {
  readonly path: string
  readonly config: string
  readonly users: string
  readonly record: string
  readonly log: string
  readonly socket: string
}

/** Names inside the folder, as the engine's configuration has them. */
export const NAMES = {
  dump: 'dump.rdb',
  aof: 'appendonly.aof',
  aofFolder: 'appendonlydir',
  log: 'redis.log',
  users: 'users.acl',
  socket: 'control.sock',
  cluster: 'nodes.conf',
} as const

export type DataFiles = { readonly dump: boolean; readonly aof: boolean }

/** Written by the control plane of this node itself. */
export function controlPlaneLog(dataDir: string): string {
  return join(dataDir, 'logs', 'holdfast.log')
}

export function shardsPath(dataDir: string): string {
  return join(dataDir, 'shards')
}

export function shardFolder(dataDir: string, shardUid: number): ShardFolder {
  const path = join(shardsPath(dataDir), String(shardUid))
  return {
    path,
    config: join(path, 'redis.conf'),
    users: join(path, NAMES.users),
    record: join(path, 'spec.json'),
    log: join(path, NAMES.log),
    socket: join(path, NAMES.socket),
  }
}

export async function makeFolder(folder: ShardFolder): Promise<void> {
  await mkdir(folder.path, { recursive: true, mode: 0o700 })
}

export async function removeFolder(folder: ShardFolder): Promise<void> {
  await rm(folder.path, { recursive: true, force: true, maxRetries: 3 })
}

/** More than are ever written at once; so few names that what a crash leaves behind does not add up. */
const DRAFTS = 1_000
let drafts = 0

/**
 * The old text or the new one, never a half of either. `durable`: it also survives a power cut, which costs a flush of
 * the disk and is asked for only where an older text would lose data.
 */
export async function writeWhole(path: string, text: string, { durable = false } = {}): Promise<void> {
  // Several may write the same file at once: that of a certificate which they share.
  const draft = `${path}.${drafts++ % DRAFTS}.new`
  try {
    await using file = await open(draft, 'w', 0o600)
    await file.writeFile(text)
    if (durable) await file.sync()
    await rename(draft, path)
  } catch (error) {
    // On a full disk even an empty draft is one thing too many.
    await rm(draft, { force: true }).catch(() => {})
    throw error
  }
  if (durable) {
    await using parent = await open(join(path, '..'), 'r')
    await parent.sync()
  }
}

export async function readDataFiles(folder: ShardFolder): Promise<DataFiles> {
  const [names, aofNames] = await Promise.all([list(folder.path), list(join(folder.path, NAMES.aofFolder))])
  return {
    dump: names.includes(NAMES.dump),
    aof: names.includes(NAMES.aof) || aofNames.includes(`${NAMES.aof}.manifest`),
  }
}

/** With what a save or a rewrite that was cut off left behind. */
export async function removeDump(folder: ShardFolder): Promise<void> {
  const drafts = (await list(folder.path)).filter((name) => /^temp-.*\.rdb$/.test(name))
  await Promise.all([NAMES.dump, ...drafts].map((name) => rm(join(folder.path, name), { force: true })))
}

export async function removeAof(folder: ShardFolder): Promise<void> {
  const drafts = (await list(folder.path)).filter((name) => /^temp-.*\.aof$/.test(name))
  const names = [NAMES.aof, NAMES.aofFolder, ...drafts]
  await Promise.all(names.map((name) => rm(join(folder.path, name), { force: true, recursive: true })))
}

async function list(path: string): Promise<string[]> {
  return await readdir(path).catch(() => [])
}
