/**
 * What the tests of the stores share: changes and compares in few words, a watch that remembers what it was shown.
 */
import assert from 'node:assert/strict'
import type { Change, Compare, Lease, Store, WatchBatch } from './contract.ts'

export function put(key: string, value: string): Change {
  return { kind: 'put', key, value }
}
export function del(key: string): Change {
  return { kind: 'delete', key }
}
export function under(lease: Lease, key: string): Change {
  return { kind: 'put', key, value: '1', lease: lease.id }
}
export function absent(key: string): Compare {
  return { key, modRevision: 0 }
}
export function at(key: string, modRevision: number): Compare {
  return { key, modRevision }
}

export function guessed(real: number | undefined, guess: string, last: number): number {
  if (guess === 'absent') return 0
  return guess === 'right' ? (real ?? 0) : last + 1
}

export function sorted<T extends { readonly key: string }>(entries: readonly T[]): T[] {
  return [...entries].sort((a, b) => (a.key < b.key ? -1 : 1))
}

export async function keys(store: Store): Promise<string[]> {
  return (await store.snapshot('')).entries.map(({ key }) => key)
}

export function replay(held: Map<string, string>, batches: readonly WatchBatch[]): void {
  for (const { key, value } of batches.flatMap(({ events }) => events)) {
    if (value === null) held.delete(key)
    else held.set(key, value)
  }
}

export function assertEachOnce(batches: readonly WatchBatch[]): void {
  const revisions = batches.map(({ revision }) => revision)
  const inOrder = [...new Set(revisions)].sort((a, b) => a - b)
  assert.deepEqual(revisions, inOrder, 'in order, and each once')
}

/** For stores that remember a bounded number of changes: writes until the first of them is not remembered any more. */
export async function forgetByWriting(store: Store): Promise<void> {
  const { revision } = await store.commit({ compare: [], changes: [put('forgotten', '')] })
  for (let round = 0; round < FORGET_ROUNDS; round++) {
    const writes = Array.from({ length: 500 }, () => store.commit({ compare: [], changes: [put('forgotten', '')] }))
    await Promise.all(writes)
    const shown = Promise.withResolvers<'lost' | 'kept'>()
    const watch = store.watch('', revision, {
      onBatch: () => shown.resolve('kept'),
      onLost: () => shown.resolve('lost'),
    })
    if ((await shown.promise) === 'lost') return
    watch.close()
  }
  throw new Error('its memory of changes has no bound')
}
const FORGET_ROUNDS = 100

/** The order within one revision means nothing. */
export function normal(batch: WatchBatch): WatchBatch {
  return { revision: batch.revision, events: sorted(batch.events) }
}

export async function increment(store: Store): Promise<void> {
  for (;;) {
    const { entries } = await store.snapshot('counter')
    const [held] = entries
    const outcome = await store.commit({
      compare: [{ key: 'counter', modRevision: held?.modRevision ?? 0 }],
      changes: [put('counter', String(Number(held?.value ?? 0) + 1))],
    })
    if (outcome.committed) return
  }
}

/** Collects what a watch shows. */
export function watching(store: Store, prefix: string, afterRevision: number) {
  const batches: WatchBatch[] = []
  let wake = () => {}
  let lost: Error | undefined
  const watch = store.watch(prefix, afterRevision, {
    onBatch: (batch) => {
      batches.push(batch)
      wake()
    },
    onLost: (reason) => {
      lost = reason
      wake()
    },
  })
  return {
    batches,
    close: () => watch.close(),
    async reached(revision: number): Promise<void> {
      while ((batches.at(-1)?.revision ?? 0) < revision) {
        if (lost) throw lost
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
