/**
 * Debian ships no engine that tells how busy a slot is: a server of the test's own tells it, in the words in which Valkey 8
 * does.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ControlConnection } from '#engine/control-connection.ts'
import { RespParser } from '#resp/parser.ts'
import { textOf } from '#resp/value.ts'
import { slotLoads } from './slot-loads.ts'

const integer = (value: number) => `:${value}\r\n`
const array = (items: readonly string[]) => `*${items.length}\r\n${items.join('')}`
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`

/** A connection to an engine that answers so, and what it was asked. */
async function engine(t: TestContext, answer: (words: string) => string) {
  const folder = await mkdtemp(join(tmpdir(), 'slots-'))
  const asked: string[] = []
  const server = createServer((socket) => {
    const parser = new RespParser()
    socket.on('data', (chunk) => {
      for (const value of parser.push(chunk)) {
        const words = value.kind === 'array' ? value.items.map((item) => textOf(item) ?? '').join(' ') : ''
        asked.push(words)
        socket.write(answer(words))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve))
  const connection = await ControlConnection.open(join(folder, 'socket'))
  t.after(async () => {
    connection.close()
    server.close()
    await rm(folder, { recursive: true })
  })
  return { asked, shard: { uid: 1, connection, observed: {} as never } }
}

const options = () => ({ timeoutMs: 1_000, signal: AbortSignal.timeout(10_000) })

test('where the engine counts time, a slot is as busy as it was while it was looked at', async (t) => {
  let looks = 0
  const stats = (slot: number, keys: number, us: number) =>
    array([integer(slot), array([bulk('key-count'), integer(keys), bulk('cpu-usec'), integer(us)])])
  const { asked, shard } = await engine(t, (words) => {
    if (words.startsWith('CONFIG SET')) return '+OK\r\n'
    if (words !== 'CLUSTER SLOT-STATS SLOTSRANGE 0 1') return array([])
    looks += 1
    // The first has worked for long, and the second works now.
    return array([stats(0, 5, 9_000_000 + 10_000 * looks), stats(1, 7, 100_000 * looks)])
  })
  const loads = await slotLoads(
    shard,
    [
      { first: 0, last: 1 },
      { first: 10, last: 700 },
    ],
    options(),
  )
  assert.deepEqual([loads.get(0)?.keys, loads.get(1)?.keys], [5, 7])
  const [cold = 0, hot = 0] = [loads.get(0)?.busy, loads.get(1)?.busy]
  assert.ok(hot > 0 && hot <= 0.1, String(hot))
  assert.ok(Math.abs(hot / cold - 10) < 0.001, `${hot} ${cold}`)
  const look = ['0 1', '10 509', '510 700'].map((range) => `CLUSTER SLOT-STATS SLOTSRANGE ${range}`)
  const turned = (to: string) => `CONFIG SET cluster-slot-stats-enabled ${to}`
  assert.deepEqual(asked, [turned('yes'), ...look, ...look, turned('no')])
})

test('it is not counted on when the look fails', async (t) => {
  const { asked, shard } = await engine(t, (words) => (words.startsWith('CONFIG') ? '+OK\r\n' : '-ERR broken\r\n'))
  await assert.rejects(slotLoads(shard, [{ first: 0, last: 1 }], options()), { name: 'StepFailed' })
  assert.equal(asked.at(-1), 'CONFIG SET cluster-slot-stats-enabled no')
})

test('of two who look at the same time, the last one ends the counting', async (t) => {
  let [isCounting, us] = [false, 0]
  const { asked, shard } = await engine(t, (words) => {
    if (words.startsWith('CONFIG SET')) isCounting = words.endsWith('yes')
    if (words.startsWith('CONFIG SET')) return '+OK\r\n'
    us += 1_000
    const time = isCounting ? [bulk('cpu-usec'), integer(us)] : []
    return array([array([integer(0), array([bulk('key-count'), integer(1), ...time])])])
  })
  const slots = [{ first: 0, last: 0 }]
  const first = slotLoads(shard, slots, options())
  await delay(300)
  const second = slotLoads(shard, slots, options())
  for (const loads of await Promise.all([first, second])) assert.ok((loads.get(0)?.busy ?? 0) > 0)
  assert.equal(asked.filter((words) => words.endsWith('no')).length, 1)
  assert.equal(asked.at(-1)?.endsWith('no'), true)
})

test('an engine that does not tell the time after all is as busy everywhere as nowhere', async (t) => {
  const { shard } = await engine(t, (words) =>
    words.startsWith('CONFIG') ? '+OK\r\n' : array([array([integer(0), array([bulk('key-count'), integer(3)])])]),
  )
  assert.deepEqual([...(await slotLoads(shard, [{ first: 0, last: 0 }], options()))], [[0, { keys: 3, busy: 0 }]])
})

test('any other engine says how many keys there are', async (t) => {
  const { shard } = await engine(t, (words) =>
    words.startsWith('CLUSTER COUNTKEYSINSLOT ') ? integer(Number(words.split(' ').at(-1)) * 2) : '-ERR unknown\r\n',
  )
  const loads = await slotLoads(shard, [{ first: 3, last: 5 }], options())
  assert.deepEqual(
    [...loads],
    [3, 4, 5].map((slot) => [slot, { keys: 2 * slot, busy: 0 }]),
  )
})

test('a shard that does not run says nothing', async () => {
  const shard = { uid: 1, connection: undefined, observed: { lastWords: null } as never }
  await assert.rejects(slotLoads(shard as never, [], options()), { name: 'StepFailed', kind: 'missing' })
})
