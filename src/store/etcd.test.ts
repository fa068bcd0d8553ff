import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { type EtcdServer, startEtcd } from '../../test/support/etcd-server.ts'
import { until } from '../../test/support/wait.ts'
import type { WatchBatch } from './contract.ts'
import { storeContract } from './contract-suite.ts'
import { openEtcdStore } from './etcd.ts'
import { del, put, watching } from './testing.ts'

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

storeContract('etcd', (t) => open(t), {
  writerCount: 20,
  forget: async (store) => {
    const { revision } = await store.commit({ compare: [], changes: [put('forgotten', '')] })
    await server?.compact(revision)
  },
})

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

test('what was committed outlives etcd, a watch goes on where it was, and revisions grow on', async (t) => {
  const own = await startEtcd()
  t.after(() => own.stop())
  const store = await open(t, own.url, '/space/')
  const { revision } = await store.commit({ compare: [], changes: [put('a', '1'), put('b', '1')] })
  const seen = watching(store, '', revision)
  const live = await store.commit({ compare: [], changes: [put('a', '2')] })
  await seen.reached(live.revision)
  await own.kill()
  await assert.rejects(store.commit({ compare: [], changes: [put('a', '3')] }), { name: 'StoreTrouble' })
  await own.start()
  // By somebody else, perhaps before the watch is back.
  const other = await open(t, own.url, '/space/')
  const gone = await other.commit({ compare: [], changes: [del('a'), put('c', '1')] })
  const last = await other.commit({ compare: [], changes: [put('end', '1')] })
  assert.ok(gone.revision > live.revision)
  await seen.reached(last.revision)
  assert.deepEqual(
    seen.batches.map(({ revision: at, events }) => [at, events.map(({ key }) => key).sort()]),
    [
      [live.revision, ['a']],
      [gone.revision, ['a', 'c']],
      [last.revision, ['end']],
    ],
  )
  await until('the first store to be connected again', () => store.snapshot(''))
  assert.deepEqual((await store.snapshot('')).entries, (await other.snapshot('')).entries)
  seen.close()
})

test('a watch that was away while its history was compacted says that it is lost', async (t) => {
  const own = await startEtcd()
  t.after(() => own.stop())
  const line = await breakableLine(t, own.url)
  const store = await open(t, line.url, '/space/')
  const { revision } = await store.commit({ compare: [], changes: [put('a', '1')] })
  const lost = Promise.withResolvers<Error>()
  const batches: WatchBatch[] = []
  const watched = Promise.withResolvers<void>()
  store.watch('', revision, {
    onBatch: (batch) => {
      batches.push(batch)
      watched.resolve()
    },
    onLost: lost.resolve,
  })
  await store.commit({ compare: [], changes: [put('a', '2')] })
  await watched.promise
  line.cut()
  const other = await open(t, own.url, '/space/')
  await other.commit({ compare: [], changes: [put('a', '3')] })
  await own.compact((await other.commit({ compare: [], changes: [put('a', '4')] })).revision)
  line.mend()
  assert.match((await lost.promise).message, /remembers no changes before revision/)
  assert.equal(batches.length, 1)
})

test('a connection that broke again and again costs a watch nothing', async (t) => {
  const line = await breakableLine(t, server?.url ?? '')
  const space = `/test-${++spaces}/`
  const [store, writer] = [await open(t, line.url, space), await open(t, undefined, space)]
  const seen = watching(store, '', (await writer.snapshot('')).revision)
  const written: number[] = []
  for (let n = 0; n < 200; n++) {
    written.push((await writer.commit({ compare: [], changes: [put(`k${n % 7}`, `${n}`), put('n', `${n}`)] })).revision)
    if (n % 20 === 10) {
      line.cut()
      line.mend()
    }
  }
  await seen.reached(written.at(-1) ?? 0)
  assert.deepEqual(
    seen.batches.map(({ revision }) => revision),
    written,
  )
  assert.ok(seen.batches.every(({ events }) => events.length === 2))
  seen.close()
})

test('a connection that fell silent without a word is noticed, and the watch goes on over another', async (t) => {
  const line = await breakableLine(t, server?.url ?? '')
  const space = `/test-${++spaces}/`
  const [store, writer] = [await open(t, line.url, space), await open(t, undefined, space)]
  const { revision } = await store.commit({ compare: [], changes: [put('a', '1')] })
  const seen = watching(store, '', revision)
  await seen.reached((await writer.commit({ compare: [], changes: [put('a', '2')] })).revision)
  line.silence()
  await seen.reached((await writer.commit({ compare: [], changes: [put('a', '3')] })).revision)
  assert.equal(seen.batches.length, 2)
  seen.close()
})

test('an etcd that hangs is not waited for, and serves again when it goes on', async (t) => {
  const own = await startEtcd()
  t.after(() => own.stop())
  const store = await open(t, own.url)
  const { revision } = await store.commit({ compare: [], changes: [put('a', '1')] })
  const seen = watching(store, '', revision)
  await own.standStill()
  const trouble = { name: 'StoreTrouble' }
  await Promise.all([
    assert.rejects(store.commit({ compare: [], changes: [put('a', '2')] }), { ...trouble, kind: 'unknown' }),
    assert.rejects(store.snapshot(''), { ...trouble, kind: 'unreachable' }),
    assert.rejects(store.grantLease(1_000), { ...trouble, kind: 'unreachable' }),
  ])
  own.goOn()
  const last = await until('a commit to be accepted', () => store.commit({ compare: [], changes: [put('a', '3')] }))
  await seen.reached(last.revision)
  seen.close()
})

