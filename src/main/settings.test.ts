import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { readSettings, settingsTable } from './settings.ts'

const home = { HOME: '/home/ada' }

function settingsOf(argv: string[], env: Record<string, string> = {}) {
  const reading = readSettings(argv, { ...home, ...env }, '/work')
  assert.ok(reading.ok, reading.ok ? '' : reading.problem)
  return reading.settings
}

function problemOf(argv: string[], env: Record<string, string> = {}): string {
  const reading = readSettings(argv, { ...home, ...env }, '/work')
  assert.ok(!reading.ok && reading.exitCode === 2, 'expected a problem')
  assert.doesNotMatch(reading.problem, /\n/, 'a problem is one line')
  return reading.problem
}

test('has a default for every setting', () => {
  assert.deepEqual(settingsOf([]), {
    dataDir: '/home/ada/.local/share/holdfast',
    listen: '127.0.0.1',
    alertPeriod: 10,
    apiPort: 9443,
    discoveryPort: 8001,
    metricsPort: 8070,
    databasePorts: { low: 10000, high: 19999 },
    shardPorts: { low: 20000, high: 29999 },
    username: 'admin@cluster.local',
    password: null,
    replaceKey: false,
    clusterName: 'cluster.local',
    noBootstrap: false,
    engine: [],
    etcd: null,
  })
})

test('takes a setting from its flag in both forms, and from its variable', () => {
  assert.equal(settingsOf(['--api-port', '9555']).apiPort, 9555)
  assert.equal(settingsOf(['--api-port=9555']).apiPort, 9555)
  assert.equal(settingsOf([], { HOLDFAST_API_PORT: '9555' }).apiPort, 9555)
})

test('lets the flag win over the variable, and the last flag over the first', () => {
  assert.equal(settingsOf(['--api-port', '9555'], { HOLDFAST_API_PORT: 'nonsense' }).apiPort, 9555)
  assert.equal(settingsOf(['--api-port', '9555', '--api-port', '9556']).apiPort, 9556)
})

test('takes an empty variable for one that is not set', () => {
  assert.equal(settingsOf([], { HOLDFAST_API_PORT: '', HOLDFAST_PASSWORD: '' }).apiPort, 9443)
})

test('keeps an equals sign inside a value', () => {
  assert.equal(settingsOf(['--password=a=b=']).password, 'a=b=')
  assert.deepEqual(settingsOf(['--engine=redis=/a=b']).engine, [{ name: 'redis', path: '/a=b' }])
})

test('puts the data folder where XDG and HOME say, and relative ones where the command was typed', () => {
  assert.equal(settingsOf([], { XDG_DATA_HOME: '/srv/share' }).dataDir, '/srv/share/holdfast')
  assert.equal(settingsOf([], { XDG_DATA_HOME: 'relative' }).dataDir, '/home/ada/.local/share/holdfast')
  assert.equal(settingsOf(['--data-dir', 'here/../there']).dataDir, '/work/there')
  assert.equal(settingsOf(['--data-dir=~/there']).dataDir, '/home/ada/there')
})

test('adds up engines from repeated flags, and from one variable with commas', () => {
  const both = [
    { name: 'redis', path: '/opt/a' },
    { name: 'valkey', path: '/work/b' },
  ]
  assert.deepEqual(settingsOf(['--engine', 'redis=/opt/a', '--engine', 'valkey=b']).engine, both)
  assert.deepEqual(settingsOf([], { HOLDFAST_ENGINE: 'redis=/opt/a, valkey=b' }).engine, both)
})

test('reads a switch as a bare flag, and from its variable as words for yes and no', () => {
  assert.equal(settingsOf(['--no-bootstrap']).noBootstrap, true)
  assert.equal(settingsOf(['--no-bootstrap=false'], { HOLDFAST_NO_BOOTSTRAP: '1' }).noBootstrap, false)
  for (const word of ['1', 'true', 'YES'])
    assert.equal(settingsOf([], { HOLDFAST_NO_BOOTSTRAP: word }).noBootstrap, true)
  for (const word of ['0', 'false', 'no'])
    assert.equal(settingsOf([], { HOLDFAST_NO_BOOTSTRAP: word }).noBootstrap, false)
})

test('names the nearest setting when a flag is unknown, without what was behind it', () => {
  assert.equal(problemOf(['--api-prot=1']), '"--api-prot" is not a setting: did you mean --api-port?')
  assert.equal(problemOf(['--pasword=secret']), '"--pasword" is not a setting: did you mean --password?')
  assert.match(problemOf(['--colour-of-the-sky']), /see --help$/)
})

test('names a wrong value the way it was given, with what would be right', () => {
  assert.equal(problemOf(['--api-port', '0']), '--api-port is "0", but a port is a number from 1 to 65535')
  assert.match(problemOf([], { HOLDFAST_API_PORT: '9e3' }), /^HOLDFAST_API_PORT is "9e3", but a port/)
})

