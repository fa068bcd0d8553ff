/**
 * What it would mean if a node died: which databases would lose what, as they stand now. Pure.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'

export type DatabaseImpact = {
  readonly bdb_uid: number
  readonly bdb_name: string
  /** `data`: with the node's disks; `service`: until the node is back; `redundancy`: it goes on with one copy less. */
  readonly loses: 'data' | 'service' | 'redundancy'
  readonly says: string
}

/** `roleOf`: of each place, whether it leads. */
export function impactOf(
  databases: readonly DatabaseDocument[],
  nodeUid: number,
  isLeading: (database: DatabaseDocument, shardUid: number) => boolean,
): DatabaseImpact[] {
  return databases.flatMap((database) => {
    const { uid, config, shards } = database
    const here = shards.filter((place) => place.nodeUid === nodeUid)
    if (here.length === 0) return []
    const groups = [...new Set(here.map(({ group }) => group))]
    const gone = groups.filter((group) => shards.every((place) => place.group !== group || place.nodeUid === nodeUid))
    const leads = here.filter((place) => isLeading(database, place.uid)).length
    const persists = config.data_persistence !== 'disabled'
    const what = (loses: DatabaseImpact['loses'], says: string): DatabaseImpact => ({
      bdb_uid: uid,
      bdb_name: config.name,
      loses,
      says,
    })
    if (gone.length > 0 && !persists)
      return what(
        'data',
        `${counted(gone.length, 'shard')} would be lost with all keys: every copy is in this node’s memory.`,
      )
    if (gone.length > 0)
      return what(
        'service',
        `${counted(gone.length, 'shard')} would be away until the node is back: no other node has a copy.`,
      )
    if (leads > 0)
      return what(
        'redundancy',
        `${counted(leads, 'primary', 'primaries')} would fail over within a moment, and have no replica until one is made.`,
      )
    return what('redundancy', `${counted(here.length, 'replica')} would be missing until made elsewhere.`)
  })
}

function counted(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
