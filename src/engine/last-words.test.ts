import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseInfo } from './info.ts'
import { lastWords, readLastWords } from './last-words.ts'

const at = (level: string, text: string) => `123:M 23 Nov 2026 14:44:46.317 ${level} ${text}\n`
const greeting =
  at('#', 'oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo') +
  at('#', 'Redis version=7.0.15, bits=64') +
  at('#', 'Configuration loaded') +
  at('#', 'Server initialized')

const cases: readonly { readonly says: string; readonly log: string; readonly words: RegExp | null }[] = [
  {
    says: 'a corrupt file',
    log: `${greeting}${at('*', 'Reading RDB base file on AOF loading...')}${at('#', 'Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup')}`,
    words: /^Bad file format reading the append only file/,
  },
  {
    says: 'a port that is taken',
    log: `${greeting}${at('#', 'Warning: Could not create server TCP listening socket 127.0.0.1:1: bind: Address already in use')}${at('#', 'Failed listening on port 1 (TCP), aborting.')}`,
    words: /^Warning: Could not create.*Address already in use Failed listening on port 1/,
  },
  {
    says: 'a bad configuration',
    log: "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 2\n>>> 'bogus 1'\nBad directive or wrong number of arguments\n",
    words: /^\*\*\* FATAL CONFIG FILE ERROR.* Bad directive/,
  },
  {
    says: 'a crash',
    log: `${greeting}${at('#', 'Redis 7.0.15 crashed by signal: 11, si_code: 0')}${'x'.repeat(100)}\n${at('*', 'and much more')}`,
    words: /^Redis 7.0.15 crashed by signal: 11/,
  },
  {
    says: 'nothing, when it was killed in the midst of work',
    log: `${greeting}${at('#', 'Something happened long ago')}${at('*', 'Ready to accept connections')}`,
    words: null,
  },
  { says: 'nothing, when it never spoke', log: '', words: null },
]
for (const { says, log, words } of cases) {
  test(`the last words name ${says}`, () => {
    if (words) assert.match(lastWords(log) ?? '', words)
    else assert.equal(lastWords(log), null)
    assert.ok(!lastWords(log)?.includes('\n'))
  })
}

test('only what was said since the start counts, and a missing log says nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-log-'))
  const log = join(folder, 'redis.log')
  const old = at('#', 'Old trouble')
  await writeFile(log, old + at('#', 'New trouble'))
  assert.equal(await readLastWords(log, old.length), 'New trouble')
  assert.match((await readLastWords(log, 10_000)) ?? '', /Old trouble New trouble/)
  assert.equal(await readLastWords(join(folder, 'none'), 0), null)
  await rm(folder, { recursive: true })
})

test('INFO becomes a record of its fields', () => {
  assert.deepEqual(parseInfo('# Server\r\nredis_version:7.0.15\r\nconfig_file:/a:b\r\n\r\n# X\r\nempty:\r\n'), {
    redis_version: '7.0.15',
    config_file: '/a:b',
    empty: '',
  })
})