const wrongValues: [flag: string, ...values: string[]][] = [
  ['--api-port', '', '-1', '65536', '80.5', '0x50', ' 80'],
  ['--database-ports', '10000', '10000-', '19999-10000', '0-5', '1-2-3', 'a-b'],
  ['--listen', '', '1.2.3', '300.1.1.1', 'a b', '-a.example', 'http://a'],
  ['--username', 'admin', 'a@b@c', 'a:b@c', 'a @b', '@b', 'a@'],
  ['--cluster-name', '', 'a_b', '.a', 'a..b', 'x'.repeat(65)],
  ['--engine', 'redis', 'redis=', 'memcached=/a', '/usr/bin/redis-server'],
  ['--etcd', 'localhost:2379', 'http://localhost', 'http://a:1/b', 'ftp://a:1', 'http://u:p@a:1', 'http://a:99999'],
  ['--no-bootstrap', 'maybe', ''],
  ['--data-dir', '', ' ', 'a\nb'],
]
for (const [flag, ...values] of wrongValues) {
  test(`refuses wrong values of ${flag}`, () => {
    for (const value of values)
      assert.ok(problemOf([`${flag}=${value}`]).startsWith(`${flag} is `), `for ${JSON.stringify(value)}`)
  })
}

test('takes what is right in each kind', () => {
  for (const listen of ['0.0.0.0', '::1', 'localhost', 'node-1.example.org'])
    assert.equal(settingsOf(['--listen', listen]).listen, listen)
  for (const etcd of ['http://a:80', 'https://[::1]:2379']) assert.equal(settingsOf(['--etcd', `${etcd}/`]).etcd, etcd)
  assert.equal(settingsOf(['--cluster-name', 'Lab.Example']).clusterName, 'lab.example')
  assert.deepEqual(settingsOf(['--shard-ports', '30000-30000']).shardPorts, { low: 30000, high: 30000 })
})

test('never repeats a password, nor what may be a part of one', () => {
  assert.equal(problemOf([], { HOLDFAST_PASSWORD: 'sec\nret' }).includes('sec'), false)
  assert.equal(problemOf(['--password', 'correct', 'horse']).includes('horse'), false)
  assert.equal(problemOf(['--password', '--secret']).includes('secret'), false)
})

test('refuses ranges that share a port with each other or with the API, saying who has it from where', () => {
  assert.equal(
    problemOf(['--database-ports', '25000-26000']),
    '--database-ports is 25000-26000, but the default of --shard-ports is 20000-29999: they must share no port',
  )
  assert.equal(
    problemOf([], { HOLDFAST_API_PORT: '10000' }),
    'the default of --database-ports is 10000-19999, but HOLDFAST_API_PORT is 10000: it must lie outside',
  )
})

test('refuses a data folder whose path is too long for the sockets in it, by how much', () => {
  const longest = `/${'d'.repeat(107 - '/shards/999999/control.sock'.length - 1)}`
  assert.equal(settingsOf(['--data-dir', longest]).dataDir, longest)
  assert.match(problemOf(['--data-dir', `${longest}é`]), /must be 2 bytes shorter/)
})

test('says with --help what there is, and that nothing is wrong', () => {
  const reading = readSettings(['--help'], {})
  assert.ok(!reading.ok && reading.exitCode === 0)
  assert.match(reading.problem, /--database-ports LOW-HIGH\n/)
})

test('documents every setting in one row of the table', () => {
  const table = settingsTable()
  for (const name of Object.keys(settingsOf([]))) {
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    assert.match(
      table,
      new RegExp(`^\\| \`--${flag}[ \`].*\`HOLDFAST_${flag.toUpperCase().replaceAll('-', '_')}\``, 'm'),
    )
  }
})

test('answers any arguments at all with settings or one line', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('--api-port', '--engine', '--no-bootstrap', '--listen', '='),
    fc.string().map((text) => `--listen=${text}`),
  )
  fc.assert(
    fc.property(fc.array(word), fc.string(), (argv, port) => {
      const reading = readSettings(argv, { ...home, HOLDFAST_API_PORT: port })
      if (!reading.ok && reading.exitCode === 2) assert.doesNotMatch(reading.problem, /[\r\n]/)
    }),
  )
})

test('the discovery service has a port of its own, or none', () => {
  assert.equal(settingsOf(['--discovery-port', '7001']).discoveryPort, 7001)
  for (const off of ['off', 'OFF', '0']) assert.equal(settingsOf(['--discovery-port', off]).discoveryPort, null)
  assert.match(problemOf(['--discovery-port', 'no']), /it must be a port from 1 to 65535, or off$/)
  assert.match(problemOf(['--discovery-port', '9443']), /is 9443, but that is the default of --api-port too$/)
  assert.match(
    problemOf(['--discovery-port', '10001']),
    /10000-19999, but --discovery-port is 10001: it must lie outside$/,
  )
})
