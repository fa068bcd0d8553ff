/**
 * The text that Prometheus reads: each metric once with its type, and all its lines below it. Values that nobody knows are
 * left out. Callers: the families. A library's registry would hold each of two hundred thousand lines as an object of its
 * own; here each is forgotten as soon as it is written into the bytes of its family.
 */

export type MetricType = 'counter' | 'gauge' | 'histogram'

const FIRST_BYTES = 4_096
/** UTF-8 has no longer ones for what a JavaScript string counts as one. */
const MAX_BYTES_PER_UNIT = 3

class Family {
  readonly #head: string
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #used = 0

  constructor(type: MetricType, name: string) {
    this.#head = `# TYPE ${name} ${type}\n`
  }

  /** Empty again, with room for as much as there was. */
  reset(): void {
    if (this.#used < this.#bytes.length / 4) this.#bytes = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, this.#used * 2))
    this.#used = 0
  }

  add(line: string): void {
    if (this.#used === 0) this.#write(this.#head)
    this.#write(line)
  }

  #write(line: string): void {
    const needed = this.#used + line.length * MAX_BYTES_PER_UNIT
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, this.#used)
      this.#bytes = larger
    }
    this.#used += this.#bytes.write(line, this.#used)
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#used)
  }
}

export class Exposition {
  readonly #families = new Map<string, Family>()

  /** `labels` as `labelsOf` makes them. */
  add(type: MetricType, name: string, labels: string, value: number | undefined): void {
    if (value === undefined || Number.isNaN(value)) return
    this.#family(type, name).add(`${name}${labels} ${numberText(value)}\n`)
  }

  /**
   * `counts`: how many fell into each class, one more than `bounds`; empty: how they are spread is not known, and nobody is
   * told otherwise, but `count` is; a `sum` that is not known is left out. `labels` has at least one label.
   */
  histogram(
    name: string,
    labels: string,
    {
      bounds,
      counts,
      sum,
      count,
    }: { bounds: readonly number[]; counts: readonly number[]; sum: number; count: number },
  ): void {
    if (Number.isNaN(count)) return
    const family = this.#family('histogram', name)
    const bucket = `${name}_bucket${labels.slice(0, -1)},le="`
    let reached = 0
    if (counts.length > 0)
      for (let index = 0; index < bounds.length; index++) {
        reached += counts[index] ?? 0
        family.add(`${bucket}${bounds[index]}"} ${reached}\n`)
      }
    const all = counts.length > 0 ? reached + (counts[bounds.length] ?? 0) : count
    family.add(`${bucket}+Inf"} ${all}\n`)
    if (!Number.isNaN(sum)) family.add(`${name}_sum${labels} ${numberText(sum)}\n`)
    family.add(`${name}_count${labels} ${all}\n`)
  }

  /** UTF-8, in pieces. They are written over when it is told anew. */
  text(): Buffer[] {
    return [...this.#families.values()].map(({ bytes }) => bytes).filter(({ length }) => length > 0)
  }

  /** Nothing has been told yet. What was is let go of: whoever still reads it must not be given another one. */
  reset(): void {
    for (const family of this.#families.values()) family.reset()
  }

  #family(type: MetricType, name: string): Family {
    const known = this.#families.get(name)
    if (known) return known
    const family = new Family(type, name)
    this.#families.set(name, family)
    return family
  }
}

/** `{cluster="a",db="1"}`; a label that is undefined is left out. */
export function labelsOf(labels: Readonly<Record<string, string | number | undefined>>): string {
  const pairs = Object.entries(labels).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${escaped(String(value))}"`],
  )
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`))
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}
