/**
 * MULTI, EXEC, DISCARD, WATCH and UNWATCH: on a connection of the client's own to the shard of the first key that is
 * named, since the engine keeps a transaction per connection. All keys must be in one slot; a key of another one is
 * refused with CROSSSLOT, and the transaction fails as a whole. Callers: the router.
 *
 * Until a key is named it is not known which shard it will be: what has no key is kept, and sent when it is known.
 */
import { encodeCommand } from '#resp/encode.ts'
import type { BackendConnection } from './backend-connection.ts'
import type { Client, Session } from './client.ts'
import { firstKeyIndex } from './command-table.ts'
import { CROSS_SLOT, hashSlotOf, NOT_SERVED } from './passing.ts'
import { givePending, type Pending, type ReplyTaker, takePending } from './pending.ts'
import type { Pool } from './pool.ts'
import { redirectionIn } from './redirects.ts'
import { errorLine, OK, QUEUED, type Request, wrongArguments } from './request.ts'
import type { Shard } from './slot-map.ts'

const MULTI = encodeCommand(['MULTI'])
const DISCARD = encodeCommand(['DISCARD'])
const UNWATCH = encodeCommand(['UNWATCH'])
const ABORTED = errorLine('EXECABORT Transaction discarded because of previous errors.')
/** Requests without a key that wait for one to be named. */
const MAX_KEPT = 10_000
const MINUS = 0x2d
const PASSED_LOCALS = new Set(['ping', 'echo', 'select'])

type Kept = { readonly taker: ReplyTaker; readonly raw: Buffer }

/** Takes answers that the client has had already, or does not need. */
const NOBODY: ReplyTaker = {
  takeReply: (pending) => givePending(pending),
  takePart: () => undefined,
  lose: (pending) => givePending(pending),
  detour: () => undefined,
}

class Transaction implements Session {
  readonly #client: Client
  readonly #pool: Pool
  #connection: BackendConnection | null = null
  #shard: Shard | null = null
  #slot = -1
  #isMulti = false
  #isBroken = false
  #kept: Buffer[] = []
  /** Why there is no connection any more. */
  #problem = 'ERR shard unavailable: the connection of the transaction was lost'
  /** Waits until the engine has taken MULTI; null when it has. */
  #unopened: Kept[] | null = null

  constructor(client: Client, pool: Pool) {
    this.#client = client
    this.#pool = pool
  }

  take(client: Client, request: Request): boolean | 'pass' {
    const { name } = request
    if (name === 'reset' || name === 'quit') {
      this.close()
      this.#drop()
      return 'pass'
    }
    if (name === 'multi') return this.#begin()
    if (name === 'exec' || name === 'discard') return this.#end(name, request)
    if (!this.#isMulti) {
      if (name === 'watch') return this.#watch(request)
      if (name === 'unwatch') return this.#unwatch()
      return 'pass'
    }
    if (name === 'watch') client.reply(errorLine('ERR WATCH inside MULTI is not allowed'))
    else this.#queue(request)
    return true
  }

  close(): void {
    const connection = this.#connection
    if (!connection) return
    // What is given up is not lost.
    connection.onLost = null
    connection.close('the client is gone')
  }

