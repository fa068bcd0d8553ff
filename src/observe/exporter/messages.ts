/**
 * What goes between the thread of the exporter and the rest of the program. Plain data: it is copied from one to the other.
 */
import type { MetricType } from './lines.ts'

export type Version = 'v1' | 'v2' | 'v2-node'

/** What many lines begin with. */
export type LineKind = {
  readonly type: MetricType
  /** The metric that they are of; what it is called in the lines may have an ending more. */
  readonly metric: string
  readonly name: string
  /** A label of their own, after those of the object. */
  readonly more: string
}

/** Lines of one version, in the order in which they are told. */
export type Batch = {
  /** Kinds that no batch of this version had before; they are numbered from 0, in the order in which they come. */
  readonly kinds: readonly LineKind[]
  readonly labels: readonly string[]
  /** For each line two numbers: that of its kind, and the index of its labels. */
  readonly lines: Uint32Array<ArrayBuffer>
  readonly values: Float64Array<ArrayBuffer>
}

export type ThreadData = { readonly host: string; readonly port: number; readonly keyPair: KeyPair | null }
export type KeyPair = { readonly key: string; readonly certificate: string }

/** Who asks, as far as that matters. */
export type Visitor = { readonly authorization: string | undefined; readonly remoteAddress: string | undefined }
export type Admission = { readonly mayRead: boolean; readonly requestsAtOnce: number }

export type ToThread =
  | { readonly kind: 'key-pair'; readonly keyPair: KeyPair }
  /** `problem`: nobody could say. */
  | { readonly kind: 'admission'; readonly id: number; readonly admission: Admission | null; readonly problem: string }
  | { readonly kind: 'lines'; readonly id: number; readonly batch: Batch }
  /** No more lines will come; `problem`: why not all have come, or empty. */
  | { readonly kind: 'end'; readonly id: number; readonly problem: string }

export type FromThread =
  /** Why it does not, in words; null: it does. */
  | { readonly kind: 'listening'; readonly problem: string | null }
  | { readonly kind: 'admit'; readonly id: number; readonly visitor: Visitor }
  | { readonly kind: 'tell'; readonly id: number; readonly version: Version }
  | { readonly kind: 'trouble'; readonly error: Error }
