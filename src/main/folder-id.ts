/**
 * The data folder has an id, and so has the node that lives in it: both are written down when the cluster is made, and
 * they must agree at every start. A state that was lost or restored from an old copy, or another etcd, would otherwise
 * look like "there is no such database", and its data would be removed as left over; and two folders on one etcd would
 * both believe to be the node.
 */
import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { State } from '#store/state.ts'
import { writeSecretFile } from './data-folder.ts'
import { readIfThere } from './secrets.ts'

/** Made at the first start, after the key: so a folder that has an id has a key, unless somebody took it away. */
export async function folderId(dataDir: string): Promise<string> {
  const path = join(dataDir, 'folder-id')
  const known = (await readIfThere(path))?.trim()
  if (known) return known
  const made = randomUUID()
  await writeSecretFile(path, `${made}\n`)
  return made
}

/** A sentence on why the folder must not be used with this state, or null. */
export async function foreignState(dataDir: string, id: string, state: State, nodeUid: number): Promise<string | null> {
  const node = state.nodes.get(nodeUid)?.value
  const help =
    'bring the right state back (state.db, or the right --etcd and --cluster-name), or choose another --data-dir'
  if (node && node.folderId !== id) {
    return `the state is that of another data folder than ${dataDir}: ${help}`
  }
  const folders = await readdir(join(dataDir, 'shards')).catch(() => [])
  const newest = Math.max(0, ...folders.map(Number).filter(Number.isInteger))
  const given = state.counters.get('')?.value.shard ?? 0
  if (newest <= given) return null
  return `${dataDir} holds shard ${newest}, but the state knows of shards up to ${given} only, so it is older than the data: ${help}`
}
