/**
 * Keeps the states of all alerts: looks once in each period, decides with hysteresis what has changed, writes that down,
 * records it as an event, and tells whoever listens. It never sends anything itself. An alert that is off is looked at all
 * the same, because the API shows on demand how it stands; what counts is that it is on and true.
 */
import { setImmediate as pause } from 'node:timers/promises'
import type { AlertBoard, AlertState, RaisedAlert } from '#model/alerts/board.ts'
import { ALERTS, alertNamed } from '#model/alerts/catalogue.ts'
import type { AlertRecord, AlertsDocument, ChangeValue } from '#model/alerts/document.ts'
import { evaluate, OFF, type Reading, type Readings, type Standing } from '#model/alerts/evaluate.ts'
import { settingIn } from '#model/alerts/kept.ts'
import type { AlertKind } from '#model/alerts/kind.ts'
import { CLUSTER, parseObject } from '#model/alerts/object.ts'
import { sentence } from '#model/alerts/wording.ts'
import type { NewEvent } from '#model/event.ts'
import type { State } from '#store/state.ts'
import { alertEvent } from './event.ts'

/** What is so now, of every object that there is, one after another. Rejects only when `signal` aborts. */
export type ReadAll = (signal: AbortSignal) => AsyncIterable<readonly [object: string, Readings]>

export type KeeperLog = { warn(facts: object, message: string): void }

export type KeeperOptions = {
  readonly state: State
  readonly read: ReadAll
  readonly record: (event: NewEvent) => void
  readonly periodMs: number
  readonly now: () => number
  readonly log: KeeperLog
}

/** How an alert stands, on or off. */
type Known = { standing: Standing; sinceMs: number | null; value: ChangeValue }

/** Objects that are looked at before others get their turn. */
const AT_ONCE = 25
const NOTHING: AlertState = { isOn: false, changedAtMs: null, value: {} }

export class AlertKeeper implements AlertBoard {
  readonly #options: KeeperOptions
  readonly #known = new Map<string, Map<string, Known>>()
  /** What counts, as it was told; the same as in the store, unless that cannot be written. */
  readonly #told = new Map<string, Map<string, AlertRecord>>()
  readonly #listeners = new Set<() => void>()
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #work: Promise<void> = Promise.resolve()
  #isUnwritten = false

  /** It begins with what the state says: that must have been read. */
  constructor(options: KeeperOptions) {
    this.#options = options
    for (const { value } of options.state.alerts.values()) {
      this.#told.set(value.object, new Map(Object.entries(value.alerts)))
      const known = new Map<string, Known>()
      for (const [name, { isOn, changedAtMs, value: found }] of Object.entries(value.alerts))
        known.set(name, { standing: { isOn, doubts: 0 }, sinceMs: changedAtMs, value: found })
      this.#known.set(value.object, known)
    }
  }

  start(): void {
    const { state, periodMs } = this.#options
    // Somebody who switches an alert on or off sees the effect at once.
    state.view.onChange((collection) => {
      if (collection === state.cluster || collection === state.databases) this.#settleSoon()
    })
    const next = () => {
      this.#timer = setTimeout(async () => {
        await this.#enqueue(() => this.#look())
        if (!this.#closing.signal.aborted) next()
      }, periodMs).unref()
    }
    next()
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the control plane is stopping'))
    clearTimeout(this.#timer)
    await this.#work
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  state(object: string, name: string, options: { readonly ignoreSettings: boolean }): AlertState {
    const told = this.#told.get(object)?.get(name)
    if (!options.ignoreSettings) return told ?? NOTHING
    const known = this.#known.get(object)?.get(name)
    if (!known) return told ?? NOTHING
    return { isOn: known.standing.isOn, changedAtMs: known.sinceMs, value: known.value }
  }

  raised(): readonly RaisedAlert[] {
    const { state } = this.#options
    return [...this.#told].flatMap(([object, alerts]) => {
      const { scope, uid } = parseObject(object) ?? CLUSTER
      const objectName = scope === 'bdb' ? (state.databases.get(uid ?? 0)?.value.config.name ?? '') : ''
      return [...alerts].flatMap(([name, { isOn, changedAtMs, value }]) => {
        const kind = isOn ? alertNamed(scope, name) : undefined
        if (!kind) return []
        const says = sentence(kind, value)
        const { severity } = kind
        return [{ key: `${object}/${name}`, name, object, objectName, severity, says, sinceMs: changedAtMs, value }]
      })
    })
  }

