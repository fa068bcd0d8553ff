/**
 * Tells receivers what has become of alerts: each is brought from what it knows to how it is. What it knows is in the
 * store, so that a restart neither forgets nor repeats; what it has still to be told is computed, never queued. One that
 * cannot be reached is tried again, less and less often, for as long as there is something to tell.
 */
import type { AlertBoard, RaisedAlert } from '#model/alerts/board.ts'
import type { AlertNews } from '#model/alerts/message.ts'
import type { DeliveryStatus } from '#model/alerts/notifier.ts'
import { afterTelling, NOTHING_TOLD, nextDueMs, type ReceiverDocument, toTell } from '#model/alerts/telling.ts'
import type { NewEvent } from '#model/event.ts'
import type { State } from '#store/state.ts'
import { NotAccepted } from './not-accepted.ts'

export type Receiver = {
  /** Where in the store what it knows is kept. */
  readonly id: string
  /** For people, in the log. */
  readonly name: string
  /** Receivers of one lane share a way: when it fails for one, the others need not be tried. */
  readonly lane: string
  readonly wants: (alert: RaisedAlert) => boolean
  /** Rejects with `NotAccepted` when it is this receiver's fault alone, with anything else when it is the way's. */
  readonly send: (news: AlertNews, signal: AbortSignal) => Promise<void>
}

export type TellerLog = { info(facts: object, message: string): void; warn(facts: object, message: string): void }

export type TellerOptions = {
  readonly state: State
  readonly board: AlertBoard
  readonly receivers: () => readonly Receiver[]
  readonly record: (event: NewEvent) => void
  /** What changes within so long goes in one message. */
  readonly groupMs: number
  readonly now: () => number
  readonly log: TellerLog
}

/** A message has this long; a receiver that is slower is asked again. */
const SEND_PATIENCE_MS = 30_000
const FIRST_RETRY_MS = 1_000
const SLOWEST_RETRY_MS = 300_000
const LANES_AT_ONCE = 10

type Failing = { count: number; error: string; nextAtMs: number }

export class Teller {
  readonly #options: TellerOptions
  readonly #closing = new AbortController()
  /** By the id of a receiver, or the name of a lane; by the monotonic clock. */
  readonly #failing = new Map<string, Failing>()
  /** What cannot be written down is remembered for as long as this process lives. */
  readonly #unwritten = new Map<string, ReceiverDocument>()
  #timer: NodeJS.Timeout | undefined
  #dueAtMs = Number.POSITIVE_INFINITY
  #work: Promise<void> | undefined
  #isWoken = false

  constructor(options: TellerOptions) {
    this.#options = options
  }

  start(): void {
    const { state, board, groupMs } = this.#options
    const watched = [state.webhooks, state.cluster, state.users, state.roles, state.ldapMappings, state.databases]
    board.onChange(() => this.#wakeIn(groupMs))
    state.view.onChange((collection) => {
      if (watched.some((one) => one === collection)) this.#wakeIn(groupMs)
    })
    this.#wakeIn(groupMs)
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the control plane is stopping'))
    clearTimeout(this.#timer)
    await this.#work
  }

  /** Somebody has changed how it is reached: what failed before says nothing any more. */
  forgive(id: string): void {
    this.#failing.delete(id)
  }

  status(id: string): DeliveryStatus {
    const failing = this.#failing.get(id)
    const { told, lastSuccessAtMs } = this.#documentOf(id)
    return {
      lastSuccessAtMs: lastSuccessAtMs === 0 ? null : lastSuccessAtMs,
      lastError: failing?.error ?? null,
      failures: failing?.count ?? 0,
      toldCount: told.length,
    }
  }

  #wakeIn(ms: number): void {
    if (this.#work) this.#isWoken = true
    const dueAtMs = performance.now() + ms
    if (this.#closing.signal.aborted || dueAtMs >= this.#dueAtMs) return
    clearTimeout(this.#timer)
    this.#dueAtMs = dueAtMs
    this.#timer = setTimeout(() => this.#wake(), ms).unref()
  }

  #wake(): void {
    this.#dueAtMs = Number.POSITIVE_INFINITY
    if (this.#work) return
    this.#isWoken = false
    this.#work = this.#pass()
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#options.log.warn({ err: error }, 'alerts could not be told')
      })
      .finally(() => {
        this.#work = undefined
        if (this.#isWoken) this.#wakeIn(this.#options.groupMs)
      })
  }

  async #pass(): Promise<void> {
    const receivers = this.#options.receivers()
    const lanes = Map.groupBy(receivers, ({ lane }) => lane)
    const waiting = [...lanes]
    const worker = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await this.#passLane(...next)
    }
    await Promise.all(Array.from({ length: Math.min(LANES_AT_ONCE, lanes.size) }, worker))
    // Last, because a store that cannot be written is what people have to be told of.
    await this.#forgetOthers(new Set(receivers.map(({ id }) => id)))
  }

  async #passLane(lane: string, receivers: readonly Receiver[]): Promise<void> {
    for (const receiver of receivers) {
      if (this.#closing.signal.aborted || this.#waits(lane) || (receiver.id !== lane && this.#waits(receiver.id)))
        continue
      await this.#tell(receiver)
    }
  }

  /** Wakes when the wait is over. */
  #waits(id: string): boolean {
    const failing = this.#failing.get(id)
    if (!failing || failing.nextAtMs <= performance.now()) return false
    this.#wakeIn(failing.nextAtMs - performance.now())
    return true
  }

