/**
 * The text that Prometheus reads: each metric once with its type, and all its lines below it. Callers: scrapes. A library's
 * registry would hold each of two hundred thousand lines as an object of its own; here each is forgotten as soon as it is
 * among the bytes of its metric.
 */
import { Lines } from './lines.ts'
import type { Batch, LineKind } from './messages.ts'

/** As bytes. */
type Kind = { readonly of: LineKind; readonly name: Buffer; readonly more: Buffer }

/** The kinds of lines that one version has, by their numbers: expositions of it share them. */
export class Kinds {
  readonly #kinds: Kind[] = []

  learn(kinds: readonly LineKind[]): void {
    for (const of of kinds) this.#kinds.push({ of, name: Buffer.from(of.name), more: Buffer.from(of.more) })
  }

  get(number: number): Kind {
    const kind = this.#kinds[number]
    if (!kind) throw new Error(`no line is of the kind ${number}`)
    return kind
  }
}

export class Exposition {
  readonly #kinds: Kinds
  readonly #lines = new Map<string, Lines>()
  /** The same, by the number of a kind. */
  readonly #ofKind: Lines[] = []

  constructor(kinds: Kinds) {
    this.#kinds = kinds
  }

  add({ labels, lines, values }: Batch): void {
    const who = labels.map((text) => Buffer.from(text))
    for (let index = 0; index < values.length; index++) {
      const number = lines[2 * index] ?? 0
      const { name, more } = this.#kinds.get(number)
      const of = this.#ofKind[number] ?? this.#linesOf(number)
      of.add(name, who[lines[2 * index + 1] ?? 0] ?? NOTHING, values[index] ?? Number.NaN, more)
    }
  }

  /** UTF-8, in pieces, which are gone when it is released. */
  text(): Buffer[] {
    return [...this.#lines.values()].map(({ bytes }) => bytes).filter(({ length }) => length > 0)
  }

  /** Nothing has been told yet, and no memory is taken. `isRead`: somebody may still read what was told. */
  release(how: { readonly isRead: boolean }): void {
    for (const lines of this.#lines.values()) lines.release(how)
  }

  #linesOf(number: number): Lines {
    const { type, metric } = this.#kinds.get(number).of
    const lines = this.#lines.get(metric) ?? new Lines(type, metric)
    this.#lines.set(metric, lines)
    this.#ofKind[number] = lines
    return lines
  }
}

const NOTHING = Buffer.alloc(0)
