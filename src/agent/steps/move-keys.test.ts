import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ControlConnection } from '#engine/control-connection.ts'
import { type Listed, loadsOf, parcelsOf, sendKeys } from './move-keys.ts'

const MOST_KEYS = 50
const MOST_BYTES = 256 * 1024

const slots = fc.array(fc.array(fc.integer({ min: 1, max: 2 * MOST_BYTES }), { maxLength: 120 }), { maxLength: 20 })
const listedOf = (sizes: readonly (readonly number[])[]): Listed[] =>
  sizes.flatMap((ofSlot, slot) => ofSlot.map((bytes, index) => ({ slot, bytes, key: Buffer.from(`${slot}:${index}`) })))
const sizeOf = (keys: readonly Listed[]) => keys.reduce((sum, { bytes }) => sum + bytes, 0)

test('every key goes once, in order, in parcels of one slot, in loads that nobody notices', () => {
  fc.assert(
    fc.property(slots, (sizes) => {
      const listed = listedOf(sizes)
      const loads = loadsOf(parcelsOf(listed))
      assert.deepEqual(loads.flat(2), listed)
      for (const parcel of loads.flat()) assert.equal(new Set(parcel.map(({ slot }) => slot)).size, 1)
      for (const load of loads) {
        assert.ok(load.length <= 8)
        assert.ok(load.flat().length <= MOST_KEYS)
        assert.ok(sizeOf(load.flat()) <= MOST_BYTES || load.flat().length === 1)
      }
    }),
  )
})

test('single small keys share a load, and a full parcel goes alone', () => {
  const singles = listedOf(Array.from({ length: 16 }, () => [100]))
  assert.deepEqual(
    loadsOf(parcelsOf(singles)).map((load) => load.length),
    [8, 8],
  )
  const full = listedOf([Array.from({ length: MOST_KEYS }, () => 100), [100]])
  assert.deepEqual(
    loadsOf(parcelsOf(full)).map((load) => load.length),
    [1, 1],
  )
})

test('a parcel that fails is told when the engine is through with those behind it', async () => {
  let finishSecond = () => {}
  const second = new Promise<void>((resolve) => {
    finishSecond = resolve
  })
  const send = () => [Promise.reject(new Error('IOERR')), second]
  const road = {
    own: { send } as unknown as ControlConnection,
    to: { shardUid: 2, nodeId: 'n', host: '127.0.0.1', ports: { clients: 1, bus: 2 } },
    password: '',
    signal: new AbortController().signal,
  }
  let isOver = false
  const sent = sendKeys(road, listedOf([[100], [100]])).finally(() => {
    isOver = true
  })
  sent.catch(() => undefined)
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(!isOver)
  finishSecond()
  await assert.rejects(sent, /IOERR/)
})
