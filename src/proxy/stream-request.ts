/**
 * A request too large to be kept: its bytes go on to the shard as they come, over a connection that nobody else uses,
 * and no faster than the shard takes them. Callers: the client connection. Only for commands whose one and only key is
 * known already; a command with keys in several slots has to be whole before it can be cut.
 */
import type { BackendConnection } from './backend-connection.ts'
import type { ByteTaker, Client } from './client.ts'
import { hashSlotOf } from './passing.ts'
import { givePending, type ReplyTaker, takePending } from './pending.ts'
import { redirectionIn } from './redirects.ts'
import { errorLine } from './request.ts'
import type { RequestFramer } from './request-framer.ts'

export function streamRequest(client: Client, framer: RequestFramer, bytes: Buffer): ByteTaker | null {
  const { endpoint, pool } = client
  const command = endpoint.table.find(bytes, framer.starts[0] ?? 0, framer.ends[0] ?? 0)
  const keyAt = command?.fastKey ?? 0
  if (!pool || !command || client.session || keyAt === 0 || framer.words <= keyAt || !client.isQuiet) return null
  const key = bytes.subarray(framer.starts[keyAt], framer.ends[keyAt])
  const shard = endpoint.slots.ownerOf(hashSlotOf(key))
  if (!shard) return null
  const connection = pool.acquire(shard)
  const answer = client.enqueue()
  command.calls++
  client.hold()
  const companion = { close: () => connection.close('the client is gone') }
  client.companions.add(companion)
  let isOver = false
  const finish = () => {
    isOver = true
    client.companions.delete(companion)
    client.unhold()
  }
  const taker: ReplyTaker = {
    takePart: (_pending, part, from, to) => client.answers.takePart(answer, part, from, to),
    takeReply: (pending, part, from, to) => {
      givePending(pending)
      finish()
      if (redirectionIn(part, from, to)) {
        // Its bytes are gone; the client has them still.
        client.endpoint.keeper.refreshSoon()
        client.complete(answer, errorLine('TRYAGAIN the slot is moving to another shard'))
      } else client.answers.takeReply(answer, part, from, to)
      queueMicrotask(() => pool.release(shard, connection))
    },
    lose: (pending, problem) => {
      givePending(pending)
      finish()
      client.complete(answer, errorLine(problem))
    },
    detour: () => undefined,
  }
  connection.send(takePending(taker), bytes)
  const rest = new Rest(framer, bytes)
  return (chunk, byteCount) => {
    const taken = rest.take(chunk, byteCount)
    if (!isOver) forward(client, connection, chunk.subarray(0, taken))
    if (rest.isBroken) client.close()
    return taken
  }
}

/** What a shard has answered early (an error) is not sent any more; the client's bytes are still counted. */
function forward(client: Client, connection: BackendConnection, bytes: Buffer): void {
  connection.sendBytes(bytes)
  if (connection.isChoked) client.waitForRoom(connection)
}

/** Counts what is left of a request, word by word. */
class Rest {
  isBroken = false
  #wordsLeft: number
  #skip: number
  #line = ''

  constructor(framer: RequestFramer, known: Buffer) {
    const isInWord = framer.wordBytes >= 0
    this.#wordsLeft = framer.expected - framer.words - (isInWord ? 1 : 0)
    this.#skip = isInWord ? framer.position + framer.wordBytes + 2 - known.length : 0
    if (!isInWord) this.#line = known.toString('latin1', framer.position)
  }

  /** How many of the bytes are the request's. */
  take(bytes: Buffer, byteCount: number): number {
    let at = 0
    for (;;) {
      const skipped = Math.min(this.#skip, byteCount - at)
      at += skipped
      this.#skip -= skipped
      if (this.#wordsLeft === 0 || at === byteCount) return this.#skip === 0 && this.#wordsLeft === 0 ? at : byteCount
      while (at < byteCount && this.#skip === 0) {
        const character = String.fromCharCode(bytes[at++] ?? 0)
        if (character !== '\n') {
          this.#line += character
          if (this.#line.length < LONGEST_HEAD) continue
        }
        const length = /^\$(\d{1,9})\r$/.exec(this.#line)?.[1]
        this.#line = ''
        if (length === undefined) {
          this.isBroken = true
          return byteCount
        }
        this.#wordsLeft--
        this.#skip = Number(length) + 2
      }
    }
  }
}

const LONGEST_HEAD = 16
