/**
 * Whether the certificate of the proxy is still good: asks the responder when it is time to, writes down what it says,
 * and tells the log and the events when that changes. When it is time is read from the state each time, so that neither
 * a restart nor another certificate needs anybody to think of it.
 */
import { alertNamed } from '#model/alerts/catalogue.ts'
import { settingIn } from '#model/alerts/kept.ts'
import { CLUSTER } from '#model/alerts/object.ts'
import type { OcspAnswer, OcspStatusDocument } from '#model/documents/ocsp.ts'
import { harmless } from '#model/event.ts'
import { type OcspSettings, ocspDefaults } from '#model/ocsp.ts'
import type { State } from '#store/state.ts'
import { refuse } from '../errors.ts'
import type { EventLog } from '../events/event-log.ts'
import { askResponder } from './ask.ts'
import { NoAnswer } from './message.ts'
import { afterQuery, nextQueryMs, type Outcome } from './schedule.ts'
import { issuerOf, ocspSubject, type Subject } from './subject.ts'

/** Timers that wait longer than this look anew: clocks jump. */
const LONGEST_WAIT_MS = 60_000
const TRIES = 5
const LONGEST_REASON = 400

type Log = { info(facts: object, message: string): void; warn(facts: object, message: string): void }

export class OcspWatch {
  readonly #state: State
  readonly #now: () => number
  readonly #log: Log
  readonly #events: Pick<EventLog, 'record'>
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #asking: Promise<void> | undefined

  constructor(options: { state: State; now: () => number; log: Log; events: Pick<EventLog, 'record'> }) {
    this.#state = options.state
    this.#now = options.now
    this.#log = options.log
    this.#events = options.events
  }

  start(): void {
    const { view, certificates, ocsp } = this.#state
    view.onChange((collection, id) => {
      if (collection === ocsp || (collection === certificates && id === 'proxy')) this.#plan()
    })
    this.#plan()
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the control plane is stopping'))
    clearTimeout(this.#timer)
    await this.#asking
  }

  /** Asks now. Rejects with a Refusal when there is no answer. */
  async ask(): Promise<{ answer: OcspAnswer; responderUrl: string }> {
    const subject = ocspSubject(this.#state)
    if (!subject || subject.responderUrl === '') return refuse('no_responder_url')
    const settings = ocspSettings(this.#state)
    const outcome = await this.#query(subject, settings)
    if (settings.ocsp_functionality) await this.#write(subject, settings, outcome)
    if ('answer' in outcome) return { answer: outcome.answer, responderUrl: subject.responderUrl }
    return refuse('invalid_ocsp_response', { description: `No answer that counts: ${outcome.problem}.` })
  }

  #plan(): void {
    clearTimeout(this.#timer)
    const settings = ocspSettings(this.#state)
    const subject = ocspSubject(this.#state)
    if (this.#stop.signal.aborted || !settings.ocsp_functionality || !subject || this.#asking) return
    const nowMs = this.#now()
    const status = this.#state.ocspStatus.get('')?.value
    const inMs = nextQueryMs(settings, status, subject.fingerprint, nowMs) - nowMs
    if (inMs > 0) this.#timer = setTimeout(() => this.#plan(), Math.min(inMs, LONGEST_WAIT_MS)).unref()
    else this.#asking = this.#round(subject, settings)
  }

  async #round(subject: Subject, settings: OcspSettings): Promise<void> {
    let isWritten = false
    try {
      await this.#write(subject, settings, await this.#query(subject, settings))
      isWritten = true
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#log.warn({ err: error }, 'the OCSP status is not written down')
    }
    this.#asking = undefined
    if (isWritten) this.#plan()
    else if (!this.#stop.signal.aborted) this.#timer = setTimeout(() => this.#plan(), LONGEST_WAIT_MS).unref()
  }

  async #query({ certificate, responderUrl }: Subject, { response_timeout }: OcspSettings): Promise<Outcome> {
    if (responderUrl === '') return { problem: 'the certificate of the proxy names no responder' }
    const issuer = issuerOf(this.#state, certificate)
    if (!issuer) return { problem: 'the certificate of the proxy came without the one that signed it' }
    try {
      const { signal } = this.#stop
      const ask = { certificate, issuer, responderUrl, timeoutMs: response_timeout * 1000, now: this.#now }
      return { answer: await askResponder(ask, { signal }) }
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      return { problem: harmless(error.message, LONGEST_REASON) }
    }
  }

  async #write(subject: Subject, settings: OcspSettings, outcome: Outcome): Promise<void> {
    this.#stop.signal.throwIfAborted()
    const { ocspStatus, view } = this.#state
    const { fingerprint, responderUrl } = subject
    const asked = { fingerprint, responderUrl, atMs: this.#now() }
    for (let tries = 0; tries < TRIES; tries++) {
      const held = ocspStatus.get('')
      const after = afterQuery(settings, held?.value, asked, outcome)
      const changes = [ocspStatus.put('', after)]
      const done = await view.commit({ compare: [ocspStatus.unchanged('', held)], changes, configuration: false })
      if (!done.committed) continue
      this.#tell(held?.value, after)
      return
    }
  }

  #tell(before: OcspStatusDocument | undefined, after: OcspStatusDocument): void {
    const { responderUrl, problem } = after
    if (problem !== '' && problem !== before?.problem)
      this.#log.warn({ responderUrl, reason: problem }, 'the OCSP responder gave no answer about the proxy certificate')
    this.#turn('ocsp_query_failed', (before?.problem ?? '') !== '', problem !== '', problem || 'The responder answers.')
    const isRevoked = (status: OcspStatusDocument | undefined) => status?.answer?.status === 'REVOKED'
    const said = isRevoked(after) ? 'The proxy certificate is revoked: replace it.' : 'It is not revoked any more.'
    this.#turn('ocsp_status_revoked', isRevoked(before), isRevoked(after), said)
    if (after.answer?.status !== before?.answer?.status)
      this.#log.info({ responderUrl, status: after.answer?.status ?? 'UNKNOWN' }, 'the OCSP status has changed')
  }

  /**
   * As the reference has it: an error when it begins, a piece of information when it is over. Where the alert of this
   * name is on, that tells of it, by the same name.
   */
  #turn(type: string, was: boolean, is: boolean, description: string): void {
    const alert = alertNamed('cluster', `cluster_${type}`)
    const isTold = alert !== undefined && settingIn(this.#state, CLUSTER, alert).enabled
    if (was !== is && !isTold) this.#events.record({ type, severity: is ? 'ERROR' : 'INFO', description })
  }
}

/** As they are now; the defaults where nobody has set any. */
export function ocspSettings({ ocsp }: State): OcspSettings {
  return Object.assign(ocspDefaults(), ocsp.get('')?.value.settings)
}
