import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exporterRules, metricsConfigParser } from './metrics-config.ts'

function problemOf(body: object): string {
  const parsed = metricsConfigParser().parse(body, 'update')
  return parsed.ok ? 'fine' : `${parsed.problem.code} ${parsed.problem.field}`
}

test('boundaries rise, are written as the reference says, and may be left to the engine', () => {
  for (const good of ['', '1', '1023E', '1,2,3', '512,1K,128M,2G', '1023B,1K'])
    assert.equal(problemOf({ key_size_buckets: good }), 'fine', good)
  for (const bad of [
    '0',
    '1024',
    '2,1',
    '1,1',
    '1K,1023',
    '1k',
    '1,',
    ',',
    'x',
    '-1',
    '1.5',
    '1KB',
    '1 K',
    '9'.repeat(999),
  ])
    assert.equal(problemOf({ key_items_buckets: bad }), 'invalid_field key_items_buckets', bad)
})

test('keys of tags are those that databases may have, fifty at most', () => {
  assert.equal(problemOf({ metrics_tag_keys_exposed: ['env', '_Team1'] }), 'fine')
  assert.equal(problemOf({ metrics_tag_keys_exposed: [] }), 'fine')
  for (const bad of ['', '1team', 'env.prod', 'with space', 'db', 'cluster', 'x'.repeat(65)])
    assert.match(
      problemOf({ metrics_tag_keys_exposed: ['env', bad] }),
      /^invalid_field metrics_tag_keys_exposed\[1\]/,
      bad,
    )
  const many = Array.from({ length: 51 }, (_, index) => `key${index}`)
  assert.match(problemOf({ metrics_tag_keys_exposed: many }), /^invalid_field metrics_tag_keys_exposed/)
})

test('something must be given, and what engines cannot count is refused', () => {
  assert.equal(problemOf({}), 'invalid_field ')
  assert.equal(problemOf({ key_distribution_enabled: true }), 'unsupported_feature key_distribution_enabled')
  assert.equal(problemOf({ key_distribution_enabled: false }), 'fine')
  assert.equal(problemOf({ local_storage_retention_days: 0 }), 'invalid_field local_storage_retention_days')
})

test('nothing of tags is told until that is wanted, and 0 requests are any number', () => {
  assert.deepEqual(exporterRules(), { tagKeys: new Set(), requestsAtOnce: 2 })
  assert.equal(exporterRules({ metrics_tag_keys_exposed: ['env'] }).tagKeys.size, 0)
  const rules = exporterRules({ expose_db_tags: true, metrics_tag_keys_exposed: ['env'], max_requests_in_flight: 0 })
  assert.deepEqual(rules, { tagKeys: new Set(['env']), requestsAtOnce: Number.POSITIVE_INFINITY })
})
