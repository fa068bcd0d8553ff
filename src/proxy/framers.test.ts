import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { encodeCommand, encodeValue } from '#resp/encode.ts'
import { hashSlot, hashSlotWithin } from '#resp/hash-slot.ts'
import type { RespValue } from '#resp/value.ts'
import { splitInline } from './inline.ts'
import { ReplyFramer } from './reply-framer.ts'
import { BROKEN, INCOMPLETE, INLINE, REQUEST_LIMITS, RequestFramer, STRANGER_LIMITS, WHOLE } from './request-framer.ts'

const word = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
const command = fc.array(word, { minLength: 1, maxLength: 50 })
const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 })

/** The sizes of the pieces in turns, until all bytes are cut. */
function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<number> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    at = Math.min(bytes.length, at + (sizes[turn % sizes.length] ?? 1))
    yield at
  }
}

test('the words of a request are found, however its bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 5 }), cuts, (commands, sizes) => {
      const bytes = Buffer.concat(commands.map((words) => encodeCommand(words)))
      const framer = new RequestFramer()
      const found: Buffer[][] = []
      let from = 0
      for (const to of pieces(bytes, sizes)) {
        while (framer.read(bytes, from, to, REQUEST_LIMITS) === WHOLE) {
          const words: Buffer[] = []
          for (let index = 0; index < framer.words; index++)
            words.push(bytes.subarray(from + (framer.starts[index] ?? 0), from + (framer.ends[index] ?? 0)))
          found.push(words)
          from += framer.end
          framer.reset()
        }
      }
      assert.deepEqual(found, commands)
    }),
  )
})

test('what is no request is refused in the words of the engine', () => {
  const problemOf = (text: string, limits = REQUEST_LIMITS) => {
    const framer = new RequestFramer()
    const bytes = Buffer.from(text, 'latin1')
    return framer.read(bytes, 0, bytes.length, limits) === BROKEN ? framer.problem : null
  }
  assert.equal(problemOf('*x\r\n'), 'invalid multibulk length')
  assert.equal(problemOf('*1048577\r\n'), 'invalid multibulk length')
  assert.equal(problemOf('*1\rX$4\r\nPING\r\n'), 'invalid multibulk length')
  assert.equal(problemOf('*01\r\n'), 'invalid multibulk length')
  assert.equal(problemOf('*1\r\n:4\r\n'), "expected '$', got ':'")
  assert.equal(problemOf('*1\r\n$-1\r\n'), 'invalid bulk length')
  assert.equal(problemOf('*1\r\n$536870913\r\n'), 'invalid bulk length')
  assert.equal(problemOf('a'.repeat(70_000)), 'too big inline request')
  assert.equal(problemOf('*11\r\n', STRANGER_LIMITS), 'unauthenticated multibulk length')
  assert.equal(problemOf('*2\r\n$4\r\nAUTH\r\n$20000\r\n', STRANGER_LIMITS), 'unauthenticated bulk length')
  assert.equal(problemOf('*1\r\n$4\r\nPI'), null)
})

test('bytes that make no sense never make the framer throw, or read beyond its end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, isArray) => {
      const bytes = Buffer.concat([Buffer.from(isArray ? '*2\r\n$3\r\n' : ''), noise])
      const framer = new RequestFramer()
      const result = framer.read(bytes, 0, bytes.length, REQUEST_LIMITS)
      assert.ok([INCOMPLETE, WHOLE, INLINE, BROKEN].includes(result))
      if (result === WHOLE || result === INLINE) assert.ok(framer.end <= bytes.length)
      const replies = new ReplyFramer()
      if (replies.read(bytes, 0, bytes.length)) assert.ok(replies.position <= bytes.length)
    }),
  )
})

test('a typed line is split as the engine splits it', () => {
  const words = (text: string) => splitInline(Buffer.from(text))?.map(String) ?? null
  assert.deepEqual(words('SET key "a value"\r\n'), ['SET', 'key', 'a value'])
  assert.deepEqual(words("  SET  'it\\'s' \"\\x41\\n\"\n"), ['SET', "it's", 'A\n'])
  assert.deepEqual(words('\r\n'), [])
  assert.deepEqual(words('GET ""'), ['GET', ''])
  assert.equal(words('GET "a'), null)
  assert.equal(words('GET "a"b'), null)
})

const text = fc.string({ maxLength: 20 }).map((value) => value.replace(/[\r\n]/g, ' '))
const { value: anyReply } = fc.letrec<{ value: RespValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text.map((value): RespValue => ({ kind: 'status', text: value })),
    text.map((value): RespValue => ({ kind: 'error', text: value, bulk: false })),
    word.map((bytes): RespValue => ({ kind: 'bulk', bytes })),
    fc.integer().map((value): RespValue => ({ kind: 'integer', value })),
    fc.constantFrom<RespValue>(
      { kind: 'null', form: 'bulk' },
      { kind: 'null', form: 'array' },
      { kind: 'null', form: 'resp3' },
    ),
    fc.double().map((value): RespValue => ({ kind: 'double', value })),
    fc.array(tie('value'), { maxLength: 4 }).map((items): RespValue => ({ kind: 'array', items })),
    fc.array(tie('value'), { maxLength: 4 }).map((items): RespValue => ({ kind: 'set', items })),
    fc
      .array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 })
      .map((entries): RespValue => ({ kind: 'map', entries })),
    fc
      .tuple(fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 2 }), tie('value'))
      .map(([attributes, value]): RespValue => ({ kind: 'attributed', attributes, value })),
  ),
}))

test('the ends of replies are found, however their bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(anyReply, { minLength: 1, maxLength: 5 }), cuts, (replies, sizes) => {
      const encoded = replies.map(encodeValue)
      const bytes = Buffer.concat(encoded)
      const ends: number[] = []
      const framer = new ReplyFramer()
      let from = 0
      for (const to of pieces(bytes, sizes)) {
        while (from < to && framer.read(bytes, from, to)) {
          from = framer.position
          ends.push(from)
        }
        from = framer.position
        assert.equal(framer.isBroken, false)
      }
      let sum = 0
      const expected = encoded.map((one) => {
        sum += one.length
        return sum
      })
      assert.deepEqual(ends, expected)
    }),
  )
})

test('the slot of a key inside a buffer is the slot of the key', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '{', '}', 'b', 'é'), maxLength: 12 }), (key) => {
      const bytes = Buffer.from(`xx${key}yy`)
      assert.equal(hashSlotWithin(bytes, 2, bytes.length - 2), hashSlot(key))
    }),
  )
})
