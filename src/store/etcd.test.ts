import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type EtcdServer, startEtcd } from '../../test/support/etcd-server.ts'
import { put, storeContract, watching } from './contract-suite.ts'
import { openEtcdStore } from './etcd.ts'

let server: EtcdServer | undefined
let spaces = 0

before(async () => {
  server = await startEtcd()
})
after(async () => {
  await server?.stop()
})

type CleanUps = { after(cleanUp: () => Promise<void>): void }

/** Each test has a space of its own. */
async function open(t: CleanUps, endpoint = server?.url ?? '', space = `/test-${++spaces}/`) {
  const store = await openEtcdStore({ endpoint, prefix: space })
  t.after(() => store.close())
  return store
}

storeContract('etcd', (t) => open(t))

test('an etcd that is not there is said to be so', async () => {
  await assert.rejects(openEtcdStore({ endpoint: 'http://127.0.0.1:1', prefix: '/x/' }), {
    name: 'StoreTrouble',
    kind: 'unreachable',
  })
})

test('two clusters in one etcd do not see each other', async (t) => {
  const [one, two] = [await open(t), await open(t)]
  await one.commit({ compare: [], changes: [put('a', '1')] })
  assert.deepEqual((await two.snapshot('')).entries, [])
  // The other cluster's revisions must not be waited for.
  const refused = await two.commit({ compare: [{ key: 'a', modRevision: 5 }], changes: [put('a', '2')] })
  assert.deepEqual(refused, { committed: false, revision: 0 })
})

test('when etcd goes away its watch ends, commits fail, and all works again when it is back', async (t) => {
  const own = await startEtcd()
  t.after(() => own.stop())
  const store = await open(t, own.url)
  const { revision } = await store.commit({ compare: [], changes: [put('a', '1')] })
  const lost = Promise.withResolvers<Error>()
  store.watch('', revision, { onBatch: () => {}, onLost: lost.resolve })
  const seen = watching(store, '', revision)
  const live = await store.commit({ compare: [], changes: [put('a', '2')] })
  await seen.reached(live.revision)
  await own.kill()
  await lost.promise
  await assert.rejects(store.commit({ compare: [], changes: [put('a', '3')] }), { name: 'StoreTrouble' })
  await own.start()
  for (;;) {
    const outcome = await store.commit({ compare: [], changes: [put('a', '4')] }).catch(() => undefined)
    if (outcome?.committed) break
  }
  assert.equal((await store.snapshot('a')).entries[0]?.value, '4')
})

test('a lease is lost, by our own clock, when etcd is silent for as long as it lives', async (t) => {
  const own = await startEtcd()
  t.after(() => own.stop())
  const store = await open(t, own.url)
  const lease = await store.grantLease(1_000)
  own.signal('SIGSTOP')
  t.after(async () => own.signal('SIGCONT'))
  await lease.lost
})
