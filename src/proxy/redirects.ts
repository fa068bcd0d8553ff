/**
 * What to do with an answer that is none: MOVED and ASK (the slot is elsewhere), TRYAGAIN (half of the keys are), NOSCRIPT
 * (the shard does not know a script that we know), and with requests that could not be sent. Callers: pools, through
 * the endpoint.
 *
 * A request goes out again only when the shard said that it did not carry it out, or when it was never sent. While one
 * takes such a detour, its client waits, so that nothing overtakes it.
 */
import { encodeCommand } from '#resp/encode.ts'
import type { BackendConnection, Ending } from './backend-connection.ts'
import { MAX_ATTEMPTS, RETRY_PAUSE_MS, UNSENT_WAIT_MS } from './limits.ts'
import { givePending, type Pending, type ReplyTaker, takePending } from './pending.ts'
import type { Pool } from './pool.ts'
import { REQUEST_LIMITS, RequestFramer, WHOLE } from './request-framer.ts'
import type { Scripts } from './scripts.ts'
import type { Shard, SlotMap } from './slot-map.ts'

export type RedirectPorts = {
  readonly slots: SlotMap
  readonly scripts: Scripts
  readonly nowMs: () => number
  readonly refresh: () => void
  readonly onRefused: (pool: Pool) => void
}

const MINUS = 0x2d
const LONGEST_REDIRECTION = 512
const DOWN_FORGOTTEN_MS = 1_000
const ASKING = encodeCommand(['ASKING'])
/** Takes the answers that nobody waits for. */
const NOBODY: ReplyTaker = {
  takeReply: (pending) => givePending(pending),
  takePart: () => undefined,
  lose: (pending) => givePending(pending),
  detour: () => undefined,
}

export class Redirects {
  readonly #ports: RedirectPorts
  /** Since when shards have been saying that they are not ready: who has said so for long is not waited for again. */
  #downSince = 0
  #downSeen = 0

  constructor(ports: RedirectPorts) {
    this.#ports = ports
  }

  /** True when the request goes another way, and its answer is still to come. */
  take(pool: Pool, connection: BackendConnection, pending: Pending, bytes: Buffer, from: number, to: number): boolean {
    if (pending.slot < 0 || !pending.block || pending.attempts >= MAX_ATTEMPTS) return false
    const text = bytes.toString('latin1', from + 1, Math.min(to - 2, from + LONGEST_REDIRECTION))
    const [kind, , address] = text.split(' ', 3)
    switch (kind) {
      case 'MOVED':
      case 'ASK': {
        const target = this.#targetOf(address, connection)
        if (!target) return false
        this.#begin(pending)
        if (kind === 'MOVED') this.#follow(pool, pending, target)
        else this.#askThere(pool, pending, target)
        return true
      }
      case 'TRYAGAIN':
        this.#begin(pending)
        this.#later(pool, pending)
        return true
      case 'CLUSTERDOWN':
      case 'LOADING':
        return this.#waitForShard(pool, pending)
      case 'NOSCRIPT':
        return this.#bringScript(connection, pending)
      default:
        return false
    }
  }

  retryUnsent(pool: Pool, shard: Shard, pending: Pending, ending: Ending): void {
    const now = this.#ports.nowMs()
    if (ending.isRefused) {
      this.#ports.onRefused(pool)
      pending.taker?.lose(pending, ending.problem)
      return
    }
    // A shard that has been away for long is not waited for again and again.
    const since = pending.waitingSince || now
    const isAwayForLong = shard.awaySince > 0 && now - shard.awaySince > UNSENT_WAIT_MS
    if (pending.slot < 0 || now - since > UNSENT_WAIT_MS || (isAwayForLong && pending.waitingSince === 0)) {
      const where = pending.slot < 0 ? 'a shard' : `the shard of slot ${pending.slot}`
      pending.taker?.lose(pending, `CLUSTERDOWN shard unavailable: ${where} does not answer (${ending.problem})`)
      return
    }
    pending.waitingSince = since
    this.#begin(pending)
    pending.attempts = 0
    this.#later(pool, pending)
  }

