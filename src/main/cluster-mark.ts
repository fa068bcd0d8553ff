/**
 * Which cluster the data folder belongs to: a file with the cluster's id beside the shards. A state that was lost, or
 * another etcd, would otherwise look like "there is no such database", and the data of all of them would be removed as
 * left over; or a new database would find the data of an old one under its number.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSecretFile } from './data-folder.ts'
import { readIfThere } from './secrets.ts'

function markPath(dataDir: string): string {
  return join(dataDir, 'cluster-id')
}

export async function markFolder(dataDir: string, clusterId: string): Promise<void> {
  await writeSecretFile(markPath(dataDir), `${clusterId}\n`)
}

/** A sentence on why the folder must not be used with this state, or null. Marks a folder that has no data yet. */
export async function foreignFolder(dataDir: string, clusterId: string | undefined): Promise<string | null> {
  const mark = (await readIfThere(markPath(dataDir)))?.trim()
  if (mark !== undefined && mark === clusterId) return null
  const shards = await readdir(join(dataDir, 'shards')).catch(() => [])
  if (shards.length === 0) {
    if (clusterId !== undefined) await markFolder(dataDir, clusterId)
    return null
  }
  const whose = mark === undefined ? 'an unknown cluster' : `the cluster ${mark}`
  const state = clusterId === undefined ? 'the state has no cluster in it' : `the state is that of cluster ${clusterId}`
  return `the data folder ${dataDir} holds databases of ${whose}, but ${state}: bring the state back (state.db, or the right --etcd and --cluster-name), or choose another --data-dir`
}
