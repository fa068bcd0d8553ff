/**
 * What every store must do, as one suite that each of them runs: the contract's sentences, and a model that random
 * transactions are compared with.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Change, Compare, Store, Transaction, WatchBatch } from './contract.ts'

/** Somewhere to leave a clean-up. */
type CleanUps = { after(cleanUp: () => Promise<void>): void }
export type OpenStore = (t: CleanUps) => Promise<Store>

const KEYS = ['a', 'a/1', 'a/2', 'b/1', 'ä/ö%_\'"\\ ', 'a/\u{1f600}'] as const

export function storeContract(name: string, open: OpenStore): void {
  describe(`the store contract: ${name}`, () => {
    test('a transaction happens when all of its compares hold', async (t) => {
      const store = await open(t)
      const first = await store.commit({ compare: [absent('a')], changes: [put('a', '1'), put('b', '2')] })
      assert.ok(first.committed)
      const { revision, entries } = await store.snapshot('')
      assert.equal(revision, first.revision)
      assert.deepEqual(sorted(entries), [
        { key: 'a', value: '1', modRevision: revision },
        { key: 'b', value: '2', modRevision: revision },
      ])
      const second = await store.commit({ compare: [at('a', first.revision)], changes: [put('a', '3')] })
      assert.ok(second.committed && second.revision > first.revision)
    })

    test('it does not happen at all when one of them does not', async (t) => {
      const store = await open(t)
      const { revision } = await store.commit({ compare: [], changes: [put('a', '1')] })
      const refusals: Compare[] = [absent('a'), at('a', revision + 1), at('b', revision)]
      for (const compare of refusals) {
        const outcome = await store.commit({
          compare: [at('a', revision), compare],
          changes: [put('a', 'x'), del('a/1'), put('c', 'x')],
        })
        assert.equal(outcome.committed, false)
      }
      assert.deepEqual((await store.snapshot('')).entries, [{ key: 'a', value: '1', modRevision: revision }])
    })

    test('a deleted key does not exist, and the revision goes on growing', async (t) => {
      const store = await open(t)
      const made = await store.commit({ compare: [], changes: [put('a', '1')] })
      const gone = await store.commit({ compare: [], changes: [del('a')] })
      assert.ok(gone.revision > made.revision)
      assert.deepEqual((await store.snapshot('')).entries, [])
      assert.ok((await store.commit({ compare: [absent('a')], changes: [put('a', '2')] })).committed)
    })

    test('a snapshot holds what is below its prefix and nothing else', async (t) => {
      const store = await open(t)
      await store.commit({ compare: [], changes: KEYS.map((key) => put(key, `value of ${key}`)) })
      const below = async (prefix: string) => (await store.snapshot(prefix)).entries.map(({ key }) => key).sort()
      assert.deepEqual(await below('a/'), KEYS.filter((key) => key.startsWith('a/')).sort())
      assert.deepEqual(await below('ä'), [KEYS[4]])
      assert.deepEqual(await below(''), [...KEYS].sort())
      assert.deepEqual(await below('none'), [])
    })

    test('big values come back whole', async (t) => {
      const store = await open(t)
      const value = 'x'.repeat(1_000_000)
      await store.commit({ compare: [], changes: [put('big', value)] })
      assert.equal((await store.snapshot('big')).entries[0]?.value, value)
    })

    test('a watch shows every change after its revision, each revision once and whole', async (t) => {
      const store = await open(t)
      const { revision } = await store.commit({ compare: [], changes: [put('a', '0')] })
      const early = await store.commit({ compare: [], changes: [put('a', '1'), put('b', '1')] })
      const seen = watching(store, '', revision)
      const late = await store.commit({ compare: [], changes: [del('a'), put('c', '1')] })
      await seen.reached(late.revision)
      assert.deepEqual(seen.batches.map(normal), [
        normal({
          revision: early.revision,
          events: [
            { key: 'a', value: '1' },
            { key: 'b', value: '1' },
          ],
        }),
        normal({
          revision: late.revision,
          events: [
            { key: 'a', value: null },
            { key: 'c', value: '1' },
          ],
        }),
      ])
      seen.close()
    })

    test('a watch shows nothing outside its prefix, and nothing after it is closed', async (t) => {
      const store = await open(t)
      const { revision } = await store.snapshot('')
      const seen = watching(store, 'a/', revision)
      const closed = watching(store, '', revision)
      closed.close()
      await store.commit({ compare: [], changes: [put('b', '1')] })
      const { revision: last } = await store.commit({ compare: [], changes: [put('a/1', '1'), put('b', '2')] })
      await seen.reached(last)
      assert.deepEqual(seen.batches, [{ revision: last, events: [{ key: 'a/1', value: '1' }] }])
      assert.deepEqual(closed.batches, [])
      seen.close()
    })

    test('two hundred writers that count together lose nothing', async (t) => {
      const store = await open(t)
      await Promise.all(Array.from({ length: 200 }, () => increment(store)))
      assert.equal((await store.snapshot('counter')).entries[0]?.value, '200')
    })

    test('what is put with a lease is gone when the lease is revoked', async (t) => {
      const store = await open(t)
      const lease = await store.grantLease(5_000)
      await store.commit({
        compare: [],
        changes: [{ kind: 'put', key: 'mine', value: '1', lease: lease.id }, put('other', '1')],
      })
      await lease.revoke()
      await lease.lost
      assert.deepEqual(
        (await store.snapshot('')).entries.map(({ key }) => key),
        ['other'],
      )
    })

    test('a closed store says so', async (t) => {
      const store = await open(t)
      await store.close()
      await assert.rejects(store.commit({ compare: [], changes: [put('a', '1')] }), {
        name: 'StoreTrouble',
        kind: 'closed',
      })
      await assert.rejects(store.snapshot(''), { name: 'StoreTrouble', kind: 'closed' })
    })

    test('random transactions do what they do to a plain map', async (t) => {
      const store = await open(t)
      const key = fc.constantFrom(...KEYS)
      const step = fc.record({
        compare: fc.array(fc.record({ key, guess: fc.constantFrom('right', 'absent', 'wrong') }), { maxLength: 2 }),
        changes: fc.uniqueArray(fc.record({ key, value: fc.option(fc.string(), { nil: null }) }), {
          selector: ({ key: k }) => k,
          maxLength: 3,
        }),
      })
      const model = new Map<string, { value: string; modRevision: number }>()
      let last = (await store.snapshot('')).revision
      const seen = watching(store, '', last)
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
          for (const { compare, changes } of steps) {
            const transaction: Transaction = {
              compare: compare.map(({ key: k, guess }) => ({
                key: k,
                modRevision: guessed(model.get(k)?.modRevision, guess, last),
              })),
              changes: changes.map(({ key: k, value }) => (value === null ? del(k) : put(k, value))),
            }
            const holds = transaction.compare.every((one) => (model.get(one.key)?.modRevision ?? 0) === one.modRevision)
            const outcome = await store.commit(transaction)
            assert.equal(outcome.committed, holds)
            const isChange = changes.some(({ key: k, value }) => value !== null || model.has(k))
            if (!outcome.committed || !isChange) continue
            assert.ok(outcome.revision > last)
            last = outcome.revision
            for (const { key: k, value } of changes) {
              if (value === null) model.delete(k)
              else model.set(k, { value, modRevision: last })
            }
          }
          const entries = sorted((await store.snapshot('')).entries)
          assert.deepEqual(entries, sorted([...model].map(([k, held]) => ({ key: k, ...held }))))
        }),
        { numRuns: 40 },
      )
      const end = await store.commit({ compare: [], changes: [put('end', '1')] })
      await seen.reached(end.revision)
      const revisions = seen.batches.map(({ revision }) => revision)
      assert.deepEqual(
        revisions,
        [...new Set(revisions)].sort((a, b) => a - b),
        'in order, and each once',
      )
      seen.close()
    })
  })
}

export function put(key: string, value: string): Change {
  return { kind: 'put', key, value }
}
export function del(key: string): Change {
  return { kind: 'delete', key }
}
function absent(key: string): Compare {
  return { key, modRevision: 0 }
}
function at(key: string, modRevision: number): Compare {
  return { key, modRevision }
}

function guessed(real: number | undefined, guess: string, last: number): number {
  if (guess === 'absent') return 0
  return guess === 'right' ? (real ?? 0) : last + 1
}

function sorted<T extends { readonly key: string }>(entries: readonly T[]): T[] {
  return [...entries].sort((a, b) => (a.key < b.key ? -1 : 1))
}

/** The order within one revision means nothing; a delete of what is not there may be shown or not. */
function normal(batch: WatchBatch): WatchBatch {
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
