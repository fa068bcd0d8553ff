/**
 * The workload of the client matrix, the same for every client: what applications do, with the answers that the engine
 * gives. workload.py is its twin for redis-py. Keys of one step share a hash tag where a single command or transaction
 * needs them in one slot; all others are spread over the shards.
 */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'

/** A command with its first key. */
export type Keyed = readonly [key: string, ...words: string[]]

/** A client, in its own way. */
export type Subject = {
  call(key: string | undefined, ...words: string[]): Promise<unknown>
  /** Sent together. */
  pipeline(commands: readonly Keyed[]): Promise<unknown[]>
  /** All keys are in one slot. */
  transaction(commands: readonly Keyed[]): Promise<unknown[]>
  /** On a connection of its own; resolves when it stands. */
  listen(channel: string, onMessage: (text: string) => void): Promise<void>
  /** Of the whole database, by SCAN. */
  scan(pattern: string): Promise<string[]>
}

const BIG_BYTES = 5_000_000
const MANY = 200

/** `second`: another client like the first, to be blocked while the first goes on. */
export async function runWorkload(one: Subject, second: Subject): Promise<void> {
  const call = (key: string, ...words: string[]) => one.call(key, ...words)
  await one.call(undefined, 'PING')

  assert.equal(await call('s', 'SET', 's', 'héllo'), 'OK')
  assert.equal(await call('s', 'GET', 's'), 'héllo')
  assert.equal(await call('s', 'APPEND', 's', '!'), 7)
  assert.equal(await call('n', 'INCRBY', 'n', '5'), 5)
  assert.equal(String(await call('n', 'INCRBYFLOAT', 'n', '0.5')), '5.5')
  assert.equal(await call('e', 'SET', 'e', 'x', 'EX', '100'), 'OK')
  assert.ok(Number(await call('e', 'TTL', 'e')) > 90)
  assert.equal(await call('e', 'SET', 'e', 'y', 'NX'), null)
  assert.equal(await call('e', 'GETDEL', 'e'), 'x')
  assert.equal(await call('e', 'GET', 'e'), null)

  assert.equal(await call('h', 'HSET', 'h', 'a', '1', 'b', '2'), 2)
  assert.equal(await call('h', 'HINCRBY', 'h', 'a', '41'), 42)
  assert.deepEqual(flat(await call('h', 'HGETALL', 'h')), ['a', '42', 'b', '2'])
  assert.deepEqual(flat(await call('h', 'HMGET', 'h', 'b', 'nothing')), ['2', null])

  assert.equal(await call('l', 'RPUSH', 'l', 'x', 'y', 'z'), 3)
  assert.deepEqual(await call('l', 'LRANGE', 'l', '0', '-1'), ['x', 'y', 'z'])
  assert.equal(await call('l', 'LPOP', 'l'), 'x')

  assert.equal(await call('z', 'ZADD', 'z', '1', 'one', '2', 'two', '3', 'three'), 3)
  assert.deepEqual(await call('z', 'ZRANGE', 'z', '1', '3', 'BYSCORE', 'LIMIT', '1', '2'), ['two', 'three'])
  assert.equal(Number(await call('z', 'ZSCORE', 'z', 'two')), 2)
  assert.equal(await call('{t}a', 'MSET', '{t}a', '1', '{t}b', '2'), 'OK')
  assert.deepEqual(await call('{t}a', 'MGET', '{t}a', '{t}b'), ['1', '2'])

  const done = await one.transaction([
    ['{t}c', 'SET', '{t}c', '1'],
    ['{t}c', 'INCR', '{t}c'],
    ['{t}d', 'RPUSH', '{t}d', 'x'],
  ])
  assert.deepEqual(done, ['OK', 2, 1])

  const numbers = Array.from({ length: MANY }, (_, index) => String(index))
  await one.pipeline(numbers.map((number): Keyed => [`many:${number}`, 'SET', `many:${number}`, number]))
  const read = await one.pipeline(numbers.map((number): Keyed => [`many:${number}`, 'GET', `many:${number}`]))
  assert.deepEqual(read, numbers)
  const found = new Set(await one.scan('many:*'))
  assert.deepEqual([...found].sort(), numbers.map((number) => `many:${number}`).sort())

  const script = "redis.call('INCRBY', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), ARGV[2]}"
  assert.deepEqual(await call('script', 'EVAL', script, '1', 'script', '3', 'x'), ['3', 'x'])
  const digest = hash('sha1', script)
  assert.deepEqual(await call('script', 'EVALSHA', digest, '1', 'script', '4', 'y'), ['7', 'y'])
  await assert.rejects(call('script', 'EVALSHA', 'f'.repeat(40), '1', 'script'), /NOSCRIPT/)
  await assert.rejects(call('script', 'EVAL', 'return nonsense(', '1', 'script'), /compil/i)

  const heard = Promise.withResolvers<string>()
  await second.listen('news', heard.resolve)
  await one.call(undefined, 'PUBLISH', 'news', 'extra')
  assert.equal(await bounded(heard.promise, 'the message'), 'extra')

  const popped = second.call('queue', 'BLPOP', 'queue', '20')
  await call('queue', 'RPUSH', 'queue', 'job')
  assert.deepEqual(await bounded(popped, 'the job'), ['queue', 'job'])
  assert.equal(await second.call('queue', 'BLPOP', 'queue', '0.01'), null)

  const id = String(await call('st', 'XADD', 'st', '*', 'field', 'value'))
  assert.match(id, /^\d+-\d+$/)
  assert.equal(await call('st', 'XLEN', 'st'), 1)
  assert.deepEqual(await call('st', 'XRANGE', 'st', '-', '+'), [[id, ['field', 'value']]])
  assert.equal(await call('st', 'XGROUP', 'CREATE', 'st', 'group', '0'), 'OK')
  const given = flat(await call('st', 'XREADGROUP', 'GROUP', 'group', 'me', 'STREAMS', 'st', '>'))
  assert.deepEqual(given.flat(Number.POSITIVE_INFINITY), ['st', id, 'field', 'value'])
  assert.equal(await call('st', 'XACK', 'st', 'group', id), 1)

  const big = `${'x'.repeat(BIG_BYTES - 3)}end`
  assert.equal(await call('big', 'SET', 'big', big), 'OK')
  assert.ok((await call('big', 'GET', 'big')) === big, 'the big value is another one')

  await assert.rejects(call('s', 'LPUSH', 's', 'x'), /WRONGTYPE/)
  await assert.rejects(call('s', 'SET', 's', 'x', 'NONSENSE'), /syntax error/)
  await assert.rejects(call('s', 'NONSENSE', 's'), /unknown command/)
  await assert.rejects(call('s', 'GET', 's', 'extra'), /wrong number of arguments/)
  assert.equal(await call('s', 'GET', 's'), 'héllo!')
}

/** A map of RESP3, however the client shows it, as the list that it is in RESP2. */
function flat(value: unknown): unknown[] {
  if (value instanceof Map) return [...value].flat()
  if (Array.isArray(value)) return value
  return Object.entries(Object(value)).flat()
}

async function bounded<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`waited in vain for ${what}`)), 20_000)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
