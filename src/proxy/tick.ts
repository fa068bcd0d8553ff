/**
 * What is written at the end of a turn of the event loop: everything that many clients sent to one shard in one write,
 * everything that one client is owed in another. System calls are what a proxy costs, so this is where its speed is.
 * Callers: clients and connections, when they have something to write.
 *
 * The slab is where replies stay until then. It is one buffer used over and over, unless the kernel did not take all of
 * a write: then the bytes belong to that socket, and the slab is replaced.
 */
export interface Writer {
  /** Writes what it has; false when the kernel has not taken everything, and the bytes must stay as they are. */
  flush(): boolean
}

const SLAB_BYTES = 256 * 1024

const shards: Writer[] = []
const clients: Writer[] = []
let isScheduled = false
/**
 * The event loop looks for more bytes once before anything is written: one cheap look without waiting, and with many
 * clients that send one command at a time the writes carry half as much again.
 */
let hasLooked = false

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
let slabUsed = 0

/** Copies both pieces next to each other to where they stay until the end of the tick; tells where they begin. */
export function keep(head: Buffer | null, bytes: Buffer, byteCount: number): { slab: Buffer; at: number } {
  const headBytes = head?.length ?? 0
  const needed = headBytes + byteCount
  if (slabUsed + needed > slab.length) {
    slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, needed))
    slabUsed = 0
  }
  const at = slabUsed
  if (head) head.copy(slab, at)
  bytes.copy(slab, at + headBytes, 0, byteCount)
  slabUsed += needed
  kept.slab = slab
  kept.at = at
  return kept
}
const kept = { slab, at: 0 }

export function writeToShard(connection: Writer): void {
  shards.push(connection)
  schedule()
}

export function writeToClient(client: Writer): void {
  clients.push(client)
  schedule()
}

function schedule(): void {
  if (isScheduled) return
  isScheduled = true
  setImmediate(flushAll)
}

function flushAll(): void {
  if (!hasLooked) {
    hasLooked = true
    setImmediate(flushAll)
    return
  }
  hasLooked = false
  isScheduled = false
  // Shards first: while we write to clients, they can work.
  for (const connection of shards) connection.flush()
  shards.length = 0
  let isTaken = true
  for (const client of clients) if (!client.flush()) isTaken = false
  clients.length = 0
  if (!isTaken) slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  slabUsed = 0
}