  #begin(pending: Pending): void {
    pending.attempts++
    pending.taker?.detour()
  }

  /** The shard is not ready, or does not know its cluster yet; it has done nothing. */
  #waitForShard(pool: Pool, pending: Pending): boolean {
    const now = this.#ports.nowMs()
    if (now - this.#downSeen > DOWN_FORGOTTEN_MS) this.#downSince = now
    this.#downSeen = now
    pending.waitingSince ||= now
    if (now - pending.waitingSince > UNSENT_WAIT_MS || now - this.#downSince > UNSENT_WAIT_MS) return false
    this.#begin(pending)
    pending.attempts = 0
    this.#ports.refresh()
    this.#later(pool, pending)
    return true
  }

  #follow(pool: Pool, pending: Pending, target: Shard): void {
    this.#ports.slots.move(pending.slot, target)
    this.#ports.refresh()
    sendAgain(pool.forShard(target), pending)
  }

  /** ASKING holds for the next request only, and ours is right behind it: they are sent in one piece. */
  #askThere(pool: Pool, pending: Pending, target: Shard): void {
    const connection = pool.forShard(target)
    connection.send(takePending(NOBODY), ASKING)
    sendAgain(connection, pending)
  }

  #later(pool: Pool, pending: Pending): void {
    const bytes = requestBytes(pending)
    setTimeout(() => {
      const connection = pool.forSlot(pending.slot)
      if (connection) connection.send(pending, bytes)
      else if (this.#ports.nowMs() - (pending.waitingSince || this.#ports.nowMs()) > UNSENT_WAIT_MS)
        pending.taker?.lose(pending, 'CLUSTERDOWN Hash slot not served')
      else {
        pending.waitingSince ||= this.#ports.nowMs()
        pending.block = bytes
        pending.start = 0
        pending.end = bytes.length
        this.#later(pool, pending)
      }
    }, RETRY_PAUSE_MS)
  }

  /** EVALSHA becomes EVAL, once. */
  #bringScript(connection: BackendConnection, pending: Pending): boolean {
    const words = wordsOf(pending)
    const name = words[0]?.toString('latin1').toLowerCase()
    if (name !== 'evalsha' && name !== 'evalsha_ro') return false
    const script = this.#ports.scripts.get(words[1]?.toString('latin1') ?? '')
    if (!script) return false
    this.#begin(pending)
    connection.send(pending, encodeCommand([name === 'evalsha' ? 'EVAL' : 'EVAL_RO', script, ...words.slice(2)]))
    return true
  }

  #targetOf(address: string | undefined, connection: BackendConnection): Shard | undefined {
    const colon = address?.lastIndexOf(':') ?? -1
    const port = Number(address?.slice(colon + 1))
    if (!address || colon < 0 || !Number.isInteger(port)) return undefined
    return this.#ports.slots.at(address.slice(0, colon) || connection.host, port)
  }
}

function requestBytes(pending: Pending): Buffer {
  return pending.block ? Buffer.from(pending.block.subarray(pending.start, pending.end)) : Buffer.alloc(0)
}

function sendAgain(connection: BackendConnection, pending: Pending): void {
  connection.send(pending, requestBytes(pending))
}

function wordsOf(pending: Pending): Buffer[] {
  const bytes = requestBytes(pending)
  const framer = new RequestFramer()
  if (framer.read(bytes, 0, bytes.length, REQUEST_LIMITS) !== WHOLE) return []
  return Array.from({ length: framer.words }, (_, index) => bytes.subarray(framer.starts[index], framer.ends[index]))
}

/** Where MOVED or ASK points; null for any other answer. An empty host is the one that was asked. */
export function redirectionIn(bytes: Buffer, from: number, to: number): { host: string; port: number } | null {
  if (bytes[from] !== MINUS) return null
  const text = bytes.toString('latin1', from + 1, Math.min(to - 2, from + LONGEST_REDIRECTION))
  const found = /^(?:MOVED|ASK) \d+ (.*):(\d+)$/.exec(text)
  return found ? { host: found[1] ?? '', port: Number(found[2]) } : null
}
