/**
 * Judges what clients saw: whether any order of events in which each write happened once, at some moment between its
 * question and its answer, and stayed, explains every answer. Pure; the run records, the test and the bench ask.
 *
 * Values are unique, so that whoever reads one knows who wrote it. Lists are appended to: the length in the answer tells
 * where the value stands. Registers are overwritten. A write counts as kept when its promise was made: when a replica said
 * that it has it, or when the only copy was on disk before the answer. What was only answered may be lost with its primary
 * where replication does not wait; it must then be gone for good, and nobody may add to it once others have gone on without.
 */

/** Times are milliseconds of one clock; `endMs` is infinite when no answer came. */
type Told = { readonly key: string; readonly startMs: number; readonly endMs: number }

export type WriteOutcome =
  /** It must be there ever after. */
  | 'kept'
  /** It was answered, and nothing more was promised. */
  | 'answered'
  /** It may have happened. */
  | 'unknown'
  /** It has not happened, and never will. */
  | 'refused'

export type Append = Told & {
  readonly kind: 'append'
  readonly value: string
  readonly outcome: WriteOutcome
  /** Of the list with it, as it was answered; 0: it was not. */
  readonly length: number
}
export type Write = Told & { readonly kind: 'write'; readonly value: string; readonly outcome: WriteOutcome }
/** Only reads that were answered. */
export type ListRead = Told & { readonly kind: 'list'; readonly values: readonly string[] }
export type RegisterRead = Told & { readonly kind: 'register'; readonly value: string | null }
export type Operation = Append | Write | ListRead | RegisterRead

export type Violation = {
  readonly kind: 'lost' | 'invented' | 'doubled' | 'moved' | 'split' | 'stale'
  readonly key: string
  readonly what: string
}

export function violationsOf(history: readonly Operation[]): Violation[] {
  const byKey = new Map<string, Operation[]>()
  for (const operation of history) {
    const key = `${operation.kind === 'append' || operation.kind === 'list' ? 'list' : 'register'} ${operation.key}`
    const known = byKey.get(key)
    if (known) known.push(operation)
    else byKey.set(key, [operation])
  }
  return [...byKey.values()].flatMap((operations) => [...listViolations(operations), ...registerViolations(operations)])
}

function listViolations(operations: readonly Operation[]): Violation[] {
  const appends = operations.filter((one) => one.kind === 'append')
  const reads = operations.filter((one) => one.kind === 'list')
  const byValue = new Map(appends.map((append) => [append.value, append]))
  return [...reads.flatMap((read) => readViolations(read, appends, byValue)), ...splitViolations(appends, reads)]
}

function readViolations(read: ListRead, appends: readonly Append[], byValue: ReadonlyMap<string, Append>): Violation[] {
  const { key, values } = read
  const at = new Map(values.map((value, index) => [value, index]))
  const found: Violation[] = []
  if (at.size < values.length) found.push({ kind: 'doubled', key, what: `a value stands twice in ${values.length}` })
  for (const value of values) {
    const append = byValue.get(value)
    if (!append) found.push({ kind: 'invented', key, what: `nobody appended ${value}` })
    else if (append.outcome === 'refused')
      found.push({ kind: 'invented', key, what: `${value} was refused, and is there` })
    else if (append.startMs > read.endMs)
      found.push({ kind: 'invented', key, what: `${value} was read before its time` })
  }
  for (const { value, outcome, length, endMs } of appends) {
    const index = at.get(value)
    if (outcome !== 'kept') continue
    if (index === undefined && endMs < read.startMs) found.push({ kind: 'lost', key, what: `${value} is gone` })
    if (index !== undefined && index !== length - 1)
      found.push({ kind: 'moved', key, what: `${value} was number ${length} and is number ${index + 1}` })
  }
  return found
}

/**
 * Two who both take writes show in an append that was accepted after another one, by somebody who did not have that other:
 * it made the list no longer than the other had made it. What stayed at the end decides which of them is meant.
 */
function splitViolations(appends: readonly Append[], reads: readonly ListRead[]): Violation[] {
  const last = reads.reduce<ListRead | undefined>((a, b) => (a && a.startMs > b.startMs ? a : b), undefined)
  if (!last) return []
  const stayed = new Set(last.values)
  const answered = appends.filter(({ length, endMs }) => length > 0 && endMs < last.startMs)
  // Of those that stayed, by the time of the answer: the longest list that anybody had been told of by then.
  const told = answered.filter(({ value }) => stayed.has(value)).sort((a, b) => a.endMs - b.endMs)
  return answered
    .filter(({ value }) => !stayed.has(value))
    .flatMap(({ key, value, length, startMs }) => {
      const before = told.find((other) => other.endMs < startMs && other.length >= length)
      const what = `${value} made the list ${length} long, after ${before?.value} had made it ${before?.length}`
      return before ? [{ kind: 'split' as const, key, what }] : []
    })
}

function registerViolations(operations: readonly Operation[]): Violation[] {
  const writes = operations.filter((one) => one.kind === 'write')
  const reads = operations.filter((one) => one.kind === 'register')
  const byValue = new Map(writes.map((write) => [write.value, write]))
  const kept = writes.filter(({ outcome }) => outcome === 'kept')
  return reads.flatMap(({ key, value, startMs, endMs }): Violation[] => {
    const before = kept.filter((write) => write.endMs < startMs)
    const [any] = before
    if (value === null) return any ? [{ kind: 'lost', key, what: `${any.value} was kept, and nothing is there` }] : []
    const own = byValue.get(value)
    if (!own) return [{ kind: 'invented', key, what: `nobody wrote ${value}` }]
    if (own.outcome === 'refused') return [{ kind: 'invented', key, what: `${value} was refused, and is there` }]
    if (own.startMs > endMs) return [{ kind: 'invented', key, what: `${value} was read before its time` }]
    const newer = before.find((write) => own.endMs < write.startMs)
    return newer ? [{ kind: 'stale', key, what: `${value} is there after ${newer.value} was kept` }] : []
  })
}