  #settleSoon(): void {
    void this.#enqueue(() => this.#settle())
  }

  /** One thing after another: two looks at once would count a value twice. */
  #enqueue(what: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(async () => {
      if (this.#closing.signal.aborted) return
      try {
        await what()
      } catch (error) {
        if (!this.#closing.signal.aborted) this.#options.log.warn({ err: error }, 'alerts could not be looked at')
      }
    })
    return this.#work
  }

  async #look(): Promise<void> {
    const there = new Set<string>()
    for await (const [object, readings] of this.#options.read(this.#closing.signal)) {
      there.add(object)
      this.#judge(object, readings)
    }
    for (const object of this.#known.keys()) if (!there.has(object)) this.#known.delete(object)
    await this.#settle()
  }

  #judge(object: string, readings: Readings): void {
    const about = parseObject(object) ?? CLUSTER
    const known = this.#known.get(object) ?? new Map<string, Known>()
    this.#known.set(object, known)
    for (const kind of ALERTS[about.scope]) {
      const reading = readings.get(kind.name)
      if (!reading) continue
      const before = known.get(kind.name)
      const { threshold } = settingIn(this.#options.state, about, kind)
      const standing = evaluate(kind, threshold, reading.value, before?.standing ?? OFF)
      // Nearly all of them, nearly always.
      if (standing === before?.standing) continue
      const hasChanged = standing.isOn !== (before?.standing.isOn ?? false)
      known.set(kind.name, {
        standing,
        sinceMs: hasChanged ? this.#options.now() : (before?.sinceMs ?? null),
        value: hasChanged || !before ? changeValue(kind, threshold, reading, standing.isOn) : before.value,
      })
    }
  }

  /** Makes what counts follow from what is known, writes it down, and tells of it. */
  async #settle(): Promise<void> {
    let hasChanged = false
    let settled = 0
    for (const [object, known] of [...this.#known]) {
      if (++settled % AT_ONCE === 0) await pause()
      const changes = this.#changes(object, known)
      if (changes.length === 0) continue
      hasChanged = true
      const told = new Map(this.#told.get(object))
      for (const { kind, record } of changes) told.set(kind.name, record)
      await this.#write(object, told)
      // Shown and recorded in one go, once it is written down: whoever has seen it finds the event, also after a kill -9.
      this.#told.set(object, told)
      for (const change of changes) this.#options.record(alertEvent(this.#options.state, { object, ...change }))
    }
    for (const object of this.#told.keys()) {
      if (this.#known.has(object) || this.#known.size === 0) continue
      this.#told.delete(object)
      hasChanged = true
      await this.#write(object, undefined)
    }
    if (this.#isUnwritten && !hasChanged) await this.#writeAll()
    if (hasChanged) for (const listener of this.#listeners) listener()
  }

  #changes(object: string, known: ReadonlyMap<string, Known>) {
    const { state, now } = this.#options
    const about = parseObject(object) ?? CLUSTER
    const toldOf = this.#told.get(object)
    return ALERTS[about.scope].flatMap((kind) => {
      const found = known.get(kind.name)
      if (!found) return []
      // Nearly all of them, nearly always: whether such a one is enabled changes nothing.
      if (!found.standing.isOn && !toldOf?.get(kind.name)?.isOn) return []
      const { enabled } = settingIn(state, about, kind)
      const isOn = enabled && found.standing.isOn
      const before = toldOf?.get(kind.name)
      if (isOn === (before?.isOn ?? false)) return []
      const changedAtMs = found.standing.isOn === isOn ? (found.sinceMs ?? now()) : now()
      const value = { ...found.value, state: isOn }
      return [{ kind, enabled, record: { isOn, changedAtMs, value } }]
    })
  }

  /** A state that cannot be written is told all the same: that it cannot is often what the alert is about. */
  async #write(object: string, told: ReadonlyMap<string, AlertRecord> | undefined): Promise<void> {
    const { alerts, view } = this.#options.state
    const document: AlertsDocument | undefined = told && { object, alerts: Object.fromEntries(told) }
    try {
      await view.commit({
        compare: [],
        changes: [document ? alerts.put(object, document) : alerts.delete(object)],
        configuration: false,
      })
    } catch (error) {
      if (!this.#isUnwritten) this.#options.log.warn({ err: error }, 'what became of alerts is not written down')
      this.#isUnwritten = true
    }
  }

  async #writeAll(): Promise<void> {
    this.#isUnwritten = false
    for (const [object, told] of this.#told) {
      await this.#write(object, told)
      if (this.#isUnwritten) return
    }
  }
}

function changeValue(kind: AlertKind, threshold: string, reading: Reading, isOn: boolean): ChangeValue {
  const { value, facts } = reading
  return {
    state: isOn,
    ...(kind.threshold ? { [kind.scope === 'bdb' ? 'threshold' : 'global_threshold']: threshold } : {}),
    ...(kind.measure === '' || typeof value === 'boolean' ? {} : { [kind.measure]: value }),
    ...facts,
  }
}