  async #tell(receiver: Receiver): Promise<void> {
    const { board, state, now } = this.#options
    const raised = board.raised()
    const wanted = raised.filter(receiver.wants)
    const keys = { raised: new Set(raised.map(({ key }) => key)), wanted: new Set(wanted.map(({ key }) => key)) }
    const before = this.#documentOf(receiver.id)
    const telling = toTell(before, wanted, (key) => keys.raised.has(key), now())
    const due = nextDueMs(before, wanted, now())
    if (telling.raised.length + telling.cleared.length === 0) {
      if (due !== null) this.#wakeIn(due + 1)
      return
    }
    const news = { cluster: state.cluster.get('')?.value.name ?? '', ...telling, nowMs: now() }
    try {
      await receiver.send(news, AbortSignal.any([this.#closing.signal, AbortSignal.timeout(SEND_PATIENCE_MS)]))
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#failed(receiver, error)
      return
    }
    this.#succeeded(receiver)
    await this.#keep(
      receiver.id,
      afterTelling(before, telling, (key) => keys.wanted.has(key), now()),
    )
    // There may be more than fits in one message.
    this.#wakeIn(this.#options.groupMs)
  }

  #failed(receiver: Receiver, error: unknown): void {
    const id = error instanceof NotAccepted ? receiver.id : receiver.lane
    const count = (this.#failing.get(id)?.count ?? 0) + 1
    const text = error instanceof Error ? error.message : String(error)
    const pauseMs = Math.min(SLOWEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(count - 1, 20))
    this.#failing.set(id, { count, error: text, nextAtMs: performance.now() + pauseMs })
    this.#wakeIn(pauseMs)
    if (count > 1) return
    this.#options.log.warn(
      { receiver: receiver.name, error: text },
      'a receiver of alerts is not reached; trying again',
    )
    const description = `${receiver.name} is not reached: ${text}`
    this.#options.record({ type: 'alert_delivery_failed', severity: 'ERROR', description })
  }

  #succeeded({ id, lane, name }: Receiver): void {
    const wasFailing = this.#failing.delete(id)
    if (!this.#failing.delete(lane) && !wasFailing) return
    this.#options.log.info({ receiver: name }, 'a receiver of alerts is reached again')
    this.#options.record({
      type: 'alert_delivery_recovered',
      severity: 'INFO',
      description: `${name} is reached again.`,
    })
  }

  #documentOf(id: string): ReceiverDocument {
    return this.#unwritten.get(id) ?? this.#options.state.receivers.get(id)?.value ?? NOTHING_TOLD
  }

  async #keep(id: string, document: ReceiverDocument): Promise<void> {
    const { receivers, view } = this.#options.state
    this.#unwritten.set(id, document)
    try {
      await view.commit({ compare: [], changes: [receivers.put(id, document)], configuration: false })
      this.#unwritten.delete(id)
    } catch (error) {
      this.#options.log.warn({ err: error }, 'what a receiver of alerts was told is not written down')
    }
  }

  async #forgetOthers(ids: ReadonlySet<string>): Promise<void> {
    const { receivers, view } = this.#options.state
    for (const { id } of [...receivers.values()]) {
      if (ids.has(id)) continue
      this.#failing.delete(id)
      await view.commit({ compare: [], changes: [receivers.delete(id)], configuration: false })
    }
  }
}