test('a full etcd refuses changes, goes on being read, and takes changes again when there is room', async (t) => {
  const own = await startEtcd()
  t.after(() => own.stop())
  const store = await open(t, own.url)
  await store.commit({ compare: [], changes: [put('a', '1')] })
  await own.setFull(true)
  await assert.rejects(store.commit({ compare: [], changes: [put('a', '2')] }), { name: 'StoreTrouble', kind: 'full' })
  assert.equal((await store.snapshot('a')).entries[0]?.value, '1')
  await own.setFull(false)
  assert.ok((await store.commit({ compare: [], changes: [put('a', '3')] })).committed)
})

test('a value that etcd finds too big is refused, and surely not written', async (t) => {
  const store = await open(t)
  const changes = [put('a', 'x'.repeat(3_000_000)), put('b', '1')]
  await assert.rejects(store.commit({ compare: [], changes }), { name: 'StoreTrouble', kind: 'unreachable' })
  assert.deepEqual((await store.snapshot('')).entries, [])
})

test('a lease lives on for as long as etcd is asked to keep it, and no longer', async (t) => {
  const line = await breakableLine(t, server?.url ?? '')
  const space = `/test-${++spaces}/`
  const [store, leaving] = [await open(t, undefined, space), await open(t, line.url, space)]
  const [kept, left] = [await store.grantLease(1_000), await leaving.grantLease(1_000)]
  let isLost = false
  kept.lost.then(() => {
    isLost = true
  })
  await store.commit({ compare: [], changes: [{ kind: 'put', key: 'kept', value: '1', lease: kept.id }] })
  await store.commit({ compare: [], changes: [{ kind: 'put', key: 'left', value: '1', lease: left.id }] })
  line.cut()
  await until('the other lease to run out', async () => (await store.snapshot('left')).entries.length === 0)
  assert.equal(isLost, false)
  assert.equal((await store.snapshot('kept')).entries.length, 1)
  await kept.revoke()
})

test('a lease is lost, by our own clock, before etcd gives its key to another', async (t) => {
  const own = await startEtcd()
  t.after(() => own.stop())
  const line = await breakableLine(t, own.url)
  const [holder, other] = [await open(t, line.url, '/space/'), await open(t, own.url, '/space/')]
  const lease = await holder.grantLease(1_000)
  const { revision } = await holder.commit({
    compare: [],
    changes: [{ kind: 'put', key: 'leader', value: '1', lease: lease.id }],
  })
  const order: string[] = []
  const lost = lease.lost.then(() => order.push('lost'))
  const vanished = Promise.withResolvers<void>()
  other.watch('', revision, {
    onBatch: () => {
      order.push('vanished')
      vanished.resolve()
    },
    onLost: vanished.reject,
  })
  line.cut()
  await Promise.all([lost, vanished.promise])
  assert.deepEqual(order, ['lost', 'vanished'])
})

test('a late answer does not make a lease seem longer than etcd keeps it', async (t) => {
  const line = await breakableLine(t, server?.url ?? '')
  const space = `/test-${++spaces}/`
  const [holder, other] = [await open(t, line.url, space), await open(t, undefined, space)]
  const lease = await holder.grantLease(3_000)
  const { revision } = await holder.commit({
    compare: [],
    changes: [{ kind: 'put', key: 'leader', value: '1', lease: lease.id }],
  })
  const order: string[] = []
  const lost = lease.lost.then(() => order.push('lost'))
  const seen = watching(other, '', revision)
  // One request is answered; the answer comes only after the next request, which never arrives.
  await line.hold('answers')
  await line.hold('requests')
  line.release('answers')
  await seen.reached(revision + 1)
  order.push('vanished')
  await lost
  assert.deepEqual(order, ['lost', 'vanished'])
  seen.close()
})

type Direction = 'requests' | 'answers'

/** A way to etcd that can be cut, fall silent, or hold back what goes one way. */
async function breakableLine(t: CleanUps, url: string) {
  const sockets = new Set<Socket>()
  const silent = new Set<Socket>()
  const held: Record<Direction, (() => void)[] | undefined> = { requests: undefined, answers: undefined }
  let onHeld: () => void = () => {}
  let isCut = false
  const pass = (direction: Direction, from: Socket, to: Socket) => {
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
    from.on('data', (bytes) => {
      if (silent.has(from)) return
      const waiting = held[direction]
      if (waiting) {
        waiting.push(() => to.write(bytes))
        onHeld()
      } else to.write(bytes)
    })
  }
  const listener = createServer((client) => {
    if (isCut) {
      client.destroy()
      return
    }
    const { hostname, port } = new URL(url)
    const etcd = connect(Number(port), hostname)
    for (const socket of [client, etcd]) sockets.add(socket.once('close', () => sockets.delete(socket)))
    pass('requests', client, etcd)
    pass('answers', etcd, client)
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  assert.ok(address && typeof address === 'object')
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  t.after(async () => {
    cut()
    listener.close()
  })
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut,
    mend: () => {
      isCut = false
    },
    /** What there is of connections passes nothing on any more, and is not closed either. */
    silence: () => {
      for (const socket of sockets) silent.add(socket)
    },
    /** Resolves when there is something that is held back. */
    hold: (direction: Direction) => {
      held[direction] = []
      return new Promise<void>((resolve) => {
        onHeld = resolve
      })
    },
    release: (direction: Direction) => {
      const waiting = held[direction]
      held[direction] = undefined
      for (const send of waiting ?? []) send()
    },
  }
}
