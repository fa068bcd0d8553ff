/**
 * One line of the table: what we measured, beside what, and the aim that the design sets.
 */
export type BenchRow = {
  readonly what: string
  readonly ours: string
  readonly beside: string
  readonly theirs: string
  /** Ours over theirs, or whatever the aim speaks of. */
  readonly ratio: number
  readonly aim: string
  readonly met: boolean
  /** Everything measured, for the JSON. */
  readonly figures: Readonly<Record<string, number>>
}
