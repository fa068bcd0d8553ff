/**
 * The text that Prometheus reads: each metric once with its type, and all its lines below it. Values that nobody knows are
 * left out. Callers: the families. A library's registry would hold each of a hundred thousand lines as an object of its
 * own; here a scrape only joins texts.
 */

export type MetricType = 'counter' | 'gauge' | 'histogram'

type Family = { readonly type: MetricType; readonly lines: string[] }

export class Exposition {
  readonly #families = new Map<string, Family>()

  /** `labels` as `labelsOf` makes them. */
  add(type: MetricType, name: string, labels: string, value: number | undefined): void {
    if (value === undefined || Number.isNaN(value)) return
    this.#family(type, name).push(`${name}${labels} ${numberText(value)}\n`)
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
    const lines = this.#family('histogram', name)
    const within = labels.slice(0, -1)
    let reached = 0
    if (counts.length > 0)
      for (const [index, bound] of bounds.entries()) {
        reached += counts[index] ?? 0
        lines.push(`${name}_bucket${within},le="${bound}"} ${reached}\n`)
      }
    const all = counts.length > 0 ? reached + (counts[bounds.length] ?? 0) : count
    lines.push(`${name}_bucket${within},le="+Inf"} ${all}\n`)
    if (!Number.isNaN(sum)) lines.push(`${name}_sum${labels} ${numberText(sum)}\n`)
    lines.push(`${name}_count${labels} ${all}\n`)
  }

  text(): string {
    const parts: string[] = []
    for (const [name, { type, lines }] of this.#families) parts.push(`# TYPE ${name} ${type}\n`, ...lines)
    return parts.join('')
  }

  #family(type: MetricType, name: string): string[] {
    const known = this.#families.get(name)
    if (known) return known.lines
    const lines: string[] = []
    this.#families.set(name, { type, lines })
    return lines
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
