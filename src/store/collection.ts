/**
 * A typed map of the documents below one prefix, as of one revision. Only the view writes into it. It also makes the
 * changes and compares of which a transaction on these documents is built, so that keys are spelled in one place.
 */
import type { Change, Compare, Revision } from './contract.ts'

/** Turns a document into stored text and back. `decode` throws on text that is no such document. */
export type Codec<T> = {
  readonly encode: (value: T) => string
  readonly decode: (text: string) => T
  /** The part of a document that is sealed at rest; absent: nothing is. */
  readonly secretsOf?: (value: T) => unknown
}

/** A document and the revision that last wrote it: what a compare-and-change needs. */
export type Held<T> = { readonly id: string; readonly value: T; readonly revision: Revision }

/** The side of a collection that the view needs, whatever its documents are. */
export interface Mirrored {
  readonly prefix: string
  ids(): string[]
  revisionOf(id: string): Revision
  /** Every text that is sealed at rest, in the clear. */
  secrets(): Generator<string>
  /** Takes in what the store holds. Throws, and changes nothing, when the text is no such document. */
  apply(id: string, text: string | null, revision: Revision): void
}

export class Collection<T> implements Mirrored {
  readonly prefix: string
  readonly #codec: Codec<T>
  readonly #held = new Map<string, Held<T>>()

  /** `prefix` ends in a slash, or is the whole key of a collection with one document, the id of which is ''. */
  constructor(prefix: string, codec: Codec<T>) {
    this.prefix = prefix
    this.#codec = codec
  }

  get(id: string | number): Held<T> | undefined {
    return this.#held.get(String(id))
  }

  values(): IterableIterator<Held<T>> {
    return this.#held.values()
  }

  get size(): number {
    return this.#held.size
  }

  put(id: string | number, value: T): Change {
    return { kind: 'put', key: this.prefix + id, value: this.#codec.encode(value) }
  }

  delete(id: string | number): Change {
    return { kind: 'delete', key: this.prefix + id }
  }

  /** Holds while the document is the very one that was read; `undefined` was read as "there is none". */
  unchanged(id: string | number, held: Held<T> | undefined): Compare {
    return { key: this.prefix + id, modRevision: held?.revision ?? 0 }
  }

  ids(): string[] {
    return [...this.#held.keys()]
  }

  /** 0 when there is none. */
  revisionOf(id: string): Revision {
    return this.#held.get(id)?.revision ?? 0
  }

  *secrets(): Generator<string> {
    const { secretsOf } = this.#codec
    if (secretsOf) for (const { value } of this.#held.values()) yield* textsIn(secretsOf(value))
  }

  apply(id: string, text: string | null, revision: Revision): void {
    if (text === null) this.#held.delete(id)
    else this.#held.set(id, { id, value: this.#codec.decode(text), revision })
  }
}

function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value
  else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) yield* textsIn(inner)
}
