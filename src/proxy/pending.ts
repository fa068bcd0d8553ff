/**
 * One request that waits for its answer: its place in the queue of the client (answers leave in the order of the
 * requests) and in the queue of the connection (replies come in the order of the sends). Callers: clients, gathers and
 * connections. They are used again and again, so that a command makes no garbage; whoever takes the last word about one
 * gives it back.
 */
import type { Latency } from './latency.ts'

export interface ReplyTaker {
  /** The rest of a reply, or all of it. The bytes may be kept until the end of the tick. */
  takeReply(pending: Pending, bytes: Buffer, from: number, to: number): void
  /** A piece of a reply that is too large to be kept; the rest comes later. */
  takePart(pending: Pending, bytes: Buffer, from: number, to: number): void
  /** There will be no reply; `problem` is an error line without its mark. */
  lose(pending: Pending, problem: string): void
  /** The request goes a second way; what the same client asks next must not overtake it. */
  detour(): void
}

export class Pending {
  taker: ReplyTaker | null = null
  /** The request's bytes, until its reply has come: a redirection sends them again. */
  block: Buffer | null = null
  start = 0
  end = 0
  /** Where the request belongs; -1 when it belongs to a shard rather than to a slot. */
  slot = -1
  attempts = 0
  /** When the first attempt failed before it was sent, ms; 0 while none has. */
  waitingSince = 0
  /** Part of the reply has been passed on. */
  isStarted = false
  isDone = false
  /** The client does not want this answer (CLIENT REPLY). */
  isMuted = false
  /** When it was asked for, and where to tell how long that is ago once it is answered; null: nobody wants to know. */
  askedAtUs = 0
  latency: Latency | null = null
  /** What waits for an earlier answer of the same client. */
  held: Buffer[] | null = null
  /** Behind this one in the client's queue. */
  next: Pending | null = null

  hold(bytes: Buffer, from: number, to: number): number {
    const copy = Buffer.from(bytes.subarray(from, to))
    if (this.held) this.held.push(copy)
    else this.held = [copy]
    return copy.length
  }
}

const spare: Pending[] = []
const MAX_SPARE = 10_000

export function takePending(taker: ReplyTaker): Pending {
  const pending = spare.pop() ?? new Pending()
  pending.taker = taker
  return pending
}

export function givePending(pending: Pending): void {
  pending.taker = null
  pending.block = null
  pending.slot = -1
  pending.attempts = 0
  pending.waitingSince = 0
  pending.isStarted = false
  pending.isDone = false
  pending.isMuted = false
  pending.latency = null
  pending.held = null
  pending.next = null
  if (spare.length < MAX_SPARE) spare.push(pending)
}

/** First in, first out, without moving anything. */
export class PendingRing {
  #slots: (Pending | null)[] = new Array(16).fill(null)
  #first = 0
  length = 0

  push(pending: Pending): void {
    if (this.length === this.#slots.length) this.#grow()
    this.#slots[(this.#first + this.length) & (this.#slots.length - 1)] = pending
    this.length++
  }

  peek(): Pending | null {
    return this.length === 0 ? null : (this.#slots[this.#first] ?? null)
  }

  shift(): Pending | null {
    if (this.length === 0) return null
    const pending = this.#slots[this.#first] ?? null
    this.#slots[this.#first] = null
    this.#first = (this.#first + 1) & (this.#slots.length - 1)
    this.length--
    return pending
  }

  #grow(): void {
    const larger: (Pending | null)[] = new Array(this.#slots.length * 2).fill(null)
    for (let index = 0; index < this.length; index++)
      larger[index] = this.#slots[(this.#first + index) & (this.#slots.length - 1)] ?? null
    this.#slots = larger
    this.#first = 0
  }
}
