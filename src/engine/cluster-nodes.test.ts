import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseClusterNodes } from './cluster-nodes.ts'

const A = 'a'.repeat(40)
const B = 'b'.repeat(40)

test('what an engine says of itself and of the others', () => {
  const text = [
    `${A} 127.0.0.1:20001@20002,redis.local myself,master - 0 1700000000000 3 connected 0-99 200 [93->-${B}] [300-<-${B}]`,
    `${B} 127.0.0.1:20003@20004 slave,fail ${A} 1 2 3 disconnected`,
    `${'c'.repeat(40)} :0@0 handshake - 0 0 0 disconnected`,
    'vars currentEpoch 3 lastVoteEpoch 0',
    '',
  ].join('\r\n')
  const [own, other, met] = parseClusterNodes(text)
  assert.deepEqual(own, {
    id: A,
    isMyself: true,
    isPrimary: true,
    isKnown: true,
    follows: null,
    epoch: 3,
    slots: [
      { first: 0, last: 99 },
      { first: 200, last: 200 },
    ],
    moving: [
      { slot: 93, kind: 'to', nodeId: B },
      { slot: 300, kind: 'from', nodeId: B },
    ],
  })
  assert.deepEqual([other?.isPrimary, other?.follows, other?.slots], [false, A, []])
  assert.equal(met?.isKnown, false)
})
