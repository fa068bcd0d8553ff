import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { type RespValue, textOf } from '#resp/value.ts'
import { type Account, renderAccounts } from './accounts.ts'
import { type Directive, renderConfiguration } from './configuration.ts'
import { ControlConnection } from './control-connection.ts'
import { signalProcess, spawnEngine } from './process.ts'

/** The engine's `sdssplitargs`, byte for byte; null where it calls the line unbalanced. */
function splitArgs(line: Buffer): Buffer[] | null {
  const isSpace = (byte: number | undefined) => byte !== undefined && (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))
  const words: Buffer[] = []
  let at = 0
  for (;;) {
    while (isSpace(line[at])) at++
    if (at >= line.length || line[at] === 0) return words
    const word: number[] = []
    let quote: '"' | "'" | null = null
    for (let done = false; !done; at++) {
      const byte = at < line.length ? (line[at] ?? 0) : 0
      const ended = at >= line.length || byte === 0
      const next = line[at + 1]
      if (quote === '"') {
        const hex = line.toString('latin1', at + 2, at + 4)
        if (ended) return null
        if (byte === 0x5c && next === 0x78 && /^[0-9a-f]{2}$/i.test(hex)) {
          word.push(Number.parseInt(hex, 16))
          at += 3
        } else if (byte === 0x5c && next !== undefined) {
          const escapes: Record<string, number> = { n: 10, r: 13, t: 9, b: 8, a: 7 }
          word.push(escapes[String.fromCharCode(next)] ?? next)
          at++
        } else if (byte === 0x22) {
          if (next !== undefined && !isSpace(next)) return null
          done = true
        } else word.push(byte)
      } else if (quote === "'") {
        if (ended) return null
        if (byte === 0x5c && next === 0x27) {
          word.push(0x27)
          at++
        } else if (byte === 0x27) {
          if (next !== undefined && !isSpace(next)) return null
          done = true
        } else word.push(byte)
      } else if (ended || isSpace(byte)) {
        done = true
        at--
      } else if (byte === 0x22) quote = '"'
      else if (byte === 0x27) quote = "'"
      else word.push(byte)
    }
    words.push(Buffer.from(word))
  }
}

/** As the engine reads the file: lines, trimmed, without comments. */
function readConfiguration(text: string): string[][] {
  const lines = text.split('\n').map((line) => line.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, ''))
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const words = splitArgs(Buffer.from(line, 'utf8'))
      assert.ok(words, `unbalanced: ${line}`)
      return words.map(String)
    })
}

const word = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...' "\'\\\n\r\t\0#xn0aé') }))

test('the engine reads back exactly the words that were meant, whatever they hold', () => {
  const directive = fc.array(word, { maxLength: 4 }).map((words): Directive => ['some-name', ...words])
  fc.assert(
    fc.property(fc.array(directive), (directives) => {
      assert.deepEqual(readConfiguration(renderConfiguration(directives)), directives)
    }),
    { numRuns: 2000 },
  )
  assert.throws(() => renderConfiguration([['port 1\nbind', 'x']]), RangeError)
})

test('a real engine takes hostile values as the values they are', async () => {
  const hostile = ['a"b\\c', "it's", 'x\nmaxmemory 1', 'y\r\nport 1', 'é \t#not a comment', '\\x41 "'].join(' \n"')
  const folder = await mkdtemp(join(tmpdir(), 'holdfast "hostile\' \\ é-'))
  const files = { config: join(folder, 'redis.conf'), log: join(folder, 'redis.log'), socket: join(folder, 's.sock') }
  const text = renderConfiguration([
    ['port', '0'],
    ['dir', folder],
    ['set-proc-title', 'no'],
    ['unixsocket', 's.sock'],
    ['requirepass', hostile],
    ['masterauth', hostile],
    ['save', ''],
  ])
  await writeFile(files.config, text)
  const engine = spawnEngine({ path: 'redis-server', configPath: files.config, folder, logPath: files.log })
  try {
    const connection = await reach(files.socket)
    assert.equal(textOf(await connection.call(['AUTH', hostile])), 'OK')
    assert.equal(await setting(connection, 'masterauth'), hostile)
    assert.equal(await setting(connection, 'maxmemory'), '0')
    assert.equal(await setting(connection, 'dir'), folder)
    connection.close()
  } catch (cause) {
    throw new Error(await readFile(files.log, 'utf8'), { cause })
  } finally {
    if (engine.identity) signalProcess(engine.identity, 'SIGKILL')
    await engine.ended
    await rm(folder, { recursive: true })
  }
})

test('accounts cannot smuggle in a word, a line, a password or a state', () => {
  const account: Account = {
    name: 'app',
    enabled: true,
    passwordHashes: ['ab'.repeat(32)],
    rules: ['~*', '+@all', '-config|set', '(+get ~a*)', '%RW~x', '-hello', '+hello|2'],
  }
  assert.equal(
    renderAccounts([account]),
    `user app on #${'ab'.repeat(32)} ~* +@all -config|set (+get ~a*) %RW~x -hello +hello|2\n`,
  )
  assert.equal(
    renderAccounts([{ ...account, enabled: false, passwordHashes: null, rules: [] }]),
    'user app off nopass\n',
  )
  for (const name of ['', 'a b', 'a\nuser b', 'a\0', 'a\u2028b', 'x'.repeat(200)])
    assert.throws(() => renderAccounts([{ ...account, name }]), /not a name/)
  for (const rule of [
    'on',
    'off',
    'nopass',
    'reset',
    'resetpass',
    '>secret',
    '<secret',
    '#abc',
    '!abc',
    '~a b',
    '+get\nuser x on',
    '(+get >x)',
    '(~a\n)',
    '',
    'user',
  ])
    assert.throws(() => renderAccounts([{ ...account, rules: [rule] }]), /not an ACL rule/, rule)
  assert.throws(() => renderAccounts([{ ...account, passwordHashes: ['zz'] }]), /SHA-256/)
  assert.throws(() => renderAccounts([account, account]), /same name/)
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(word), (name, rules) => {
      let text = ''
      try {
        text = renderAccounts([{ ...account, name, rules: rules.map((rule) => `~${rule}`) }])
      } catch {
        return
      }
      assert.equal(text.split(/[\n\r]/).length, 2)
      assert.equal(text.split(/\s/).length, 5 + rules.length)
    }),
  )
})

async function reach(path: string): Promise<ControlConnection> {
  for (let tries = 0; ; tries++) {
    try {
      return await ControlConnection.open(path)
    } catch (error) {
      if (tries > 2000) throw error
      await delay(2)
    }
  }
}

async function setting(connection: ControlConnection, name: string): Promise<string | null> {
  const reply: RespValue = await connection.call(['CONFIG', 'GET', name])
  const value = reply.kind === 'array' ? reply.items[1] : undefined
  return value ? textOf(value) : null
}
