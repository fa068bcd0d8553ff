/**
 * Sends a request that is passed on as it is, from a handler. Callers: the router and the handlers. When a client has
 * connections of its own (tracking), they are used.
 */
import { hashSlot } from '#resp/hash-slot.ts'
import type { BackendConnection } from './backend-connection.ts'
import type { Client } from './client.ts'
import { errorLine } from './request.ts'

export const NOT_SERVED = errorLine('CLUSTERDOWN Hash slot not served')
export const CROSS_SLOT = errorLine("CROSSSLOT Keys in request don't hash to the same slot")

export const hashSlotOf = (key: Buffer) => hashSlot(key)

export function sendToSlot(client: Client, slot: number, raw: Buffer): void {
  const connection = client.pool?.forSlot(slot)
  if (!connection) client.reply(NOT_SERVED)
  else passOn(client, connection, slot, raw)
}

/** To the shard that answers for all. */
export function sendAnywhere(client: Client, raw: Buffer): void {
  const shard = client.endpoint.anyShard()
  if (!shard || !client.pool) client.reply(NOT_SERVED)
  else passOn(client, client.pool.forShard(shard), -1, raw)
}

export function passOn(client: Client, connection: BackendConnection, slot: number, raw: Buffer): void {
  const pending = client.enqueue()
  pending.slot = slot
  connection.send(pending, raw)
}
