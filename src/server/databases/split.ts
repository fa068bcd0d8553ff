/**
 * Turning `sharding` on and off for a database that has data already. Its one primary saves everything, and comes back
 * with it as the other kind. That can only be done, and undone, while there is one; and several databases of an engine
 * have no place in a cluster. Callers: whatever changes a database.
 */
import type { DatabaseConfig } from '#model/database/schema.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { refuse } from '../errors.ts'
import type { Parts } from '../parts.ts'
import { primariesOf } from './leaders.ts'

const ASK_TIMEOUT_MS = 2_000

/** Rejects with a Refusal when keys would be lost by it. */
export async function checkSplit(parts: Parts, database: DatabaseDocument, config: DatabaseConfig): Promise<void> {
  const { sharding, shards_count } = database.config
  if (config.sharding === sharding) return
  if (!config.sharding) {
    if (shards_count === 1) return
    const description = `Keys are on ${shards_count} shards: set shards_count to 1 first, then sharding to false.`
    refuse('invalid_sharding', { field: 'sharding', description })
  }
  if (config.shards_count > 1) {
    const description = 'A database begins to be sharded with one shard: set sharding first, then shards_count.'
    refuse('invalid_sharding', { field: 'shards_count', description })
  }
  for (const { uid, nodeUid } of primariesOf(parts.state, database)) {
    const info = await parts.agents.get(nodeUid)?.info(uid, ASK_TIMEOUT_MS)
    if (!info) return refuse('bdb_unavailable', { description: `Shard ${uid} does not say which databases it has.` })
    const other = Object.keys(info).find((name) => /^db[1-9]\d*$/.test(name))
    if (other !== undefined) {
      const description = `Only database 0 can be sharded, and there are keys in database ${other.slice(2)}.`
      refuse('invalid_sharding', { field: 'sharding', description })
    }
  }
}
