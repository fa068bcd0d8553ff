import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needsRestart } from './needs-restart.ts'
import { isDigestOf, specDigest } from './spec-digest.ts'
import type { ShardSpec } from './step.ts'

const spec: ShardSpec = {
  uid: 1,
  databaseUid: 1,
  generation: 1,
  engine: { name: 'redis', version: '7.0.15' },
  role: { kind: 'primary', term: 1, isReplicated: false },
  takesClients: true,
  listen: { host: '127.0.0.1', port: 10_000 },
  cluster: null,
  tls: null,
  memoryLimitBytes: 0,
  evictionPolicy: 'noeviction',
  persistence: { kind: 'none' },
  maxConnections: 0,
  activeDefrag: {
    enabled: false,
    cycleMaxPercent: null,
    cycleMinPercent: 1,
    ignoreBytes: '100mb',
    maxScanFields: 1000,
    thresholdLowerPercent: 10,
    thresholdUpperPercent: 100,
  },
  replicationBacklogBytes: null,
  replicaOutputBuffer: null,
  trackingTableMaxKeys: 0,
  allowsResp3: true,
  users: [],
  disconnectOnPasswordRemoval: false,
  flushes: 0,
}

test('is the same for the same settings, whatever the order of keys, the generation and the flushes', () => {
  const reordered = Object.fromEntries(Object.entries(spec).reverse())
  assert.equal(specDigest({ ...spec, ...reordered, generation: 9, flushes: 3 }), specDigest(spec))
})

test('differs when a setting differs, however deep', () => {
  const digests = [
    spec,
    { ...spec, memoryLimitBytes: 1 },
    { ...spec, listen: { host: '127.0.0.1', port: 10_001 } },
    { ...spec, activeDefrag: { ...spec.activeDefrag, maxScanFields: 1001 } },
    { ...spec, users: [{ name: 'default', enabled: true, passwordHashes: null, rules: ['+@all'] }] },
  ].map(specDigest)
  assert.equal(new Set(digests).size, digests.length)
})

test('a restart is needed for another engine, and for another port before redis 7', () => {
  const moved = { ...spec, listen: { host: '127.0.0.1', port: 10_001 } }
  assert.equal(needsRestart(spec, moved), null)
  const old = { engine: { name: 'redis', version: '6.2.14' } } as const
  assert.match(needsRestart({ ...spec, ...old }, { ...moved, ...old }) ?? '', /cannot change its address or port/)
  assert.match(needsRestart({ ...spec, ...old }, spec) ?? '', /from redis 6.2.14 to redis 7.0.15/)
})

test('a digest is told by comparing as by making one', () => {
  const digest = specDigest(spec)
  for (const known of [spec, { ...spec, generation: 2, flushes: 5 }, { ...spec, memoryLimitBytes: 1 }, null])
    for (const other of [spec, { ...spec, generation: 9 }, { ...spec, memoryLimitBytes: 1 }]) {
      const made = known && specDigest(known)
      assert.equal(isDigestOf(other, made, known), made === specDigest(other))
      assert.equal(isDigestOf(other, digest, null), digest === specDigest(other))
    }
})
