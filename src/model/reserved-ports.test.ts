import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterParser } from './cluster.ts'
import { reservedRange } from './reserved-ports.ts'

test('reads a port and a range of ports', () => {
  assert.deepEqual(reservedRange('11000'), { first: 11_000, last: 11_000 })
  assert.deepEqual(reservedRange('13000-13010'), { first: 13_000, last: 13_010 })
})

test('reads nothing else', () => {
  for (const entry of ['', '0', '65536', '10-9', '1-99999', '1-2-3', ' 1', '1 ', 'a', '-1', '01']) {
    assert.equal(reservedRange(entry), null, entry)
  }
})

test('the cluster names the entry that is wrong', () => {
  const parsed = clusterParser().parse({ reserved_ports: ['11000', 'x'] }, 'update')
  assert.equal(parsed.ok ? '' : parsed.problem.field, 'reserved_ports[1]')
})
