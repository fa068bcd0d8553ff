import assert from 'node:assert/strict'
import { test } from 'node:test'
import { databaseProblem, withSnapshotPolicy } from './rules.ts'
import { type DatabaseConfig, databaseDefaults } from './schema.ts'

const CONTEXT = { engineVersion: '7.0.15' }

function problemOf(change: Partial<DatabaseConfig>, context: Parameters<typeof databaseProblem>[1] = CONTEXT) {
  const problem = databaseProblem({ ...databaseDefaults(), name: 'cache', ...change }, context)
  return problem ? `${problem.code} ${problem.field}` : ''
}

test('the defaults with a name are sound', () => {
  assert.equal(problemOf({}), '')
})

test('a name is a DNS label', () => {
  for (const name of ['a', 'A1', 'my-db', 'database1', 'x'.repeat(63)]) assert.equal(problemOf({ name }), '', name)
  for (const name of ['-a', 'a-', 'a b', 'a_b', 'ä', 'a\n', 'x'.repeat(64)]) {
    assert.equal(problemOf({ name }), 'invalid_db_name name', name)
  }
  assert.equal(problemOf({ name: '' }), 'missing_db_name name')
})

test('a port is within the range of the databases, or left open', () => {
  const context = { ...CONTEXT, databasePorts: { first: 10_000, last: 19_999 } }
  for (const port of [0, 10_000, 19_999]) assert.equal(problemOf({ port }, context), '')
  for (const port of [22, 9_999, 20_000]) assert.equal(problemOf({ port }, context), 'port_unavailable port')
})

test('an eviction policy must be known to the engine', () => {
  assert.equal(problemOf({ eviction_policy: 'allkeys-lfu' }), '')
  assert.equal(problemOf({ eviction_policy: 'allkeys-lrm' }), 'eviction_policy_violation eviction_policy')
  assert.equal(problemOf({ eviction_policy: 'allkeys-lrm' }, { engineVersion: '8.6.0' }), '')
  const valkey = { engineVersion: '9.0.0', engineName: 'valkey' } as const
  assert.equal(problemOf({ eviction_policy: 'volatile-lrm' }, valkey), 'eviction_policy_violation eviction_policy')
})

test('snapshots without a rule get one hour, one write; other persistences get none', () => {
  const config = { ...databaseDefaults(), name: 'cache', data_persistence: 'snapshot' as const }
  assert.deepEqual(withSnapshotPolicy(config).snapshot_policy, [{ secs: 3600, writes: 1 }])
  assert.deepEqual(withSnapshotPolicy(databaseDefaults()).snapshot_policy, [])
  assert.equal(problemOf(config), 'invalid_data_persistence snapshot_policy')
  assert.equal(problemOf(withSnapshotPolicy(config)), '')
})

test('disabled commands are names, with a subcommand where wanted', () => {
  for (const disabled_commands of ['', 'FLUSHALL', 'get, set', 'CONFIG|SET debug', ' a,,b ', 'json.set']) {
    assert.equal(problemOf({ disabled_commands }), '', disabled_commands)
  }
  for (const disabled_commands of ['+@all', '-get', 'a|b|c', '@write', 'get;set', '~*', 'get >pass', 'a\0b', '|x']) {
    assert.equal(problemOf({ disabled_commands }), 'invalid_configuration disabled_commands', disabled_commands)
  }
})

test('a replica buffer is auto, megabytes, or two limits and seconds', () => {
  for (const slave_buffer of ['auto', '0', '512', '1024:512:60'])
    assert.equal(problemOf({ slave_buffer }), '', slave_buffer)
  for (const slave_buffer of [
    '',
    'big',
    '-1',
    '1:2',
    '1:2:3:4',
    '1.5',
    '1 2',
    '99999999999',
    '1:2:9999999999',
    '1\n',
  ]) {
    assert.equal(problemOf({ slave_buffer }), 'invalid_configuration slave_buffer', slave_buffer)
  }
})

test('a backlog is auto or bytes', () => {
  for (const repl_backlog_size of ['auto', '1048576']) assert.equal(problemOf({ repl_backlog_size }), '')
  for (const repl_backlog_size of ['', '0', '1mb', '-5', '99999999999999999999', '1e9']) {
    assert.equal(problemOf({ repl_backlog_size }), 'invalid_configuration repl_backlog_size', repl_backlog_size)
  }
})

test('limits of defragmentation have their sizes and their order', () => {
  for (const active_defrag_ignore_bytes of ['1', '100mb', '1GB', '64k']) {
    assert.equal(problemOf({ active_defrag_ignore_bytes }), '')
  }
  for (const active_defrag_ignore_bytes of ['', '0', 'mb', '1.5mb', '1tb', '100mb\nsave 1 1']) {
    assert.equal(problemOf({ active_defrag_ignore_bytes }), 'invalid_configuration active_defrag_ignore_bytes')
  }
  const cycle = { active_defrag_cycle_min: 30, active_defrag_cycle_max: 20 }
  assert.equal(problemOf(cycle), 'invalid_configuration active_defrag_cycle_min')
  const threshold = { active_defrag_threshold_lower: 50, active_defrag_threshold_upper: 40 }
  assert.equal(problemOf(threshold), 'invalid_configuration active_defrag_threshold_lower')
})

test('a password is any text that can be written as UTF-8', () => {
  for (const password of ['', 'a b', 'p\u0000\n"#', '密码', 'x'.repeat(512)]) {
    assert.equal(problemOf({ authentication_redis_pass: password, authentication_admin_pass: password }), '')
  }
  const broken = { authentication_redis_pass: '\ud800' }
  assert.equal(problemOf(broken), 'invalid_password authentication_redis_pass')
})

test('a limit of gradual copying is never zero', () => {
  const { gradual_sync_policy_parameters: limits } = databaseDefaults()
  const change = { gradual_sync_policy_parameters: { ...limits, dst_shard_limit: 0 } }
  assert.equal(problemOf(change), 'invalid_configuration gradual_sync_policy_parameters.dst_shard_limit')
})

test('tags have the forms of the reference, and each key once', () => {
  const tag = (key: string, value: string) => problemOf({ tags: [{ key, value }] })
  for (const key of ['env', 'TEAM', '_owner', 'app_1', 'k'.repeat(64)]) assert.equal(tag(key, 'v'), '', key)
  for (const key of ['', '1team', 'env.prod', 'team-name', 'a b', 'a\n', 'k'.repeat(65), 'redis', 'db', 'cluster']) {
    assert.equal(tag(key, 'v'), 'invalid_bdb_tags tags[0].key', key)
  }
  for (const value of ['prod', 'Team A', 'owner@example.com', 'a/b:c+d-e_f.g', 'v'.repeat(128)]) {
    assert.equal(tag('k', value), '', value)
  }
  for (const value of ['', '  ', 'a&b', '<', 'a\n', 'v'.repeat(129)])
    assert.equal(tag('k', value), 'invalid_bdb_tags tags[0].value', value)
  const twice = [
    { key: 'env', value: 'a' },
    { key: 'Env', value: 'a' },
    { key: 'env', value: 'b' },
  ]
  assert.equal(problemOf({ tags: twice }), 'invalid_bdb_tags tags[2].key')
  const many = Array.from({ length: 31 }, (_, index) => ({ key: `k${index}`, value: 'v' }))
  assert.equal(problemOf({ tags: many }), 'invalid_bdb_tags tags')
})
