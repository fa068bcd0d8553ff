/**
 * A question of the proxy's own: sent among the requests of clients, its answer made into a value. Callers: everything
 * that joins the answers of several shards, and the keeper of the slot map. Replies of errors are values too; only a
 * connection that is lost rejects.
 */
import { encodeCommand, type Word } from '#resp/encode.ts'
import { RespParser } from '#resp/parser.ts'
import type { RespValue } from '#resp/value.ts'
import type { BackendConnection } from './backend-connection.ts'
import { givePending, type Pending, type ReplyTaker, takePending } from './pending.ts'

class Question implements ReplyTaker {
  readonly #parser = new RespParser()
  readonly #done: (value: RespValue) => void
  readonly #onDetour: (() => void) | undefined

  constructor(done: (value: RespValue) => void, onDetour: (() => void) | undefined) {
    this.#done = done
    this.#onDetour = onDetour
  }

  takePart(_pending: Pending, bytes: Buffer, from: number, to: number): void {
    this.#read(bytes, from, to)
  }

  takeReply(pending: Pending, bytes: Buffer, from: number, to: number): void {
    const value = this.#read(bytes, from, to)
    givePending(pending)
    this.#done(value ?? { kind: 'error', text: 'ERR the shard does not speak RESP', bulk: false })
  }

  lose(pending: Pending, problem: string): void {
    givePending(pending)
    this.#done({ kind: 'error', text: problem, bulk: false })
  }

  detour(): void {
    this.#onDetour?.()
  }

  /** Values are views of what is read, so it has to be a copy. */
  #read(bytes: Buffer, from: number, to: number): RespValue | undefined {
    return this.#parser.push(Buffer.from(bytes.subarray(from, to))).at(-1)
  }
}

export type AskOptions = {
  /** What the question is about; then it follows redirections. */
  readonly slot?: number
  readonly onDetour?: () => void
}

/** Never rejects: a lost connection is an error value like the shard's own. */
export function ask(
  connection: BackendConnection | undefined,
  words: readonly Word[] | Buffer,
  options: AskOptions = {},
): Promise<RespValue> {
  return new Promise((resolve) => {
    if (!connection) {
      resolve({ kind: 'error', text: 'CLUSTERDOWN Hash slot not served', bulk: false })
      return
    }
    const pending = takePending(new Question(resolve, options.onDetour))
    pending.slot = options.slot ?? -1
    connection.send(pending, Buffer.isBuffer(words) ? words : encodeCommand(words as readonly Word[]))
  })
}
