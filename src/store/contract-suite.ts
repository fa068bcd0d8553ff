/**
 * What every store must do, as one suite that each of them runs: the contract's sentences, and a model that random
 * transactions are compared with.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Compare, Store, Transaction, WatchBatch } from './contract.ts'
import {
  absent,
  assertEachOnce,
  at,
  del,
  guessed,
  increment,
  keys,
  normal,
  put,
  replay,
  sorted,
  under,
  watching,
} from './testing.ts'

/** Somewhere to leave a clean-up. */
type CleanUps = { after(cleanUp: () => Promise<void>): void }
export type OpenStore = (t: CleanUps) => Promise<Store>

type Kind = {
  /** How many count together, 200 times in all: each refused one reads again, so that a slow store takes fewer. */
  readonly writerCount: number
  /** Makes the store forget what was changed until now. */
  readonly forget: (store: Store) => Promise<void>
}

const KEYS = ['a', 'a/1', 'a/2', 'b/1', 'ä/ö%_\'"\\ ', 'a/\u{1f600}'] as const

export function storeContract(name: string, open: OpenStore, { writerCount, forget }: Kind): void {
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

    test('to delete what is not there changes nothing, and no watch shows it', async (t) => {
      const store = await open(t)
      const { revision } = await store.commit({ compare: [], changes: [put('a', '1')] })
      const seen = watching(store, '', revision)
      assert.ok((await store.commit({ compare: [], changes: [del('b')] })).committed)
      const next = await store.commit({ compare: [], changes: [del('c'), put('d', '1')] })
      await seen.reached(next.revision)
      assert.deepEqual(seen.batches, [{ revision: next.revision, events: [{ key: 'd', value: '1' }] }])
      seen.close()
    })

    test('a snapshot and the watch after it leave nothing out, whatever is written meanwhile', async (t) => {
      const store = await open(t)
      const write = async (writer: number) => {
        for (let n = 0; n < 30; n++) {
          const key = `key/${(writer * 7 + n) % 20}`
          await store.commit({
            compare: [],
            changes: [n % 3 === 2 ? del(key) : put(key, `${writer}/${n}`), put('n', '')],
          })
        }
      }
      const writing = Promise.all(Array.from({ length: 10 }, (_, writer) => write(writer)))
      const watches: { held: Map<string, string>; seen: ReturnType<typeof watching> }[] = []
      for (let n = 0; n < 5; n++) {
        const { revision, entries } = await store.snapshot('key/')
        const held = new Map(entries.map(({ key, value }) => [key, value]))
        watches.push({ held, seen: watching(store, '', revision) })
      }
      await writing
      const last = await store.commit({ compare: [], changes: [put('end', '')] })
      const expected = (await store.snapshot('key/')).entries.map(({ key, value }) => ({ key, value }))
      for (const { held, seen } of watches) {
        await seen.reached(last.revision)
        replay(held, seen.batches)
        const replayed = [...held].filter(([key]) => key.startsWith('key/')).map(([key, value]) => ({ key, value }))
        assert.deepEqual(sorted(replayed), sorted(expected))
        assertEachOnce(seen.batches)
        seen.close()
      }
    })

    test('what a handler writes comes to every watch in its turn', async (t) => {
      const store = await open(t)
      const { revision } = await store.snapshot('')
      const answered = Promise.withResolvers<number>()
      const first = store.watch('ask', revision, {
        onBatch: () => {
          store.commit({ compare: [], changes: [put('reply', '1')] }).then((one) => answered.resolve(one.revision))
        },
        onLost: answered.reject,
      })
      const second = watching(store, '', revision)
      const asked = await store.commit({ compare: [], changes: [put('ask', '1')] })
      const last = await answered.promise
      await second.reached(last)
      assert.deepEqual(
        second.batches.map((batch) => batch.revision),
        [asked.revision, last],
      )
      first.close()
      second.close()
    })

    test('a watch from what is forgotten says that it is lost', async (t) => {
      const store = await open(t)
      const { revision } = await store.commit({ compare: [], changes: [put('a', '0')] })
      await store.commit({ compare: [], changes: [put('a', '1')] })
      await forget(store)
      const lost = Promise.withResolvers<Error>()
      const batches: WatchBatch[] = []
      store.watch('', revision, { onBatch: (batch) => batches.push(batch), onLost: lost.resolve })
      assert.ok((await lost.promise) instanceof Error)
      assert.deepEqual(batches, [])
    })

    test('two hundred counts by many at once lose nothing', async (t) => {
      const store = await open(t)
      const count = async () => {
        for (let n = 0; n < 200 / writerCount; n++) await increment(store)
      }
      await Promise.all(Array.from({ length: writerCount }, count))
      assert.equal((await store.snapshot('counter')).entries[0]?.value, '200')
    })

    test('what is put with a lease, and nothing else, is gone when the lease is revoked', async (t) => {
      const store = await open(t)
      const [lease, another] = [await store.grantLease(5_000), await store.grantLease(5_000)]
      const { revision } = await store.commit({
        compare: [],
        changes: [under(lease, 'mine'), under(lease, 'kept'), under(another, 'another'), put('other', '1')],
      })
      const seen = watching(store, '', revision)
      const kept = await store.commit({ compare: [], changes: [put('kept', '2')] })
      await lease.revoke()
      await lease.lost
      assert.deepEqual((await keys(store)).sort(), ['another', 'kept', 'other'])
      await seen.reached(kept.revision + 1)
      assert.deepEqual(seen.batches.at(-1)?.events, [{ key: 'mine', value: null }])
      seen.close()
      await another.revoke()
    })

    test('nothing is put with a lease that is gone', async (t) => {
      const store = await open(t)
      const lease = await store.grantLease(5_000)
      await lease.revoke()
      const changes = [under(lease, 'mine'), put('other', '1')]
      await assert.rejects(store.commit({ compare: [], changes }), { name: 'StoreTrouble', kind: 'unreachable' })
      assert.deepEqual(await keys(store), [])
    })

    test('a revocation also removes what was put just before it', async (t) => {
      const store = await open(t)
      const lease = await store.grantLease(5_000)
      const committing = store.commit({ compare: [], changes: [under(lease, 'mine')] })
      await Promise.allSettled([committing, lease.revoke()])
      assert.deepEqual(await keys(store), [])
    })

    test('leases are over before the store is closed', async (t) => {
      const store = await open(t)
      const lease = await store.grantLease(5_000)
      await Promise.all([store.close(), store.close()])
      await lease.lost
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
      const mirror = new Map<string, string>()
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
      assertEachOnce(seen.batches)
      replay(mirror, seen.batches)
      const shown = (await store.snapshot('')).entries.map(({ key: k, value }) => ({ key: k, value }))
      assert.deepEqual(sorted([...mirror].map(([k, value]) => ({ key: k, value }))), sorted(shown))
      seen.close()
    })
  })
}
