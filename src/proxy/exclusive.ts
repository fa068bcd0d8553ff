/**
 * A command that may wait: it runs on a connection that is the client's own for as long as it takes, so that nobody
 * else waits with it. Callers: the router. When the client goes, the connection is closed, and the engine forgets what
 * it waited for; CLIENT UNBLOCK of the client reaches the connection by the number that the engine gave it.
 */
import { encodeCommand } from '#resp/encode.ts'
import type { RespValue } from '#resp/value.ts'
import { ask } from './ask.ts'
import type { BackendConnection } from './backend-connection.ts'
import type { Client } from './client.ts'
import { firstKeyIndex } from './command-table.ts'
import { numberOf } from './join.ts'
import { MAX_ATTEMPTS } from './limits.ts'
import { hashSlotOf, NOT_SERVED, sendAnywhere } from './passing.ts'
import { givePending, type Pending, type ReplyTaker, takePending } from './pending.ts'
import type { Pool } from './pool.ts'
import { redirectionIn } from './redirects.ts'
import type { Request } from './request.ts'
import type { Shard } from './slot-map.ts'

export function runExclusively(client: Client, request: Request): boolean {
  // What was asked before runs on other connections, and must come first.
  if (!client.isQuiet) return false
  const { command, words } = request
  const key = words[command ? firstKeyIndex(command, words) : 0]
  if (!command || key === words[0] || !key) sendAnywhere(client, request.raw)
  else {
    const shard = client.endpoint.slots.ownerOf(hashSlotOf(key))
    if (!shard || !client.pool) client.reply(NOT_SERVED)
    else new Waiting(client, client.pool, request.raw).begin(shard)
  }
  return true
}

class Waiting implements ReplyTaker {
  readonly #client: Client
  readonly #pool: Pool
  readonly #raw: Buffer
  readonly #answer: Pending
  #shard: Shard | null = null
  #connection: BackendConnection | null = null
  #backendId: Promise<RespValue> | null = null
  #attempts = 0

  constructor(client: Client, pool: Pool, raw: Buffer) {
    this.#client = client
    this.#pool = pool
    this.#raw = raw
    this.#answer = client.enqueue()
    // How long it waits for others' data is no latency.
    this.#answer.latency = null
    client.hold()
    client.blocked = this
    client.companions.add(this)
  }

  begin(shard: Shard): void {
    const connection = this.#pool.acquire(shard)
    this.#shard = shard
    this.#connection = connection
    this.#attempts++
    this.#backendId = ask(connection, ['CLIENT', 'ID'])
    connection.send(takePending(this), this.#raw)
  }

  takeReply(pending: Pending, bytes: Buffer, from: number, to: number): void {
    const target = pending.isStarted ? null : redirectionIn(bytes, from, to)
    givePending(pending)
    const connection = this.#connection
    const shard = this.#shard
    if (connection && shard) queueMicrotask(() => this.#pool.release(shard, connection))
    if (target && connection && this.#attempts < MAX_ATTEMPTS && !this.#client.isClosed) {
      this.#client.endpoint.keeper.refreshSoon()
      this.begin(this.#client.endpoint.slots.at(target.host || connection.host, target.port))
      return
    }
    this.#finish()
    this.#client.answers.takeReply(this.#answer, bytes, from, to)
  }

  takePart(pending: Pending, bytes: Buffer, from: number, to: number): void {
    this.#answer.isStarted = pending.isStarted
    this.#client.answers.takePart(this.#answer, bytes, from, to)
  }

  lose(pending: Pending, problem: string): void {
    givePending(pending)
    this.#finish()
    this.#client.answers.lose(this.#answer, problem)
  }

  detour(): void {}

  /** The client is gone. */
  close(): void {
    this.#connection?.close('the client is gone')
  }

  /** Resolves to what the shard says: it may not have begun to wait yet, or wait no more. */
  async unblock(withError: boolean): Promise<boolean> {
    const shard = this.#shard
    const id = await this.#backendId
    if (!shard || id?.kind !== 'integer') return false
    const { control } = this.#client.endpoint
    const words = ['CLIENT', 'UNBLOCK', Number(id.value), withError ? 'ERROR' : 'TIMEOUT']
    return numberOf(await ask(control.forShard(shard), words)) === 1
  }

  #finish(): void {
    this.#connection = null
    this.#client.blocked = null
    this.#client.companions.delete(this)
    this.#client.unhold()
  }
}

/** Asks one shard on a connection of its own, which is given back. */
export async function askAlone(pool: Pool, shard: Shard, commands: readonly (readonly (string | number | Buffer)[])[]) {
  const connection = pool.acquire(shard)
  const answers = await Promise.all(commands.map((words) => ask(connection, encodeCommand(words))))
  pool.release(shard, connection)
  return answers
}