  #begin(): boolean {
    if (this.#isMulti) this.#client.reply(errorLine('ERR MULTI calls can not be nested'))
    // What was asked before runs on other connections, and must come first.
    else if (!this.#client.isQuiet) return false
    else {
      this.#isMulti = true
      if (this.#connection) this.#open(this.#connection, this.#answering())
      else this.#client.reply(OK)
    }
    return true
  }

  #queue(request: Request): void {
    const { command, name, words } = request
    const treatment = command?.treatment
    const isElsewhere = treatment === 'everywhere' || treatment === 'session' || treatment === 'refused'
    if (isElsewhere || (treatment === 'local' && !PASSED_LOCALS.has(name))) {
      this.#break(errorLine(`ERR '${name}' is not available inside a transaction of a sharded database`))
      return
    }
    const index = command ? firstKeyIndex(command, words) : 0
    const key = words[index]
    if (index === 0 || !key) {
      if (this.#connection) this.#send(request.raw)
      else if (this.#kept.length >= MAX_KEPT) this.#break(errorLine('ERR too many commands without a key'))
      else {
        this.#kept.push(request.raw)
        this.#client.reply(QUEUED)
      }
      return
    }
    const problem = this.#pin(hashSlotOf(key))
    if (problem) this.#break(problem)
    else this.#send(request.raw)
  }

  #watch(request: Request): boolean {
    if (!this.#client.isQuiet) return false
    const keys = request.words.slice(1)
    const [slot, ...others] = keys.map(hashSlotOf)
    if (slot === undefined) this.#client.reply(wrongArguments('watch'))
    else {
      const problem = others.every((other) => other === slot) ? this.#pin(slot) : CROSS_SLOT
      if (problem) this.#client.reply(problem)
      else this.#sendAndWait(request.raw)
    }
    this.#leaveIfEmpty()
    return true
  }

  #unwatch(): boolean {
    if (!this.#client.isQuiet) return false
    this.#sendAndWait(UNWATCH, true)
    return true
  }

  #end(name: 'exec' | 'discard', request: Request): boolean {
    const client = this.#client
    if (!this.#isMulti) {
      client.reply(errorLine(`ERR ${name.toUpperCase()} without MULTI`))
      return true
    }
    if (name === 'exec' && !this.#connection && this.#kept.length > 0 && !this.#isBroken) this.#pinAnywhere()
    const connection = this.#connection
    if (name === 'exec' && this.#isBroken) {
      connection?.send(takePending(NOBODY), DISCARD)
      client.reply(ABORTED)
      this.#drop()
    } else if (connection) this.#sendAndWait(request.raw, true)
    else {
      client.reply(name === 'exec' ? (this.#isBroken ? ABORTED : Buffer.from('*0\r\n')) : OK)
      this.#drop()
    }
    return true
  }

  /** Null when the transaction is where the slot is. */
  #pin(slot: number): Buffer | null {
    if (this.#slot >= 0) return this.#slot === slot ? null : CROSS_SLOT
    if (!this.#connection) {
      const shard = this.#client.endpoint.slots.ownerOf(slot)
      if (!shard) return NOT_SERVED
      this.#connect(shard)
    }
    this.#slot = slot
    return null
  }

  #pinAnywhere(): void {
    const shard = this.#client.endpoint.anyShard()
    if (shard) this.#connect(shard)
    else this.#isBroken = true
  }

  #connect(shard: Shard): void {
    const connection = this.#pool.acquire(shard)
    connection.onLost = () => {
      this.#isBroken = true
      this.#connection = null
      // What was watched is not watched any more.
      if (!this.#isMulti) this.#client.close()
    }
    this.#connection = connection
    this.#shard = shard
    if (!this.#isMulti) return
    this.#open(connection, NOBODY)
    for (const raw of this.#kept.splice(0)) this.#transmit(NOBODY, raw)
  }

  /**
   * Begins it at the engine. What belongs into it is sent once the engine has agreed: were MULTI refused (BUSY, NOPERM),
   * it would be carried out at once.
   */
  #open(connection: BackendConnection, answering: ReplyTaker): void {
    const unopened: Kept[] = []
    this.#unopened = unopened
    this.#client.hold()
    const finish = (problem: string | null) => {
      this.#unopened = null
      for (const { taker, raw } of unopened) {
        if (problem === null) connection.send(takePending(taker), raw)
        else taker.lose(takePending(taker), problem)
      }
      if (problem !== null && answering === NOBODY) this.#abandon(problem)
      else if (problem !== null) this.#isMulti = false
      this.#client.unhold()
    }
    const taker: ReplyTaker = {
      takePart: (pending, bytes, from, to) => answering.takePart(pending, bytes, from, to),
      takeReply: (pending, bytes, from, to) => {
        const problem = bytes[from] === MINUS ? bytes.toString('utf8', from + 1, to - 2) : null
        answering.takeReply(pending, bytes, from, to)
        finish(problem)
      },
      lose: (pending, problem) => {
        answering.lose(pending, problem)
        finish(problem)
      },
      detour: () => undefined,
    }
    connection.send(takePending(taker), MULTI)
  }

  /** The client was told that it has begun. */
  #abandon(problem: string): void {
    this.#isBroken = true
    this.#problem = problem
    this.#giveBack()
  }

  #break(problem: Buffer): void {
    this.#isBroken = true
    this.#client.reply(problem)
  }

  #send(raw: Buffer): void {
    if (this.#connection) this.#transmit(this.#answering(), raw)
    else this.#break(errorLine(this.#problem))
  }

  #transmit(taker: ReplyTaker, raw: Buffer): void {
    if (this.#unopened) this.#unopened.push({ taker, raw })
    else this.#connection?.send(takePending(taker), raw)
  }

  /** What comes next may run on another connection, so it waits for the answer. */
  #sendAndWait(raw: Buffer, isLast = false): void {
    if (!this.#connection) {
      this.#client.reply(errorLine(this.#problem))
      this.#drop()
      return
    }
    this.#client.hold()
    this.#transmit(this.#answering(isLast, true), raw)
  }

  #answering(isLast = false, isHeld = false): ReplyTaker {
    const client = this.#client
    const answer = client.enqueue()
    const finish = (pending: Pending) => {
      givePending(pending)
      if (isLast) queueMicrotask(() => this.#drop())
      if (isHeld) client.unhold()
    }
    return {
      takePart: (pending, bytes, from, to) => {
        answer.isStarted = pending.isStarted
        client.answers.takePart(answer, bytes, from, to)
      },
      takeReply: (pending, bytes, from, to) => {
        const isMoved = !pending.isStarted && redirectionIn(bytes, from, to) !== null
        finish(pending)
        if (isMoved) {
          this.#isBroken = true
          client.endpoint.keeper.refreshSoon()
          client.complete(answer, errorLine('TRYAGAIN the slot of the transaction is moving to another shard'))
        } else client.answers.takeReply(answer, bytes, from, to)
      },
      lose: (pending, problem) => {
        finish(pending)
        this.#isBroken = true
        client.answers.lose(answer, problem)
      },
      detour: () => undefined,
    }
  }

  #leaveIfEmpty(): void {
    if (!this.#connection && !this.#isMulti) this.#drop()
  }

  #drop(): void {
    if (this.#client.session === this) this.#client.session = null
    this.#giveBack()
  }

  #giveBack(): void {
    const connection = this.#connection
    const shard = this.#shard
    this.#connection = null
    if (!connection || !shard) return
    // Only EXEC, DISCARD and UNWATCH leave nothing behind, or a MULTI that was refused; those were answered before.
    this.#pool.release(shard, connection)
  }
}

function begin(client: Client, request: Request): boolean {
  if (!client.pool) return true
  const transaction = new Transaction(client, client.pool)
  client.session = transaction
  return transaction.take(client, request) !== false || undo(client)
}

/** It could not begin yet; it will be asked again. */
function undo(client: Client): false {
  client.session = null
  return false
}

const without = (name: string) => (client: Client) => {
  client.reply(errorLine(`ERR ${name} without MULTI`))
  return true
}

export const TRANSACTIONS: Readonly<Record<string, (client: Client, request: Request) => boolean>> = {
  multi: begin,
  watch: begin,
  unwatch: (client) => {
    client.reply(OK)
    return true
  },
  exec: without('EXEC'),
  discard: without('DISCARD'),
}
