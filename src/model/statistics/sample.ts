/**
 * What was measured of one object over a stretch of time: a number for each metric of its kind. NaN stands for what is
 * not known; readers get undefined. Callers: whoever measures makes them, routes, alerts and exporters read them. A
 * sample never changes.
 */
import { COLUMNS, type Kind, type Metric, RATIOS, type Ratio } from './metrics.ts'

export class Sample<K extends Kind = Kind> {
  readonly kind: K
  /** Milliseconds since the epoch. */
  readonly fromMs: number
  readonly toMs: number
  readonly values: Float64Array
  /** How much of the time between was measured: a gap may lie within. */
  readonly knownMs: number

  constructor(kind: K, fromMs: number, toMs: number, values: Float64Array, knownMs = toMs - fromMs) {
    this.kind = kind
    this.fromMs = fromMs
    this.toMs = toMs
    this.values = values
    this.knownMs = knownMs
  }

  get(metric: Metric<K>): number | undefined {
    return this.named(metric)
  }

  ratio(name: Ratio): number | undefined {
    const { of, per } = RATIOS[name]
    const divisor = this.named(per)
    const dividend = this.named(of)
    return divisor === undefined || dividend === undefined || divisor === 0 ? undefined : dividend / divisor
  }

  /** By a name that may be one of another kind: undefined then. */
  named(metric: string): number | undefined {
    const column = COLUMNS[this.kind].indexOf.get(metric)
    const value = column === undefined ? undefined : this.values[column]
    return value === undefined || Number.isNaN(value) ? undefined : value
  }
}
